"""Imports point one way: a module may import only from its own layer or from one below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src/nbannot"

# Lowest first. Those of one line may import each other.
LAYERS = (
    ("errors", "geometry", "helper", "ledger", "palette", "progress", "schema"),
    ("media",),
    ("sources",),
    ("formats",),
    ("project",),
    ("exporting", "importing"),
    ("demo", "widgets"),
    ("__init__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(p for p in ROOT.rglob("*.py") if "node_modules" not in p.parts)


def imports(path: Path) -> set[str]:
    """Return what `path` imports from the package, in functions too, relative to the package."""
    here = path.relative_to(ROOT).with_suffix("").parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {".".join([*base, name]) for name in names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            head, _, rest = node.module.partition(".")
            if head == "nbannot":
                found |= {rest} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found |= {
                n.partition(".")[2] or "__init__" for n in names if n.split(".")[0] == "nbannot"
            }
    return found


def level(module: str) -> int:
    """Return the layer of a module; the name of something in `__init__` is its layer."""
    return LEVEL.get(module.partition(".")[0], LEVEL["__init__"])


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_down(path):
    """No module imports from a layer above its own."""
    mine = level(path.relative_to(ROOT).with_suffix("").parts[0])
    above = sorted(name for name in imports(path) if level(name) > mine)
    assert not above, f"{path.relative_to(ROOT)} may not import {above}"


def test_every_module_has_a_layer():
    """A new module or folder is put in a layer on purpose."""
    tops = {p.relative_to(ROOT).with_suffix("").parts[0] for p in MODULES}
    assert tops <= set(LEVEL)


@pytest.mark.parametrize(
    ("names", "only"),
    [
        (("anywidget", "ipywidgets", "traitlets"), "widgets"),
        (("adbc_driver_manager", "adbc_driver_sqlite", "sqlite3"), "project"),
        (("fsspec",), "sources"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_dependency_has_one_home(names, only):
    """What one layer knows (widgets, SQL, storage) no other layer imports."""
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] == only:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            used = {m.split(".")[0] for m in modules} & set(names)
            assert not used, f"{path.relative_to(ROOT)} may not import {sorted(used)}"
