"""Other libraries' warnings are theirs: here none is an error.

Run in the environments that `make peers` makes, as ``pytest tests/peers``: what is not installed
in one of them is for the other.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest

# Imported before pytest makes errors of warnings: SimpleITK, which Supervisely's SDK imports,
# does not live through an error at that point.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in ("datumaro", "label_studio_sdk.converter", "supervision", "supervisely"):
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the libraries warn, in the tests of this folder only."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))
