"""Every real sample: detected right, none wrong, and read to the last record."""

from __future__ import annotations

import pytest

from nbannot.errors import UnknownFormatError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import read_back
from nbannot.importing.plan import best_of
from nbannot.sources import open_source
from tests.formats.sample_formats import FORMAT_OF, NO_DATASET, NO_ITEMS, RECOGNISED


def test_no_sample_is_forgotten(samples):
    """Each case in the folder of samples has its line in the table."""
    cases = {
        f"{family.name}/{case.name}"
        for family in samples.iterdir()
        if family.is_dir() and not family.name.startswith("_")
        for case in family.iterdir()
    }
    assert cases == {*FORMAT_OF, *RECOGNISED, *NO_DATASET}


@pytest.mark.parametrize("case", FORMAT_OF)
def test_the_format_is_found(samples, case):
    """The right format comes first, and says why."""
    with open_source(samples / case) as source:
        best = best_of(detect(source), source)
    assert best.format == FORMAT_OF[case]
    assert best.evidence


ITEMS = [case for case in FORMAT_OF if case not in NO_ITEMS]


@pytest.mark.parametrize("case", ITEMS)
def test_every_record_is_accounted_for(samples, case):
    """Read as found, the balance is exact, and something is there."""
    with open_source(samples / case) as source:
        best = best_of(detect(source), source)
        found = read_back(get_format(best.format), source.under(best.root))
    assert found.items
    assert found.balance.read == (
        found.balance.imported + found.balance.warned + found.balance.rejected
    )


@pytest.mark.parametrize("case", RECOGNISED)
def test_what_is_not_read_is_named(samples, case):
    """The error says what it is, by name."""
    with open_source(samples / case) as source, pytest.raises(UnknownFormatError) as error:
        best_of(detect(source), source)
    assert f"looks like {RECOGNISED[case]}" in str(error.value)


@pytest.mark.parametrize("case", NO_DATASET)
def test_what_is_no_dataset_is_refused(samples, case):
    """Neither a guess nor an empty import."""
    with open_source(samples / case) as source, pytest.raises(UnknownFormatError):
        best_of(detect(source), source)
