"""What columns of tables are usually called, and what they are then."""

from __future__ import annotations

import re

__all__ = ["BOX_NAMES", "NAMES", "corner_of", "is_known_name", "plain_name"]

NAMES: dict[str, tuple[str, ...]] = {
    "image": (
        "filename", "imagefilename", "image", "imagepath", "imagename", "imgname", "imgfname",
        "imgpath", "img", "imagefile", "filepath", "imageid", "imgid", "imageurl", "imageuri",
        "imgurl", "photo", "picture", "file", "path", "url", "uri", "frame", "name", "item",
    ),
    "label": (
        "label", "class", "classname", "classlabel", "labelname", "category", "categoryname",
        "labels", "classes", "tag", "tags", "species", "categoryid", "classid", "labelid",
    ),
    "split": ("split", "subset", "set", "partition", "datasplit"),
    "score": ("score", "confidence", "conf", "probability", "prob"),
    "width": ("imagewidth", "imgwidth", "imgw", "imagew", "width", "iw"),
    "height": ("imageheight", "imgheight", "imgh", "imageh", "height", "ih"),
    "id": ("annotationid", "annid", "boxid", "objectid", "id", "uid", "uuid"),
    "text": (
        "text", "sentence", "reviewtext", "review", "content", "document", "caption", "body",
        "prompt", "question", "comment", "tweet", "message",
    ),
}  # fmt: skip
"""Plain names of each role's column, likeliest first."""

VAGUE = frozenset(("file", "path", "url", "uri", "frame", "name", "item", "imageid", "imgid"))
"""Names that mean an image only where the cells look like it."""

BOX_NAMES = ("bbox", "box", "boundingbox", "bndbox", "xyxy", "xywh", "bboxes", "cxcywh")
"""Plain names of a column that holds a whole box."""

_CORNERS = {
    "left": ("xmin", "x1", "xtl", "left", "minx", "x0", "l"),
    "top": ("ymin", "y1", "ytl", "top", "miny", "y0", "t"),
    "right": ("xmax", "x2", "xbr", "right", "maxx", "r"),
    "bottom": ("ymax", "y2", "ybr", "bottom", "maxy", "b"),
    "x": ("x",),
    "y": ("y",),
    "cx": ("cx", "xcenter", "centerx", "xcentre", "centrex", "xc", "xmid"),
    "cy": ("cy", "ycenter", "centery", "ycentre", "centrey", "yc", "ymid"),
    "w": ("w", "width", "bw"),
    "h": ("h", "height", "bh"),
}
_MEANING = {name: meaning for meaning, names in _CORNERS.items() for name in names}
_PREFIXES = ("boundingbox", "bndbox", "bbox", "bbx", "bb", "box", "rect", "object", "obj")
_KNOWN = {name for names in NAMES.values() for name in names} | set(BOX_NAMES) | set(_MEANING)


def plain_name(name: str) -> str:
    """Return a column's name without case and punctuation: ``"Img_fName"`` is ``"imgfname"``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def corner_of(name: str) -> tuple[str, bool]:
    """Return what part of a box a column is (``"left"``, ``"cx"``, ...), and is it said so twice?

    The latter: by a word in front that means a box, so that ``bbox_width`` is one's width and
    ``width`` may be the image's. "" where it is no part of one.

    >>> corner_of("xmin"), corner_of("bbx_xtl"), corner_of("colour")
    (('left', False), ('left', True), ('', False))
    """
    plain = plain_name(name)
    if plain in _MEANING:
        return _MEANING[plain], False
    for prefix in _PREFIXES:
        rest = plain.removeprefix(prefix)
        if rest != plain and rest in _MEANING:
            return _MEANING[rest], True
    return "", False


def is_known_name(name: str) -> bool:
    """Say whether a cell reads like the name of a column."""
    return plain_name(name) in _KNOWN or bool(corner_of(name)[0])
