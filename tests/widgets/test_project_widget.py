"""The gallery of a project, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbannot as nb
from tests.datasets import coco_document, write_coco

TRAIN = coco_document(["a.jpg", "b.jpg"], [(0, "cat", (1, 2, 10, 8)), (1, "dog", (5, 5, 5, 5))])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    """Return a project with one task of two items."""
    with nb.open_project() as opened:
        opened.import_dataset(write_coco(tmp_path / "pets", {"train": TRAIN}))
        yield opened


def test_it_is_what_a_cell_shows(project: Any) -> None:
    """A project as a cell's last line is its gallery, a text, and a summary that stays."""
    bundle = project._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "2 items" in data["text/plain"]
    assert "data:image/svg+xml" in data["text/html"]


def test_pages_and_filters(project: Any) -> None:
    """A filter changes how many items there are, and starts at the first again."""
    widget = nb.ProjectWidget(project, start=1)
    assert widget.total == 2
    widget.label = "cat"
    assert (widget.total, widget.start) == (1, 0)
    header, buffers = widget.page(label="cat")
    assert [i["key"] for i in header["items"]] == ["a.jpg"]
    assert len(buffers) == len(header["columns"])


def test_it_follows_the_project(project: Any, tmp_path: Path) -> None:
    """What is imported or undone through the same project shows by itself."""
    widget = nb.ProjectWidget(project)
    before = widget.revision
    project.import_dataset(write_coco(tmp_path / "more", {"val": coco_document(["c.jpg"], [])}))
    assert widget.revision > before
    assert widget.total == 3
    assert [t["name"] for t in widget.summary["tasks"]] == ["train", "val"]


def test_a_filter_that_is_undone_is_let_go(project: Any) -> None:
    """After an undo no filter speaks of a label that is gone."""
    widget = nb.ProjectWidget(project, label="cat", task="train")
    widget.undo()
    assert (widget.label, widget.task, widget.total) == ("", "", 0)
    assert (widget.can_undo, widget.can_redo) == (False, True)
    widget.redo()
    assert widget.total == 2


def test_one_item_has_its_details(project: Any) -> None:
    """An item enlarged: its annotations as rows, ids as text."""
    widget = nb.ProjectWidget(project)
    header, _ = widget.page()
    one, _ = widget.item(header["items"][1]["item"], 256)
    assert one["items"][0]["key"] == "b.jpg"
    assert [(r["label"], r["type"]) for r in one["rows"]] == [("dog", "box")]


def test_history_is_told(project: Any) -> None:
    """Each request is told with its account and can be asked for its ledger."""
    widget = nb.ProjectWidget(project)
    (request,) = widget.summary["requests"]
    assert (request["read"], request["imported"], request["undone"]) == (4, 4, False)
    assert request["added"].startswith("Added 2 items")
    answer, _ = widget.lines(request["id"])
    assert answer == {"total": 0, "lines": []}
