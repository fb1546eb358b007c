"""CVAT's XML without a parser: whatever is read so is read by the parser just the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings

from nbannot.errors import BrokenFileError
from nbannot.formats import get_format
from nbannot.formats.cvat import pictures, pieces, plain, read
from nbannot.formats.cvat.file import FileReader
from nbannot.formats.cvat.xml import chunks
from nbannot.formats.examples import written
from nbannot.formats.generated import datasets
from nbannot.ledger import Ledger
from nbannot.media.images import take_probed
from nbannot.progress import Progress
from nbannot.sources import open_source

from .test_cvat import png

IMAGES = get_format("cvat")


class Found:
    """What was read; `plain` images were read without a parser."""

    def __init__(self, source):
        ledger, batches, self.plain, self.error = Ledger(), [], 0, ""
        try:
            batches += IMAGES.read(source, IMAGES.check_options({}), ledger, Progress())
        except BrokenFileError as error:
            self.error = str(error)
        self.items = [row for b in batches for row in b.items.to_pylist()]
        self.annotations = [row for b in batches for row in b.annotations.to_pylist()]
        self.labels = list({label.name: label for b in batches for label in b.labels}.values())
        self.ledger = ledger.to_arrow().to_pylist()

    def same(self, other):
        """Check that another reading gave the same."""
        assert self.error == other.error
        assert self.items == other.items
        assert repr(self.annotations) == repr(other.annotations)  # NaN, and 1 is not True
        assert self.labels == other.labels
        assert self.ledger == other.ledger


def both(source, monkeypatch):
    """Read a source with the parser alone and as it is read; return the latter when all agree."""
    taken = []

    def take(file: FileReader, images: plain.Images, first: int) -> int:
        taken.append(of_file(file, images, first) - first)
        return first + taken[-1]

    of_file = FileReader.take
    with monkeypatch.context() as patch:
        patch.setattr(FileReader, "take", take)
        found = Found(source)
        found.plain = sum(taken)
    with monkeypatch.context() as patch:
        patch.setattr(read, "read_pieces", lambda file, s: chunks(s, file.parser, file.path))
        found.same(Found(source))
    return found


@pytest.fixture
def small(monkeypatch):
    """Let pieces be small, so that there are several."""
    monkeypatch.setattr(pieces, "PIECE", 700)
    monkeypatch.setattr(plain, "_SMALLEST", 100)


def test_samples(samples, monkeypatch, small):
    folders = [p.parent for p in sorted((samples / "cvat").rglob("*.xml"))]
    assert folders
    found = [both(open_source(str(folder)), monkeypatch) for folder in dict.fromkeys(folders)]
    assert sum(f.plain for f in found)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(example=datasets(IMAGES.holds))
def test_what_is_written(example, monkeypatch, small):
    both(open_source(written(IMAGES, example)), monkeypatch)


# -- texts of all kinds -------------------------------------------------------------------

META = (
    "<meta><task><name>t</name><labels><label><name>cat</name><attributes>"
    "<attribute><name>n</name><input_type>number</input_type></attribute>"
    "<attribute><name>f</name><input_type>checkbox</input_type></attribute>"
    "</attributes></label><label><name>ö✓</name></label></labels></task></meta>\n"
)
NUMBERS = ["0", "1", "2.50", "7", "9.99", "10", "19.5", "20", "3e0", "-1", "30", "", " 4", "nan",
           "inf", "1_0", "+3", ".5", "6.", "x", "1e999", "0x4", "٣", "-0.0"]  # fmt: skip
LABELS = ["cat", "cat", "dog", "ö✓", "", "a&amp;b", "a>b", "a'b", "x y", "a\tb"]
OTHERS = {
    "source": ["manual", "auto", "semi-auto", ""],
    "occluded": ["0", "1", "true", "2", ""],
    "z_order": ["0", "1", "-3", "x", "99999999999", " 5"],
    "group_id": ["0", "7", "x", "4611686018427387904"],
    "rotation": ["0", "12.5", "", "nan", "x"],
    "score": ["0.5", "nan", "x"],
    "frame": ["3"],
    "closing": ["1"],
    "odd": ["1"],
}
GEOMETRY = {
    "box": ("xtl", "ytl", "xbr", "ybr"),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "polygon": ("points",),
    "polyline": ("points",),
    "points": ("points",),
    "mask": ("rle", "left", "top", "width", "height"),
    "cuboid": ("xtl1", "ytl1"),
    "tag": (),
    "skeleton": (),
    "thing": (),
}
POINTS = ["1,2;3,4;5,1", "1.5,2.5", "0,0;20,0;20,10;0,10", "1,1;1,1", "1,2;3", "", "1,2;", "1, 2",
          "-1,2;3,4", "1,2;x,4", "nan,1;2,3", "1,2;3,4;5,11"]  # fmt: skip
MASKS = [("2, 2, 2", "1", "1", "3", "2"), ("0,6", "18", "8", "2", "3"), ("6", "0", "0", "3", "2"),
         ("1,5", "0", "0", "2", "3"), ("1,4", "0", "0", "2", "3"), ("x", "0", "0", "2", "3"),
         ("1,5", "19", "9", "2", "3")]  # fmt: skip
NAMES = ["a.png", "b.png", "c d.png", "ö.png", "sub/e.png", "./f.png", "../g.png", "C:\\h.png",
         "none.png", "i", "", " a.png", "j.k.png", "/abs/l.png"]  # fmt: skip
BETWEEN = ["\n", "\n", "\n  ", "", " \t\n", "\r\n", "<!-- <image -->", "<![CDATA[x]]>", "text",
           "<?pi?>", "&#10;", "&lt;"]  # fmt: skip


class Texts:
    """Makes up documents; `oddness` is how often something is not as usual."""

    def __init__(self, seed, oddness):
        self._random, self._oddness = random.Random(seed), oddness

    def pick(self, values):
        """Return one of some values, most often one of the first."""
        usual = max(1, len(values) // 3)
        is_odd = self._random.random() < self._oddness
        return self._random.choice(values if is_odd else values[:usual])

    def often(self):
        """Say yes as often as something is odd."""
        return self._random.random() < self._oddness

    def attrs(self, given):
        """Return XML attributes."""
        pairs = [(n, v) for n, v in given if not self.often()]
        if self.often() and pairs:
            pairs.append(self._random.choice(pairs))
        if self.often():
            self._random.shuffle(pairs)
        quote = "'" if self.often() else '"'
        return "".join(f" {n}={quote}{v}{quote}" for n, v in pairs)

    def shape(self):
        """Return a shape."""
        tag = self.pick(["box", "box", "polygon", "tag", *GEOMETRY])
        given = [("label", self.pick(LABELS)), ("source", "manual"), ("occluded", "0")]
        names = GEOMETRY[tag]
        if tag == "mask":
            given += zip(names, self.pick(MASKS), strict=True)
        elif names == ("points",):
            given.append(("points", self.pick(POINTS)))
        elif tag == "box" and not self.often():
            x, y = self._random.randint(0, 9), self._random.randint(0, 4)
            sides = (x, y, x + self._random.random() * 9 + 1, y + 5.25)
            given += [(n, f"{v:.2f}") for n, v in zip(names, sides, strict=True)]
        else:
            given += [(n, self.pick(NUMBERS)) for n in names]
        given.append(("z_order", "0"))
        for name, values in OTHERS.items():
            if self._random.random() < 0.1:
                given = [(n, v) for n, v in given if n != name]
                given.append((name, self.pick(values)))
        inside = [self.pick(BETWEEN)]
        while self._random.random() < 0.3:
            name = self.pick(["n", "f", "other", "", "n&gt;"])
            text = self.pick(
                ["1", "true", "x y", "two\nlines", "", "\n", "ö", '"', "&amp;", "a<b/>c"]
            )
            start = f"<attribute{self.attrs([('name', name)])}{self.pick(['', '', '', ' '])}>"
            inside.append(f"{start}{text}</attribute>\n" if text else f"{start[:-1]}/>")
        if len(inside) == 1 and self._random.random() < 0.5:
            return f"<{tag}{self.attrs(given)}/>"
        end = "box" if self._random.random() < self._oddness / 50 else tag
        return f"<{tag}{self.attrs(given)}>{''.join(inside)}</{end}>"

    def image(self, number):
        """Return an image."""
        name = self.pick(NAMES) if self.often() else f"{number}.png"
        given = [("id", number), ("name", name)]
        if self._random.random() < 0.2:
            given.append(("subset", self.pick(["train", "val", ""])))
        if self._random.random() < 0.2:
            given.append(("task_id", self.pick(["1", "2", ""])))
        given.append(("width", self.pick(["20", "20", "20", "", "0", "x", "20.0", " 20"])))
        given.append(("height", self.pick(["10", "10", "10", "-1", "1e1", "99999999999"])))
        inside = [self.shape() for _ in range(self._random.randint(0, 4))]
        if not inside and self._random.random() < 0.5:
            return f"<image{self.attrs(given)}/>"
        text = "".join(s + self.pick(BETWEEN) for s in inside)
        return f"<image{self.attrs(given)}>{self.pick(BETWEEN)}{text}</image>"

    def document(self):
        """Return a document, and the names of its pictures."""
        count = self._random.randint(1, 30)
        text = "".join(self.image(i) + self.pick(BETWEEN) for i in range(count))
        if self.often():
            box = '<box frame="0" xtl="1" ytl="2" xbr="3" ybr="4"/>'
            text += f'<track id="0" label="cat">{box}</track>'
        head = self.pick(
            ["", '<?xml version="1.0" encoding="utf-8"?>\n', "<?xml version='1.0'?>", "<!-- x -->"]
        )
        end = "" if self._random.random() < self._oddness / 20 else "</annotations>\n"
        data = f"{head}<annotations><version>1.1</version>{META}{text}{end}".encode()
        if self.often():
            place = self._random.randrange(len(data))
            data = data[:place] + self.pick([b"", b"<", b'"', b"\xff", b"<image "]) + data[place:]
        return data, [f"images/{n}.png" for n in range(count)]


@pytest.mark.parametrize("oddness", [0.0, 0.002, 0.01, 0.05, 0.3])
def test_texts(oddness, monkeypatch, small):
    plain_images = items = 0
    for seed in range(24):
        data, pictures = Texts(seed, oddness).document()
        files = {"annotations.xml": data}
        if seed % 2:
            files |= dict.fromkeys(pictures if seed % 4 == 1 else pictures[::2], png())
        found = both(open_source(files), monkeypatch)
        plain_images, items = plain_images + found.plain, items + len(found.items)
    assert plain_images > 0 or oddness > 0.1
    if not oddness:
        assert plain_images >= items / 3


SHAPES = [
    '<box label="cat" source="auto" occluded="1" xtl="1" ytl="2" xbr="4" ybr="6" z_order="2"/>',
    '<box label="new" xtl="1" ytl="2" xbr="4" ybr="6" rotation="30.5" group_id="3" score="0.5"/>',
    '<ellipse label="ö✓" cx="5" cy="5.5" rx="2" ry="1" rotation="350"></ellipse>',
    '<polygon label="cat" occluded="0" points="1.00,2.00;3.00,4.00;5.00,1.00" z_order="-1"/>',
    '<polyline label="cat" points="1,2;3,4"/>',
    '<points label="cat" points="1,2"/>',
    '<mask label="cat" rle="2, 2, 2" left="1" top="1" width="3" height="2" z_order="0"/>',
    '<tag label="cat" source="manual">\n</tag>',
    '<tag label="cat"><attribute name="n">2</attribute><attribute name="f">true</attribute></tag>',
    '<tag label="cat"><attribute name="n">2</attribute><attribute name="x"/></tag>',
    '<tag label="new">\n<attribute name="n">2\nlines</attribute>\n</tag>\n<tag label="cat"/>',
    "",
]


def test_usual_shapes_need_no_parser(monkeypatch):
    frame = (
        '<image id="{}" name="sub/{}.png" subset="{}" task_id="7" width="20" height="10">{}</image>'
    )
    images = [frame.format(n, n, "ab"[n % 2], shape) for n, shape in enumerate(SHAPES)]
    data = f"<annotations>{META}{''.join(images)}\n</annotations>".encode()
    assert both(open_source({"annotations.xml": data}), monkeypatch).plain == len(SHAPES)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<!--", "-->"),
        ("<![CDATA[", "]]>"),
        ("<?x", "?>"),
        ("<meta>", "</meta>"),
        ('<track id="1" label="cat">', "</track>"),
        ('<image id="9" name="z.png" width="20" height="10">', "</image>"),
        ('<skeleton label="cat">', "</skeleton>"),
        ('<box label="cat" xtl="1" ytl="2" xbr="3" ybr="4">', "</box>"),
        ('<attribute name="x">', "</attribute>"),
        ("<annotations>", "</annotations>"),
        ("<annotations/>", ""),
        ("<folder>", "</folder>"),
        ("</annotations>", "<annotations>"),
        (f"{META}", ""),
    ],
)
def test_images_in_what_is_none(before, after, monkeypatch, small):
    maker = Texts(1, 0.0)
    images = ["".join(maker.image(10 * n + i) + "\n" for i in range(10)) for n in range(3)]
    text = f"{images[0]}{before}\n{images[1]}\n{after}{images[2]}"
    data = f"<annotations>{META}{text}</annotations>".encode()
    assert both(open_source({"annotations.xml": data}), monkeypatch).plain >= 5


def test_pictures_of_a_large_folder_are_measured_beside(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "_MANY", 300)
    monkeypatch.setattr(pictures, "_PIECE", 200)
    maker = Texts(2, 0.0)
    text = "".join(maker.image(i) + "\n" for i in range(300))
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations.xml").write_text(f"<annotations>{META}{text}</annotations>")
    for i in range(300):
        (tmp_path / f"images/{i}.png").write_bytes(png() if i != 3 else b"no image")
    source = open_source(str(tmp_path))
    found = Found(source)
    probed = take_probed(source)
    assert probed.keys() == {f"images/{i}.png" for i in range(300) if i != 3}
    assert {info[:2] for info in probed.values()} == {(20, 10)}
    monkeypatch.setattr(pictures, "_MANY", 301)
    Found(open_source(str(tmp_path))).same(found)
