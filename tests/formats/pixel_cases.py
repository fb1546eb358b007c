"""The conformance suite for formats that hold one class for each image, and its pixels."""

from __future__ import annotations

from nbannot.formats.cases import FormatCases
from nbannot.sources import open_source


class PixelCases(FormatCases):
    """One tag for each item; items without one are not written, nor are names or other sizes."""

    compared = ("type", "label")
    keeps_empty = False
    keeps_names = True
    one_size = True

    def written_items(self, dataset):
        """Return (subset, key that comes back, label, number of the item) of what is written."""
        out, number = [], -1
        for subset, rows in dataset.items.items():
            size, count = None, 0
            for row in rows:
                number += 1
                tags = [a for a in dataset.annotations.get(subset, ()) if a["item"] == row["key"]]
                tags = [a["label"] for a in tags if a["type"] == "tag"]
                this = row["width"], row["height"]
                if not tags or (self.one_size and size not in (None, this)):
                    continue
                size = this
                key = row["key"] if self.keeps_names else f"{count:05d}.png"
                out.append((self.subset(subset), key, tags[0], number))
                count += 1
        return out

    def same_annotations(self, dataset, found):
        """The first tag of each item that is written comes back."""
        back = sorted((r["subset"], r["key"], r["label"]) for r in found.annotations)
        assert back == sorted(row[:3] for row in self.written_items(dataset))

    def test_items_come_back(self, format, dataset, files):
        """Every item with a class is there, with its pixels inside the file."""
        source = open_source(files)
        found = self.read(format, source)
        keys = sorted((r["subset"], r["key"]) for r in found.items)
        assert keys == sorted(row[:2] for row in self.written_items(dataset))
        assert all(source.read(r["media"]).startswith(b"\x89PNG") for r in found.items)

    def test_equal_base_names_are_two_items(self, format, files):
        """What is not written can't be told apart; see test_items_come_back."""
