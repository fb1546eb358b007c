"""Documents with one value replaced by junk: a reader must take each, and account for it."""

from __future__ import annotations

import copy
import json

from nbannot.formats import get_format
from nbannot.formats.examples import read_back
from nbannot.sources import open_source

__all__ = ["nested", "read_files", "reads_any_junk", "reasons"]

_JUNK = (None, True, -1, 1e300, 10**40, "x", "", [], {}, [None], {"x": {}}, [[1, "y"], [2]])


def read_files(format_name, files, limit=None):
    """Read files in memory, given as JSON values or bytes."""
    data = {p: v if isinstance(v, bytes) else json.dumps(v).encode() for p, v in files.items()}
    return read_back(get_format(format_name), open_source(data), limit=limit)


def reasons(found):
    """Return (outcome, reason) of each group of a ledger's lines."""
    return [group[:2] for group in found.ledger.groups()]


def reads_any_junk(format_name, path, document, others=None):
    """Read a document once for each of its values and each kind of junk in its place.

    `read_back` sees to it that the ledger balances.
    """
    places = list(_places(document, ()))
    assert places
    for place in places:
        for junk in _JUNK:
            changed = copy.deepcopy(document)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = junk
            read_files(format_name, {**(others or {}), path: changed})


def nested(depth=5000):
    """Return JSON that is nested as deeply, as bytes."""
    return b'{"a":' * depth + b"1" + b"}" * depth


def _places(value, above):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*above, key)
        if isinstance(inner, (dict, list)):
            yield from _places(inner, (*above, key))
