import os
import zipfile

import pytest

from nbannot.errors import SourceError
from nbannot.sources import links, open_media, open_source
from tests.sources.archives import FILES, tar_of, zip_of


@pytest.fixture
def sources(tmp_path):
    """Make a folder, a zip and a tar with the same files."""
    for name, data in FILES.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    places = [
        tmp_path / "folder",
        zip_of(tmp_path / "a.zip", FILES),
        tar_of(tmp_path / "a.tar", FILES),
    ]
    return [open_source(place) for place in places]


def test_links_lead_to_the_bytes(sources):
    """What a source links to is found again, without the source."""
    for source in sources:
        found = {path: open_media(source.link(path)) for path in source.files}
        assert found == FILES


def test_what_links_look_like(sources, tmp_path):
    """Links are stored in projects: their form is a promise."""
    base = tmp_path.resolve()
    assert [source.link("images/b.jpg") for source in sources] == [
        f"{base}/folder/images/b.jpg",
        f"zip://{base}/a.zip!/images/b.jpg",
        f"tar://{base}/a.tar!/images/b.jpg",
    ]


def test_odd_names(tmp_path):
    """An exclamation mark or a percent sign in a path is nothing special."""
    folder = tmp_path / "odd!" / "100%"
    folder.mkdir(parents=True)
    files = {"a!/b%20c.jpg": b"1", "d.zip!/e.jpg": b"2"}
    source = open_source(zip_of(folder / "x.zip!.zip", files))
    assert {path: open_media(source.link(path)) for path in source.files} == files


def test_an_archive_stays_open(tmp_path, monkeypatch):
    """A page of pictures from one archive lists it once; only the last few are kept."""
    paths = [zip_of(tmp_path / f"{i}.zip", FILES) for i in range(6)]
    opened = []
    real = zipfile.ZipFile
    monkeypatch.setattr(
        zipfile, "ZipFile", lambda file, *rest: opened.append(file) or real(file, *rest)
    )
    for path in paths:
        for _ in range(5):
            assert open_media(f"zip://{path}!/images/b.jpg") == b"bbbbb"
    assert len(opened) == 6
    assert len(links._archives) <= 4


def test_a_changed_archive_is_read_anew(tmp_path):
    """What is kept open is forgotten when the file has changed."""
    link = f"zip://{zip_of(tmp_path / 'a.zip', {'x.txt': b'old'})}!/x.txt"
    assert open_media(link) == b"old"
    zip_of(tmp_path / "a.zip", {"x.txt": b"newer"})
    assert open_media(link) == b"newer"


@pytest.mark.parametrize(
    "link",
    [
        "https://me:S3CRETPW@host/a.png?sig=SIGSECRET",
        "file:///etc/passwd",
        "simplecache::file:///etc/passwd",
        "zip::https://me:S3CRETPW@host/a.zip",
        "data:text/html,S3CRETPW",
        "javascript:S3CRETPW",
        "\\\\host\\share\\a.png",
        "relative/a.png",
        "../../etc/passwd",
        "~/.ssh/id_rsa",
        "",
    ],
)
def test_other_links_are_refused(link):
    """R5: only links that a source gave are opened; nothing is fetched, no secret repeated."""
    with pytest.raises(SourceError, match="links to URLs are not fetched") as caught:
        open_media(link)
    assert "S3CRETPW" not in str(caught.value)
    assert "SIGSECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("{tmp}/gone.jpg", "No such file"),
        ("{tmp}", "is not a file"),
        ("{tmp}/a\0.jpg", "it is no path"),
        ("zip://{tmp}/gone.zip!/a.jpg", "can't be read"),
        ("zip://{tmp}/a.zip!/gone.jpg", "There is no file 'gone.jpg'"),
        ("zip://{tmp}/a.zip!/../a.jpg", "There is no file"),
        ("zip://{tmp}/a.zip", "names no member"),
    ],
)
def test_links_to_nothing(tmp_path, link, says):
    """Media that is not there any more is an error that names it."""
    zip_of(tmp_path / "a.zip", FILES)
    with pytest.raises(SourceError, match=says):
        open_media(link.format(tmp=tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_no_media(tmp_path):
    """Nothing waits for a pipe."""
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="is not a file"):
        open_media(str(tmp_path / "a.jpg"))
