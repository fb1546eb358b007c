"""Controls and objects that a Label Studio export uses, as it meets them."""

from __future__ import annotations

from collections.abc import Iterable

from ...schema import Label
from .config import config_xml

__all__ = ["Controls"]

_TAG_OF_KIND = {
    "image": "Image", "video": "Video", "audio": "Audio", "text": "Text",
    "time_series": "TimeSeries", "table": "Table", "other": "Text",
}  # fmt: skip
_TAG_OF_TYPE = {
    "rectangle": "Rectangle", "rectanglelabels": "RectangleLabels", "ellipse": "Ellipse",
    "ellipselabels": "EllipseLabels", "polygon": "Polygon", "polygonlabels": "PolygonLabels",
    "keypoint": "KeyPoint", "keypointlabels": "KeyPointLabels", "brush": "Brush",
    "brushlabels": "BrushLabels", "magicwand": "MagicWand", "bitmask": "BitMask",
    "bitmasklabels": "BitMaskLabels", "vector": "Vector", "vectorlabels": "VectorLabels",
    "ocrlabels": "OcrLabels", "videorectangle": "VideoRectangle", "videovector": "VideoVector",
    "videovectorlabels": "VideoVectorLabels", "labels": "Labels",
    "hypertextlabels": "HyperTextLabels", "paragraphlabels": "ParagraphLabels",
    "timeserieslabels": "TimeSeriesLabels", "timelinelabels": "TimelineLabels",
    "choices": "Choices", "taxonomy": "Taxonomy", "textarea": "TextArea", "rating": "Rating",
    "number": "Number",
    "datetime": "DateTime", "pairwise": "Pairwise", "ranker": "Ranker", "reactcode": "ReactCode",
}  # fmt: skip
_OBJECT_OF_TYPE = {"hypertextlabels": "HyperText", "paragraphlabels": "Paragraphs"}


class Controls:
    """Remembers each control with the labels used in it, and names new ones.

    `begin` says on what kind of item, and which key of the data, the following results are.
    """

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels = {label.name: label for label in labels}
        self._controls: dict[str, tuple[str, str, dict[str, None]]] = {}
        self._objects: dict[str, tuple[str, str]] = {}
        self._relations: dict[str, None] = {}
        self._kinds: dict[str, str] = {}
        self._kind, self._key = "image", "image"

    def begin(self, kind: str, key: str) -> None:
        """Results that follow are on an item of `kind`, whose media is in ``data[key]``."""
        self._kind, self._key = kind, key
        self._kinds.setdefault(key, kind)

    def relate(self, labels: Iterable[str]) -> None:
        """Relations have these labels."""
        self._relations.update(dict.fromkeys(labels))

    def _object(self, name: str, tag: str) -> str:
        free, n = name, 1
        while (free in self._objects and self._objects[free] != (tag, self._key)) or (
            free in self._controls
        ):
            n += 1
            free = f"{name}_{n}"
        self._objects[free] = (tag, self._key)
        return free

    def use(
        self, kind: str, from_name: str | None, to_name: str | None, labels: Iterable[str]
    ) -> tuple[str, str]:
        """Return (from_name, to_name) for a result of type `kind`, as given where they can be."""
        tag = _TAG_OF_TYPE.get(kind)
        if from_name is not None and to_name is not None and kind == "chatmessage":
            self._objects.setdefault(to_name, ("Chat", self._key))
            return from_name, to_name
        object_tag = _OBJECT_OF_TYPE.get(kind, _TAG_OF_KIND.get(self._kind, "Text"))
        if to_name is None:
            to_name = next(
                (n for n, o in self._objects.items() if o == (object_tag, self._key)), None
            ) or self._object(self._key, object_tag)
        elif to_name not in self._objects:
            self._objects[to_name] = (object_tag, self._key)
        if tag is None:
            return from_name or kind, to_name
        name = from_name or kind.removesuffix("labels") or "labels"
        free, n = name, 1
        while (free in self._controls and self._controls[free][:2] != (tag, to_name)) or (
            from_name is None and free in self._objects
        ):
            if from_name is not None and self._controls[free][0] == tag:
                break  # one control on several objects
            n += 1
            free = f"{name}_{n}"
        known = self._controls.setdefault(free, (tag, to_name, {}))
        known[2].update(dict.fromkeys(labels))
        if kind in ("videorectangle", "videovector"):  # their labels have a control of their own
            own = self._controls.setdefault(f"{free}_labels", ("Labels", to_name, {}))
            own[2].update(dict.fromkeys(labels))
        return free, to_name

    def xml(self) -> str:
        """Return the labelling configuration; labels stand in the order of the project's."""
        for key, kind in self._kinds.items():
            if not any(key == known for _, known in self._objects.values()):
                self._key = key
                self._object(key, _TAG_OF_KIND.get(kind, "Text"))
        order = {name: i for i, name in enumerate(self._labels)}
        controls = {}
        for name, (tag, to, used) in self._controls.items():
            declared = [
                label.name for label in self._labels.values() if label.extra.get("control") == name
            ]
            names = sorted({*used, *declared}, key=lambda n: (order.get(n, len(order)), n))
            controls[name] = (tag, to, names)
        used_names = {n for c in controls.values() for n in c[2]} | self._relations.keys()
        unused = [n for n in self._labels if n not in used_names]
        boxes = next((n for n, c in controls.items() if c[0] == "RectangleLabels"), None)
        if unused and boxes is not None:  # declared, and not used yet: offered for boxes
            tag, to, names = controls[boxes]
            controls[boxes] = (
                tag,
                to,
                sorted({*names, *unused}, key=lambda n: order.get(n, len(order))),
            )
        return config_xml(self._objects, controls, self._labels, self._relations)
