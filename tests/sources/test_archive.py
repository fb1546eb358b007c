import gzip
import io
import random
import tarfile
import unicodedata
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbannot.errors import BrokenFileError, NbannotError, SourceError
from nbannot.sources import open_source
from nbannot.sources.names import is_junk
from tests.sources.archives import (
    FILES,
    deflated_zeros,
    raw_zip,
    tar_header,
    tar_of,
    zip_of,
)

LETTERS = st.characters(codec="utf-8", exclude_characters="\0/\\\n:")
NAMES = st.text(LETTERS, min_size=1, max_size=120).filter(
    lambda name: name not in (".", "..") and not is_junk(name)
)
KINDS = ("pets.zip", "pets.tar", "pets.tar.gz", "pets.tgz", "pets.tar.bz2", "pets.tar.xz")


@pytest.fixture(params=KINDS)
def archive(request, tmp_path):
    """Make an archive of each kind, with the same files."""
    path = tmp_path / request.param
    return (zip_of if path.suffix == ".zip" else tar_of)(path, FILES)


def test_an_archive_reads_like_a_folder(archive, tmp_path):
    """Every kind of archive lists and reads what a folder of the same files does."""
    folder = tmp_path / "folder"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    source, real = open_source(archive), open_source(folder)
    assert list(source.files) == list(real.files)
    assert dict(source.read_many(source.files)) == FILES
    for path in real.files:
        assert source.read(path) == real.read(path)
        assert source.read(path, 7) == real.read(path, 7)
        assert source.size(path) == real.size(path)
    assert source.notes == []
    assert (source.name, source.main) == (archive.name, None)
    assert source.uri == str(archive.resolve())
    assert source.code == repr(str(archive))


def test_streams_can_be_sought(archive):
    """A stream from an archive is as good as one from a file: Pillow seeks."""
    data = FILES["images/a.jpg"]
    with open_source(archive).open("images/a.jpg") as stream:
        assert stream.read(10) == data[:10]
        stream.seek(70_000)
        assert stream.read(10) == data[70_000:70_010]
        stream.seek(5)
        assert stream.read(10) == data[5:15]
        assert stream.seek(-4, io.SEEK_END) == len(data) - 4
        assert stream.read() == data[-4:]
        assert stream.read() == b""


def test_reading_many_yields_each_once(archive):
    """`read_many` gives every path asked for, in whatever order."""
    source = open_source(archive)
    paths = ["labels/a.txt", "data.yaml", "images/b.jpg"]
    assert sorted(path for path, _ in source.read_many(paths)) == sorted(paths)


def test_a_missing_member_is_named(archive):
    """A path that is no member is an error with its name."""
    source = open_source(archive)
    for look in (source.read, source.open, source.size, source.link):
        with pytest.raises(SourceError, match=r"There is no file 'images/c.jpg'"):
            look("images/c.jpg")


def test_threads_read_at_once(archive):
    """Threads that read the same archive get the right bytes."""
    source = open_source(archive)
    paths = [name for name in FILES for _ in range(20)]
    random.Random(0).shuffle(paths)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(source.read, paths)) == [FILES[path] for path in paths]


def test_a_closed_archive_opens_again(archive):
    """Closing lets go of the file, and is not the end."""
    source = open_source(archive)
    assert source.read("data.yaml") == FILES["data.yaml"]
    source.close()
    assert source.read("data.yaml") == FILES["data.yaml"]


def test_fingerprint_follows_the_file(archive):
    """The fingerprint is that of the archive's file."""
    before = open_source(archive).fingerprint()
    assert open_source(archive).fingerprint() == before
    archive.write_bytes(archive.read_bytes() + b"\0")
    assert open_source(archive).fingerprint() != before


def test_junk_and_folders_are_not_listed(tmp_path):
    """Folders, Finder data and the like are no files of the dataset."""
    names = ["__MACOSX/images/._a.jpg", "images/", ".DS_Store", "images/._a.jpg", "images/a.jpg"]
    path = zip_of(tmp_path / "a.zip", dict.fromkeys(names, b""))
    assert list(open_source(path).files) == ["images/a.jpg"]


def test_a_leading_dot_folder_is_dropped(tmp_path):
    """``tar -C folder .`` writes ``./`` in front of every name."""
    path = tar_of(tmp_path / "a.tar", {"./a.txt": b"1", "./images//b.jpg": b"2"})
    assert list(open_source(path).files) == ["a.txt", "images/b.jpg"]


def test_backslashes_are_folders(tmp_path):
    """Some Windows tools write backslashes for folders."""
    path = zip_of(tmp_path / "a.zip", {"images\\a.jpg": b"1"})
    assert list(open_source(path).files) == ["images/a.jpg"]
    assert open_source(path).read("images/a.jpg") == b"1"


def test_names_without_the_utf8_mark(tmp_path):
    """UTF-8 names that are not marked as such are not garbled; code page 437 is."""
    path = tmp_path / "a.zip"
    path.write_bytes(
        raw_zip([("images/한글.png".encode(), deflated_zeros(0), 0), (b"caf\x82.png", b"\3\0", 0)])
    )
    assert set(open_source(path).files) == {"images/한글.png", "café.png"}


def test_two_members_of_one_name_are_both_kept(tmp_path):
    """S9b: the second is listed under another name, and a note says so."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels/1.txt", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("labels/1.txt", b"second")
    source = open_source(path)
    assert {p: source.read(p) for p in source.files} == {
        "labels/1.txt": b"first", "labels/1 (2).txt": b"second",
    }  # fmt: skip
    assert "2 members are called labels/1.txt" in source.notes[0]


def test_names_alike_are_kept_and_noted(tmp_path):
    """S9b: names that other systems take for one are two files, and a note names them."""
    nfc = "images/café.png"
    nfd = unicodedata.normalize("NFD", nfc)
    path = zip_of(tmp_path / "a.zip", {"Cat.png": b"1", "cat.png": b"2", nfc: b"3", nfd: b"4"})
    source = open_source(path)
    assert len(source.files) == 4
    assert (source.read(nfc), source.read(nfd)) == (b"3", b"4")
    assert len(source.notes) == 2
    assert "Cat.png and cat.png" in source.notes[0]


def test_windows_names_are_only_names(tmp_path):
    """S9b: nothing is written by name, so CON and a trailing dot are names like others."""
    files = {"CON": b"1", "images/NUL.jpg": b"2", "a.": b"3"}
    assert dict(open_source(zip_of(tmp_path / "a.zip", files)).read_many(files)) == files


def test_archives_inside_are_noted_or_refused(tmp_path):
    """Archives are opened one level deep: inner ones are files, and alone they are refused."""
    mixed = zip_of(tmp_path / "mixed.zip", {"a.jpg": b"", "inner.zip": b"PK"})
    source = open_source(mixed)
    assert list(source.files) == ["a.jpg", "inner.zip"]
    assert "inner.zip" in source.notes[0]
    only = zip_of(tmp_path / "only.zip", {"1.zip": b"PK", "2.tar.gz": b""})
    with pytest.raises(SourceError, match="nothing but other archives"):
        _ = open_source(only).files


class TestTarDialects:
    """Names and sizes in every dialect that Python writes."""

    LONG = "/".join(["a folder with a long name"] * 12) + "/ünï.png"

    @pytest.mark.parametrize(
        "format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
    )
    def test_long_names(self, tmp_path, format):
        """Long names, as a prefix, a GNU record or a pax record."""
        long = self.LONG if format != tarfile.USTAR_FORMAT else "b" * 90 + "/" + "c" * 90 + ".png"
        files = {"a.png": b"1" * 513, long: b"2" * 512, "z.png": b"3"}
        source = open_source(tar_of(tmp_path / "a.tar", files, format))
        assert set(source.files) == set(files)
        assert {path: source.read(path) for path in files} == files

    def test_global_pax_records_are_skipped(self, tmp_path):
        """``git archive`` writes a global comment in front."""
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w", pax_headers={"comment": "0123"}) as archive:
            archive.addfile(tarfile.TarInfo("a.txt"))
        assert list(open_source(path).files) == ["a.txt"]

    @given(
        st.dictionaries(NAMES, st.binary(max_size=1100), max_size=6),
        st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_what_tarfile_writes_is_read(self, tmp_path, files, format):
        """Any names and contents that Python's tarfile writes are read as they were."""
        files = {"a.txt": b""} | {f"f/{name}": data for name, data in files.items()}
        source = open_source(tar_of(tmp_path / "a.tar", files, format))
        with tarfile.open(tmp_path / "a.tar") as archive:
            assert sorted(archive.getnames()) == list(source.files)
        assert {path: source.read(path) for path in source.files} == files

    def test_odd_bytes_in_a_name_are_written_out(self, tmp_path):
        """A name that is not UTF-8 can't be stored; it is listed with its bytes written out."""
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
            archive.addfile(tarfile.TarInfo("café.png"))
        assert list(open_source(path).files) == ["caf\\xe9.png"]

    def test_a_compressed_tar_is_found_by_its_bytes(self, tmp_path):
        """A .tar that is gzip inside is read all the same."""
        path = tmp_path / "a.tar"
        path.write_bytes(gzip.compress(tar_of(tmp_path / "b.tar", FILES).read_bytes()))
        source = open_source(path)
        assert source.read("images/b.jpg") == b"bbbbb"
        assert source.link("images/b.jpg") is None

    def test_no_end_mark_is_noted(self, tmp_path):
        """A tar that stops between two members may have been cut: it is read, with a note."""
        path = tmp_path / "a.tar"
        path.write_bytes(tar_header("a.txt", b"%011o\0" % 3) + b"abc".ljust(512, b"\0"))
        source = open_source(path)
        assert source.read("a.txt") == b"abc"
        assert "may have been cut short" in source.notes[0]

    def test_a_large_compressed_tar_spills_to_disk(self, tmp_path, monkeypatch):
        """Beyond what is kept in memory, a temporary file without a name holds the bytes."""
        monkeypatch.setattr("nbannot.sources.tar_archive.KEPT_IN_MEMORY", 10_000)
        source = open_source(tar_of(tmp_path / "a.tgz", FILES))
        assert dict(source.read_many(FILES)) == FILES


class TestDamage:
    """Damage is an error that names the archive, never a shorter list."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_cut_archive(self, tmp_path, kind):
        """Cut anywhere, an archive is refused, or what is missing is told."""
        whole = (zip_of if kind == "pets.zip" else tar_of)(tmp_path / kind, FILES).read_bytes()
        for part in range(1, 20):
            path = tmp_path / f"{part}{kind}"
            path.write_bytes(whole[: len(whole) * part // 20])
            try:
                source = open_source(path)
                files = list(source.files)
            except BrokenFileError as error:
                assert path.name in str(error)  # noqa: PT017
            else:
                assert files == sorted(FILES) or source.notes

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("data", [b"", b"hello " * 200, b"<!doctype html><p>404" + b" " * 999])
    def test_what_is_no_archive(self, tmp_path, kind, data):
        """A page of HTML that was saved as pets.zip is named as no archive."""
        (tmp_path / kind).write_bytes(data)
        with pytest.raises(BrokenFileError, match=kind):
            _ = open_source(tmp_path / kind).files

    @given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(0, 255), st.integers(1, 8))
    @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_flipped_bytes(self, tmp_path, kind, place, value, count):
        """Whatever byte is wrong, the answer is bytes or an error of our own."""
        path = tmp_path / kind
        if not path.exists():
            (zip_of if kind == "pets.zip" else tar_of)(path, FILES)
        data = bytearray(path.read_bytes())
        place %= len(data)
        data[place : place + count] = bytes([value]) * len(data[place : place + count])
        damaged = tmp_path / f"damaged-{kind}"
        damaged.write_bytes(data)
        try:
            source = open_source(damaged)
            for name in source.files:
                source.read(name)
        except NbannotError:
            pass

    def test_a_tar_that_ends_in_a_member(self, tmp_path):
        """A member that is not there in full is an error, not a shorter file."""
        path = tmp_path / "a.tar"
        path.write_bytes(tar_header("a.txt", b"%011o\0" % 900) + bytes(800))
        with pytest.raises(BrokenFileError, match=r"ends in the middle of a\.txt"):
            _ = open_source(path).files

    def test_a_damaged_member_leaves_the_others(self, tmp_path):
        """A wrong checksum is the fault of one member."""
        path = zip_of(tmp_path / "a.zip", {"1.png": b"first" * 9, "2.png": b"other" * 9}, 0)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"firstfirst", b"firstf1rst", 1))
        source = open_source(path)
        assert source.read("2.png") == b"other" * 9
        with pytest.raises(BrokenFileError, match=r"1\.png can't be read: Bad CRC"):
            source.read("1.png")
        with source.open("1.png") as stream, pytest.raises(BrokenFileError, match=r"1\.png"):
            stream.read()

    def test_a_damaged_header_is_not_the_end(self, tmp_path):
        """Python takes a damaged header for the end of a tar; members behind it would be lost."""
        path = tar_of(tmp_path / "a.tar", {"1.txt": b"1", "2.txt": b"2", "3.txt": b"3"})
        data = bytearray(path.read_bytes())
        data[1024 + 20] ^= 1
        path.write_bytes(data)
        with pytest.raises(BrokenFileError, match="byte 1024"):
            _ = open_source(path).files

    def test_unknown_compression_is_named(self, tmp_path):
        """Deflate64 and the like: the member is named, with a way out."""
        data = bytearray(raw_zip([(b"a.png", b"\3\0", 0)]))
        data[8] = data[data.index(b"PK\1\2") + 10] = 9
        (tmp_path / "a.zip").write_bytes(data)
        source = open_source(tmp_path / "a.zip")
        with pytest.raises(SourceError, match=r"a\.png is compressed in a way"):
            source.read("a.png")
