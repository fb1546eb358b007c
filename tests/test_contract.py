"""The TypeScript `Model` of a widget names exactly the traits that Python syncs."""

from __future__ import annotations

import re
from pathlib import Path

import anywidget
import pytest

import nbannot as nb

WIDGETS = Path(__file__).parents[1] / "src/nbannot/js/widgets"
# "/** Traits of `nbannot.ImportWidget`. */ export type Model = { … };", here or in a file beside.
MODEL = re.compile(
    r"Traits of `nbannot\.(?:widgets\.)?(\w+)`.*?(?:type Model =|interface Model) \{(.*?)\n\}",
    re.DOTALL,
)
FIELD = re.compile(r"^\t(\w+)\??:", re.MULTILINE)


def model_of(folder: Path) -> tuple[str, set[str]]:
    """Return the widget's name and the fields of its Model, from the files in `folder`."""
    for path in sorted(folder.glob("*.ts*")):
        found = MODEL.search(path.read_text("utf-8"))
        if found:
            return found[1], set(FIELD.findall(found[2]))
    raise AssertionError(f"no Model with 'Traits of `nbannot.…`' above it in {folder}")


@pytest.mark.parametrize("folder", sorted(WIDGETS.iterdir()), ids=lambda path: path.name)
def test_model_matches_traits(folder):
    """A trait added on one side only is an error, not an undefined in the browser."""
    name, fields = model_of(folder)
    base = set(anywidget.AnyWidget.class_trait_names(sync=True)) | {"_esm", "_css"}
    assert fields == set(getattr(nb, name).class_trait_names(sync=True)) - base


def test_every_widget_has_a_folder():
    """`ImportWidget` is js/widgets/import, and so on."""
    names = {n.removesuffix("Widget").lower() for n in nb.__all__ if n.endswith("Widget")}
    assert names == {path.name for path in WIDGETS.iterdir()}
