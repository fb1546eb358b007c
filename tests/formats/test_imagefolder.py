"""Image folders: which folders are classes, what is read, and what is written."""

from __future__ import annotations

import json
from zipfile import ZipFile

import pytest

from nbannot.errors import OptionError, UnsafeSourceError
from nbannot.formats import detect
from nbannot.formats.base import Miss
from nbannot.formats.cases import FormatCases, written
from nbannot.formats.imagefolder import ImageFolder
from nbannot.formats.look import Look
from nbannot.formats.writing import FolderSink
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Batch
from nbannot.sources import open_source
from nbannot.sources.memory import MemorySource


class Read:
    """One read: {(subset, key): label}, the rows, the ledger and its balance."""

    def __init__(self, source, limit=None, **options):
        self.ledger = Ledger()
        self.batches = list(ImageFolder().read(source, options, self.ledger, Progress(), limit))
        self.items = [r for b in self.batches for r in b.items.to_pylist()]
        self.rows = [r for b in self.batches for r in b.annotations.to_pylist()]
        self.labels = {label.name: label for b in self.batches for label in b.labels}
        tags = {r["item"]: r["label"] for r in self.rows}
        self.tags = {(i["subset"], i["key"]): tags.get(i["item"]) for i in self.items}
        if limit is None:
            self.balance = self.ledger.check(len(self.items) + len(self.rows))

    def notes(self):
        """Return the reasons of notes."""
        return [reason for outcome, reason, _ in self.ledger.groups() if outcome == "note"]


def memory(*paths):
    """Return a source of empty files."""
    return MemorySource(dict.fromkeys(paths, b""))


def read(*paths, **options):
    """Read empty files of these names."""
    return Read(memory(*paths), **options)


def confidence(*paths):
    """Return how sure the format is of files of these names."""
    return ImageFolder().requires(Look(memory(*paths)))


# -- real samples ---------------------------------------------------------------------

SAMPLES = {
    "imagenet/cvatdatumaro-imagenet": "cvatdatumaro-imagenet.imagenet.cvatfork",
    "imagenet/datumaro-imagenet": "datumaro-imagenet.imagenet",
    "imagenet/datumaro-imagenet_subsets": "datumaro-imagenet_subsets.imagenet_with_subset_dirs",
    "imagenet/roboflow-corrosion": "roboflow-corrosion.yolov8_classification.cvatfork",
    "yolo_ultralytics/cvatdatumaro-yolov8_classification":
        "cvatdatumaro-yolov8_classification.yolov8_classification.cvatfork",
}  # fmt: skip


@pytest.mark.parametrize("case", SAMPLES)
def test_samples_agree_with_datumaro(case, samples, expected):
    """Subsets, classes and the class of every image are what Datumaro reads."""
    found = Read(open_source(str(samples / case)), nested="path")
    file = expected / case.partition("/")[0] / f"{SAMPLES[case]}.json"
    facts = json.loads(file.read_text("utf-8"))
    assert sorted(found.labels) == sorted(facts["labels"])
    theirs = {}
    for item in facts["items"]:
        labels = [a["label"] for a in item["annotations"]]
        theirs[item["file"]] = labels[0] if labels else None
    tags = {r["item"]: r["label"] for r in found.rows}
    assert {i["media"]: tags.get(i["item"]) for i in found.items} == theirs
    subsets = {}
    for item in found.items:
        name = item["subset"] or "default"
        subsets[name] = subsets.get(name, 0) + 1
    assert subsets == facts["subsets"]
    assert found.balance.read == facts["n_items"] + len(found.rows)
    assert not found.notes()


@pytest.mark.parametrize("case", SAMPLES)
def test_class_trees_are_detected(case, samples):
    """A tree of classes is what the format is most sure of, more so with subsets."""
    best = detect(open_source(str(samples / case)))[0]
    assert best.format == "imagefolder"
    assert best.confidence == (0.5 if "subset" not in " ".join(best.evidence) else 0.6)


def test_a_plain_folder(samples):
    """Images and nothing else are items without annotations, and a last resort."""
    source = open_source(str(samples / "image_dir/datumaro-image_dir"))
    assert ImageFolder().requires(Look(source)) == 0.2
    assert Read(source).tags == {(None, "1.jpg"): None, (None, "2.jpg"): None}


@pytest.mark.parametrize(
    "case",
    ["super_resolution/datumaro-common_super_resolution", "kaggle/datumaro-image_mask",
     "mvtec/datumaro-mvtec", "cityscapes/datumaro-cityscapes", "kitti/datumaro-kitti_segmentation",
     "market1501/datumaro-market1501", "mars/datumaro-mars"],
)  # fmt: skip
def test_pairs_and_parts_are_not_classes(case, samples):
    """HR and LR, images and masks, gtFine, query ...: folders that are no classes, with a note."""
    source = open_source(str(samples / case))
    look = Look(source)
    assert ImageFolder().requires(look) == 0.1
    assert any("not classes" in text for text in look.evidence)
    found = Read(source)
    assert not found.rows
    assert found.notes() == ["folders are not classes"]


@pytest.mark.parametrize("case", ["coco/datumaro-coco_instances", "roboflow/datumaro-voc",
                                  "yolo_ultralytics/cvatdatumaro-yolov8_detection",
                                  "vott/datumaro-vott_csv"])  # fmt: skip
def test_other_formats_come_first(case, samples):
    """Beside annotation files the format offers the pictures only, and reads no classes."""
    source = open_source(str(samples / case))
    look = Look(source)
    assert ImageFolder().requires(look) == 0.05
    assert "are not read" in look.evidence[0]
    found = Read(source)
    assert not found.rows
    assert "not read: other files" in found.notes()


# -- what folders mean ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "tags"),
    [
        (["cat/1.jpg", "dog/1.jpg"], {(None, "cat/1.jpg"): "cat", (None, "dog/1.jpg"): "dog"}),
        (["train/cat/1.jpg", "Validation/dog/1.jpg"],
         {("train", "cat/1.jpg"): "cat", ("Validation", "dog/1.jpg"): "dog"}),
        (["pets/cat/1.jpg", "pets/dog/2.jpg"],
         {(None, "cat/1.jpg"): "cat", (None, "dog/2.jpg"): "dog"}),
        (["training_set/cat/1.jpg", "test_set/cat/1.jpg"],
         {("training_set", "cat/1.jpg"): "cat", ("test_set", "cat/1.jpg"): "cat"}),
        (["train2017/1.jpg", "val2017/1.jpg"],
         {("train2017", "1.jpg"): None, ("val2017", "1.jpg"): None}),
        (["car/1.jpg", "train/2.jpg", "bus/3.jpg"],
         {(None, "car/1.jpg"): None, (None, "train/2.jpg"): None, (None, "bus/3.jpg"): None}),
        (["train/images/1.jpg", "val/images/1.jpg"],
         {("train", "images/1.jpg"): None, ("val", "images/1.jpg"): None}),
        (["photos/1.jpg", "photos/2.jpg"],
         {(None, "photos/1.jpg"): None, (None, "photos/2.jpg"): None}),
        (["1.jpg", "cat/2.jpg", "dog/3.jpg", "_unlabeled/x/4.jpg"],
         {(None, "1.jpg"): None, (None, "cat/2.jpg"): "cat", (None, "dog/3.jpg"): "dog",
          (None, "x/4.jpg"): None}),
        (["good/IMG_12.jpg", "bad/IMG_12.jpg"],
         {(None, "good/IMG_12.jpg"): None, (None, "bad/IMG_12.jpg"): None}),
        (["good/IMG_12.jpg", "bad/IMG_13.jpg"],
         {(None, "good/IMG_12.jpg"): "good", (None, "bad/IMG_13.jpg"): "bad"}),
    ],
)  # fmt: skip
def test_folders(paths, tags):
    """Subsets, classes and wrappers are told apart; equal names in two classes are two items."""
    assert read(*paths).tags == tags


def test_deeper_folders_are_classes_of_their_own_or_not():
    """animal/cat is animal, as in torchvision; nested="path" makes it a label below animal."""
    paths = ("animal/1.jpg", "animal/cat/2.jpg", "plant/3.jpg")
    assert list(read(*paths).tags.values()) == ["animal", "animal", "plant"]
    found = read(*paths, nested="path")
    assert list(found.tags.values()) == ["animal", "animal/cat", "plant"]
    assert found.labels["animal/cat"].parent == "animal"


def test_labels_can_be_forced_and_forbidden():
    """labels="folders" reads what looks like no class, labels="none" reads none."""
    paths = ("images/1.jpg", "masks/1.jpg", "notes.json")
    assert set(read(*paths, labels="folders").tags.values()) == {"images", "masks"}
    assert set(read("cat/1.jpg", "dog/2.jpg", labels="none").tags.values()) == {None}
    with pytest.raises(OptionError, match="labels"):
        read(*paths, labels="maybe")


def test_harmless_files_do_not_count():
    """A README, a list of class names and a system's litter are no annotations."""
    paths = ("cat/1.jpg", "dog/2.jpg")
    litter = ("README.dataset.txt", "LICENSE", "cat/Thumbs.db", ".DS_Store", "classes.txt",
              "__MACOSX/cat/._1.jpg", "cat/.ipynb_checkpoints/1-checkpoint.jpg")  # fmt: skip
    assert confidence(*paths, *litter) == 0.5
    found = read(*paths, *litter)
    assert list(found.tags) == [(None, "cat/1.jpg"), (None, "dog/2.jpg")]
    assert found.notes() == ["not read: hidden files"]


def test_what_it_is_not():
    """Nothing without images, and nothing that is a table."""
    with pytest.raises(Miss, match="no images"):
        confidence("a.json")
    with pytest.raises(Miss, match="table"):
        ImageFolder().requires(Look(open_source(_frame())))


def _frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"a": [1]})


def test_a_traversing_class_is_refused(tmp_path):
    """A class folder that walks out of the archive is an error with its name (S2)."""
    with ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("train/cat/1.png", b"")
        archive.writestr("train/../../NBANNOT_ESCAPED_label/1.png", b"")
    with pytest.raises(UnsafeSourceError, match="NBANNOT_ESCAPED_label"):
        Read(open_source(str(tmp_path / "evil.zip")))


def test_preview_is_the_beginning_of_the_read():
    """With a limit, the first images and their tags are the very same."""
    paths = [f"{name}/{n}.jpg" for name in ("b", "a", "c") for n in range(9)]
    whole, part = read(*paths), read(*paths, limit=5)
    assert part.items == whole.items[:5]
    assert part.rows == whole.rows[:5]
    assert part.labels == whole.labels


# -- writing --------------------------------------------------------------------------


class Data:
    """What a writer gets: batches by subset."""

    name = "test"
    labels = ()

    def __init__(self, subsets):
        self._batches = subsets
        self.subsets = tuple(subsets)

    def batches(self, subset):
        """Yield the one batch of a subset."""
        yield self._batches[subset]


def batch(tags, first=0, kind="image", **columns):
    """Return a batch of images with tags: {key: [labels]}."""
    pairs = [(n, label) for n, labels in enumerate(tags.values(), first) for label in labels]
    rows = {
        "item": [n for n, _ in pairs],
        "type": ["tag"] * len(pairs),
        "label": [label for _, label in pairs],
        **columns,
    }
    numbers = range(first, first + len(tags))
    return Batch.of({"item": numbers, "key": list(tags), "kind": [kind] * len(tags)}, rows)


def write(data, folder):
    """Write `data` below `folder`; return {path: bytes} and the ledger."""
    ledger = Ledger()
    sink = FolderSink(folder, lambda item: b"%d" % item)
    ImageFolder().write(data, sink, {}, ledger, Progress())
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}
    return files, ledger


def test_written_trees_come_back(tmp_path):
    """<subset>/<label>/<key> is read as the same images, subsets and tags."""
    data = Data({
        "train": batch({"cat/1.jpg": ["cat"], "2.jpg": [], "x/3.jpg": []}),
        "val": batch({"cat/1.jpg": ["cat"], "a/b/4.jpg": ["a/b"]}, first=3),
    })  # fmt: skip
    files, ledger = write(data, tmp_path)
    assert files == {
        "train/cat/1.jpg": b"0", "train/2.jpg": b"1", "train/_unlabeled/x/3.jpg": b"2",
        "val/cat/1.jpg": b"3", "val/a/b/4.jpg": b"4",
    }  # fmt: skip
    assert not len(ledger)
    assert Read(open_source(str(tmp_path)), nested="path").tags == {
        ("train", "cat/1.jpg"): "cat", ("train", "2.jpg"): None, ("train", "x/3.jpg"): None,
        ("val", "cat/1.jpg"): "cat", ("val", "a/b/4.jpg"): "a/b",
    }  # fmt: skip


def test_an_only_subset_without_a_name_has_no_folder(tmp_path):
    """One subset called default is the tree itself."""
    files, _ = write(Data({"default": batch({"1.jpg": ["cat"], "2.jpg": ["dog"]})}), tmp_path)
    assert set(files) == {"cat/1.jpg", "dog/2.jpg"}


def test_several_tags_are_copies_with_a_line_each(tmp_path):
    """An image of two classes is in both folders, and the second is said."""
    files, ledger = write(Data({"train": batch({"1.jpg": ["cat", "dog"]})}), tmp_path)
    assert set(files) == {"train/cat/1.jpg", "train/dog/1.jpg"}
    assert ledger.lines("warning", "several tags")[0]["record"] == "annotation 2 (tag)"


def test_no_image_lies_on_another(tmp_path):
    """Two keys that come to one path are two files, with a line."""
    data = Data({"train": batch({"cat/1.jpg": ["cat"], "1.jpg": ["cat"]})})
    files, ledger = write(data, tmp_path)
    assert sorted(files.values()) == [b"0", b"1"]
    assert ledger.groups() == [("warning", "renamed", 1)]


def test_each_record_that_is_dropped_is_a_line(tmp_path):
    """Boxes, tags that are no folder's name, and videos are rejected by line."""
    rows = batch({"1.jpg": ["cat", "../x", "ok", None]}, type=["box", "tag", "tag", "tag"])
    files, ledger = write(Data({"train": rows}), tmp_path)
    assert set(files) == {"train/ok/1.jpg"}
    assert [g[1:] for g in ledger.groups()] == [("label can't be a folder", 2), ("not a tag", 1)]
    video = Data({"train": batch({"a.mp4": ["cat"]}, kind="video")})
    files, ledger = write(video, tmp_path / "video")
    assert not files
    assert len(ledger.lines("rejected", "not an image")) == 2


def test_scores_and_attributes_are_said_to_be_lost(tmp_path):
    """A tag with more than a label is written, with a line."""
    _, ledger = write(Data({"train": batch({"1.jpg": ["cat"]}, score=[0.5])}), tmp_path)
    assert ledger.lines("warning", "more than a class")[0]["message"].endswith("score is not kept")


def test_images_are_needed(tmp_path):
    """An image folder without images is refused before anything is written."""
    with pytest.raises(OptionError, match="save_media=True"):
        ImageFolder().write(Data({}), FolderSink(tmp_path), {}, Ledger(), Progress())


def test_a_key_that_leaves_the_folder_is_refused(tmp_path):
    """Nothing is written outside the target (S14)."""
    with pytest.raises(UnsafeSourceError):
        write(Data({"train": batch({"../../evil.jpg": ["cat"]})}), tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("evil*"))


class TestConformance(FormatCases):
    """What every format must do."""

    format_name = "imagefolder"
    compared = ("type", "label")
    generates = ()  # an image of two classes is two images

    def item_key(self, subset, key):
        """The class folder is part of the key: equal names in two classes are two images."""
        label = {("train", "a/1.jpg"): "cat", ("val", "a/1.jpg"): "big dog"}.get((subset, key))
        return f"{label}/{key}" if label else key

    def test_media_is_not_needed(self, format, dataset):
        """It is: an image folder is its images."""
        with pytest.raises(OptionError, match="save_media=True"):
            written(format, dataset, media=False)
