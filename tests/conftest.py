"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared facts and samples; skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the folder {SHARED.name}/ with real samples is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def samples(shared: Path) -> Path:
    """Return the folder of real samples."""
    return shared / "samples"


@pytest.fixture(scope="session")
def expected(samples: Path) -> Path:
    """Return the folder of what independent readers say of the samples."""
    return samples / "_expected"
