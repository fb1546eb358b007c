"""The README and the guides are true: their code runs, the commands and files they name exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"\bmake ((?:[a-z]+ ?)+)")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def blocks(page, *languages):
    """Return the code blocks of a page in one of `languages`."""
    return [code for name, code in BLOCK.findall(page.read_text("utf-8")) if name in languages]


def page_id(page):
    """Name a page in a test's id."""
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_runs(page, tmp_path):
    """The Python of a page, its blocks as one program, runs in a folder with the demo data."""
    code = "\n".join(blocks(page, "python"))
    if not code:
        pytest.skip("no Python on this page")
    prelude = "from nbannot import demo as _d\n_d.demo_dataset(); _d.demo_tasks()\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + "_d.demo_predictions()\n" + code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_make_targets_exist(page):
    """Every `make something` that a page tells to type is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = "\n".join(blocks(page, "bash", "sh", "console", "shell"))
    named = {t for found in MAKE.findall(code) for t in found.split()}
    inline = re.findall(r"`make ([a-z]+)", page.read_text("utf-8"))
    assert {*named, *inline} <= targets


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    """Every relative link points at a file of the repository."""
    missing = [n for n in LINK.findall(page.read_text("utf-8")) if not (page.parent / n).exists()]
    assert not missing


def test_tables_made_from_the_code_are_up_to_date():
    """What scripts/generate_docs.py writes into the documents is what the code says now."""
    script = ROOT / "scripts/generate_docs.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run: python scripts/generate_docs.py\n{done.stderr}"
