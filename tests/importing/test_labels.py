"""Mapping labels."""

from __future__ import annotations

import pytest

from nbannot.errors import OptionError
from nbannot.importing.labels import map_labels, suggest


def test_a_known_name_is_that_label() -> None:
    """Exact means the same characters; another case is another label, suggested."""
    exact, other = map_labels({"cat": 1, "Cat": 2}, ["cat"])
    assert (exact.action, exact.to) == ("exact", "cat")
    assert (other.action, other.to, other.suggestion) == ("create", "Cat", "cat")


def test_choices_are_followed() -> None:
    """A label can be mapped, dropped, or created although another is suggested."""
    mapped, dropped, made = map_labels(
        {"kitty": 1, "junk": 2, "Cat": 3}, ["cat"], {"kitty": "cat", "junk": None, "Cat": ""}
    )
    assert (mapped.action, mapped.to) == ("map", "cat")
    assert (dropped.action, dropped.to) == ("drop", "")
    assert (made.action, made.to) == ("create", "Cat")


def test_a_label_that_is_not_there_is_an_error() -> None:
    """A misspelt name in labels= is refused with the one that was meant."""
    with pytest.raises(OptionError, match="Did you mean 'kitten'"):
        map_labels({"kitten": 1}, [], {"kiten": "cat"})


@pytest.mark.parametrize(
    ("name", "meant"), [("dogs", "dog"), ("traffic_light", "Traffic light"), ("zebra", "")]
)
def test_suggestions(name: str, meant: str) -> None:
    """Case, plural and separators are seen through; unlike names are not suggested."""
    assert suggest(name, ["dog", "Traffic light"]) == meant
