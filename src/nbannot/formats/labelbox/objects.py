"""What an object of Labelbox is: its figure, its answers, its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..json_documents import (
    gather,
    list_of,
    mapping_of,
    text_of,
    whole,
)
from ..json_shapes import Row, Unusable, bitmap, box, mask, number, pair, points, polygon
from ..json_values import dumps

__all__ = ["Size", "answers_of", "attributes_of", "feature_of", "figure_of", "size_of"]

Size = tuple[int | None, int | None]


def feature_of(one: Mapping[str, Any]) -> str | None:
    """Return the id of an object, None where it has none."""
    return text_of(one.get("feature_id") or one.get("featureId") or one.get("uuid"))


def size_of(media: Mapping[str, Any]) -> Size:
    """Return width and height of media, None where they are not told."""
    return whole(media.get("width"), 1), whole(media.get("height"), 1)


def figure_of(one: Mapping[str, Any], size: Size) -> tuple[Row, str]:
    """Return the columns of a figure, and the address of a mask that is not here.

    Raises:
        Unusable: it has no figure that can be read.
    """
    given = one.get("bbox") or one.get("bounding_box")
    if isinstance(given, Mapping):
        return box(*(given.get(n) for n in ("left", "top", "width", "height"))), ""
    if "polygon" in one:
        return polygon([(points(one["polygon"], 3, "polygon"), False)]), ""
    if "line" in one:
        return {"type": "polyline", "points": points(one["line"], 2, "line")}, ""
    if "point" in one:
        return {"type": "points", "points": list(pair(one["point"]))}, ""
    place = one.get("location") or mapping_of(one.get("data")).get("location")
    if isinstance(place, Mapping):
        start, end = number(place.get("start"), "start"), number(place.get("end"), "end")
        if end < start:
            raise Unusable("span ends before it starts", f"{start:g} to {end:g}")
        return {"type": "text_span", "start": start, "end": end + 1}, ""
    there = mapping_of(one.get("mask") or one.get("composite_mask"))
    if isinstance(there.get("png"), str):
        return mask(bitmap(there["png"]) != 0, 0, 0, size), ""
    url = there.get("url") or there.get("instanceURI") or one.get("instanceURI")
    if isinstance(url, str) and url:
        return {"type": "tag"}, url
    if isinstance(one.get("geometry"), Mapping):
        raise Unusable("places on the earth can't be read", "its geometry is longitude, latitude")
    raise Unusable("object without a figure", f"it has {', '.join(sorted(map(str, one)))}")


def answers_of(one: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return each answer: ("choice" or "text", what it says, nested answers by question)."""
    free = one.get("text_answer")
    if isinstance(free, Mapping):
        free = free.get("content")
    given = one.get("answer", one.get("radio_answer", one.get("answers")))
    many = given if isinstance(given, list) else [] if given is None else [given]
    many = [*many, *list_of(one.get("checklist_answers"))]
    found: list[tuple[str, str, dict[str, Any]]] = []
    if isinstance(free, str):
        found.append(("text", free, {}))
    for answer in many:
        if isinstance(answer, str):
            found.append(("text", answer, {}))
        elif isinstance(answer, Mapping):
            names = (answer.get("name"), answer.get("title"), answer.get("value"),
                     answer.get("schemaId"))  # fmt: skip
            name = next((n for n in names if isinstance(n, str)), None)
            if name is not None:
                found.append(("choice", name, _nested(answer.get("classifications"))))
    return found


def _nested(classifications: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in list_of(classifications):
        if isinstance(one, Mapping):
            names = (one.get("name"), one.get("title"), one.get("value"), one.get("schemaId"))
            question = next((n for n in names if isinstance(n, str)), "")
            for _, answer, deeper in answers_of(one):
                gather(values, question, answer)
                for name, value in deeper.items():
                    gather(values, name, value)
    return values


def attributes_of(classifications: Any, page: int | None) -> Row:
    """Return the answers about an object as the column ``attributes``."""
    values = _nested(classifications)
    if page is not None:
        values["page"] = page
    return {"attributes": dumps(values)} if values else {}
