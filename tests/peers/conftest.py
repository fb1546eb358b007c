"""Other libraries' warnings are theirs: here none is an error."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

# Warnings at the import of a library come before any test's filters.
warnings.simplefilter("ignore")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the libraries warn, in the tests of this folder only."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))
