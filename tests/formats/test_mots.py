"""MOTS: the sample, both ways to write masks, and what is malformed."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, read_back, written
from nbannot.geometry import mask_to_rle, rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .mot_cases import SequenceCases

MOTS = get_format("mots")
COLUMNS = ("type", "label", "x", "y", "w", "h", "mask", "mask_height", "mask_width")
WHOLE = mask_to_rle([[1, 1], [1, 1]]).decode()
LEFT = mask_to_rle([[1, 0], [1, 0]]).decode()


def png(values):
    """Return numbers as a 16-bit PNG."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint16)).save(out, "PNG")
    return out.getvalue()


def read(files, **options):
    """Read files (text or bytes) kept in memory."""
    made = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(MOTS, open_source(made), **options)


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


def visible(dataset):
    """Return the rows of a dataset as they look when later masks cover earlier ones."""
    seen = {}
    for subset, rows in dataset.annotations.items():
        kept = []
        for row in reversed(rows):
            mask = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
            taken = seen.setdefault((subset, row["item"]), np.zeros_like(mask))
            left = mask & ~taken & 1
            taken |= mask
            if left.any():
                ys, xs = np.nonzero(left)
                low, high = (xs.min(), ys.min()), (np.ptp(xs) + 1, np.ptp(ys) + 1)
                box = dict(zip("xywh", map(float, (*low, *high)), strict=True))
                kept.append({**row, **box, "mask": mask_to_rle(left)})
        dataset.annotations[subset] = kept
    return dataset


class TestMotsPng(FormatCases):
    """Masks come back, but for what lies under others."""

    format_name = "mots"
    compared = COLUMNS

    def _is_mask(self, path):
        return "/instances/" in path

    def same_annotations(self, dataset, found):
        """Compare with what is not covered."""
        super().same_annotations(visible(dataset), found)


class TestMotsTxt(SequenceCases):
    """Run lengths may overlap, so masks come back as they were."""

    format_name = "mots"
    compared = COLUMNS
    write_options = {"masks": "txt"}


def test_sample(samples, expected):
    """Labels, tracks and pixels are those that Datumaro reads."""
    source = open_source(samples / "mots" / "datumaro-mots")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("mots", 0.95)
    found = read_back(MOTS, source)
    truth = json.loads((expected / "mots" / "datumaro-mots.mots.json").read_text())
    assert list(found.labels) == truth["labels"]
    assert {(r["subset"], r["key"], r["media"]) for r in found.items} == {
        (i["subset"], f"{i['id']}.jpg", i["file"]) for i in truth["items"]
    }
    wanted = {
        (i["id"], a["label"], a["attributes"]["track_id"], a["area"], a["mask_sha1"])
        for i in truth["items"]
        for a in i["annotations"]
    }
    got = set()
    for row in found.annotations:
        mask = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        sha1 = hashlib.sha1(np.packbits(mask.astype(bool), axis=None).tobytes()).hexdigest()[:16]
        key = row["key"].removesuffix(".jpg")
        got.add((key, row["label"], int(row["track"]) % 1000, int(mask.sum()), sha1))
        assert int(row["track"]) // 1000 == "abcd".index(row["label"]) + 1
    assert got == wanted
    assert len(found.annotations) == truth["annotation_counts"]["mask"]
    # The sample's images are 1x5, its masks 5x1: told, and neither is changed.
    assert found.ledger.groups() == [("warning", "mask has another size than its image", 3)]


def test_the_sample_is_written_as_it_was(samples):
    """Every pixel of every PNG comes back, though the images have another size."""
    source = open_source(samples / "mots" / "datumaro-mots")
    found = read_back(MOTS, source)
    items = {"train": [], "val": []}
    rows = {"train": [], "val": []}
    for item in found.items:
        size = {"width": 1, "height": 5}
        items[item["subset"]].append({"key": item["key"], **size})
    for row in found.annotations:
        plain = {k: v for k, v in row.items() if k not in ("key", "subset")}
        rows[row["subset"]].append({**plain, "item": row["key"]})
    data = Example(items, rows, tuple(found.labels.values()))
    files = written(MOTS, data)
    for path in source.files.with_suffix(".png"):
        made, given = (Image.open(io.BytesIO(f)) for f in (files[path], source.read(path)))
        assert np.array_equal(np.asarray(made), np.asarray(given)), path
    assert files["train/instances/labels.txt"] == b"a\nb\nc\nd\n"


def test_official_classes_and_ignored_regions():
    """Without labels.txt: 1 car, 2 pedestrian, 10000 to be ignored, anything else by number."""
    found = read({"train/instances/0001/000007.png": png([[1001, 2005], [10000, 3001]])})
    assert [(r["label"], r.get("track")) for r in found.annotations] == [
        ("car", "1001"), ("pedestrian", "2005"), ("class 3", "3001"), ("ignore region", None)
    ]  # fmt: skip
    assert [(r["subset"], r["key"]) for r in found.items] == [("train", "0001/000007.jpg")]
    assert found.ledger.groups() == [("note", "classes without names", 1)]


def test_values_that_are_no_instances():
    """A value below 1000, or of a class that labels.txt lacks, is rejected by itself."""
    files = {
        "train/instances/1.png": png([[5, 1001], [3001, 0]]),
        "train/instances/labels.txt": "a\r\nb",
        "train/images/1.jpg": b"", "train/images/2.jpg": b"",
    }  # fmt: skip
    found = read(files)
    assert lines(found) == [
        ("rejected", "value without a class", "value 5"),
        ("rejected", "class is not in labels.txt", "value 3001"),
    ]
    assert [r["label"] for r in found.annotations] == ["a"]
    assert [r["key"] for r in found.items] == ["1.jpg", "2.jpg"]
    assert found.balance.read == 5


def test_a_png_that_is_none():
    """A damaged PNG is one rejected record; its image and the others stay."""
    files = {
        "train/instances/1.png": png([[1001]])[:40],
        "train/instances/2.png": png([[1001]]),
        "train/images/1.jpg": b"",
    }
    found = read(files)
    assert [(o, r) for o, r, _ in lines(found)] == [
        ("rejected", "the mask can't be read"), ("warning", "image file missing")
    ]  # fmt: skip
    assert len(found.items) == 2
    assert len(found.annotations) == 1


TXT = f"1 2001 2 2 2 {WHOLE}\n2 2001 2 2 2 {LEFT}\n2 10000 10 2 2 {LEFT}\n"


def test_lines_of_mots_challenge():
    """Frames count from 1; the frame is the image of that number."""
    files = {"train/MOTS20-02/gt/gt.txt": TXT, "train/MOTS20-02/img1/000001.jpg": b""}
    best = detect(
        open_source({p: t.encode() if isinstance(t, str) else t for p, t in files.items()})
    )
    assert best[0].format == "mots"
    assert not [c for c in best if c.format == "mot" and c.confidence]
    found = read(files)
    assert [(r["subset"], r["key"], r.get("media")) for r in found.items] == [
        ("train", "MOTS20-02/img1/000001.jpg", "train/MOTS20-02/img1/000001.jpg"),
        ("train", "MOTS20-02/img1/000002.jpg", None),
    ]
    assert [(r["label"], r["frame"], r.get("track")) for r in found.annotations] == [
        ("pedestrian", 0, "2001"), ("pedestrian", 1, "2001"), ("ignore region", 1, None)
    ]  # fmt: skip
    row = found.annotations[1]
    assert rle_to_mask(row["mask"], 2, 2).tolist() == [[1, 0], [1, 0]]
    assert [row[n] for n in "xywh"] == [0, 0, 1, 2]
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_lines_of_kitti():
    """In instances_txt frames count from 0, and images lie in image_02."""
    files = {
        "training/instances_txt/0002.txt": TXT,
        "training/image_02/0002/000001.png": b"",
    }
    found = read(files)
    assert [(r["subset"], r["key"], r.get("media")) for r in found.items] == [
        ("training", "0002/000001.png", "training/image_02/0002/000001.png"),
        ("training", "0002/000002.png", None),
    ]
    assert [r["frame"] for r in found.annotations] == [1, 2, 2]


@pytest.mark.parametrize(
    "file", [{"instances_txt/0002.txt": f"3 2001 2 2 2 {WHOLE}\n".encode()},
             {"instances/0002/000003.png": png([[2001]])}],
)  # fmt: skip
def test_images_of_kitti_lie_elsewhere(file):
    """Images of training/image_02 are found where the masks lie beside that folder."""
    found = read({**file, "training/image_02/0002/000003.png": b"",
                  "training/image_02/0001/000003.png": b""})  # fmt: skip
    assert [(r["key"], r.get("media")) for r in found.items][:1] == [
        ("0002/000003.png", "training/image_02/0002/000003.png")
    ]
    assert [r["label"] for r in found.annotations] == ["pedestrian"]
    assert found.ledger.groups() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2001 2 2 2", "line is not of MOTS"),
        ("x 2001 2 2 2 ab", "line is not of MOTS"),
        ("-1 2001 2 2 2 " + WHOLE, "frame is below 0"),
        ("1 2001 2 3 3 " + WHOLE, "run lengths are broken"),
        ("1 2001 2 2 2 \u00e9", "run lengths are broken"),
        ("1 2001 2 900000000 900000000 " + WHOLE, "run lengths are broken"),
        ("1 3001 3 2 2 " + WHOLE, "class is not in labels.txt"),
    ],
)
def test_malformed_lines(text, reason):
    """One broken line is one rejected record; the others are read."""
    good = f"1 1001 1 2 2 {WHOLE}\n"
    found = read({"gt/gt.txt": good + text + "\n", "gt/labels.txt": "a\nb\n"})
    assert lines(found) == [("rejected", reason, "line 2")]
    assert len(found.annotations) == 1


def test_an_id_of_another_class_is_told():
    """Where the id and the class disagree, the class is taken."""
    found = read({"gt/gt.txt": f"1 1001 2 2 2 {WHOLE}\n"})
    assert lines(found) == [("warning", "id is of another class", "line 1")]
    assert found.annotations[0]["label"] == "pedestrian"


def test_one_file_alone(tmp_path):
    """A single file of lines is read; one without such a line can't be."""
    path = tmp_path / "0002.txt"
    path.write_text(TXT)
    with open_source(path) as source:
        assert detect(source)[0].format == "mots"
        assert len(read_back(MOTS, source).annotations) == 3
    path.write_text("hello\n")
    with open_source(path) as source, pytest.raises(BrokenFileError, match=r"0002\.txt"):
        read_back(MOTS, source)


def test_a_dataset_without_a_mask():
    """Images without any mask are read as such, where labels.txt lies in its place."""
    files = {"train/instances/labels.txt": b"a\n", "train/images/x/1.jpg": b""}
    assert detect(open_source(files))[0].format == "mots"
    found = read(files)
    assert [(r["subset"], r["key"]) for r in found.items] == [("train", "x/1.jpg")]
    assert list(found.labels) == ["a"]


def test_look_alikes_are_not_mots():
    """Mapillary's instances, 8-bit PNGs and numbers without a class are others' formats."""
    for files in (
        {"train/v1.2/instances/1.png": png([[1001]]), "train/v1.2/labels/1.png": png([[1]])},
        {"instances/1.png": png([[7]])},
        {"instances/1.png": png([[1]])[:20]},
        {"instances_txt/1.txt": b"1 2 3 4 5\n"},
    ):
        assert "mots" not in {c.format for c in detect(open_source(files)) if c.confidence}


# -- writing --------------------------------------------------------------------------


def write(annotations, labels=("a", "b"), **options):
    """Return the files written of masks on one image, and the ledger."""
    items = [{"key": "1.jpg", "width": 2, "height": 2}]
    rows = [{"item": "1.jpg", "type": "mask", "mask_height": 2, "mask_width": 2, **a}
            for a in annotations]  # fmt: skip
    sink, ledger = MemorySink(), Ledger()
    made = Example({"train": items}, {"train": rows}, tuple(Label(n) for n in labels))
    MOTS.write(made, sink, {"masks": "png", **options}, ledger, Progress())
    return sink.files, ledger


def pixels(files):
    """Return the values of the PNG."""
    return np.asarray(Image.open(io.BytesIO(files["train/instances/1.png"]))).tolist()


@pytest.mark.parametrize("masks", ["png", "txt"])
def test_subsets_of_any_name_come_back(masks):
    """A subset is a folder, whatever it is called."""
    row = {"item": "S/img1/000001.jpg", "type": "mask", "label": "a", "mask": WHOLE.encode(),
           "mask_height": 2, "mask_width": 2}  # fmt: skip
    data = Example({"mine": [{"key": row["item"]}]}, {"mine": [row]}, (Label("a"),))
    found = read_back(MOTS, open_source(written(MOTS, data, masks=masks)))
    assert [(r["subset"], r["key"]) for r in found.items] == [("mine", "S/img1/000001.jpg")]
    assert len(found.annotations) == 1


def test_values_of_tracks():
    """A track keeps its number, with or without its class; others get a free one, and are told."""
    whole, left = WHOLE.encode(), LEFT.encode()
    top = mask_to_rle([[1, 0], [0, 0]])
    rows = [
        {"label": "b", "track": "2007", "mask": whole},
        {"label": "a", "track": "7", "mask": left},
        {"label": "a", "mask": top},
    ]
    files, ledger = write(rows)
    assert pixels(files) == [[1001, 2007], [1007, 2007]]
    assert ledger.groups() == [
        ("warning", "partly covered", 2),
        ("warning", "mask without a track", 1),
        ("warning", "track renumbered", 1),
    ]
    assert files["train/instances/labels.txt"] == b"a\nb\n"


def test_what_does_not_fit_is_told():
    """Masks that are wholly covered, and more classes than 16 bits hold."""
    many = [f"c{n}" for n in range(70)]
    files, ledger = write(
        [{"label": "c0", "track": "1001", "mask": LEFT.encode()},
         {"label": "c1", "track": "2001", "mask": WHOLE.encode()},
         {"label": "c69", "track": "1", "mask": LEFT.encode()}], many,
    )  # fmt: skip
    assert pixels(files) == [[2001, 2001], [2001, 2001]]
    assert ledger.groups() == [
        ("rejected", "too many classes", 1), ("rejected", "wholly covered", 1)
    ]  # fmt: skip


def test_ignored_regions_come_back():
    """The label of regions to ignore is 10000, and no line of labels.txt."""
    files, _ = write([{"label": "ignore region", "mask": LEFT.encode()}], ("ignore region", "a"))
    assert pixels(files) == [[10000, 0], [10000, 0]]
    assert [r["label"] for r in read(files).annotations] == ["ignore region"]
    text, _ = write([{"label": "ignore region", "mask": LEFT.encode()}], masks="txt")
    assert text["train/gt/gt.txt"].decode() == f"1 10000 10 2 2 {LEFT}\n"
