"""Pascal VOC: files that are read without an XML parser say what the parser says of them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nbannot.formats.voc import read as voc_read
from nbannot.formats.voc.plain import parse_plain_files
from nbannot.sources import open_source

from .voc_files import Read, memory, obj, xml

LABELIMG = b"""<annotation verified="yes">
\t<folder>images</folder>
\t<filename>a.jpg</filename>
\t<path>/home/me/images/a.jpg</path>
\t<source>
\t\t<database>Unknown</database>
\t</source>
\t<size>
\t\t<width>20</width>
\t\t<height>10</height>
\t\t<depth>3</depth>
\t</size>
\t<segmented>0</segmented>
\t<object>
\t\t<name>cat</name>
\t\t<pose>Left</pose>
\t\t<truncated>1</truncated>
\t\t<difficult>0</difficult>
\t\t<bndbox>
\t\t\t<xmin>1</xmin>
\t\t\t<ymin>2</ymin>
\t\t\t<xmax>5.5</xmax>
\t\t\t<ymax>6</ymax>
\t\t</bndbox>
\t</object>
</annotation>
"""
ROBOFLOW = b"""<annotation>
\t<folder></folder>
\t<filename>a.jpg</filename>
\t<path>a.jpg</path>
\t<source>
\t\t<database>roboflow.com</database>
\t</source>
\t<size>
\t\t<width>20</width>
\t\t<height>10</height>
\t\t<depth>3</depth>
\t</size>
\t<segmented>0</segmented>
\t<object>
\t\t<name>cat</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>0</truncated>
\t\t<difficult>1</difficult>
\t\t<occluded>0</occluded>
\t\t<bndbox>
\t\t\t<xmin>1</xmin>
\t\t\t<xmax>5</xmax>
\t\t\t<ymin>2</ymin>
\t\t\t<ymax>6</ymax>
\t\t</bndbox>
\t</object>
</annotation>
"""
VOC2012 = b"""<annotation>
\t<folder>VOC2012</folder>
\t<filename>a.jpg</filename>
\t<source>
\t\t<database>The VOC2007 Database</database>
\t\t<annotation>PASCAL VOC2007</annotation>
\t\t<image>flickr</image>
\t</source>
\t<size>
\t\t<width>20</width>
\t\t<height>10</height>
\t\t<depth>3</depth>
\t</size>
\t<segmented>0</segmented>
\t<object>
\t\t<name>cat</name>
\t\t<pose>Frontal</pose>
\t\t<truncated>1</truncated>
\t\t<occluded>1</occluded>
\t\t<bndbox>
\t\t\t<xmin>1</xmin>
\t\t\t<ymin>2</ymin>
\t\t\t<xmax>20</xmax>
\t\t\t<ymax>10</ymax>
\t\t</bndbox>
\t\t<difficult>0</difficult>
\t</object>
</annotation>
"""
PLAIN = {
    "labelImg": LABELIMG,
    "labelImg on Windows": LABELIMG.replace(b"\n", b"\r\n"),
    "Roboflow": ROBOFLOW,
    "VOC2012": VOC2012,
    "short": xml(obj() + obj("dog", (0, 0, 20, 10))),
    "no objects": xml(),
    "a flag twice": xml(
        "<object><name>cat</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin>"
        "<xmax>5</xmax><ymax>6</ymax></bndbox><difficult>0</difficult></object>"
    ),
    "declared": b"<?xml version='1.0' encoding='utf-8'?>\n" + LABELIMG,
}
UNUSUAL = {
    "an entity": xml(obj("cat &amp; dog")),
    "a comment": xml("<!-- seen -->" + obj()),
    "a document type": b"<!DOCTYPE annotation>" + xml(obj()),
    "another encoding": b'<?xml version="1.0" encoding="latin-1"?>' + xml(obj()),
    "not ASCII": xml(obj("Größe")),
    "a part": xml(obj(more="<part><name>head</name></part>")),
    "an attribute of CVAT's": xml(obj(more="<attributes></attributes>")),
    "text between objects": xml(obj() + "and" + obj()),
    "something after the end": xml(obj()) + b"<annotation/>",
    "cut": xml(obj())[:-4],
    "a second size": xml(obj() + "<size><width>9</width><height>9</height></size>"),
    "a name on two lines": xml(obj("\ncat\n")),
    "no name": xml(obj("")),
    "corners the wrong way round": xml(obj(box=(5, 2, 1, 6))),
    "no area": xml(obj(box=(5, 2, 5, 6))),
    "outside": xml(obj(box=(5, 2, 50, 6))),
    "not a number": xml(obj(box=(5, 2, "x", 6))),
    "an exponent": xml(obj(box=("1e0", 2, 5, 6))),
    "a megabyte of spaces": xml(
        "<object><name>cat</name>"
        + " " * 1_000_000
        + "<pose>"
        + " " * 1_000_000
        + "1</pose></object>"
    ),
    "a size of nothing": xml(obj(), size=(0, 10)),
    "two databases": xml(head="<source><database>a</database><database>b</database></source>"),
    "no file of VOC": b"<html></html>",
    "empty": b"",
}


@pytest.mark.parametrize("case", PLAIN)
def test_files_of_usual_tools_are_plain(case):
    """Files of labelImg, Roboflow and the challenge take the short way, and say the same."""
    (found,) = parse_plain_files([PLAIN[case]], "auto")
    assert found is not None
    _assert_same({"Annotations/a.xml": PLAIN[case]})


@pytest.mark.parametrize("case", UNUSUAL)
def test_unusual_files_are_not(case):
    """Whatever the expressions do not know goes to the parser, also beside plain files."""
    assert parse_plain_files([UNUSUAL[case]], "auto") == [None]
    found = parse_plain_files([LABELIMG, UNUSUAL[case], ROBOFLOW], "auto")
    assert [file is not None for file in found] == [True, False, True]
    files = {"Annotations/a.xml": UNUSUAL[case], "Annotations/b.xml": ROBOFLOW}
    _assert_same(files)


def test_samples_are_read_alike(samples):
    """Real datasets give the same rows and lines on both ways."""
    folders = [p for p in sorted((samples / "voc").iterdir()) if p.is_dir()]
    assert folders
    for folder in folders:
        with open_source(str(folder)) as source:
            assert _facts(source) == _facts(source, plain=False)


_HEADS = {
    "folder": ["", "JPEGImages", " x\ty "],
    "filename": ["a.jpg", "b.jpg", "", "../a.jpg", "x/a.png"],
    "path": ["", "/home/me/a.jpg"],
    "source": [
        "<database>Unknown</database>",
        "\n<database>The VOC2007 Database</database>\n<image>flickr</image>",
        "<database></database>",
        "",
    ],
    "size": [
        "<width>20</width>\n<height>10</height><depth>3</depth>",
        "<width> 20 </width><height>10</height>",
        "<width>0</width><height>0</height><depth></depth>",
    ],
    "segmented": ["0", ""],
}
_FLAGS = {
    "pose": ["Left", "Unspecified", "", " Left\n", "left side"],
    "truncated": ["0", "1", " 1", "", "true", "2"],
    "difficult": ["0", "1", "1\n", "no"],
    "occluded": ["0", "1", "yes"],
}
_NAMES = ["cat", "dog", " dog", "a b", "é", "&lt;", ""]
_SIDES = [("xmin", "ymin", "xmax", "ymax"), ("xmin", "xmax", "ymin", "ymax")]
_NUMBERS = st.integers(-2, 22).map(str) | st.floats(0, 20).map(lambda v: f"{v:.3f}")
_INSERTED = ["", " ", "\n", "\r\n", "\r", "x", "0", "-", "<", ">", "&", "&#65;", "é", "\0", "\x7f"]
_INSERTED += [
    "<!-- -->",
    "<![CDATA[1]]>",
    "<name>owl</name>",
    "<xmin>4</xmin>",
    "<score>.5</score>",
]


def _tag(name, content):
    return f"<{name}>{content}</{name}>"


@st.composite
def _plain_text(draw):
    # What is mostly plain: earlier choices are the likelier ones.
    def pick(choices):
        rank = draw(st.integers(0, 12 * len(choices)))
        return choices[rank % len(choices) if rank < len(choices) else 0]

    space = draw(st.sampled_from(["", "\n\t"]))
    tags = [_tag(tag, pick(choices)) for tag, choices in _HEADS.items() if draw(st.booleans())]
    for _ in range(draw(st.integers(0, 3))):
        x, y, w, h = (draw(st.integers(0, n)) for n in (8, 4, 12, 6))
        box = dict(zip(_SIDES[0], map(str, (x, y, x + w, y + h)), strict=True))
        if pick([False, True]):
            box[draw(st.sampled_from(_SIDES[0]))] = draw(_NUMBERS)
        parts = [_tag("name", pick(_NAMES))]
        parts += [_tag(t, pick(choices)) for t, choices in _FLAGS.items() if draw(st.booleans())]
        parts.append(_tag("bndbox", space.join(_tag(s, box[s]) for s in pick(_SIDES))))
        tags.append(_tag("object", space.join(parts)))
    return _tag("annotation", space.join(tags)) + space


@st.composite
def _file(draw):
    text = draw(_plain_text())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        place = draw(st.integers(0, len(text)))
        gone = draw(st.sampled_from([0, 0, 1, 5]))
        text = text[:place] + draw(st.sampled_from(_INSERTED)) + text[place + gone :]
    return text.encode()


@given(st.lists(_file(), min_size=1, max_size=4), st.sampled_from(["auto", "yes", "no"]))
def test_both_ways_say_the_same(files, one_based):
    """Whatever the files are, rows, labels and lines of the ledger are those of the parser."""
    named = {f"Annotations/{'abcd'[i]}.xml": data for i, data in enumerate(files)}
    _assert_same(named, one_based=one_based)


def _jpeg():
    out = io.BytesIO()
    Image.new("RGB", (20, 10)).save(out, "JPEG")
    return out.getvalue()


def _assert_same(files, **options):
    source = memory({**files, "JPEGImages/a.jpg": _jpeg()})
    assert _facts(source, **options) == _facts(source, plain=False, **options)


def _facts(source, *, plain=True, **options):
    with pytest.MonkeyPatch.context() as patch:
        if not plain:
            patch.setattr(voc_read, "parse_plain_files", lambda texts, _: [None] * len(texts))
        try:
            read = Read(source, **options)
        except Exception as error:  # noqa: BLE001  whatever it is, both are to raise it
            return repr(error)
    return read.items, read.rows, read.labels, read.balance, read.ledger.to_arrow().to_pylist()
