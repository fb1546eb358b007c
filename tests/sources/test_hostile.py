"""The hostile set, as far as sources and images go: one child process each, 10 s and 1.5 GB.

What formats make of the content is tested with the formats.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbannot.sources import open_source
from tests.sources.archives import MIB, deflated_zeros, raw_zip, tar_header

pytest.importorskip("resource", reason="limits of a process can't be set on this system")

ROOT = Path(__file__).parents[2]

# File -> the class of the error, and what the message must name.
REFUSED = {
    "zip_slip_dotdot.zip": ("UnsafeSourceError", "../../NBANNOT_ESCAPED_1.txt"),
    "zip_slip_backslash.zip": ("UnsafeSourceError", "NBANNOT_ESCAPED_3.txt"),
    "zip_drive_letter.zip": ("UnsafeSourceError", "C:/"),
    "zip_nul_in_name.zip": ("UnsafeSourceError", "ok.png"),
    "zip_symlink.zip": ("UnsafeSourceError", "images/link.png"),
    "zip_encrypted_flag.zip": ("UnsafeSourceError", "images/1.png is encrypted"),
    "zip_truncated.zip": ("BrokenFileError", "zip_truncated.zip"),
    "zip_bad_crc.zip": ("BrokenFileError", "images/1.png"),
    "zip_deep_path.zip": ("UnsafeSourceError", "d/d/"),
    "imagefolder_label_traversal.zip": ("UnsafeSourceError", "NBANNOT_ESCAPED_label/1.png"),
    "zip_bomb_lying_size.zip": ("BrokenFileError", "images/small.png"),
    "zip_bomb_nested.zip": ("SourceError", "0.zip"),
    "tar_hardlink_passwd.tar": ("UnsafeSourceError", "labels/1.txt"),
    "tar_symlink_chain.tar": ("UnsafeSourceError", "l0"),
    "tar_dotdot.tar.gz": ("UnsafeSourceError", "../NBANNOT_ESCAPED_9.txt"),
    "tar_negative_size.tar": ("BrokenFileError", "tar_negative_size.tar"),
}
# File -> how many files it has, and what the notes must name.
READ = {
    "zip_control_chars_name.zip": (3, ""),
    "zip_duplicate_names.zip": (3, "labels/1.txt"),
    "zip_case_collision.zip": (2, "images/cat.png"),
    "zip_70k_entries.zip": (70_000, ""),
}
BROKEN_IMAGES = {
    "png_20000x20000.png": "too large to preview",
    "png_header_2g.png": "which is no image",
    "png_text_chunk_bomb.png": "png_text_chunk_bomb.png",
    "gif_huge_screen.gif": "which is no image",
    "image_zero_bytes.png": "is an empty file",
    "html_named_jpg.jpg": "an HTML page",
    "eps_named_png.png": "PostScript",
    "svg_script.svg": "SVG",
    "svg_external.svg": "SVG",
}
IMAGES = {"jpeg_cmyk.jpg": [64, 48], "gif_animated.gif": [32, 32], "zip_polyglot.gif": [8, 8]}


@pytest.fixture(scope="session")
def hostile(shared, tmp_path_factory):
    """Write the hostile set."""
    folder = tmp_path_factory.mktemp("hostile")
    maker = shared / "hostile/make_hostile.py"
    subprocess.run([sys.executable, maker, "--out", folder], check=True, capture_output=True)
    return folder


def child(path: Path, what: str = "source") -> dict[str, object]:
    """Return what a child process says of a file; it must live, and not long."""
    before = {p.name for p in path.parent.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.sources.hostile", path, what],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["canary"] is None
    assert {p.name for p in path.parent.iterdir()} == before
    for place in (ROOT, path.parent, path.parent.parent, Path(path.anchor, "tmp")):
        assert not list(place.glob("NBANNOT_ESCAPED*"))
    return answer


@pytest.mark.parametrize("name", REFUSED)
def test_harm_is_refused(hostile, name):
    """What would do harm is one error of ours, that names the culprit."""
    kind, culprit = REFUSED[name]
    answer = child(hostile / name)
    assert answer["error"] == kind
    assert culprit in answer["message"]
    assert answer["message"].isprintable()
    assert answer["grown"] < 100 * MIB


@pytest.mark.parametrize("name", READ)
def test_the_odd_is_read(hostile, name):
    """What is only odd is read whole, and noted."""
    count, noted = READ[name]
    answer = child(hostile / name)
    assert "error" not in answer
    assert len(answer["files"]) == count
    assert noted in " ".join(answer["notes"])


@pytest.mark.parametrize("name", BROKEN_IMAGES)
def test_broken_images_are_named(hostile, name):
    """What is no image, or too much of one, is an error before it is decoded."""
    answer = child(hostile / name, "image")
    assert answer["error"] == "BrokenFileError"
    assert BROKEN_IMAGES[name] in answer["message"]
    assert answer["grown"] < 100 * MIB


@pytest.mark.parametrize("name", IMAGES)
def test_odd_images_have_a_preview(hostile, name):
    """CMYK, several frames, an archive behind the image: a size and a thumbnail."""
    answer = child(hostile / name, "image")
    assert answer["info"][:2] == IMAGES[name]
    assert answer["thumbnail"] > 100


def test_every_archive_and_image_is_tested(hostile):
    """A new file of these classes in the set needs a line here."""
    cases = json.loads((hostile / "MANIFEST.json").read_text("utf-8"))
    suffixes = (".zip", ".tar", ".gz", ".png", ".jpg", ".gif", ".svg")
    mine = {
        case["file"]
        for case in cases
        if case["class"] in ("archive", "bomb", "image", "svg") and case["file"].endswith(suffixes)
    }
    # Harmless as archives, or not taken for one.
    of_formats = {
        "yolo_yaml_alias_bomb.zip",
        "jpeg_exif_rotation6.zip",
        "json_bomb_2gib.json.gz",
    }
    assert mine <= {*REFUSED, *READ, *BROKEN_IMAGES, *IMAGES, *of_formats}


def test_every_other_archive_is_read(hostile):
    """Archives whose content is odd, and the controls, are read like any other."""
    cases = json.loads((hostile / "MANIFEST.json").read_text("utf-8"))
    controls = json.loads((hostile / "CONTROLS.json").read_text("utf-8"))
    for case in [*cases, *controls]:
        name = case["file"]
        if name.endswith(".zip") and name not in {*REFUSED, *READ}:
            source = open_source(hostile / name)
            assert all(source.read(path) is not None for path in source.files)
            assert source.notes == []


class TestMore:
    """Bombs that the set does not have."""

    def test_a_zip_of_10_gib(self, tmp_path):
        """S6: refused by what it says, before it is unpacked."""
        path = tmp_path / "big.zip"
        size = 3 << 30
        path.write_bytes(raw_zip([(b"images/big.png", deflated_zeros(size), size)]))
        answer = child(path)
        assert answer["error"] == "UnsafeSourceError"
        assert "images/big.png" in answer["message"]
        assert answer["grown"] < 64 * MIB

    def test_a_thousand_members_of_one_stream(self, tmp_path):
        """S5: 1,000 members that overlap."""
        path = tmp_path / "overlap.zip"
        path.write_bytes(raw_zip([(b"a.png", deflated_zeros(10 * MIB), 10 * MIB)], quote=1000))
        answer = child(path)
        assert answer["error"] == "UnsafeSourceError"
        assert answer["grown"] < 64 * MIB

    @pytest.mark.parametrize("inside", ["tar", "nothing"])
    def test_a_gzip_bomb_called_tar(self, tmp_path, inside):
        """S6: a compressed tar is stopped as it unpacks, on disk and in memory."""
        path = tmp_path / "bomb.tgz"
        head = tar_header("a.bin", b"%011o\0" % (5 << 30)) if inside == "tar" else b""
        stored = (
            b"\0" + len(head).to_bytes(2, "little") + (len(head) ^ 0xFFFF).to_bytes(2, "little")
        )
        path.write_bytes(gzip.compress(b"")[:10] + stored + head + deflated_zeros(5 << 30))
        answer = child(path)
        assert answer["error"] == "UnsafeSourceError"
        assert answer["grown"] < 128 * MIB
