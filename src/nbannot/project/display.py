"""How a project shows itself without a browser's code: one line of text, and a static summary.

The summary stays in a saved notebook and must be worth seeing where no kernel runs. Each picture
is an SVG in an ``<img>``: what came from files can't run there, and JupyterLab leaves it alone in
a notebook it does not trust (it would take an inline ``<svg>`` out).
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..geometry import rle_to_mask, split_rings
from ._above import above
from .page import Page, PageLabel

if TYPE_CHECKING:
    from .project import Project

__all__ = ["bundle_of", "html_of", "pictures_html", "text_of"]

PICTURES = 8
SIZE_PX = 200
MAX_LABELS = 12
MAX_TASKS = 8
MAX_DRAWN = 300
MAX_MASK_PIXELS = 64_000_000
GREY = "#888888"


def text_of(project: Project) -> str:
    """Return the project in one line."""
    name = project.name if project.path is None else repr(project.name)
    counts = project.summary(0)["counts"]
    if not counts["items"]:
        return f"Project {name}: no items yet"
    words = ("tasks", "items", "annotations", "labels")
    return f"Project {name}: " + ", ".join(_count(counts[w], w) for w in words)


def bundle_of(project: Project) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what a notebook may show, by MIME type: text, a static summary, and the gallery."""
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    widget = above("widget")(project)._repr_mimebundle_()
    if widget is not None:
        live = widget if isinstance(widget, tuple) else (widget, {})
        data, metadata = dict(live[0]), dict(live[1])
    return {**data, "text/plain": text_of(project), "text/html": html_of(project)}, metadata


def html_of(project: Project) -> str:
    """Return the project as HTML without scripts: counts, tasks, labels, a few pictures."""
    summary = project.summary(MAX_LABELS)
    counts = summary["counts"]
    words = [_count(counts[w], w) for w in ("tasks", "items", "annotations", "labels")]
    parts = [
        '<div style="font-family:system-ui,sans-serif;font-size:13px;line-height:1.5">',
        f"<div><b>{_text(project.name)}</b> &nbsp;{', '.join(words)}</div>",
    ]
    if not counts["items"]:
        parts.append("<div>No items yet: import some with <code>project.import_dataset(...)</code>")
        parts.append("</div>")
    parts += _pictures(project)
    parts += _labels(summary["labels"], counts["labels"])
    parts += _tasks(summary["tasks"], counts["tasks"])
    return "".join([*parts, "</div>"])


def _text(value: object) -> str:
    return html.escape(str(value))


def _count(n: int, words: str) -> str:
    return f"{n:,} {words[:-1] if n == 1 else words}"


def _labels(labels: Sequence[Mapping[str, Any]], total: int) -> Iterator[str]:
    if not labels:
        return
    yield '<div style="margin:6px 0">'
    for label in labels:
        yield (
            '<span style="display:inline-block;margin-right:12px">'
            f'<span style="display:inline-block;width:10px;height:10px;border-radius:2px;'
            f'background-color:{_text(label["color"])}"></span> '
            f"{_text(label['name'])} {label['annotations']:,}</span>"
        )
    if total > len(labels):
        yield f"<span style='white-space:nowrap'>and {total - len(labels):,} more</span>"
    yield "</div>"


def _tasks(tasks: Sequence[Mapping[str, Any]], total: int) -> Iterator[str]:
    if not tasks:
        return
    # A page in quirks mode (nbviewer's frames) would not hand colour and size down to a table.
    yield '<table style="color:inherit;font-size:inherit"><thead><tr>'
    yield "<th>task</th><th>items</th><th>annotations</th></tr></thead><tbody>"
    for task in tasks[:MAX_TASKS]:
        yield (
            f"<tr><td>{_text(task['name'])}</td><td>{task['items']:,}</td>"
            f"<td>{task['annotations']:,}</td></tr>"
        )
    yield "</tbody></table>"
    if total > MAX_TASKS:
        yield f"<div>and {total - MAX_TASKS:,} more tasks</div>"


def _pictures(project: Project) -> Iterator[str]:
    yield from pictures_html(project._gallery.sample(PICTURES, SIZE_PX))


def pictures_html(page: Page) -> Iterator[str]:
    """Yield the HTML of a page's pictures with their annotations, those that have a picture."""
    shown = [i for i, data in enumerate(page.thumbnails) if data]
    if not shown:
        return
    yield "<div>"
    rows = page.annotations.slice(0, MAX_DRAWN * len(page)).to_pylist()
    for i in shown:
        mine = [row for row in rows if row["item"] == i][:MAX_DRAWN]
        svg, width, height = picture_svg(page, i, mine)
        key = _text(page.items["key"][i].as_py())
        yield (
            f'<img src="data:image/svg+xml,{quote(svg)}" width="{width}" height="{height}" '
            f'alt="{key}" title="{key}" style="margin:2px;border-radius:3px;vertical-align:top">'
        )
    yield "</div>"


def picture_svg(page: Page, item: int, rows: Sequence[Mapping[str, Any]]) -> tuple[str, int, int]:
    """Return the thumbnail of an item with its annotations drawn on it, and its size in pixels.

    Args:
        page: the page.
        item: index of the item.
        rows: its annotations as dicts.
    """
    data = page.thumbnails[item]
    with Image.open(io.BytesIO(data)) as image:
        shown, kind = image.size, image.format
    size = [page.items[name][item].as_py() for name in ("width", "height")]
    width, height = size if all(size) else shown
    labels = {label.name: label for label in page.labels}
    drawn = "".join(_shape(row, labels.get(row["label"]), (width, height), shown) for row in rows)
    picture = f"data:image/{(kind or 'jpeg').lower()};base64,{base64.b64encode(data).decode()}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{shown[0]}" height="{shown[1]}" preserveAspectRatio="none">'
        f'<image href="{picture}" width="{width}" height="{height}" preserveAspectRatio="none"/>'
        f"{drawn}</svg>"
    )
    return svg, *shown


def _shape(
    row: Mapping[str, Any],
    label: PageLabel | None,
    size: tuple[int, int],
    shown: tuple[int, int],
) -> str:
    color = html.escape(label.color if label is not None else GREY)
    unit = max(size) / SIZE_PX  # what is one pixel of the thumbnail
    line = f'stroke="{color}" stroke-width="{_n(1.5 * unit)}"'
    kind, points = row["type"], row["points"]
    if kind in ("box", "ellipse") and _finite(row["x"], row["y"], row["w"], row["h"]):
        return _box(row, f'{line} fill="{color}" fill-opacity="0.12"')
    if kind == "mask" and row["mask"] is not None:
        return _mask(row, color, size, shown)
    if not points or not _finite(*points):
        return ""
    if kind == "polygon":
        rings = [xy.tolist() for xy, _ in split_rings(points, row["rings"])]
        path = "".join("M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in ring) + "Z" for ring in rings)
        return f'<path d="{path}" {line} fill="{color}" fill-opacity="0.25" fill-rule="evenodd"/>'
    pairs = list(zip(points[::2], points[1::2], strict=False))
    if kind == "polyline":
        flat = " ".join(f"{_n(x)},{_n(y)}" for x, y in pairs)
        return f'<polyline points="{flat}" {line} fill="none"/>'
    if kind in ("points", "skeleton"):
        return _joints(row, pairs, label, line, color, unit)
    if kind == "cuboid" and len(pairs) == 8:
        edges = [(a, (a + 1) % 4) for a in range(4)]
        edges += [(a + 4, b + 4) for a, b in edges] + [(a, a + 4) for a in range(4)]
        return "".join(_line(pairs[a], pairs[b], line) for a, b in edges)
    return ""


def _box(row: Mapping[str, Any], paint: str) -> str:
    x, y, w, h = (row[name] for name in ("x", "y", "w", "h"))
    cx, cy = _n(x + w / 2), _n(y + h / 2)
    turn = row["rotation"] or 0
    turned = f' transform="rotate({_n(turn)} {cx} {cy})"' if turn and _finite(turn) else ""
    if row["type"] == "ellipse":
        rx, ry = _n(abs(w) / 2), _n(abs(h) / 2)
        return f'<ellipse cx="{cx}" cy="{cy}" rx="{rx}" ry="{ry}" {paint}{turned}/>'
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" {paint}{turned}/>'


def _joints(
    row: Mapping[str, Any],
    pairs: Sequence[tuple[float, float]],
    label: PageLabel | None,
    line: str,
    color: str,
    unit: float,
) -> str:
    seen = row["visibility"] or []
    there = [i >= len(seen) or bool(seen[i]) for i in range(len(pairs))]
    edges = label.skeleton.edges if label is not None and label.skeleton is not None else ()
    parts = [
        _line(pairs[a], pairs[b], line)
        for a, b in edges
        if max(a, b) < len(pairs) and min(a, b) >= 0 and there[a] and there[b]
    ]
    parts += [
        f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(2.5 * unit)}" fill="{color}" stroke="white" '
        f'stroke-width="{_n(0.6 * unit)}"/>'
        for (x, y), shown in zip(pairs, there, strict=True)
        if shown
    ]
    return "".join(parts)


def _mask(row: Mapping[str, Any], color: str, size: tuple[int, int], shown: tuple[int, int]) -> str:
    height, width = row["mask_height"] or 0, row["mask_width"] or 0
    if not 0 < height * width <= MAX_MASK_PIXELS:
        return ""
    try:
        mask = rle_to_mask(row["mask"], height, width)
    except ValueError:  # broken RLE: the picture goes without it, the ledger has said so
        return ""
    rows = np.linspace(0, height - 1, min(shown[1], height)).astype(int)
    columns = np.linspace(0, width - 1, min(shown[0], width)).astype(int)
    small = mask[np.ix_(rows, columns)]
    rgba = np.zeros((*small.shape, 4), np.uint8)
    rgba[small > 0] = (*bytes.fromhex(color[1:]), 115)
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode()
    return (
        f'<image href="data:image/png;base64,{data}" width="{size[0]}" height="{size[1]}" '
        'preserveAspectRatio="none"/>'
    )


def _line(a: tuple[float, float], b: tuple[float, float], line: str) -> str:
    return f'<line x1="{_n(a[0])}" y1="{_n(a[1])}" x2="{_n(b[0])}" y2="{_n(b[1])}" {line}/>'


def _finite(*values: float | None) -> bool:
    return all(v is not None and math.isfinite(v) for v in values)


def _n(value: float) -> str:
    return f"{value:.5g}"
