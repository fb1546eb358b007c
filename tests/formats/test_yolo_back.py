"""What YOLO writes is read back the same, here and by supervision."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbannot import geometry
from nbannot.schema import Batch, BatchBuilder

from .yolo_files import (
    CAT,
    DOG,
    Exported,
    batch,
    box,
    picture,
    polygon,
    read_folder,
    write,
    written,
)

# -- there and back -------------------------------------------------------------------

SIDE = st.floats(0.5, 3000, allow_nan=False)
PLACE = st.floats(-100, 3000, allow_nan=False)
ANGLE = st.floats(-179, 180, allow_nan=False)
ANY_BOX = st.builds(box, PLACE, PLACE, SIDE, SIDE)
TURNED = st.builds(lambda b, r: {**b, "rotation": r}, ANY_BOX, ANGLE)
ANY_POLYGON = st.lists(PLACE, min_size=10, max_size=30).map(lambda p: polygon(p[: len(p) // 2 * 2]))
COLUMNS = ("x", "y", "w", "h", "rotation", "points")


@pytest.mark.parametrize(
    ("task", "annotation"),
    [("detect", ANY_BOX), ("obb", TURNED), ("segment", ANY_POLYGON)],
    ids=["detect", "obb", "segment"],
)
def test_there_and_back(task, annotation, tmp_path_factory):
    """What is read back is within a millionth of a pixel of what was written."""

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(annotation, st.sampled_from(["cat", "dog"])), min_size=1, max_size=4),
        st.tuples(st.integers(800, 9000), st.integers(800, 9000)),
    )
    def check(annotations, size):
        folder = tmp_path_factory.mktemp("out")
        given_rows = [{**a, "label": label} for a, label in annotations]
        exported = Exported({"train": batch(*given_rows, size=size)}, (CAT, DOG))
        write(folder, exported, sizes={0: size}, task=task)
        result = read_folder(folder, task=task)
        assert [r["label"] for r in result.rows] == [label for _, label in annotations]
        assert [r["type"] for r in result.rows] == [a["type"] for a, _ in annotations]
        for row, (a, _) in zip(result.rows, annotations, strict=True):
            for name in COLUMNS:
                if a.get(name) is None:
                    continue
                if name == "rotation":
                    off = (row.get(name, 0) - a[name] + 180) % 360 - 180
                    far = max(a["w"], a["h"])
                    assert abs(math.radians(off)) * far < 1e-6
                else:
                    assert row[name] == pytest.approx(a[name], abs=1e-6, rel=0)

    check()


def test_numbers_of_a_file_survive_unchanged(tmp_path):
    """0.133333 is written as 0.133333 again, not as 0.13333299999999998."""
    (tmp_path / "a/images").mkdir(parents=True)
    (tmp_path / "a/labels").mkdir()
    text = "0 0.133333 0.3 0.266667 0.2\n1 0.46200607902736 0.1 0.05 0.123457\n"
    (tmp_path / "a/labels/a.txt").write_text(text)
    (tmp_path / "a/data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    (tmp_path / "a/images/a.png").write_bytes(picture(333, 777))
    result = read_folder(tmp_path / "a")
    rows = [{k: v for k, v in r.items() if k != "item"} for r in result.rows]
    exported = Exported({"train": batch(*rows, size=(333, 777))}, (CAT, DOG))
    _, texts = write(tmp_path / "b", exported)
    assert texts["labels/train/a.txt"] == text


def test_several_batches_are_one_dataset(tmp_path):
    """Item numbers go on from batch to batch; nothing depends on how they are cut."""
    builder = BatchBuilder()
    batches: list[Batch] = []
    for i in range(5):
        number = builder.item(key=f"{i}.png", kind="image", width=100, height=50)
        builder.annotation(number, **box(x=float(i), label="dog" if i % 2 else "cat"))
        batches.append(builder.flush())
    write(tmp_path, Exported({"train": batches}, (CAT, DOG)))
    rows = read_folder(tmp_path).rows
    assert [r["label"] for r in rows] == ["cat", "dog", "cat", "dog", "cat"]
    assert [r["x"] for r in rows] == pytest.approx([0, 1, 2, 3, 4])


# -- other readers --------------------------------------------------------------------


@pytest.fixture
def supervision():
    """Return the package, which says on import that it has no OpenCV here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("supervision")


def load(supervision, folder, subset="train", **options):
    """Return supervision's reading of a folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return supervision.DetectionDataset.from_yolo(
            str(folder / "images" / subset),
            str(folder / "labels" / subset),
            str(folder / "data.yaml"),
            **options,
        )


def test_supervision_reads_the_same_boxes(supervision, tmp_path):
    """Names, classes and corners agree, in float32 as supervision has them."""
    rows = [box(1.25, 2.5, 30.125, 10.0), box(0.0, 0.0, 100.0, 50.0, label="dog")]
    written(tmp_path, *rows)
    dataset = load(supervision, tmp_path)
    assert dataset.classes == ["cat", "dog"]
    (found,) = dataset.annotations.values()
    corners = [[r["x"], r["y"], r["x"] + r["w"], r["y"] + r["h"]] for r in rows]
    assert found.xyxy == pytest.approx(np.array(corners), abs=1e-4)
    assert found.class_id.tolist() == [0, 1]


def test_supervision_reads_the_same_rotated_boxes(supervision, tmp_path):
    """Corners come in the same order, at the same places."""
    written(tmp_path, box(20.0, 10.0, 30.0, 12.0, rotation=25.0))
    (found,) = load(supervision, tmp_path, is_obb=True).annotations.values()
    corners = geometry.box_corners([[20, 10, 30, 12]], [25])
    assert found.data["xyxyxyxy"] == pytest.approx(corners, abs=1e-4)


def test_supervision_reads_the_same_polygons(supervision, tmp_path):
    """A polygon's box is the same."""
    written(tmp_path, polygon((10, 5, 60, 5, 60, 45)))
    (found,) = load(supervision, tmp_path).annotations.values()
    assert found.xyxy == pytest.approx(np.array([[10, 5, 60, 45]]), abs=1e-4)
