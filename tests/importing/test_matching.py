"""Items are matched by path, never by base name alone."""

from __future__ import annotations

import pytest

from nbannot.importing.matching import AMBIGUOUS, NONE, match_paths


@pytest.mark.parametrize(
    ("name", "keys", "found"),
    [
        ("a.jpg", ["a.jpg", "x/a.jpg"], 0),  # the same path wins
        ("val/a.jpg", ["images/val/a.jpg"], 0),  # the end of the item's path
        ("data/val/a.jpg", ["val/a.jpg"], 0),  # the item's path is its end
        ("a.jpg", ["x/a.jpg", "y/a.jpg"], AMBIGUOUS),
        ("x/a.jpg", ["y/a.jpg"], NONE),  # one base name, two paths: never
        ("xa.jpg", ["a.jpg"], NONE),  # parts, not characters
        ("images\\a.jpg", ["images/a.jpg"], 0),
        ("cafe\u0301.jpg", ["caf\u00e9.jpg"], 0),  # NFD finds NFC
        ("deep/x/a.jpg", ["a.jpg", "x/a.jpg"], 1),  # the longer end says more
        ("b.jpg", [], NONE),
    ],
)
def test_one_name(name: str, keys: list[str], found: int) -> None:
    """One name among the items of a task."""
    assert match_paths([name], keys).tolist() == [found]


def test_two_names_never_share_an_item() -> None:
    """Where two names could be one item, the exact one has it and the other is ambiguous."""
    assert match_paths(["a.jpg", "x/a.jpg"], ["a.jpg"]).tolist() == [0, AMBIGUOUS]
    assert match_paths(["x/a.jpg", "y/a.jpg"], ["a.jpg"]).tolist() == [AMBIGUOUS, AMBIGUOUS]
