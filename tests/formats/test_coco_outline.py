"""A large COCO file is not split into records first: what is read is the same, byte by byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbannot.errors import NbannotError
from nbannot.formats import get_format
from nbannot.formats.coco import outline as outlines
from nbannot.formats.coco import read as coco_read
from nbannot.formats.coco.outline import outline_of
from nbannot.helper import Helper
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

SQUARE = [[1, 1, 9, 1, 9, 9, 1, 9]]
IMAGES = [{"id": n, "file_name": f"{n}.jpg", "width": 20, "height": 10} for n in range(3)]
CATEGORIES = [{"id": n, "name": name} for n, name in enumerate(("cat", "dog"))]


def annotation(number: int, **more: object) -> dict[str, object]:
    """Return an annotation of the usual shape."""
    own = {"id": number, "image_id": number % 3, "category_id": number % 2, "iscrowd": 0}
    return {**own, "area": 64.0, "bbox": [1, 1, 8, 8], "segmentation": SQUARE, **more}


def document(*annotations: object, **more: object) -> dict[str, object]:
    """Return a COCO document, its annotations before its categories."""
    return {"images": IMAGES, "annotations": [*annotations], "categories": CATEGORIES, **more}


def told(content: bytes) -> tuple[object, ...]:
    """Return all that is read of a file, or the error."""
    ledger, rows, labels = Ledger(), [], 0
    try:
        source = open_source({"a.json": content})
        for batch in get_format("coco").read(source, {}, ledger, Progress()):
            rows += batch.items.to_pylist() + batch.annotations.to_pylist() + list(batch.labels)
            labels += len(batch.labels)
    except NbannotError as error:
        return type(error), str(error)
    lines = sorted(map(str, ledger.to_arrow().to_pylist()))
    return rows, lines, ledger.check(len(rows) - labels)


def both(content: bytes, monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    """Check that a file is read alike whether it is taken for large or not."""
    small = told(content)
    with monkeypatch.context() as patch:
        patch.setattr(outlines, "LARGE", 1)
        patch.setattr(outlines, "PIECE_BYTES", piece_bytes)
        assert told(content) == small


CONTENTS = {
    "usual": document(*map(annotation, range(50))),
    "annotations first": {
        "annotations": [annotation(n) for n in range(20)], "categories": CATEGORIES,
        "images": IMAGES,
    },
    "annotations last": {"images": IMAGES, "annotations": [annotation(n) for n in range(20)]},
    "objects in lists": document(
        *(annotation(n, parts=[{"a": 1}, {"b": 2}, {"c": []}]) for n in range(20))
    ),
    "brackets in text": document(
        *(annotation(n, note='}, {"id": 7}], "annotations": [{') for n in range(20))
    ),
    "no annotations": document(),
    "not objects": document(annotation(1), 5, None, annotation(2), "text", [annotation(3)]),
    "keyed by id": {"images": IMAGES, "annotations": {"1": annotation(1)}},
    "unknown image and category": document(
        annotation(1), annotation(2, image_id=77), annotation(3, category_id=99), annotation(1)
    ),
    "run lengths": document(
        annotation(1, segmentation={"counts": [0, 200], "size": [10, 20]}, iscrowd=1),
        annotation(2, segmentation={"counts": [0, 7], "size": [10, 20]}),
    ),
    "videos": document(annotation(1), videos=[{"id": 1, "file_names": ["a.jpg"]}]),
    "nested namesake": {"info": {"annotations": [{"id": 3}]}, **document(annotation(1))},
    "category 0 undeclared": {"images": IMAGES, "annotations": [annotation(2)]},
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("piece_bytes", [1, 150, 1 << 20])
def test_read_alike(name, indent, piece_bytes, monkeypatch):
    """Each content, written in a line or many, cut into pieces of any size."""
    content = json.dumps(CONTENTS[name], indent=indent).encode()
    both(content, monkeypatch, piece_bytes)


def test_what_is_written_twice_or_not_at_all(monkeypatch):
    """Repeated keys, NaN, a BOM, other encodings: as they are told for a small file."""
    text = json.dumps(document(*map(annotation, range(9))))
    for content in (
        text.replace('"id": 4', '"id": 4, "id": 5').encode(),
        text.replace('"images"', '"annotations": [{"id": 1}], "images"').encode(),
        text.replace("64.0", "NaN", 1).encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16"),
        text.replace("cat", "k\u00e4tzchen").encode("latin-1"),
        text.encode() + b" more",
    ):
        both(content, monkeypatch, 200)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_anywhere_it_is_the_same_error(data, monkeypatch):
    """A file cut short, or with a byte changed, says the same as a small one."""
    # Compact: the blanks in what goes into `extra` are kept or not, as its neighbours are.
    content = json.dumps(document(*map(annotation, range(6))), separators=(",", ":")).encode()
    at = data.draw(st.integers(0, len(content) - 1))
    letter = data.draw(st.sampled_from([b"", b"}", b"{", b"]", b"[", b",", b'"', b"x", b" "]))
    cut = data.draw(st.booleans())
    broken = content[:at] if cut else content[:at] + letter + content[at + 1 :]
    both(broken, monkeypatch, data.draw(st.sampled_from([1, 100, 400, 4000])))


def test_real_samples_are_read_alike(samples, monkeypatch):
    """Each JSON file of the COCO samples."""
    paths = sorted(Path(samples, "coco").rglob("*.json"))
    assert len(paths) > 10
    for path in paths:
        both(path.read_bytes(), monkeypatch, 300)


def test_a_large_file_is_outlined(monkeypatch):
    """The pieces are all annotations, and nothing else."""
    content = json.dumps(document(*map(annotation, range(30)))).encode()
    assert outline_of(content) is None  # it is small
    monkeypatch.setattr(outlines, "LARGE", 1)
    monkeypatch.setattr(outlines, "PIECE_BYTES", 500)
    found = outline_of(content)
    assert found is not None
    pieces = [json.loads(b"[" + content[a:b] + b"]") for a, b in found.pieces()]
    assert len(pieces) > 5
    assert [a["id"] for piece in pieces for a in piece] == list(range(30))
    assert json.loads(found.without()) == document()


def test_a_helper_reads_alike(tmp_path, monkeypatch):
    """With and without a helper process, from the file to the rows."""
    content = json.dumps(document(*map(annotation, range(3000)))).encode()
    small = told(content)
    for name, module in (("LARGE", outlines), ("LARGE", coco_read)):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(outlines, "PIECE_BYTES", 20_000)
    started = []
    monkeypatch.setattr(coco_read, "start_helper", lambda: started.append(Helper()) or started[0])
    assert told(content) == small
    assert started[0]._process.poll() is not None  # and it has ended


def test_its_progress_is_in_bytes(monkeypatch):
    """How many annotations there are is not known before they are read; how large they are is."""
    content = json.dumps(document(*map(annotation, range(300)))).encode()
    monkeypatch.setattr(outlines, "LARGE", 1)
    monkeypatch.setattr(outlines, "PIECE_BYTES", 5000)
    monkeypatch.setattr(coco_read, "MEGABYTE", 1000)
    progress = Progress()
    batches = get_format("coco").read(open_source({"a.json": content}), {}, Ledger(), progress)
    next(batches)
    done = [progress.state.done for _ in batches]
    last = progress.state
    assert (last.stage, last.unit) == ("Reading annotations", "MB")
    assert last.total is not None
    assert last.total - 1 <= last.done <= last.total + 1
    assert len(done) > 5
    assert done == sorted(done)
