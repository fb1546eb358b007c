"""The public names are exactly those that are promised, and they cost nothing until used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import nbannot as nb

HEAVY = ("anywidget", "ipywidgets", "numpy", "pandas", "PIL", "pyarrow", "traitlets")


def test_all_is_sorted_and_complete():
    """`__all__` is sorted (the version first among lower case), and is what `dir` shows."""
    assert sorted(nb.__all__) == nb.__all__
    assert dir(nb) == nb.__all__


def test_every_name_is_there():
    """Every name of `__all__` can be had, and a wrong one is an AttributeError."""
    for name in nb.__all__:
        assert getattr(nb, name) is not None
    assert not hasattr(nb, "no_such_name")


def test_type_checkers_see_every_name():
    """What is lazy at run time is imported for type checkers, name by name."""
    tree = ast.parse(Path(nb.__file__).read_text("utf-8"))
    guarded = [n for n in tree.body if isinstance(n, ast.If)]
    seen = {
        alias.asname or alias.name
        for block in guarded
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {"demo"}  # a module is found by its own name
    assert seen | modules | {"__version__"} == set(nb.__all__)


def test_version_is_that_of_the_package():
    """`__version__` and pyproject.toml agree."""
    pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{nb.__version__}"\n' in pyproject


def test_import_is_light():
    """`import nbannot` loads none of the heavy packages; they come with first use."""
    code = f"import sys, nbannot; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
