"""COCO: the conformance suite, real samples, independent readers, malformed files."""

from __future__ import annotations

from nbannot.formats.cases import FormatCases


class TestConformance(FormatCases):
    """What every format must do."""

    format_name = "coco"
    keeps_ids = True
