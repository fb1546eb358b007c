"""Formats of tracks, texts and faces: each recognises its own samples, and no other's."""

from __future__ import annotations

import pytest

from nbannot.formats import get_format
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
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
