"""Formats of tracks, texts and faces: each recognises its own samples, and no other's."""

from __future__ import annotations

import pytest

from nbannot.formats import get_format
from nbannot.formats.base import Miss
from nbannot.formats.examples import Example, MemorySink, read_back
from nbannot.formats.look import Look
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

OWN = {
    "mot": {"mot"},
    "mots": {"mots"},
    "icdar": {"icdar"},
    "widerface": {"widerface"},
    "vggface2": {"vggface2"},
    "market1501": {"market1501", "mars"},
    "lfw": {"lfw"},
    "celeba": {"celeba"},
}


@pytest.mark.parametrize("name", OWN)
def test_no_sample_of_others_is_taken(samples, name):
    """Of all samples, and the folders directly in them, only the format's own are recognised."""
    format, found = get_format(name), set()
    for family in sorted(p for p in samples.iterdir() if p.is_dir() and p.name[0] != "_"):
        for case in sorted(p for p in family.iterdir() if p.is_dir()):
            with open_source(case) as source:
                for folder in ("", *source.files.folders()):
                    try:
                        confidence = format.requires(Look(source.under(folder)))
                    except Miss:
                        continue
                    assert confidence <= 0.3 or family.name in OWN[name], f"{case}: {folder}"
                    found.add(family.name)
    assert OWN[name] <= found


@pytest.mark.parametrize("name", OWN)
def test_line_breaks_in_names_break_no_table(name):
    """A line break in the name of an image or of a label is written as something else."""
    rows = [
        {"item": "a\nb.jpg", "type": "tag", "label": "c\nd"},
        {
            "item": "a\nb.jpg",
            "type": "box",
            "label": "c\nd",
            "x": 1.0,
            "y": 2.0,
            "w": 3.0,
            "h": 4.0,
        },
    ]
    format, ledger = get_format(name), Ledger()
    rows = [row for row in rows if row["type"] in format.holds]
    data = Example({"train": [{"key": "a\nb.jpg"}]}, {"train": rows}, (Label("c\nd"),))
    sink = MemorySink(data.media)
    format.write(data, sink, format.check_options({}, writing=True), ledger, Progress())
    found = read_back(format, open_source(sink.files))
    assert len(found.items) == 1
    assert [g for g in found.ledger.groups() if g[0] == "rejected"] == []
    if name != "mots":  # which has no table of names
        assert "\n" not in found.items[0]["key"]
        assert any("renamed" in reason for _, reason, _ in ledger.groups())
