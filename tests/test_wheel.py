"""What is packaged: the bundles always, TypeScript never, and no Node.js to install an sdist."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.package, pytest.mark.slow]

ROOT = Path(__file__).parents[1]
BUNDLES = [f"static/{name}.{kind}" for name in ("import", "project") for kind in ("css", "js")]


def run(*command, cwd=None, env=None):
    """Run a command; on failure, fail with all that it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is built from it, as a release would have them."""
    if shutil.which("npm") is None and not (ROOT / "src/nbannot/static/.built").is_file():
        pytest.skip("the bundles are not built, and npm is not there to build them")
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def without_node(tmp_path_factory):
    """An environment in which no program but Python can be found."""
    empty = tmp_path_factory.mktemp("path")
    return {**os.environ, "PATH": str(empty), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_wheel_has_the_bundles_and_no_sources_of_them(built):
    """Every bundle, the type marker and the demo's data; no TypeScript, no tests."""
    with zipfile.ZipFile(built[1]) as wheel:
        names = wheel.namelist()
        small = [
            n for n in names if n.endswith((".js", ".css")) and wheel.getinfo(n).file_size < 99
        ]
    package = {n.removeprefix("nbannot/") for n in names if n.startswith("nbannot/")}
    assert {*BUNDLES, "py.typed", "demo_annotations.json", "__init__.py"} <= package
    assert not small
    assert not [n for n in names if n.endswith((".ts", ".tsx")) or "/js/" in n]
    assert {n.partition("/")[0] for n in names if not n.startswith("nbannot/")} == {
        f"nbannot-{built[1].name.split('-')[1]}.dist-info"
    }


def test_wheel_has_every_module(built):
    """No Python file of the package is left out."""
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    ours = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src/nbannot").rglob("*.py")}
    assert ours <= names


def test_wheel_says_its_licence_and_extras(built):
    """The metadata names the licence, the least Python and the extras."""
    with zipfile.ZipFile(built[1]) as wheel:
        name = next(n for n in wheel.namelist() if n.endswith("/METADATA"))
        metadata = wheel.read(name).decode().splitlines()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.10" in metadata
    extras = {line.partition(": ")[2] for line in metadata if line.startswith("Provides-Extra")}
    assert extras == {"azure", "demo", "fast", "gcs", "http", "lab", "s3"}


def test_sdist_has_sources_and_bundles(built):
    """Bundles, so that it installs without Node.js; TypeScript, so that it can be rebuilt."""
    with tarfile.open(built[0]) as sdist:
        names = {n.partition("/")[2] for n in sdist.getnames()}
    assert {f"src/nbannot/{b}" for b in BUNDLES} <= names
    assert {"LICENSE", "README.md", "build.mjs", "hatch_build.py", "package-lock.json"} <= names
    assert any(n.endswith("/index.tsx") for n in names)
    assert not [n for n in names if n.startswith(("node_modules", ".venv", "demo-data"))]


def test_sdist_installs_without_node(built, without_node, tmp_path):
    """With no npm on PATH the sdist installs, and its bundles are those it carried."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "--no-deps", built[0], env=without_node)
    where = "import nbannot, pathlib; print(pathlib.Path(nbannot.__file__).parent)"
    package = Path(run(python, "-c", where, cwd=tmp_path, env=without_node).strip())
    assert tmp_path in package.parents
    with tarfile.open(built[0]) as sdist:
        root = sdist.getnames()[0].partition("/")[0]
        for bundle in BUNDLES:
            carried = sdist.extractfile(f"{root}/src/nbannot/{bundle}").read()
            assert (package / bundle).read_bytes() == carried


def test_checkout_without_bundles_and_node_says_what_to_do(without_node, tmp_path):
    """Building from a bare checkout without Node.js ends in one sentence that helps."""
    checkout = tmp_path / "checkout"
    skip = shutil.ignore_patterns("static", "node_modules", "__pycache__", "js")
    shutil.copytree(ROOT / "src", checkout / "src", ignore=skip)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "build.mjs"):
        shutil.copy(ROOT / name, checkout)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", checkout],
        env=without_node,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "install Node.js >= 20" in done.stdout + done.stderr
