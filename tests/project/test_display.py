"""What a project shows without a kernel."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from nbannot.geometry import mask_to_rle
from nbannot.project.display import html_of, text_of
from nbannot.schema import Label, Skeleton
from tests.project.making import add, annotation_rows, item_rows, jpeg

SVG = "{http://www.w3.org/2000/svg}"


class Parsed(HTMLParser):
    """Tags, attributes and text of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.images = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        self.text += data


def svgs(html):
    """Return the pictures of a summary as XML trees."""
    sources = [image["src"] for image in Parsed(html).images]
    assert all(s.startswith("data:image/svg+xml,") for s in sources)
    return [ET.fromstring(unquote(s.partition(",")[2])) for s in sources]


@pytest.fixture
def drawn(project):
    """Return a project with one picture and one annotation of each kind on it."""
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 30:50] = 1
    shapes = [
        {"type": "box", "x": 1.0, "y": 2.0, "w": 10.0, "h": 5.0, "rotation": 30.0},
        {"type": "ellipse", "x": 1.0, "y": 2.0, "w": 10.0, "h": 5.0},
        {"type": "polygon", "points": [0.0, 0, 9, 0, 9, 9, 2, 2, 4, 2, 4, 4], "rings": [3, -3]},
        {"type": "polyline", "points": [0.0, 0, 9, 9]},
        {"type": "skeleton", "points": [5.0, 5, 20, 20, 30, 5], "visibility": [2, 2, 0]},
        {"type": "mask", "mask": mask_to_rle(mask), "mask_height": 48, "mask_width": 64},
        {"type": "cuboid", "points": [float(v) for v in range(16)]},
        {"type": "tag"},
        {"type": "mask", "mask": b"", "mask_height": 2**30, "mask_width": 2**30},
        {"type": "box", "x": 1.0},
        {"type": "polygon", "points": [float("nan"), 1.0]},
    ]
    with project.begin("import") as commit:
        bones = Skeleton(("a", "b", "c"), ((0, 1), (1, 2), (1, 99)))
        label = commit.ensure_labels([Label("cat", "#112233", skeleton=bones)])["cat"]
        blob = commit.put_media(jpeg())
        commit.add_items(commit.add_task("t"), item_rows(["a.jpg"], blob=[blob]))
        rows = [{"item": 1, "label": label, **shape} for shape in shapes]
        commit.add_annotations(annotation_rows(rows))
    return project


def test_annotations_are_drawn_on_the_picture(drawn):
    """Each kind of geometry is a shape in its label's colour; a tag and broken ones are none."""
    (tree,) = svgs(html_of(drawn))
    assert tree.get("viewBox") == "0 0 64 48"
    tags = [element.tag.removeprefix(SVG) for element in tree]
    assert tags == [
        "image", "rect", "ellipse", "path", "polyline", "line", "circle", "circle", "image",
        *["line"] * 12,
    ]  # fmt: skip
    rect = tree.find(f"{SVG}rect")
    assert (rect.get("stroke"), rect.get("width")) == ("#112233", "10")
    assert rect.get("transform") == "rotate(30 6 4.5)"
    assert tree.find(f"{SVG}path").get("d") == "M0,0L9,0L9,9ZM2,2L4,2L4,4Z"
    data = tree.findall(f"{SVG}image")[1].get("href").partition("base64,")[2]
    overlay = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert overlay[15, 40].tolist() == [0x11, 0x22, 0x33, 115]
    assert overlay[15, 10].tolist() == [0, 0, 0, 0]


def test_the_summary_needs_no_kernel(drawn):
    """Counts, labels with swatches and tasks are there; no scripts, links or text colours."""
    html = html_of(drawn)
    parsed = Parsed(html)
    assert "1 task, 1 item, 11 annotations, 1 label" in parsed.text
    assert "cat 11" in parsed.text
    assert "background-color:#112233" in html
    assert set(parsed.tags) <= {
        "div", "span", "b", "img", "table", "thead", "tbody", "tr", "th", "td", "code",
    }  # fmt: skip
    assert not re.search(r"[\s;\"]color:(?!inherit)", html)
    assert "http" not in html.replace(quote_of("http://www.w3.org/2000/svg"), "")


def quote_of(text):
    """Return text as it is in a data: URI."""
    from urllib.parse import quote

    return quote(text)


def test_names_from_files_are_text(project):
    """Markup in a name of a task, label or item is shown, not obeyed."""
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    with project.begin("import") as commit:
        label = commit.ensure_labels([Label(evil, "red;background:url(//x)")])[evil]
        blob = commit.put_media(jpeg())
        commit.add_items(commit.add_task(evil), item_rows([evil], blob=[blob]))
        commit.add_annotations(annotation_rows([{"item": 1, "type": "tag", "label": label}]))
    html = html_of(project)
    parsed = Parsed(html)
    assert "script" not in parsed.tags
    assert len(parsed.images) == 1
    assert set(parsed.images[0]) == {"src", "width", "height", "alt", "title", "style"}
    assert parsed.images[0]["title"] == evil
    assert evil in parsed.text
    assert "url(//x)" not in html
    assert len(svgs(html)) == 1


def test_a_few_items_of_each_task(project):
    """At most eight pictures, annotated ones first, and some of every task."""
    with project.begin("import") as commit:
        blobs = [commit.put_media(jpeg(c)) for c in ("red", "blue")]
        for blob, task in zip(blobs, ("one", "two"), strict=True):
            names = [f"{task} {i}" for i in range(20)]
            items = commit.add_items(commit.add_task(task), item_rows(names, blob=[blob] * 20))
            rows = [{"item": i, "type": "tag"} for i in items[10:]]
            commit.add_annotations(annotation_rows(rows))
    titles = [image["title"] for image in Parsed(html_of(project)).images]
    assert titles == [f"{task} {i}" for task in ("one", "two") for i in range(10, 14)]


def test_one_line_of_text(project):
    """The text says what it is, and what it holds."""
    add(project)
    name = "in memory" if project.path is None else "'p'"
    assert text_of(project) == f"Project {name}: 1 task, 3 items, 3 annotations, 2 labels"


def test_a_notebook_gets_text_summary_and_gallery(project, monkeypatch):
    """The bundle has the widget's view beside what is static."""

    class Widget:
        def __init__(self, shown):
            assert shown is project

        def _repr_mimebundle_(self):
            return {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "Widget"}, {
                "m": 1
            }

    monkeypatch.setattr("nbannot.project.display.above", {"widget": Widget}.__getitem__)
    data, metadata = project._repr_mimebundle_()
    assert list(data) == ["application/vnd.jupyter.widget-view+json", "text/plain", "text/html"]
    assert data["text/plain"] == "Project " + text_of(project).removeprefix("Project ")
    assert "No items yet" in data["text/html"]
    assert metadata == {"m": 1}
