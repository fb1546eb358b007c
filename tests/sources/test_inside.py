"""Media inside files: parquet cells, records, idx files, batches; in every kind of source."""

from __future__ import annotations

import io
import pickle
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nbannot.errors import NbannotError, SourceError
from nbannot.sources import UploadSource, open_media, open_source
from nbannot.sources.idx import idx_header
from nbannot.sources.inside import inside_path, split_inside
from nbannot.sources.tfrecord import example, record
from tests.sources.archives import tar_of, zip_of

CELLS = [f"cell {n}".encode() for n in range(7)]


def parquet():
    """Return a parquet file with bytes in three row groups, one cell empty."""
    cells = [{"bytes": c, "path": f"{n}.jpg"} for n, c in enumerate(CELLS)]
    cells[6]["bytes"] = None
    out = io.BytesIO()
    table = pa.table({"my image!/x": cells, "plain": CELLS, "n": list(range(7))})
    pq.write_table(table, out, row_group_size=3)
    return out.getvalue()


FIRST = record(example({"image/encoded": [b"one", b"two"], "n": [1]}))
PIXELS = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
FILES = {
    "data/a.parquet": parquet(),
    "a.tfrecord": FIRST + record(example({"image/encoded": [b"three"]})),
    "train-images-idx3-ubyte": idx_header(2, 4, 5) + PIXELS.tobytes(),
    "rows.csv": b"label,a,b,c,d\n7,1,2,3,4\n8,5,6,7,8\n",
    "data_batch_1": pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}),
    "folder!/real.txt": b"a file",
}
WANTED = {
    inside_path("data/a.parquet", "parquet", "my image!/x", 4): CELLS[4],
    inside_path("data/a.parquet", "parquet", "my image!/x", 0): CELLS[0],
    inside_path("data/a.parquet", "parquet", "plain", 6): CELLS[6],
    inside_path("a.tfrecord", "tfrecord", 0, "image/encoded", 1): b"two",
    inside_path("a.tfrecord", "tfrecord", len(FIRST), "image/encoded", 0): b"three",
    "folder!/real.txt": b"a file",
}
PICTURES = {
    inside_path("train-images-idx3-ubyte", "idx", 1): PIXELS[1].tolist(),
    inside_path("rows.csv", "mnist-csv", 2): [[5, 6], [7, 8]],
    inside_path("rows.csv", "mnist-csv", 1): [[1, 2], [3, 4]],
    inside_path("data_batch_1", "cifar", 1): np.zeros((32, 32, 3)).tolist(),
}


def uploaded():
    """Return the files as an upload."""
    upload = UploadSource([(f"top/{path}", len(data)) for path, data in FILES.items()])
    for n, data in enumerate(FILES.values()):
        upload.write(n, 0, data)
    upload.finish()
    return upload


@pytest.fixture(params=["memory", "folder", "zip", "tar", "upload"])
def source(request, tmp_path):
    """Make a source of each kind with the same files."""
    if request.param == "memory":
        return open_source(FILES)
    if request.param == "upload":
        return uploaded()
    if request.param == "zip":
        return open_source(zip_of(tmp_path / "a.zip", FILES))
    if request.param == "tar":
        return open_source(tar_of(tmp_path / "a.tar", FILES))
    for name, data in FILES.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    return open_source(tmp_path / "folder")


def test_paths():
    """A place may hold anything; the file is what stands before the last mark."""
    path = inside_path("a!/b.parquet", "parquet", "my image!/x", 4)
    assert path == "a!/b.parquet!/parquet/my%20image%21%2Fx/4"
    assert split_inside(path) == ("a!/b.parquet", "parquet", ["my image!/x", "4"])


def test_every_source_reads_them(source):
    """As if they were files: whole, the first bytes, as a stream, many at once, in a part."""
    assert set(source.files) == set(FILES)  # and are not listed
    for path, data in WANTED.items():
        assert source.read(path) == data
        assert source.read(path, 3) == data[:3]
        with source.open(path) as stream:
            assert stream.read() == data
    assert dict(source.read_many(list(WANTED))) == WANTED
    assert source.under("data").read("a.parquet!/parquet/plain/1") == CELLS[1]
    for path, pixels in PICTURES.items():
        assert np.asarray(Image.open(io.BytesIO(source.read(path)))).tolist() == pixels
    source.close()


def test_links(source):
    """Where files are linked, what is inside is too; links are stored, so their form is kept."""
    links = {path: source.link(path) for path in WANTED}
    if any(link is None for link in links.values()):
        assert set(links.values()) == {None}
        return
    assert {path: open_media(link) for path, link in links.items()} == WANTED
    link = links[inside_path("a.tfrecord", "tfrecord", 0, "image/encoded", 1)]
    assert link.endswith("a.tfrecord!/tfrecord/0/image%2Fencoded/1")
    assert link.startswith(("file:///", "zip:///", "tar:///"))


@pytest.mark.parametrize(
    "path",
    [
        "no.parquet!/parquet/plain/1", "data/a.parquet!/parquet/plain/7",
        "data/a.parquet!/parquet/plain/-1", "data/a.parquet!/parquet/none/1",
        "data/a.parquet!/parquet/n/1", "data/a.parquet!/parquet/my%20image%21%2Fx/6",
        "data/a.parquet!/parquet", "data/a.parquet!/magic/1", "a.tfrecord!/parquet/plain/1",
        "a.tfrecord!/tfrecord/3/image%2Fencoded/0", "a.tfrecord!/tfrecord/0/none/0",
        "a.tfrecord!/tfrecord/0/n/0", "a.tfrecord!/tfrecord/99999/image%2Fencoded/0",
        "train-images-idx3-ubyte!/idx/2", "rows.csv!/mnist-csv/0", "rows.csv!/mnist-csv/9",
        "data_batch_1!/cifar/2", "rows.csv!/idx/0", "rows.csv!/cifar/0", "../x!/parquet/plain/1",
    ],
)  # fmt: skip
def test_places_that_are_not_there(source, path):
    """A file, a column, a row, an offset that is not there is an error like any other."""
    with pytest.raises(NbannotError):
        source.read(path)
    assert source.read("a.tfrecord!/tfrecord/0/image%2Fencoded/0") == b"one"


def test_a_link_to_what_is_gone(tmp_path):
    """The message says that it was linked, and what to do."""
    with pytest.raises(SourceError, match="put it back"):
        open_media(f"file://{tmp_path}/gone.parquet!/parquet/image/1")


def test_a_file_that_changes(tmp_path):
    """A link leads to what the file holds now, also where an older state was read before."""
    file = tmp_path / "a.tfrecord"
    link = f"file://{file}!/tfrecord/0/image%2Fencoded/0"
    for value in (b"first", b"the second"):
        file.write_bytes(record(example({"image/encoded": [value]})))
        assert open_media(link) == value


def test_several_threads(source):
    """A source may be read by several threads at once."""
    problems = []

    def read():
        for path, data in list(WANTED.items()) * 10:
            if source.read(path) != data:
                problems.append(path)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_few_files_stay_open(tmp_path):
    """A folder of hundreds of shards does not run out of file handles."""
    for n in range(40):
        (tmp_path / f"{n}.tfrecord").write_bytes(FIRST)
    source = open_source(tmp_path)
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir())) if handles.is_dir() else 0
    for n in range(40):
        assert source.read(f"{n}.tfrecord!/tfrecord/0/image%2Fencoded/0") == b"one"
    if before:
        assert len(list(handles.iterdir())) <= before + 6
    source.close()
