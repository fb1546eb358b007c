"""Build the TypeScript widgets into ``src/nbannot/static`` before packaging.

* wheel, sdist: build when the bundles are missing or older than what they are made from;
  fail with one readable error when that is needed and Node.js is absent.
* editable: the same, but never fail: who works on the Python alone does not need Node.js.
* ``NBANNOT_SKIP_JS=1`` skips everything (linters, docs, checks of the Python alone).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = ("src/nbannot/js", "package-lock.json", "build.mjs")
STAMP = "src/nbannot/static/.built"

NO_NODE = (
    "nbannot: the browser code has to be built, and `npm` is not on PATH.\n"
    "  - install Node.js >= 20 and try again, or\n"
    "  - install a released wheel (`pip install nbannot`): wheels need no Node.js."
)


class FrontendBuildHook(BuildHookInterface):
    """Bundle the TypeScript when the bundles are missing or out of date."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before hatchling collects the files; `version` is "standard" or "editable"."""
        root = Path(self.root)
        if os.environ.get("NBANNOT_SKIP_JS") == "1" or is_fresh(root):
            return
        npm = shutil.which("npm")
        if npm is None:
            if version == "editable":
                self.app.display_warning(NO_NODE)
                return
            raise RuntimeError(NO_NODE)
        if not (root / "node_modules/esbuild").is_dir():  # never undo a developer's `npm ci`
            subprocess.check_call([npm, "ci", "--omit=dev", "--no-audit", "--no-fund"], cwd=root)
        subprocess.check_call([npm, "run", "build"], cwd=root)


def is_fresh(root: Path) -> bool:
    """Are the bundles there, and no older than what they are built from?"""
    stamp = root / STAMP
    if not stamp.is_file():
        return False
    if (root / "PKG-INFO").is_file():
        return True  # an unpacked sdist carries its own bundles; its dates say nothing
    built = stamp.stat().st_mtime
    return all(path.stat().st_mtime <= built for path in walk(root))


def walk(root: Path) -> Iterator[Path]:
    """Yield every file that a bundle is made from."""
    for name in SOURCES:
        path = root / name
        if path.is_dir():
            yield from (p for p in path.rglob("*") if p.is_file())
        else:
            yield path
