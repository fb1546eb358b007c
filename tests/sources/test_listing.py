from hypothesis import given
from hypothesis import strategies as st

from nbannot.sources import Listing

PATHS = [
    "annotations/val.json", "data.yaml", "images/b.JPG", "images/train/a.jpg",
    "images/val/a.jpg", "images/val/c.png", "README",
]  # fmt: skip
NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))


def test_paths_are_sorted_and_indexed():
    """A listing is a sorted sequence with a fast `in`."""
    files = Listing(reversed(PATHS))
    assert list(files) == sorted(PATHS)
    assert files[0] == "README"
    assert "data.yaml" in files
    assert "images" not in files
    assert len(files) == 7


def test_suffixes_ignore_case():
    """Suffixes are compared in lower case; a name without one has none."""
    files = Listing(PATHS)
    assert files.with_suffix(".jpg") == ["images/b.JPG", "images/train/a.jpg", "images/val/a.jpg"]
    assert files.with_suffix(".png", ".JSON") == ["annotations/val.json", "images/val/c.png"]
    assert files.suffixes()[""] == 1


def test_folders_and_their_files():
    """Folders are those that hold a file, at any depth."""
    files = Listing(PATHS)
    assert files.folders() == ["annotations", "images"]
    assert files.folders("images") == ["train", "val"]
    assert files.files("images/val") == ["images/val/a.jpg", "images/val/c.png"]
    assert files.files("nowhere") == []
    assert files.all_folders()[0] == ""


def test_patterns():
    """``*`` stays within a folder, ``**/`` is any depth, case does not matter."""
    files = Listing(PATHS)
    assert files.match("*.yaml") == ["data.yaml"]
    assert files.match("images/*.jpg") == ["images/b.JPG"]
    assert files.match("images/*/a.jpg") == ["images/train/a.jpg", "images/val/a.jpg"]
    assert files.match("**/*.jpg") == ["images/b.JPG", "images/train/a.jpg", "images/val/a.jpg"]
    assert files.match("**/c.*", "README") == ["README", "images/val/c.png"]
    assert files.match("ANNOTATIONS/*.JSON") == ["annotations/val.json"]


@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join)))
def test_every_file_is_in_its_folder(paths):
    """Folders with their files are the listing, cut up: nothing is lost, nothing twice."""
    files = Listing(paths)
    cut_up = [path for folder in files.all_folders() for path in files.files(folder)]
    assert sorted(cut_up) == list(files)
