"""Import, export and import again of every real sample that its format can write: equal projects.

Where the export's ledger has a line about an annotation it may come back otherwise; all others
come back as they were.
"""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest

import nbannot as nb
from nbannot.formats import FORMATS, get_format
from tests.formats.sample_formats import FORMAT_OF, NO_ITEMS

CASES = [
    case
    for case, name in FORMAT_OF.items()
    if case not in NO_ITEMS and name in FORMATS and get_format(name).writes
]
COLUMNS = ("type", "label", "x", "y", "w", "h", "rotation", "points", "rings", "visibility", "mask",
           "start", "end", "text", "track", "frame")  # fmt: skip


def rows_of(project, ids=None):
    """Return the annotations of a project, comparable: task and key in place of ids."""
    items = project.item_table()
    keys = dict(zip(items["item_id"].to_pylist(), items["key"].to_pylist(), strict=True))
    found = collections.Counter()
    for row in project.annotation_table().to_pylist():
        row["rotation"] = row["rotation"] or None  # null is 0
        if ids is None or row["annotation_id"] in ids:
            found[(keys[row["item"]], *(plain(row.get(name)) for name in COLUMNS))] += 1
    return found


def plain(value):
    """Return a value that can be compared: numbers a hundredth of a pixel apart are equal.

    The offset keeps decimal numbers, which files are full of, away from where rounding turns.
    """
    if isinstance(value, float):
        return round(value + 0.00137, 2)
    if isinstance(value, list):
        return tuple(np.round(np.asarray(value, np.float64) + 0.00137, 2).tolist())
    return value


@pytest.mark.parametrize("case", CASES)
def test_a_sample_comes_back(samples, case, tmp_path):
    """What the export's ledger is silent about is in the second project as it was in the first."""
    name = FORMAT_OF[case]
    with nb.open_project() as first, nb.open_project() as second:
        first.import_dataset(samples / case)
        plan = first.export_plan(name, save_media=True)
        report = plan.apply(tmp_path / "out")
        assert report.read == report.written + report.converted + report.rejected
        second.import_dataset(tmp_path / "out", format=name)
        wanted = rows_of(first, set(plan.annotation_ids("kept")))
        missing = wanted - rows_of(second)
        shown = [json.dumps(row, default=str)[:300] for row in list(missing)[:3]]
        assert not missing, f"{sum(missing.values())} of {sum(wanted.values())}: {shown}"
