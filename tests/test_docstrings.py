"""The examples in docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nbannot

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(nbannot.__path__, "nbannot.") if ".js" not in m.name
)


@pytest.mark.parametrize("name", ["nbannot", *MODULES])
def test_examples_run(name, tmp_path, monkeypatch):
    """Every `>>>` line, in an empty folder, prints what stands below it."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert not failed
