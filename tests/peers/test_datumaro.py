"""What our writers write is what Datumaro reads, format by format.

Where Datumaro gives something else, a test states what, and docs/disagreements.md says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from datumaro.components.errors import DatumaroError

from nbannot.formats import get_format
from nbannot.formats.examples import Example, Row, example, written
from nbannot.schema import Label

from .comparing import Place, Seen, ours, same, told
from .datumaro_reader import read
from .made import ONE_WORD, many, write

Change = Callable[[Seen], Seen]


def renamed(rename: Callable[[Place], Place]) -> Change:
    """Return a change of the items' names."""

    def change(seen: Seen) -> Seen:
        items = {rename(place): size for place, size in seen.items.items()}
        assert len(items) == len(seen.items)
        rows = {rename(place): found for place, found in seen.rows.items()}
        return Seen(items, rows)

    return change


def without(label: str) -> Change:
    """Return a change that takes away all of a label: Datumaro gives the background as a mask."""

    def change(seen: Seen) -> Seen:
        rows = {p: [r for r in found if r["label"] != label] for p, found in seen.rows.items()}
        return Seen(seen.items, rows)

    return change


def unlabelled(seen: Seen) -> Seen:
    """Take the labels away: the format has none, and nbannot calls all of it by one."""
    rows = {p: [{**r, "label": None} for r in found] for p, found in seen.rows.items()}
    return Seen(seen.items, rows)


def both(one: Change, other: Change) -> Change:
    """Return one change after the other."""
    return lambda seen: other(one(seen))


def merged(seen: Seen) -> Seen:
    """Make one mask of all that has a label, as in masks of classes."""
    rows: dict[Place, list[Row]] = {}
    for place, found in seen.rows.items():
        masks: dict[str, Row] = {}
        for row in found:
            pixels = row["pixels"] | masks.get(row["label"], row)["pixels"]
            masks[row["label"]] = {"type": "mask", "label": row["label"], "pixels": pixels}
        rows[place] = [*masks.values()]
    return Seen(seen.items, rows)


def boxed(seen: Seen) -> Seen:
    """Make a box and a mask of each polygon, as in VOC."""
    rows: dict[Place, list[Row]] = {}
    for place, found in seen.rows.items():
        polygons = [r for r in found if r["type"] == "polygon"]
        boxes = [{"type": "box", "label": r["label"], "box": r["frame"]} for r in polygons]
        masks = [{**r, "type": "mask"} for r in polygons]
        rows[place] = [r for r in found if r["type"] != "polygon"] + boxes + masks
    return Seen(seen.items, rows)


def inner(place: Place) -> Place:
    """Take the first folder away."""
    return place[0], place[1].partition("/")[2]


@dataclass(frozen=True)
class Case:
    """What is written, what it is read as, and how the two are brought together.

    `made`: arguments of `many`; `options`: of our writer; `changed`: the format changes what is
    written (rounding, names), so what nbannot reads of the same files is compared, which the suite
    holds against what was given; `apart`: each subset's folder is a dataset for Datumaro.
    """

    format: str
    peer: str
    kinds: tuple[str, ...]
    tolerance: float = 0.011  # Datumaro rounds to two decimals
    made: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    changed: bool = False
    apart: bool = False
    theirs: Change = lambda seen: seen
    ours: Change = lambda seen: seen
    again: str = ""

    def __str__(self) -> str:
        return f"{self.format}-{self.peer}{'-' + self.again if self.again else ''}"


STUFF = tuple(Label(name) for name in ("road", "sky", "building"))
CIFAR = {"data_batch_1": "train", "val_batch": "val"}
COMMON = "common_semantic_segmentation_with_subset_dirs"
EVENTS = ("0--Parade/", "1--Handshaking/")
FLAT: dict[str, Any] = {"folders": ("",)}
PLAIN: dict[str, Any] = {**FLAT, "labels": ONE_WORD, "spaces": False}
FULL: dict[str, Any] = {"empty": False}
ONE: dict[str, Any] = {"most": 1}
SHAPES = ("box", "polygon", "polygon of parts", "mask")
DATUMARO = ("box", "polygon", "polyline", "points", "mask", "ellipse", "tag", "text")

CASES = [
    Case("coco", "coco", SHAPES),
    Case("coco", "coco_instances", SHAPES),
    Case("coco", "coco_person_keypoints", ("skeleton",)),
    Case("coco", "coco_captions", ("text",)),
    Case("coco", "coco_labels", ("tag",)),
    Case("voc", "voc", ("box",), made={"spaces": False}),
    Case("voc", "voc", SHAPES, made={"spaces": False, "whole": True}, ours=boxed, again="masks"),
    Case("yolo", "yolo", ("box",), made={**FLAT, **FULL}),
    Case("yolo-darknet", "yolo", ("box",),
         theirs=renamed(lambda p: ("val" if p[0] == "valid" else p[0], p[1]))),
    Case("cvat", "cvat", ("box", "polygon", "polyline", "points", "tag", "mask")),
    Case("datumaro", "datumaro", (*DATUMARO, "skeleton")),
    Case("labelme-xml", "label_me", SHAPES[:2] + SHAPES[3:]),
    Case("openimages", "open_images", ("box", "tag", "mask")),
    Case("kitti", "kitti_detection", ("box",), made={"labels": ONE_WORD}, apart=True),
    Case("kitti-segmentation", "kitti_segmentation", ("mask",),
         made={"labels": ONE_WORD}, theirs=without("unlabeled")),
    Case("cityscapes", "cityscapes", ("mask",), made={**FLAT, "labels": STUFF}, ours=merged,
         theirs=both(without("unlabeled"), renamed(inner))),
    Case("camvid", "camvid", ("mask",), made={**FLAT, "labels": ONE_WORD}, ours=merged,
         theirs=without("Void")),
    Case("masks", COMMON, ("mask",), made=FLAT, ours=merged,
         theirs=without("background")),
    Case("masks", COMMON, ("mask",), made=FLAT, ours=merged,
         options={"encoding": "color"}, theirs=without("background"), again="color"),
    Case("cvat", "cvat", ("box turned",), again="turned"),
    Case("datumaro", "datumaro", ("box turned",), again="turned"),
    Case("dota", "dota", ("box", "box turned"), made={**FLAT, "labels": ONE_WORD}),
    Case("vott", "vott_json", ("box",), made=FLAT),
    Case("vott", "vott_csv", ("box",), made={**FLAT, **FULL}, options={"file": "csv"}, apart=True),
    Case("mots", "mots", ("mask",)),
    Case("widerface", "wider_face", ("box",), changed=True,
         made={**FULL, "folders": EVENTS, "labels": ONE_WORD}, ours=renamed(inner)),
    Case("icdar", "icdar_text_localization", ("box", "polygon of four"),
         made={**FLAT, "whole": True}, ours=unlabelled),
    Case("icdar", "icdar_text_segmentation", ("mask",), made={**FLAT, **FULL},
         ours=unlabelled),
    Case("imagenet-txt", "imagenet_txt", ("tag",), made={"labels": ONE_WORD},
         theirs=renamed(inner)),
    Case("imagefolder", "imagenet_with_subset_dirs", ("tag",), changed=True,
         made={**FLAT, **FULL, **ONE},
         theirs=renamed(lambda p: (p[0], p[1].replace(":", "/")))),
    Case("mnist", "mnist", ("tag",), changed=True, made=ONE, options={"gzip": True, "size": 28},
         theirs=renamed(lambda p: (p[0], f"{int(p[1]):05d}"))),
    Case("cifar", "cifar", ("tag",), made={**ONE, **FULL},
         theirs=renamed(lambda p: (CIFAR[p[0]], p[1]))),
    Case("cifar", "cifar", ("tag",), changed=True, made={**ONE, **FULL}, options={"size": 32},
         theirs=renamed(lambda p: (CIFAR[p[0]], p[1])), again="32"),
    Case("vggface2", "vgg_face2", ("box",), changed=True,
         made={**ONE, **FULL, "subsets": ("train",)}),
]  # fmt: skip


def compared(case: Case, dataset: Example, folder: Path) -> None:
    """Write, read with both, compare."""
    write(folder, case.format, dataset, **case.options)
    wanted = ours(case.format, folder) if case.changed else told(dataset)
    kinds = [r["type"] for rows in wanted.rows.values() for r in rows]
    given = [row["type"] for rows in dataset.annotations.values() for row in rows]
    assert len(given) > 60 or case.made.get("most") == 1
    if case.changed:  # nothing is lost by our own reader, at least
        assert all(kinds.count(kind) == given.count(kind) for kind in set(given))
    if case.apart:
        found = Seen()
        for subset in dataset.items:
            part = read(folder / subset, case.peer, subset=subset)
            found.items |= part.items
            found.rows |= part.rows
    else:
        found = read(folder, case.peer)
    same(case.theirs(found), case.ours(wanted), case.tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_reads_what_we_write(case: Case, tmp_path: Path) -> None:
    """Items, labels and shapes of thirty images are those that were given."""
    compared(case, many(case.kinds, **case.made), tmp_path)


# -- the example of the suite: equal base names in folders and subsets, names of all kinds --------

EXAMPLES = [
    Case("coco", "coco", ("box", "polygon", "mask")),
    Case("coco", "coco_captions", ("text",)),
    Case("coco", "coco_labels", ("tag",)),
    Case("cvat", "cvat", ("box", "polygon", "polyline", "points", "tag", "mask"), changed=True),
    Case("datumaro", "datumaro", (*DATUMARO, "skeleton")),
    Case("labelme-xml", "label_me", ("box", "polygon", "mask"), changed=True),
]


@pytest.mark.parametrize("case", EXAMPLES, ids=str)
def test_it_reads_the_example(case: Case, tmp_path: Path) -> None:
    """The dataset that every writer is tested with is read alike."""
    made = example(case.kinds)
    write(tmp_path, case.format, made)
    wanted = ours(case.format, tmp_path) if case.changed else told(made)
    if case.format == "coco":
        # Without annotations of the kind, the subset is a file of instances.
        empty = not any(made.annotations["val"])
        dropped = {p for p in wanted.items if empty and p[0] == "val" and "caption" in case.peer}
        wanted.items = {p: size for p, size in wanted.items.items() if p not in dropped}
    same(case.theirs(read(tmp_path, case.peer)), case.ours(wanted), case.tolerance)


# -- datasets of faces, people and sequences, which have rules of their own ------------------------

EYES = [3.0, 5.0, 20.0, 6.0, 12.0, 14.0, 5.0, 25.0, 19.0, 26.0]


def faces(names: Callable[[int], str], *, attributes: bool, **options: Any) -> Example:
    """Return images with one face each: who it is, a box where asked for, five landmarks."""
    made = many(["tag"], **options or PLAIN)
    for subset, items in made.items.items():
        rows = made.annotations[subset] = []
        for number, item in enumerate(items):
            base: Row = {"item": item["key"], "label": names(number)}
            rows.append({**base, "type": "tag"})
            points = [value + number % 5 for value in EYES]
            rows.append({**base, "type": "skeleton", "points": points, "visibility": [2] * 5})
            if attributes:
                rows.append({**base, "type": "box", "x": 1.0 + number, "y": 2.0, "w": 30.0,
                             "h": 40.0})  # fmt: skip
                tags = [t for t, every in (("Smiling", 2), ("Young", 3)) if number % every]
                rows += [{**base, "type": "tag", "label": tag} for tag in tags]
    return made


@pytest.mark.parametrize(("peer", "images"), [("celeba", "original"), ("align_celeba", "aligned")])
def test_celeba(tmp_path: Path, peer: str, images: str) -> None:
    """Identities are classes by number, attributes those of the item, landmarks are points."""
    made = faces(lambda number: str(number % 5 + 1), attributes=True)
    if images == "aligned":  # such images have no boxes
        for rows in made.annotations.values():
            rows[:] = [row for row in rows if row["type"] != "box"]
    write(tmp_path, "celeba", made, images=images)
    wanted = ours("celeba", tmp_path)
    given = {
        place: {r["label"] for r in rows if r["type"] == "tag"}
        for place, rows in wanted.rows.items()
    }
    for rows in wanted.rows.values():
        rows[:] = [r for r in rows if r["label"] not in ("Smiling", "Young")]
        for row in rows:
            row["label"] = f"class-{row['label']}"
            if row.pop("visibility", None):
                row["type"] = "points"
    same(read(tmp_path, peer), wanted)
    for item in Dataset.import_from(str(tmp_path), peer):
        told_of = given[item.subset, item.id]
        for name in ("Smiling", "Young"):
            # One without any has no line.
            assert item.attributes.get(name, False) == (name in told_of)


def test_lfw(tmp_path: Path) -> None:
    """People and landmarks, of the images that are named in pairs."""
    made = faces(lambda number: f"Ann_{number % 4}", attributes=False)
    for rows in made.annotations.values():
        for row in rows:
            if row["type"] == "tag":
                pair = f"Ann_{(int(row['label'][-1]) + 1) % 4}"
                row["attributes"] = json.dumps({"negative_pairs": [f"{pair}/{pair}_0001"]})
    write(tmp_path, "lfw", made)
    wanted = ours("lfw", tmp_path)
    for rows in wanted.rows.values():
        for row in rows:
            if row.pop("visibility", None):
                row["type"] = "points"
    same(read(tmp_path, "lfw"), renamed(inner)(wanted))


def test_lfw_without_pairs(tmp_path: Path) -> None:
    """Where pairs.txt names no pair, Datumaro has no image that landmarks could belong to."""
    write(tmp_path, "lfw", faces(lambda number: f"Ann_{number % 4}", attributes=False))
    assert len(ours("lfw", tmp_path).items) == 30
    with pytest.raises(DatumaroError) as raised:
        read(tmp_path, "lfw")
    assert "unexpected keyword argument 'image'" in str(raised.value.__cause__)


def test_market1501(tmp_path: Path) -> None:
    """Who is on an image is an attribute of the item for Datumaro, not a label."""
    write(tmp_path, "market1501", many(["tag"], **PLAIN, **FULL, **ONE))
    wanted = ours("market1501", tmp_path)
    found = Dataset.import_from(str(tmp_path), "market1501")
    people = {(item.subset, item.id): item.attributes["person_id"] for item in found}
    assert people == {p: rows[0]["label"] for p, rows in wanted.rows.items()}
    assert len(people) == 30


def test_mars(tmp_path: Path) -> None:
    """Who is on an image is the name of the folder."""
    made = many(["tag"], **PLAIN, **FULL, **ONE, subsets=("train",))
    for number, row in enumerate(made.annotations["train"]):
        row.update(label=f"{number % 4 + 1:04d}", frame=number)
        row["track"] = f"{row['label']}C1T0004"
    write(tmp_path, "market1501", made, names="mars")
    found = read(tmp_path, "mars")
    assert len(found.items) == 30
    same(found, renamed(inner)(ours("market1501", tmp_path)))


def test_mpii(tmp_path: Path) -> None:
    """Joints of people, one on an image; what MPII calls visible (1), it calls hidden."""
    made = many(["box"], **FLAT, **ONE, **FULL)
    for rows in made.annotations.values():
        for row in rows:
            x, y = row.pop("x"), row.pop("y")
            points = [v for n in range(16) for v in (x + n, y + n % 4)]
            row.update(type="skeleton", label="human", points=points, visibility=[2] * 16)
            del row["w"], row["h"]
    write(tmp_path, "mpii", made)
    wanted = told(made)
    for row in (row for rows in wanted.rows.values() for row in rows):
        row["visibility"] = [1] * 16
    found = Seen()
    for subset in made.items:
        part = read(tmp_path / subset, "mpii_json", subset=subset)
        found.items |= part.items
        found.rows |= part.rows
    same(found, wanted, 0.011)


def test_kinetics(tmp_path: Path) -> None:
    """A span of a video is a label with times in whole seconds."""
    items = [{"key": f"video{n}.mp4", "kind": "video", "duration": 60.0} for n in range(20)]
    rows = [
        {"item": f"video{n}.mp4", "type": "time_span", "label": ("run", "größe ✓")[n % 2],
         "start": float(n), "end": 20.0 + 2 * n}
        for n in range(20)
    ]  # fmt: skip
    labels = (Label("run"), Label("größe ✓"))
    made = Example({"train": items[:12], "val": items[12:]},
                   {"train": rows[:12], "val": rows[12:]}, labels)  # fmt: skip
    for path, data in written(get_format("kinetics"), made, media=False).items():
        (tmp_path / path).write_bytes(data)
    dataset = Dataset.import_from(str(tmp_path), "kinetics")
    names = [c.name for c in dataset.categories()[AnnotationType.label].items]
    found = {
        (item.subset, item.id): [
            (names[a.label], a.attributes["time_start"], a.attributes["time_end"])
            for a in item.annotations
        ]
        for item in dataset
    }
    assert found == {
        (subset, row["item"]): [(row["label"], row["start"], row["end"])]
        for subset, some in made.annotations.items()
        for row in some
    }


def frames(**options: Any) -> Example:
    """Return images called as the frames of three videos are, with boxes of a person."""
    made = many(["box"], labels=ONE_WORD, **options)
    for subset, items in made.items.items():
        names = {item["key"]: f"v{n % 3}/v{n % 3}_{n:05d}.jpg" for n, item in enumerate(items)}
        for item in items:
            item["key"] = names[item["key"]]
        for row in made.annotations[subset]:
            row.update(item=names[row["item"]], track="5")
    return made


def test_ava(tmp_path: Path) -> None:
    """Labels of boxes by frame; it takes shares of the image for pixels, of two decimals."""
    made = frames(**FULL, subsets=("train",))
    write(tmp_path, "ava", made)
    found, wanted = read(tmp_path, "ava"), told(made)
    assert all(max(r["box"]) <= 1 for rows in found.rows.values() for r in rows)
    for (_, key), rows in list(found.rows.items()):
        width, height = next(wanted.items[p] for p in wanted.items if _frame(p[1]) == key)
        for row in rows:
            x, y, w, h = row["box"]
            row["box"] = [x * width, y * height, w * width, h * height]
    same(found, renamed(lambda p: (p[0], _frame(p[1])))(wanted), 0.011 * 200)


def _frame(key: str) -> str:
    video, _, name = key.partition("/")
    return f"{video}/{name.removeprefix(f'{video}_')}"


def test_ava_frames_without_people(tmp_path: Path) -> None:
    """A row without a box is not understood."""
    write(tmp_path, "ava", frames(subsets=("train",)))
    assert isinstance(fails(tmp_path, "ava"), ValueError)


def test_ava_of_several_subsets(tmp_path: Path) -> None:
    """It looks for the frames of all subsets in one folder."""
    write(tmp_path, "ava", frames(**FULL))
    assert isinstance(fails(tmp_path, "ava"), FileNotFoundError)


def sequences(rate: float | None) -> Example:
    """Return two sequences of images of one size."""
    made = many(["box"], **PLAIN)
    for subset, items in made.items.items():
        names = {item["key"]: f"seq/{n:06d}.jpg" for n, item in enumerate(items, 1)}
        for item in items:
            item.update(key=names[item["key"]], width=200, height=160)
            if rate:
                item["meta"] = json.dumps({"mot": {"frameRate": rate}})
        for row in made.annotations[subset]:
            row["item"] = names[row["item"]]
    return made


def test_mot(tmp_path: Path) -> None:
    """Boxes by frame; each sequence is a dataset for Datumaro, which calls frames 1, 2, ..."""
    write(tmp_path, "mot", sequences(25))
    found = Seen()
    for subset in ("train", "val"):
        part = read(tmp_path / subset, "mot_seq", subset=subset)
        found.items |= part.items
        found.rows |= part.rows
    wanted = ours("mot", tmp_path)
    assert sum(map(len, wanted.rows.values())) == 107
    same(renamed(lambda p: (p[0], f"seq/img1/{int(p[1]):06d}"))(found), wanted)


def test_mot_of_an_unknown_rate(tmp_path: Path) -> None:
    """Datumaro does not read seqinfo.ini without frameRate; ours does not make one up."""
    write(tmp_path, "mot", sequences(None))
    with pytest.raises(DatumaroError) as raised:
        read(tmp_path / "train", "mot_seq")
    assert isinstance(raised.value.__cause__, AssertionError)
    assert "framerate" not in str(raised.value.__cause__)


def test_icdar_words(tmp_path: Path) -> None:
    """Words are captions."""
    made = many(["text"], **FLAT, **FULL, **ONE)
    for rows in made.annotations.values():
        for number, row in enumerate(rows):
            row["text"] = f'größe {number} "of" \\ {number}'
    write(tmp_path, "icdar", made)
    found, wanted = read(tmp_path, "icdar_word_recognition"), ours("icdar", tmp_path)
    for rows in wanted.rows.values():
        for row in rows:
            row["text"] = row["text"].replace("\\", "")  # a backslash is always an escape
    same(found, wanted)


# -- where Datumaro gives something else: docs/disagreements.md -----------------------------------


def fails(folder: Path, peer: str) -> BaseException:
    """Return why Datumaro does not read a folder."""
    with pytest.raises(DatumaroError) as raised:
        read(folder, peer)
    return raised.value.__cause__ or raised.value.__context__ or raised.value


def test_coco_categories_without_keypoints(tmp_path: Path) -> None:
    """It wants keypoints of every category of a file of keypoints."""
    write(tmp_path, "coco", example(("skeleton",)))
    assert "keypoints" in str(fails(tmp_path, "coco_person_keypoints"))


def test_voc_names_with_spaces(tmp_path: Path) -> None:
    """The quotes around a name with spaces in ImageSets are part of the name for it."""
    made = many(["box"], images=4)
    write(tmp_path, "voc", made)
    found = {key for _, key in read(tmp_path, "voc").items}
    assert found == {
        f'"{key}"' if " " in key else key
        for key in (row["key"][:-4] for rows in made.items.values() for row in rows)
    }


def test_yolo_images_without_labels(tmp_path: Path) -> None:
    """An image without a label file is no item."""
    made = many(["box"], **FLAT)
    write(tmp_path, "yolo", made)
    wanted = told(made)
    assert read(tmp_path, "yolo").items == {
        place: size for place, size in wanted.items.items() if wanted.rows.get(place)
    }


def test_yolo_images_in_folders(tmp_path: Path) -> None:
    """It looks for images in the folder of a subset, and not below."""
    write(tmp_path, "yolo", many(["box"]))
    with pytest.raises(DatumaroError, match="Failed to import item"):
        read(tmp_path, "yolo")


@pytest.mark.parametrize("kind", ["polygon", "box turned"])
def test_yolo_polygons(tmp_path: Path, kind: str) -> None:
    """It reads boxes only: rows of another length make it another format."""
    write(tmp_path, "yolo", many([kind], **FLAT, **FULL))
    with pytest.raises(DatumaroError, match="Failed to find dataset"):
        read(tmp_path, "yolo")


def test_cvat_ellipses_and_skeletons(tmp_path: Path) -> None:
    """Ellipses are passed over; each joint of a skeleton is points of its own label."""
    made = many(["ellipse", "skeleton"])
    write(tmp_path, "cvat", made)
    wanted = told(made)
    for rows in wanted.rows.values():
        joints = [r for r in rows if r["type"] == "skeleton"]
        rows[:] = [
            {"type": "points", "label": name, "points": row["points"][2 * i : 2 * i + 2]}
            for row in joints
            for i, name in enumerate(("nose", "left", "right"))
        ]
    same(read(tmp_path, "cvat"), wanted, 0.011)


def test_datumaro_of_cvat(tmp_path: Path) -> None:
    """Skeletons as CVAT has them in Datumaro's JSON are not known to Datumaro 1.x."""
    write(tmp_path, "datumaro", many(["skeleton"]), dialect="cvat")
    assert "skeleton" in str(fails(tmp_path, "datumaro"))


@pytest.mark.parametrize(
    ("name", "peer", "kind"),
    [
        ("kitti", "kitti_detection", "box"), ("kitti-segmentation", "kitti_segmentation", "mask"),
        ("cityscapes", "cityscapes", "mask"), ("camvid", "camvid", "mask"),
    ],
)  # fmt: skip
def test_labels_of_two_words(tmp_path: Path, name: str, peer: str, kind: str) -> None:
    """Columns are parted by spaces, so that it does not read a label that has one."""
    write(tmp_path, name, many([kind], **FLAT, spaces=False))
    assert isinstance(fails(tmp_path, peer), ValueError)


def test_cityscapes_instances(tmp_path: Path) -> None:
    """Numbers of instances, which are 1000 times the class and more, are no class to it."""
    write(tmp_path, "cityscapes", many(["mask"], **{**PLAIN, **FULL, "labels": (Label("car"),)}))
    assert sum(map(len, ours("cityscapes", tmp_path).rows.values())) > 30
    found = without("unlabeled")(read(tmp_path, "cityscapes"))
    assert len(found.items) == 30
    assert not any(found.rows.values())


def test_masks_in_folders(tmp_path: Path) -> None:
    """An item is called by its mask's base name, so that its image in a folder is not found."""
    made = many(["mask"])
    write(tmp_path, "masks", made)
    found = read(tmp_path, COMMON)
    wanted = {
        (subset, Path(key).name): None if "/" in key else size
        for (subset, key), size in told(made).items.items()
    }
    assert found.items == wanted


def test_vott_csv_of_several_subsets(tmp_path: Path) -> None:
    """It numbers labels by each file, and can't join the files."""
    write(tmp_path, "vott", many(["box"], **FLAT, **FULL), file="csv")
    assert "Conflicting" in type(fails(tmp_path, "vott_csv")).__name__


def test_kitti_of_several_subsets(tmp_path: Path) -> None:
    """As with VoTT's CSV; label_colors.txt is for masks, to it."""
    write(tmp_path, "kitti", many(["box"], labels=ONE_WORD))
    assert "Conflicting" in type(fails(tmp_path, "kitti_detection")).__name__


def test_celeba_names_with_spaces(tmp_path: Path) -> None:
    """Columns are parted by spaces."""
    made = faces(lambda number: str(number % 5 + 1), attributes=False, **FLAT)
    write(tmp_path, "celeba", made)
    assert isinstance(fails(tmp_path, "celeba"), ValueError)


def test_createml_corners(tmp_path: Path) -> None:
    """It takes the centre of a box for its corner."""
    made = many(["box"], **FLAT, **FULL)
    write(tmp_path, "createml", made)
    wanted = told(made)
    for row in (row for rows in wanted.rows.values() for row in rows):
        x, y, w, h = row["box"]
        row["box"] = [x + w / 2, y + h / 2, w, h]
    same(read(tmp_path, "roboflow_create_ml"), wanted, 0.011)


def test_mars_person_in_two_subsets(tmp_path: Path) -> None:
    """As with VGGFace2: it adds a label twice."""
    made = many(["tag"], **PLAIN, **FULL, **ONE)
    for rows in made.annotations.values():
        for number, row in enumerate(rows):
            row.update(label="0001", track="0001C1T0004", frame=number)
    write(tmp_path, "market1501", made, names="mars")
    assert isinstance(fails(tmp_path, "mars"), AssertionError)


def test_openimages_ids_in_two_subsets(tmp_path: Path) -> None:
    """An image id that two subsets have is one too many for it."""
    write(tmp_path, "openimages", example(("box",)))
    assert "Repeated" in type(fails(tmp_path, "open_images")).__name__


def test_widerface_without_events(tmp_path: Path) -> None:
    """A line without a folder is no image to it."""
    write(tmp_path, "widerface", many(["box"], **PLAIN))
    assert not read(tmp_path, "wider_face").items


def test_icdar_texts_with_commas(tmp_path: Path) -> None:
    """A comma and a space part columns, even within quotes."""
    made = many(["text"], **FLAT, **FULL, **ONE, images=4)
    for rows in made.annotations.values():
        for row in rows:
            row["text"] = "one, two"
    write(tmp_path, "icdar", made)
    assert not any(read(tmp_path, "icdar_word_recognition").rows.values())


@pytest.mark.parametrize("peer", ["icdar_text_segmentation", "icdar_word_recognition"])
def test_icdar_images_without_text(tmp_path: Path, peer: str) -> None:
    """Images that no text names are not there."""
    kind = "mask" if "segmentation" in peer else "text"
    made = many([kind], **FLAT)
    write(tmp_path, "icdar", made)
    assert len(read(tmp_path, peer).items) == 26
    assert len(ours("icdar", tmp_path).items) == 30


def test_vggface2_person_in_two_subsets(tmp_path: Path) -> None:
    """It adds a person who is in two subsets to its labels twice, and stops."""
    write(tmp_path, "vggface2", many(["box"], **PLAIN, **FULL, **ONE))
    assert isinstance(fails(tmp_path, "vgg_face2"), AssertionError)


def test_mnist_that_is_not_packed(tmp_path: Path) -> None:
    """It looks for .gz only."""
    write(tmp_path, "mnist", many(["tag"], **ONE), size=28)
    with pytest.raises(DatumaroError, match="Failed to find dataset"):
        read(tmp_path, "mnist")


def test_background_is_a_label(tmp_path: Path) -> None:
    """It gives a mask of the background with each image; nbannot gives none."""
    write(tmp_path, "camvid", many(["mask"], **PLAIN))
    found = read(tmp_path, "camvid")
    assert all(sum(r["label"] == "Void" for r in found.rows[place]) == 1 for place in found.items)
