"""Projects to test with: in memory and in a file, through both drivers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbannot.project import Project, _store_connection, open_project


@pytest.fixture(params=["memory", "file", "memory, sqlite3", "file, sqlite3"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Return an empty project of each kind."""
    where, _, driver = request.param.partition(", ")
    if driver:
        monkeypatch.setattr(_store_connection, "_adbc", lambda: False)
    with open_project(tmp_path / "p" if where == "file" else None) as opened:
        yield opened


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Project]:
    """Return an empty project in a file."""
    with open_project(tmp_path / "p") as opened:
        yield opened
