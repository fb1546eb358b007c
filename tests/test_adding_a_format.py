"""What the registry says about a format of one's own is executed, as a package of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbannot.formats

ROOT = Path(__file__).parents[1]


def parts():
    """Return the three files that the docstring shows: module, entry point, test."""
    doc = nbannot.formats.__doc__
    code = "\n".join(line[4:] for line in doc.splitlines() if line.startswith("    ") or not line)
    names = re.split(r"^# (\S+?)(?::.*)?$", code, flags=re.MULTILINE)[1:]
    return dict(zip(names[::2], names[1::2], strict=True))


def test_the_docstring_is_a_package_that_passes_the_suite(tmp_path):
    """Installed beside nbannot, the format is found by its entry point and passes every case."""
    files = parts()
    assert set(files) == {"nbannot_dots.py", "pyproject.toml", "test_dots.py"}
    for name in ("nbannot_dots.py", "test_dots.py"):
        (tmp_path / name).write_text(files[name], "utf-8")
    info = tmp_path / "nbannot_dots-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nbannot-dots\nVersion: 1.0\n")
    entries = files["pyproject.toml"].replace("project.entry-points.", "").replace('"', "")
    (info / "entry_points.txt").write_text(entries)
    script = "import sys, pytest; sys.path.insert(0, '.'); sys.exit(pytest.main(sys.argv[1:]))"
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore", "-o", "addopts=", "test_dots.py"]
    done = subprocess.run(
        [sys.executable, "-c", script, *options],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_page_is_the_docstring():
    """docs/adding-a-format.md shows what is executed here, word for word."""
    page = (ROOT / "docs" / "adding-a-format.md").read_text("utf-8")
    for text in parts().values():
        for line in filter(None, (line.strip() for line in text.splitlines())):
            assert line.replace("'''", '"""') in page, line
