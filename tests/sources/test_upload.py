import contextlib
import gc
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbannot.errors import NbannotError, OptionError, SourceError, UnsafeSourceError
from nbannot.sources import Limits, UploadSource, open_source
from tests.sources.archives import FILES, tar_of, zip_of


def send(files, piece=7, limits=None):
    """Upload files in pieces, two files at a time."""
    upload = UploadSource([(path, len(data)) for path, data in files.items()], limits)
    left = [(i, at) for i, data in enumerate(files.values()) for at in range(0, len(data), piece)]
    left.sort(key=lambda place: place[1])  # interleaved, in order within each file
    contents = list(files.values())
    for file, at in left:
        upload.write(file, at, contents[file][at : at + piece])
    upload.finish()
    return upload


def test_a_folder_arrives_as_it_was():
    """The upload of a folder reads like the folder, and has its name."""
    source = send({f"pets/{path}": data for path, data in FILES.items()}, piece=1000)
    assert open_source(source) is source
    assert (source.name, source.uri, source.main) == ("pets", "upload:pets", None)
    assert list(source.files) == sorted(FILES)
    assert dict(source.read_many(source.files)) == FILES
    assert source.size("data.yaml") == len(FILES["data.yaml"])
    assert source.read("data.yaml", 5) == b"names"
    assert source.link("data.yaml") is None
    with source.open("images/b.jpg") as stream:
        assert stream.read() == b"bbbbb"
    assert list(source.under("images").files) == ["a.jpg", "b.jpg"]
    assert source.table() is None
    for look in (source.read, source.open, source.size):
        with pytest.raises(SourceError, match="There is no file"):
            look("../secret")


def test_files_without_a_folder():
    """Several files that share no folder are counted."""
    source = send({"a.jpg": b"1", "b.jpg": b"2"})
    assert (source.name, list(source.files)) == ("2 files", ["a.jpg", "b.jpg"])


def test_one_file_is_the_main_one():
    """A file that is sent alone is what was asked for."""
    source = send({"coco.json": b"{}"})
    assert (source.name, source.main) == ("coco.json", "coco.json")
    assert source.read("coco.json") == b"{}"


@pytest.mark.parametrize("name", ["pets.zip", "pets.tar", "pets.tar.gz"])
def test_one_archive_is_the_archive(tmp_path, name):
    """An archive that is sent alone is opened, and all its bytes are copied from it."""
    path = (zip_of if name == "pets.zip" else tar_of)(tmp_path / name, FILES)
    source = send({name: path.read_bytes()}, piece=4000)
    assert source.name == name
    assert list(source.files) == sorted(FILES)
    assert dict(source.read_many(source.files)) == FILES
    assert source.size("images/b.jpg") == 5
    assert source.link("images/b.jpg") is None


def test_rules_for_archives_hold(tmp_path):
    """An archive that was sent has the limits and rules of any other."""
    data = zip_of(tmp_path / "a.zip", {"../x": b""}).read_bytes()
    with pytest.raises(UnsafeSourceError):
        _ = send({"a.zip": data}).files
    data = zip_of(tmp_path / "b.zip", {"x": bytes(500), "y": b""}).read_bytes()
    with pytest.raises(UnsafeSourceError):
        send({"b.zip": data}, limits=Limits(member_bytes=400)).read("x")
    with pytest.raises(SourceError, match="kind that is not read"):
        send({"a.rar": b"Rar!"})


def test_junk_is_not_listed():
    """What the file manager adds to a folder is not part of it."""
    source = send({"pets/a.jpg": b"1", "pets/.DS_Store": b"2", "pets/.git/x": b"3"})
    assert list(source.files) == ["a.jpg"]


def test_pieces_may_overtake_one_another():
    """Pieces under way at once arrive in any order; the file has them in theirs."""
    upload = UploadSource([("a.bin", 10)])
    assert upload.write(0, 4, b"4567") == 0
    assert upload.write(0, 8, b"89") == 0
    assert upload.write(0, 0, b"0123") == 10
    upload.finish()
    assert upload.read("a.bin") == b"0123456789"


def test_a_piece_sent_again_changes_nothing():
    """A piece whose acknowledgement was lost is sent again: the file has it once."""
    upload = UploadSource([("a.bin", 10)])
    upload.write(0, 0, b"0123")
    assert upload.write(0, 0, b"0123") == 4
    assert upload.write(0, 8, b"89") == 4
    assert upload.write(0, 8, b"89") == 4
    assert upload.write(0, 4, b"4567") == 10
    upload.finish()
    assert upload.read("a.bin") == b"0123456789"


def test_wrong_pieces_are_refused():
    """A piece that is far ahead or too long is refused, and what is there stays."""
    upload = UploadSource([("a.bin", 10), ("b.bin", 0)])
    assert upload.write(0, 0, b"0123") == 4
    for file, offset, data, match in (
        (0, 4 + (1 << 30), b"89", "byte 4 was due"),
        (0, "4", b"4", "byte 4 was due"),
        (0, 4, b"4567890", "more were sent"),
        (2, 0, b"", "no file number 2"),
        (-1, 0, b"", "no file number -1"),
        (True, 0, b"", "no file number"),
        ("0", 0, b"", "no file number"),
        (None, 0, b"", "no file number"),
    ):
        with pytest.raises(OptionError, match=match):
            upload.write(file, offset, data)
    assert upload.write(0, 4, memoryview(b"456789")) == 10
    upload.finish()
    assert upload.read("a.bin") == b"0123456789"
    assert upload.read("b.bin") == b""


def test_an_upload_is_no_source_before_its_end():
    """What is not there in full is not read."""
    upload = UploadSource([("a.bin", 10)])
    upload.write(0, 0, b"0123")
    with pytest.raises(SourceError, match="has not ended"):
        _ = upload.files
    with pytest.raises(SourceError, match=r"a\.bin is not there in full: 4 of 10 bytes"):
        upload.finish()
    upload.write(0, 4, b"456789")
    upload.finish()
    with pytest.raises(SourceError, match="has ended"):
        upload.write(0, 10, b"")


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ([], OptionError),
        ([("", 1)], OptionError),
        ([("a", -1)], OptionError),
        ([("a", 1.5)], OptionError),
        ([("a", True)], OptionError),
        ([("a", 1), ("a", 2)], OptionError),
        ([("../a", 1)], UnsafeSourceError),
        ([("/etc/passwd", 1)], UnsafeSourceError),
        ([("C:\\a", 1)], UnsafeSourceError),
        ([("x/../../a", 1)], UnsafeSourceError),
        ([("a", 1 << 50)], SourceError),
    ],
)
def test_what_is_refused_at_the_start(files, error):
    """A bad list of files is refused before a byte is sent."""
    with pytest.raises(error):
        UploadSource(files)


def test_too_many_files():
    """The number of files has a limit."""
    with pytest.raises(UnsafeSourceError, match=r"Limits\(members="):
        UploadSource([(str(i), 0) for i in range(5)], Limits(members=4))


def test_a_name_of_half_a_character():
    """JavaScript may send half of a surrogate pair."""
    assert list(send({"a\ud800.txt": b"1"}).files) == ["a\\ud800.txt"]


def stored(upload):
    """Return the private folder of an upload."""
    return Path(upload._folder)


def test_names_never_become_paths_on_disk():
    """R1: the files lie under numbers of our own."""
    upload = send({"pets/images/a.jpg": b"1", "pets/CON": b"2"})
    assert sorted(p.name for p in stored(upload).iterdir()) == ["0", "1"]
    assert os.name == "nt" or stored(upload).stat().st_mode & 0o077 == 0


def test_nothing_stays_on_disk():
    """The folder goes when the upload is closed, or forgotten."""
    upload = send({"a.txt": b"1"})
    folder = stored(upload)
    assert folder.exists()
    upload.close()
    assert not folder.exists()
    with pytest.raises(SourceError, match="has ended"):
        upload.write(0, 0, b"1")
    forgotten = UploadSource([("a.txt", 1)])
    folder = stored(forgotten)
    del forgotten
    gc.collect()
    assert not folder.exists()


def test_a_full_disk_is_named(monkeypatch):
    """A piece that can't be stored is an error that says so, and may be sent again."""
    upload = UploadSource([("a.txt", 4)])
    folder, upload._folder = upload._folder, "/nowhere"
    with pytest.raises(SourceError, match=r"a\.txt can't be stored"):
        upload.write(0, 0, b"1234")
    upload._folder = folder
    assert upload.write(0, 0, b"1234") == 4


def test_fingerprint_is_of_the_content():
    """The same files sent again have the same fingerprint, in whatever pieces and order."""
    files = {"p/a.txt": b"first", "p/b.txt": b"second"}
    first = send(files, piece=2).fingerprint()
    assert send(dict(reversed(files.items())), piece=100).fingerprint() == first
    assert send({**files, "p/b.txt": b"Second"}).fingerprint() != first


JUNK = st.none() | st.integers() | st.text(max_size=3) | st.floats() | st.binary(max_size=9)


@given(st.lists(st.tuples(JUNK, JUNK, st.binary(max_size=9)), max_size=5), st.randoms())
def test_any_message_is_answered(messages, chance: random.Random):
    """S42: whatever a page sends, the answer is a number or an error of our own."""
    with UploadSource([("a.txt", 5)]) as upload:
        for file, offset, data in messages:
            file = chance.choice([0, file])
            with contextlib.suppress(NbannotError):
                assert upload.write(file, offset, data) <= 5
