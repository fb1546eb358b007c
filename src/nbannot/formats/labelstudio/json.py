"""Label Studio's files as tasks: what lies in them, parsed no further than needed.

Most tasks are boxes and polygons written by Label Studio itself. Those are parsed into the
structures below, several times faster than into dicts, and what they require is checked on the
way; a task that has anything else in it (`plain_task` returns None) is parsed into dicts and read
with care.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType, field

__all__ = ["Annotation", "Plain", "Task", "plain_task"]

Id = int | str | None | UnsetType
_ABSENT = Raw()
Pixels = Annotated[int, Meta(ge=1, lt=2**31)]
BOX, POLYGON = "rectanglelabels", "polygonlabels"


class BoxValue(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The value of a plain box: upright, with an area and one label."""

    x: float
    y: float
    width: Annotated[float, Meta(gt=0)]
    height: Annotated[float, Meta(gt=0)]
    labels: tuple[str] = field(name="rectanglelabels")
    rotation: Annotated[float, Meta(ge=0, le=0)] = 0.0
    points: None = None
    closed: None = None


class PolygonValue(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The value of a plain polygon: three points or more, one label, not said to be open."""

    points: Annotated[list[tuple[float, float]], Meta(min_length=3)]
    labels: tuple[str] = field(name="polygonlabels")
    closed: bool | None = None
    x: None = None
    y: None = None
    width: None = None
    height: None = None


class Box(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag=BOX):
    """A result that is a plain box."""

    value: BoxValue
    id: Annotated[str, Meta(min_length=1)]
    from_name: str
    to_name: str
    original_width: Pixels
    original_height: Pixels
    image_rotation: Literal[0] | None = None
    origin: str | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    kind: ClassVar[str] = "box"
    type: ClassVar[str] = BOX


class Polygon(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag=POLYGON):
    """A result that is a plain polygon."""

    value: PolygonValue
    id: Annotated[str, Meta(min_length=1)]
    from_name: str
    to_name: str
    original_width: Pixels
    original_height: Pixels
    image_rotation: Literal[0] | None = None
    origin: str | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    kind: ClassVar[str] = "polygon"
    type: ClassVar[str] = POLYGON


Plain = Box | Polygon


class Annotation(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An annotation or a prediction. Encoded without `result`, it is what surrounds it."""

    result: list[Plain] | UnsetType = UNSET
    id: Id = UNSET
    completed_by: Any = UNSET
    model_version: str | UnsetType | None = UNSET
    score: float | UnsetType | None = UNSET
    was_cancelled: bool | UnsetType = UNSET
    ground_truth: bool | UnsetType = UNSET
    created_at: Raw = _ABSENT
    updated_at: Raw = _ABSENT
    draft_created_at: Raw = _ABSENT
    created_ago: Raw = _ABSENT
    lead_time: Raw = _ABSENT
    prediction: Raw = _ABSENT
    result_count: Raw = _ABSENT
    unique_id: Raw = _ABSENT
    import_id: Raw = _ABSENT
    last_action: Raw = _ABSENT
    bulk_created: Raw = _ABSENT
    task: Raw = _ABSENT
    project: Raw = _ABSENT
    updated_by: Raw = _ABSENT
    parent_prediction: Raw = _ABSENT
    parent_annotation: Raw = _ABSENT
    last_created_by: Raw = _ABSENT
    history: Raw = _ABSENT
    reviews: Raw = _ABSENT
    cluster: Raw = _ABSENT
    neighbors: Raw = _ABSENT
    mislabeling: Raw = _ABSENT
    model: Raw = _ABSENT
    model_run: Raw = _ABSENT


class Task(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A task. Encoded without `data`, it is what surrounds it."""

    data: dict[str, Any] | UnsetType
    id: Id = UNSET
    annotations: list[Annotation] | UnsetType = UNSET
    predictions: list[Annotation] | UnsetType = UNSET
    drafts: list[Any] | UnsetType = UNSET
    meta: Raw = _ABSENT
    nbannot: dict[str, Any] | UnsetType = UNSET
    created_at: Raw = _ABSENT
    updated_at: Raw = _ABSENT
    inner_id: Raw = _ABSENT
    file_upload: Raw = _ABSENT
    total_annotations: Raw = _ABSENT
    cancelled_annotations: Raw = _ABSENT
    total_predictions: Raw = _ABSENT
    comment_count: Raw = _ABSENT
    unresolved_comment_count: Raw = _ABSENT
    last_comment_updated_at: Raw = _ABSENT
    project: Raw = _ABSENT
    updated_by: Raw = _ABSENT
    comment_authors: Raw = _ABSENT
    is_labeled: Raw = _ABSENT
    overlap: Raw = _ABSENT
    agreement: Raw = _ABSENT
    allow_skip: Raw = _ABSENT


_TASK = msgspec.json.Decoder(Task)


def plain_task(raw: Raw) -> Task | None:
    """Return a task that holds nothing but what the structures above name, else None."""
    try:
        return _TASK.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
