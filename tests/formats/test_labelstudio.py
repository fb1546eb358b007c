"""Label Studio: reading any task losslessly, drawing what is about images, writing it all back."""

from __future__ import annotations

from nbannot.formats.cases import FormatCases


class TestLabelStudio(FormatCases):
    """The conformance suite."""

    format_name = "labelstudio"
