import hashlib
import os
import shutil
from pathlib import Path

import pytest

from nbannot.errors import OptionError, SourceError, UnsafeSourceError
from nbannot.sources import Limits, open_source


@pytest.fixture
def pets(tmp_path):
    """Make a small folder."""
    folder = tmp_path / "pets"
    for path in ("images/val/a.jpg", "images/val/b.jpg", "annotations/val.json", "data.yaml"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


def test_a_folder_lists_and_reads(pets):
    """A folder gives relative paths, bytes, sizes and absolute links."""
    source = open_source(pets)
    assert list(source.files) == [
        "annotations/val.json", "data.yaml", "images/val/a.jpg", "images/val/b.jpg",
    ]  # fmt: skip
    assert source.read("data.yaml") == b"data.yaml"
    assert source.read("data.yaml", 4) == b"data"
    with source.open("images/val/a.jpg") as stream:
        assert stream.read() == b"images/val/a.jpg"
    assert source.size("data.yaml") == 9
    assert source.link("images/val/a.jpg") == str(pets.resolve() / "images/val/a.jpg")
    assert dict(source.read_many(["data.yaml"])) == {"data.yaml": b"data.yaml"}
    assert (source.name, source.main, source.table()) == ("pets", None, None)
    assert source.uri == str(pets.resolve())


def test_code_is_the_path_as_given(pets, monkeypatch):
    """The code that opens a source again has the path that the user wrote."""
    monkeypatch.chdir(pets.parent)
    assert open_source("pets").code == "'pets'"
    assert open_source(Path("pets/data.yaml")).code == repr(str(Path("pets/data.yaml")))
    assert open_source("pets").uri == open_source(pets).uri


def test_junk_is_not_listed(pets):
    """What file managers and tools leave behind is not part of a dataset."""
    for path in (
        ".DS_Store", "images/Thumbs.db", "desktop.ini", "__MACOSX/a.jpg", ".git/config",
        ".ipynb_checkpoints/data.yaml", "images/val/._a.jpg",
    ):  # fmt: skip
        (pets / path).parent.mkdir(exist_ok=True)
        (pets / path).write_bytes(b"junk")
    assert len(open_source(pets).files) == 4


def test_an_empty_folder_has_no_files(tmp_path):
    """An empty folder can be opened; it has no files."""
    assert list(open_source(tmp_path).files) == []


def test_only_listed_files_are_read(pets):
    """A path that leads elsewhere is no file of the source."""
    (pets.parent / "secret.txt").write_text("secret")
    source = open_source(pets)
    for path in ("../secret.txt", str(pets.parent / "secret.txt"), "images", "gone.jpg"):
        for look in (source.read, source.open, source.size, source.link):
            with pytest.raises(SourceError, match="There is no file"):
                look(path)


def test_a_linked_folder_reads_like_the_real_one(pets, tmp_path):
    """D14: a dataset reached through links is the dataset."""
    whole = tmp_path / "whole"
    whole.symlink_to(pets)
    parts = tmp_path / "parts"
    (parts / "images").mkdir(parents=True)
    (parts / "images/val").symlink_to(pets / "images/val")
    (parts / "annotations").symlink_to(pets / "annotations")
    (parts / "data.yaml").symlink_to(pets / "data.yaml")
    real = open_source(pets)
    assert open_source(whole).uri == real.uri
    assert open_source(whole).name == "whole"
    for folder in (whole, parts):
        source = open_source(folder)
        assert list(source.files) == list(real.files)
        assert source.fingerprint() == real.fingerprint()
        assert dict(source.read_many(source.files)) == dict(real.read_many(real.files))
        assert source.notes == []


def test_links_in_circles_end(pets):
    """A link back to a folder on the way is not followed, and named."""
    (pets / "images/up").symlink_to(pets)
    (pets / "x").mkdir()
    (pets / "y").mkdir()
    (pets / "x/to-y").symlink_to(pets / "y")
    (pets / "y/to-x").symlink_to(pets / "x")
    (pets / "self").symlink_to(pets / "self")
    source = open_source(pets)
    assert "data.yaml" in source.files
    assert not [path for path in source.files if path.count("to-x") > 1]
    notes = "\n".join(source.notes)
    assert "images/up is a link to a folder that contains it" in notes
    assert "self is a link to nothing" in notes


def test_links_that_multiply_are_limited(tmp_path):
    """Folders that link to one another many times over can't list for ever."""
    for level in range(12):
        (tmp_path / f"d{level}").mkdir()
        (tmp_path / f"d{level}/file").touch()
        for side in "ab" if level < 11 else "":
            (tmp_path / f"d{level}/{side}").symlink_to(tmp_path / f"d{level + 1}")
    with pytest.raises(UnsafeSourceError, match=r"Limits\(members="):
        _ = open_source(tmp_path, limits=Limits(members=1000)).files


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_pipes_and_broken_links_are_noted(pets):
    """What is no file is left out with a word, and never opened (a pipe would wait for ever)."""
    os.mkfifo(pets / "pipe.jpg")
    (pets / "gone.jpg").symlink_to(pets / "nowhere.jpg")
    source = open_source(pets)
    assert len(source.files) == 4
    assert sorted(source.notes) == [
        "gone.jpg is a link to nothing, and was left out",
        "pipe.jpg is neither a file nor a folder, and was left out",
    ]
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        open_source(pets / "pipe.jpg")


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode on Windows")
def test_names_that_are_not_utf8_can_be_read(tmp_path):
    """A name of odd bytes is written out, so that it can be stored; the file can be read."""
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"data")
    source = open_source(tmp_path)
    assert list(source.files) == ["caf\\xe9.jpg"]
    assert source.read("caf\\xe9.jpg") == b"data"
    assert source.link("caf\\xe9.jpg") is None
    assert "caf\\xe9.jpg is not UTF-8" in source.notes[0]


def test_fingerprint_is_the_same_however_many_are_hashed_at_once(pets, monkeypatch):
    """Projects keep fingerprints: that of an unchanged folder is the same for ever."""
    source = open_source(pets)
    digest = hashlib.blake2b(digest_size=16)
    for path in source.files:
        stat = (pets / path).stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    for count in (1, 2, 4096):
        monkeypatch.setattr("nbannot.sources.local._HASHED_AT_ONCE", count)
        assert source.fingerprint() == f"stat:{digest.hexdigest()}"


@pytest.mark.parametrize("at_once", [7, 1 << 20])
def test_files_are_read_whole(tmp_path, monkeypatch, at_once):
    """Small or large, and where the system gives less than was asked for."""
    sizes = (0, 1, 7, 8, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100_000)
    for size in sizes:
        (tmp_path / f"{size}.bin").write_bytes(bytes(i % 251 for i in range(size)))
    read = os.read
    monkeypatch.setattr(os, "read", lambda file, count: read(file, min(count, at_once)))
    source = open_source(tmp_path)
    found = dict(source.read_many(source.files))
    assert {path: len(data) for path, data in found.items()} == {f"{n}.bin": n for n in sizes}
    for path, data in found.items():
        assert data == (tmp_path / path).read_bytes()


def test_fingerprint_follows_the_content(pets, tmp_path):
    """The fingerprint of a folder changes with a file's bytes, name or presence."""
    seen = {open_source(pets).fingerprint()}
    copy = tmp_path / "copy"
    shutil.copytree(pets, copy)
    assert open_source(copy).fingerprint() in seen
    (pets / "data.yaml").write_text("other content")
    seen.add(open_source(pets).fingerprint())
    (pets / "data.yaml").rename(pets / "names.yaml")
    seen.add(open_source(pets).fingerprint())
    (pets / "names.yaml").unlink()
    seen.add(open_source(pets).fingerprint())
    assert len(seen) == 4


def test_a_folder_that_cannot_be_listed_is_named(pets, monkeypatch):
    """A folder without permission is an error, not an empty folder."""
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("val"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match=r"images/val can't be read: no permission"):
        _ = open_source(pets).files


def test_a_file_that_went_away_is_named(pets):
    """A file deleted after the listing is an error with its name."""
    source = open_source(pets)
    assert "data.yaml" in source.files
    (pets / "data.yaml").unlink()
    for look in (source.read, source.open, source.size):
        with pytest.raises(SourceError, match=r"data.yaml can't be read: it is not there any more"):
            look("data.yaml")


def test_a_part_of_a_source(pets):
    """`under` gives a folder of a source, as a source."""
    part = open_source(pets).under("images")
    assert list(part.files) == ["val/a.jpg", "val/b.jpg"]
    assert part.read("val/a.jpg") == b"images/val/a.jpg"
    assert dict(part.read_many(["val/b.jpg"])) == {"val/b.jpg": b"images/val/b.jpg"}
    assert part.link("val/a.jpg") == str(pets.resolve() / "images/val/a.jpg")
    assert part.size("val/a.jpg") == 16
    assert part.name == "pets/images"
    assert open_source(pets).under("").name == "pets"


class TestFile:
    """One file, with the media beside it."""

    def test_it_sees_media_beside_it(self, pets):
        """A file in the dataset's folder sees the media of the dataset, and nothing else."""
        source = open_source(pets / "data.yaml")
        assert source.main == "data.yaml"
        assert list(source.files) == ["data.yaml", "images/val/a.jpg", "images/val/b.jpg"]
        assert source.name == "data.yaml"

    def test_in_an_annotation_folder_it_sees_the_folder_above(self, pets):
        """annotations/val.json speaks of images/val."""
        source = open_source(pets / "annotations/val.json")
        assert source.main == "annotations/val.json"
        assert "images/val/a.jpg" in source.files
        assert "data.yaml" not in source.files
        assert source.read(source.main) == b"annotations/val.json"
        assert source.link("images/val/a.jpg") == str(pets.resolve() / "images/val/a.jpg")

    def test_a_list_of_voc_sees_the_images(self, pets):
        """ImageSets/Main/train.txt lies two folders deep."""
        (pets / "ImageSets/Main").mkdir(parents=True)
        (pets / "ImageSets/Main/train.txt").write_text("a")
        source = open_source(pets / "ImageSets/Main/train.txt")
        assert source.main == "ImageSets/Main/train.txt"
        assert "images/val/a.jpg" in source.files

    def test_reading_it_lists_nothing(self, pets, monkeypatch):
        """The neighbours are looked for only when asked for."""
        source = open_source(pets / "data.yaml")
        monkeypatch.setattr(os, "scandir", None)
        assert source.read("data.yaml") == b"data.yaml"
        assert source.fingerprint().startswith("stat:")

    def test_many_neighbours_are_cut_with_a_note(self, pets):
        """A file in a folder with too much media says what it did not look at."""
        source = open_source(pets / "data.yaml", limits=Limits(members=1))
        assert "data.yaml" in source.files
        assert "Open the dataset's own folder" in source.notes[0]

    def test_hidden_and_closed_neighbours_are_left_out(self, pets, monkeypatch):
        """Neighbours that can't be listed are not what was asked for."""
        (pets / ".cache").mkdir()
        (pets / ".cache/x.jpg").touch()
        real = os.scandir

        def scandir(folder):
            if str(folder).endswith("images"):
                raise PermissionError(13, "Permission denied")
            return real(folder)

        monkeypatch.setattr(os, "scandir", scandir)
        assert list(open_source(pets / "data.yaml").files) == ["data.yaml"]

    def test_an_image_is_a_source_of_one(self, pets):
        """An image file is listed once, beside its neighbours."""
        source = open_source(pets / "images/val/a.jpg")
        assert source.main == "a.jpg"
        assert list(source.files) == ["a.jpg", "b.jpg"]

    def test_fingerprint_is_of_the_file(self, pets):
        """Other files do not change the fingerprint of a file."""
        before = open_source(pets / "data.yaml").fingerprint()
        (pets / "images/val/c.jpg").touch()
        assert open_source(pets / "data.yaml").fingerprint() == before
        (pets / "data.yaml").write_text("other content")
        assert open_source(pets / "data.yaml").fingerprint() != before


class TestWhatCannotBeOpened:
    """Every refusal says what to do."""

    def test_a_missing_path_suggests_the_closest_name(self, pets):
        """A slip of the finger is answered with what was meant."""
        with pytest.raises(SourceError, match=r"Did you mean '.*pets'"):
            open_source(pets.parent / "pest")
        with pytest.raises(SourceError, match=r"Did you mean '.*images'"):
            open_source(pets / "imagse" / "val")
        with pytest.raises(SourceError, match="There is no file or folder") as caught:
            open_source(pets / "qqqqqqqqqq")
        assert "Did you mean" not in str(caught.value)

    def test_a_url_is_not_fetched_and_keeps_its_secrets(self):
        """The message about a URL holds neither password nor signature."""
        with pytest.raises(SourceError, match="links are not fetched") as caught:
            open_source("https://user:S3CRETPW@host/a.zip?sig=SIGSECRET")
        assert "S3CRETPW" not in str(caught.value)
        assert "SIGSECRET" not in str(caught.value)
        assert "https://…@host/a.zip?…" in str(caught.value)

    @pytest.mark.parametrize("name", ["a.7z", "a.rar", "a.tar.zst"])
    def test_other_archives_are_named(self, tmp_path, name):
        """An archive of an unknown kind is not taken for a file of data."""
        (tmp_path / name).write_bytes(b"7z")
        with pytest.raises(SourceError, match="kind that is not read"):
            open_source(tmp_path / name)

    @pytest.mark.parametrize("where", [17, None, 1.5, object(), b"", "", "  "])
    def test_what_is_no_source(self, where):
        """A value that holds no data is refused by its type."""
        with pytest.raises((OptionError, SourceError)):
            open_source(where)

    def test_a_path_with_nul(self):
        """A NUL in a path is no file, not a crash."""
        with pytest.raises(SourceError):
            open_source("a\0b")


def test_a_source_is_returned_as_is(pets):
    """Opening a source gives the source."""
    source = open_source(pets)
    assert open_source(source) is source
    with source as same:
        assert same is source
    assert repr(source) == "<FolderSource 'pets'>"
