"""No writer drops anything in silence: each thing is kept, or a line of the ledger."""

from __future__ import annotations

import pytest

from nbannot.formats import FORMATS, get_format
from nbannot.formats.features import FEATURES, fates_of, sample_of

WRITERS = [name for name in FORMATS if get_format(name).writes]


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_lost_in_silence(name):
    """What comes back otherwise than it was, the ledger of the export has told."""
    fates = fates_of(get_format(name))
    assert set(fates) == set(FEATURES)
    assert [thing for thing, fate in fates.items() if fate.outcome == "lost"] == []


# MPII's skeleton has its own sixteen joints, and nothing else.
NARROW = {"mpii"}


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in NARROW])
def test_every_writer_keeps_something(name):
    """At least one thing comes back as it was; and its page has a sample."""
    format = get_format(name)
    assert any(fate.outcome in ("kept", "converted") for fate in fates_of(format).values())
    assert sample_of(format)
