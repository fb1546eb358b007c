"""Market-1501 and MARS: samples, there and back, and what is malformed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example, read_back, written
from nbannot.formats.generated import datasets
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

MARKET = get_format("market1501")
PEOPLE = {
    ("train", "a/1.jpg"): "0007", ("train", "b/1.jpg"): "0012", ("train", "plain.jpg"): "-1",
    ("train", "ordner/größe ✓ 1.2.jpg"): "0000", ("val", "a/1.jpg"): "0007",
    ("val", "empty.jpg"): "1500",
}  # fmt: skip


def read(paths, texts=()):
    """Read files of which only the names matter."""
    files = {**dict.fromkeys(paths, b""), **{p: t.encode() for p, t in dict(texts).items()}}
    return read_back(MARKET, open_source(files))


class TestMarket1501(FormatCases):
    """Images are called after the person on them."""

    format_name = "market1501"
    generates = ()
    compared = ("type", "label", "track", "frame")

    @pytest.fixture
    def dataset(self):
        """The example, with one person per image."""
        made = example(())
        for (subset, key), person in PEOPLE.items():
            made.annotations[subset].append({"item": key, "type": "tag", "label": person})
        return made

    def item_key(self, subset, key):
        """A person's first image has the frame 1; the second one, in another subset, 2."""
        frame = 2 if (subset, key) == ("val", "a/1.jpg") else 1
        return f"{PEOPLE[subset, key]}_c1s1_{frame:06d}_00.jpg"


class TestMars(TestMarket1501):
    """In MARS they have tracks and frames."""

    @pytest.fixture
    def dataset(self):
        """The example, with one person per image, who is tracked."""
        made = example(())
        for number, ((subset, key), person) in enumerate(PEOPLE.items()):
            person = person.replace("-1", "00-1")
            row = {"item": key, "type": "tag", "label": person, "frame": number}
            row["track"] = f"{person}C1T0004"
            made.annotations[subset].append(row)
        return made

    def item_key(self, subset, key):
        """The track and the frame are in the name."""
        number = list(PEOPLE).index((subset, key))
        person = PEOPLE[subset, key].replace("-1", "00-1")
        return f"{person}/{person}C1T0004F{number + 1:03d}.jpg"


@settings(max_examples=25, deadline=None)
@given(data=datasets(("tag",)), names=st.sampled_from(("market", "mars")))
def test_made_up_people_come_back(data, names):
    """The first tag of each image comes back, as a number by the order of the names."""
    found = read_back(MARKET, open_source(written(MARKET, data, names=names)))
    people = sorted({row["label"] for rows in data.annotations.values() for row in rows})
    wanted, untagged = [], []
    for subset, items in data.items.items():
        tags = {}
        for row in data.annotations[subset]:
            tags.setdefault(row["item"], f"{people.index(row['label']) + 1:04d}")
        wanted += [(subset, person) for person in tags.values()]
        untagged += [(subset, item["key"]) for item in items if item["key"] not in tags]
    assert sorted((r["subset"], r["label"]) for r in found.annotations) == sorted(wanted)
    of_people = {(r["subset"], r["key"]) for r in found.annotations}
    others = {(r["subset"], r["key"]) for r in found.items} - of_people
    assert others == set(untagged)
    assert len(of_people) == len(wanted)


def test_sample_of_market(samples, expected):
    """Subsets and what the names say are as Datumaro reads them.

    It counts cameras from 0 and keeps the person with the image; here the person is a tag.
    """
    source = open_source(samples / "market1501" / "datumaro-market1501")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("market1501", 0.95)
    found = read_back(MARKET, source)
    truth = json.loads(
        (expected / "market1501" / "datumaro-market1501.market1501.json").read_text()
    )
    wanted = {
        (i["subset"], i["file"], i["attributes"]["person_id"], i["attributes"]["camera_id"] + 1,
         i["attributes"]["track_id"], i["attributes"]["frame_id"], i["attributes"]["bbox_id"])
        for i in truth["items"]
    }  # fmt: skip
    media = {r["key"]: r["media"] for r in found.items}
    got = set()
    for row in found.annotations:
        told = json.loads(row["attributes"])
        numbers = (told[n] for n in ("camera", "sequence", "frame", "box"))
        got.add((row["subset"], media[row["key"]], row["label"], *numbers))
    assert got == wanted
    assert found.balance.read == 6
    assert found.ledger.groups() == []


def test_sample_of_mars(samples, expected):
    """People, cameras, tracks and frames are as Datumaro reads them; frames from 0 here."""
    source = open_source(samples / "mars" / "datumaro-mars")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("market1501", 0.95)
    found = read_back(MARKET, source)
    truth = json.loads((expected / "mars" / "datumaro-mars.mars.json").read_text())
    wanted = {
        (i["subset"], i["file"], i["annotations"][0]["label"], i["attributes"]["camera_id"],
         i["attributes"]["track_id"], i["attributes"]["frame_id"] - 1)
        for i in truth["items"]
    }  # fmt: skip
    media = {r["key"]: r["media"] for r in found.items}
    assert {
        (r["subset"], media[r["key"]], r["label"], json.loads(r["attributes"])["camera"],
         int(r["track"].rpartition("T")[2]), r["frame"])
        for r in found.annotations
    } == wanted  # fmt: skip
    assert found.ledger.groups() == []


@pytest.mark.parametrize("case", ["market1501/datumaro-market1501", "mars/datumaro-mars"])
def test_samples_are_written_as_they_were(samples, case):
    """Every name and folder comes back."""
    source = open_source(samples / case)
    found = read_back(MARKET, source)
    subsets = dict.fromkeys(r["subset"] for r in found.items)
    data = Example(
        {s: [{"key": r["key"]} for r in found.items if r["subset"] == s] for s in subsets},
        {s: [{**{k: v for k, v in r.items() if k not in ("key", "subset")}, "item": r["key"]}
             for r in found.annotations if r["subset"] == s] for s in subsets},
        tuple(found.labels.values()),
    )  # fmt: skip
    sink, ledger = MemorySink(data.media), Ledger()
    MARKET.write(data, sink, {}, ledger, Progress())
    assert {p for p in sink.files if p.endswith(".jpg")} == set(source.files)
    assert ledger.groups() == []


def test_names_that_say_nothing():
    """Images of other names are items without a person; of 27 files 24 are right."""
    paths = [f"bounding_box_train/0002_c1s1_{n:06d}_00.jpg" for n in range(24)]
    others = ["bounding_box_train/Thumb.jpg", "query/-1_c1s1_00_00.png", "cover.jpg"]
    found = read([*paths, *others])
    assert len(found.items) == 27
    assert {r["key"]: r["label"] for r in found.annotations}["-1_c1s1_00_00.png"] == "-1"
    assert ("Thumb.jpg" in {r["key"] for r in found.annotations}) is False
    assert found.ledger.groups() == [("note", "names that say nothing", 1)]


def test_lists_without_images():
    """images_<subset>.txt is enough; a line that is no image is rejected."""
    lists = {
        "images_train.txt": "bounding_box_train/0002_c1s3_000151_00.jpg\nx\n",
        "images_query.txt": "query\\0001_c2s3_000111_00.jpg\r\n",
    }
    assert detect(open_source({p: t.encode() for p, t in lists.items()}))[0].format == "market1501"
    found = read([], lists)
    assert {(r["subset"], r["key"], r["label"]) for r in found.annotations} == {
        ("train", "0002_c1s3_000151_00.jpg", "0002"), ("query", "0001_c2s3_000111_00.jpg", "0001")
    }  # fmt: skip
    assert found.ledger.groups() == [("rejected", "line is not an image", 1)]


def test_an_image_of_the_list_that_is_missing():
    """Where there are images, one that a list alone names is told."""
    texts = {"images_train.txt": "bounding_box_train/0002_c1s3_000152_00.jpg\n"}
    found = read(["bounding_box_train/0002_c1s3_000151_00.jpg"], texts)
    assert found.ledger.groups() == [("warning", "image file missing", 1)]
    assert len(found.items) == 2


def test_look_alikes_are_not_market():
    """Digits alone are not enough: panoptic PNGs, classes, and too few right names."""
    for paths in (
        ["panoptic_train/000001.png"],
        ["bounding_box_train/000001.jpg"],
        ["0002_c1s1_000151_00.jpg"],
        ["query/a.jpg", "query/0002_c1s1_000151_00.jpg"],
    ):
        found = detect(open_source(dict.fromkeys(paths, b"")))
        assert "market1501" not in {c.format for c in found if c.confidence}


def write(keys, rows, **options):
    """Return the images and lists that are written of one subset, and the ledger."""
    data = Example({"train": [{"key": k} for k in keys]}, {"train": rows}, (Label("bob"),))
    sink, ledger = MemorySink(data.media), Ledger()
    MARKET.write(data, sink, {"names": "auto", **options}, ledger, Progress())
    return sink.files, ledger


def test_people_get_numbers_and_losses_are_told():
    """Names that are no numbers, second tags, attributes without a place."""
    rows = [
        {"item": "x.jpg", "type": "tag", "label": "bob", "attributes": '{"camera": 3, "hat": 1}'},
        {"item": "x.jpg", "type": "tag", "label": "0001"},
        {"item": "y.png", "type": "tag", "label": "0001"},
    ]
    files, ledger = write(["x.jpg", "y.png"], rows)
    assert files["images_train.txt"].decode().splitlines() == [
        "bounding_box_train/0002_c3s1_000001_00.jpg",
        "bounding_box_train/0001_c1s1_000001_00.png",
    ]
    assert sorted(ledger.groups()) == [
        ("rejected", "more than one person", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "image renamed", 2),
        ("warning", "person renumbered", 1),
    ]


def test_tracks_that_are_no_numbers():
    """In MARS each track of a person gets a number; in Market-1501 it is lost."""
    rows = [
        {"item": f"{n}.jpg", "type": "tag", "label": "0001", "track": t}
        for n, t in enumerate("aba")
    ]
    files, ledger = write(["0.jpg", "1.jpg", "2.jpg"], rows)
    assert [line.rpartition("/")[2] for line in files["images_train.txt"].decode().split()] == [
        "0001C1T0001F001.jpg", "0001C1T0002F001.jpg", "0001C1T0001F002.jpg"
    ]  # fmt: skip
    assert ("warning", "track renumbered", 3) in ledger.groups()
    _, ledger = write(["0.jpg"], rows[:1], names="market")
    assert ("warning", "track can't be written", 1) in ledger.groups()


def test_an_untagged_image_gets_no_person():
    """An image that is only called like a person's is written under another name."""
    files, ledger = write(["0002_c1s3_000151_00.jpg"], [])
    assert files["images_train.txt"] == b"bounding_box_train/untagged_0002_c1s3_000151_00.jpg\n"
    assert ledger.groups() == [("warning", "image renamed", 1)]
