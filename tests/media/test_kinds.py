import pytest

from nbannot.media.kinds import is_image, kind_of


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.jpg", "image"),
        ("x.y/A.JPEG", "image"),
        ("a.b.png", "image"),
        ("clip.mp4", "video"),
        ("sound.flac", "audio"),
        ("notes.txt", "other"),
        ("folder.jpg/notes", "other"),
        (".png", "other"),
        ("png", "other"),
    ],
)
def test_the_name_tells_the_kind(path, kind):
    """The suffix of the last part of a path tells what a file is, in any case of letters."""
    assert kind_of(path) == kind
    assert is_image(path) == (kind == "image")
