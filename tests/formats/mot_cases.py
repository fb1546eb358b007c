"""What the conformance suite expects of formats whose images are frames of sequences."""

from __future__ import annotations

from nbannot.formats.cases import FormatCases


class SequenceCases(FormatCases):
    """Images are numbered by folder, each folder being a sequence."""

    numbers = {}

    def item_key(self, subset, key):
        """Each folder becomes a sequence, and its images are numbered in order."""
        folder, _, name = key.rpartition("/")
        number = self.numbers.get((subset, key), 1)
        inner = f"img1/{number:06d}.{name.rpartition('.')[2]}"
        return f"{folder}/{inner}" if folder else inner

    def same_annotations(self, dataset, found):
        """Number the images of each folder before comparing."""
        self.numbers = {}
        for subset, rows in dataset.items.items():
            counts = {}
            for row in rows:
                folder = row["key"].rpartition("/")[0]
                counts[folder] = counts.get(folder, 0) + 1
                self.numbers[subset, row["key"]] = counts[folder]
        super().same_annotations(dataset, found)
