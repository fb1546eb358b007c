"""The import model: everything the screen does, without a browser."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import traitlets

import nbannot as nb
from nbannot.errors import NbannotError
from nbannot.widgets import commands, picker
from tests.datasets import coco_document, write_coco

TRAIN = coco_document(["a.jpg", "b.jpg"], [(0, "cat", (1, 2, 10, 8)), (1, "dog", (5, 5, 5, 5))])


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a COCO dataset of one subset, two images and two boxes."""
    return write_coco(tmp_path / "pets", {"train": TRAIN})


@pytest.fixture
def model(dataset: Path) -> Any:
    """Return a model with the dataset chosen and read."""
    return nb.ImportModel(nb.open_project(), source=str(dataset)).wait()


def test_choosing_a_folder_leads_to_ready(model: Any) -> None:
    """From a path alone: format with evidence, labels, preview, what will change, and the code."""
    assert model.state == "ready"
    assert model.format == "coco"
    assert model.candidates[0]["evidence"]
    assert all(c["missing"] for c in model.candidates if not c["confidence"])
    assert (model.preview["items"], model.preview["annotations"]) == (2, 2)
    assert model.preview["complete"]
    assert [(x["name"], x["count"], x["action"]) for x in model.labels] == [
        ("cat", 1, "create"),
        ("dog", 1, "create"),
    ]
    assert model.changes["text"] == "Adds 2 items and 2 annotations in task train."
    assert model.code.startswith("project.import_dataset(")


def test_code_names_paths_as_a_notebook_would(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies below the working directory is named relative to it."""
    monkeypatch.chdir(tmp_path)
    model = nb.ImportModel(nb.open_project(), source=str(dataset)).wait()
    assert model.code == "project.import_dataset('pets')"


def test_import_undo_redo(model: Any) -> None:
    """The report says what was done; undo and redo are told in it."""
    report = model.apply()
    assert report.imported == 4
    assert model.state == "done"
    assert model.report["undone"] is False
    assert model.project["tasks"][0]["name"] == "train"
    model.undo()
    assert model.report["undone"] is True
    assert model.project["tasks"] == []
    model.redo()
    assert model.project["tasks"][0]["items"] == 2


def test_every_trait_is_json(model: Any) -> None:
    """Traits go to a browser: each is JSON, with no NaN, and small."""
    for name in model.trait_names(sync=True):
        text = json.dumps(getattr(model, name), allow_nan=False)
        assert len(text) < 200_000, name


def test_mapping_a_label_changes_the_plan(model: Any) -> None:
    """A choice in the label table is in the plan, in the code and in what is imported."""
    model.mapping = {"dog": None, "cat": "kitty"}
    model.wait()
    assert {x["name"]: x["action"] for x in model.labels} == {"cat": "map", "dog": "drop"}
    assert "labels=" in model.code
    assert model.problems[0]["count"] == 1
    report = model.apply()
    assert report.rejected == 1


def test_another_format_can_be_chosen(model: Any) -> None:
    """A manual choice reads again; the pictures alone are two items without annotations."""
    model.format = "imagefolder"
    model.wait()
    assert model.state == "ready"
    assert model.preview["items"] == 2
    assert "format='imagefolder'" in model.code


def test_into_a_task_with_a_warning(model: Any) -> None:
    """Replacing says what goes; the choice is in the code."""
    model.apply()
    task = model.project["tasks"][0]
    model.target, model.mode = f"task:{task['id']}", "replace"
    model.wait()
    assert "2 annotations" in model.changes["warning"]
    assert model.code.startswith("project.task('train').import_annotations(")


def test_a_frame_of_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DataFrame is listed by its variable's name, and its columns get roles."""
    frame = pd.DataFrame(
        {
            "path": ["a.jpg", "b.jpg"],
            "class": ["x", "y"],
            "x1": [1, 2],
            "y1": [1, 2],
            "x2": [5, 6],
            "y2": [5, 6],
        }
    )
    variables = {"df": frame, "_hidden": frame, "number": 3}
    monkeypatch.setattr(picker, "notebook_variables", lambda: variables)
    model = nb.ImportModel(nb.open_project())
    assert [(f["name"], f["rows"], f["columns"]) for f in model.frames] == [("df", 2, 6)]
    model.source = "frame:df"
    model.wait()
    assert model.format == "table"
    roles = {r["role"]: r["column"] for r in model.roles["roles"]}
    assert (roles["image"], roles["label"]) == ("path", "class")
    assert model.apply().imported == 2
    assert "import_dataset(df" in model.code


def test_nothing_recognised_says_what_is_missing(tmp_path: Path) -> None:
    """A folder that is no dataset is a state of its own, with what each format misses."""
    (tmp_path / "notes.md").write_text("hello", "utf-8")
    model = nb.ImportModel(nb.open_project(), source=str(tmp_path))
    with pytest.raises(NbannotError, match="no dataset in a format"):
        model.wait()
    assert model.state == "unrecognised"
    assert all(c["missing"] for c in model.candidates)


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A wrong path is an error with a hint, and choosing another one recovers."""
    write_coco(tmp_path / "pets", {"train": TRAIN})
    model = nb.ImportModel(nb.open_project(), location=str(tmp_path), source="pet")
    with pytest.raises(NbannotError):
        model.wait()
    assert model.state == "error"
    assert model.error["message"]
    model.source = "pets"
    assert model.wait().state == "ready"
    assert model.error == {}


def test_picking_files(tmp_path: Path) -> None:
    """Folders first, hidden files not at all, a filter, and parents to go up by."""
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").write_text("", "utf-8")
    (tmp_path / "data.zip").write_text("", "utf-8")
    (tmp_path / "a.json").write_text("{}", "utf-8")
    model = nb.ImportModel(nb.open_project(), location=str(tmp_path))
    assert [(e["name"], e["kind"]) for e in model.entries] == [
        ("sub", "folder"),
        ("data.zip", "archive"),
        ("a.json", "file"),
    ]
    assert model.parents[-1]["path"] == str(tmp_path)
    model.filter = "DATA"
    assert [e["name"] for e in model.entries] == ["data.zip"]
    assert model.complete_path("s")[0] == {"paths": ["sub/"]}
    model.filter, model.location = "", str(tmp_path / "gone")
    assert model.entries == []
    assert "can't be listed" in model.error["message"]


def test_upload_in_chunks(dataset: Path) -> None:
    """Files that the browser hands over in pieces become a source, and are copied."""
    files = sorted(p for p in dataset.rglob("*") if p.is_file())
    model = nb.ImportModel(nb.open_project())
    described = [
        {"path": f"pets/{p.relative_to(dataset).as_posix()}", "size": p.stat().st_size}
        for p in files
    ]
    answer, _ = model.upload_begin(described)
    for number, path in enumerate(files):
        data = path.read_bytes()
        for offset in range(0, len(data), 100):
            piece = memoryview(data[offset : offset + 100])
            done, _ = model.upload_chunk(answer["upload"], number, offset, buffers=[piece])
        assert done["received"] == len(data)
    model.upload_end(answer["upload"])
    model.wait()
    assert model.format == "coco"
    assert model.apply().imported == 4
    assert model._project.items["blob"].notna().all()


def test_cancel_while_reading(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel during a read ends it at its next step, and the model is back at the beginning."""
    model = nb.ImportModel(nb.open_project())
    original = model._show_progress

    def cancel_then(state: Any) -> None:
        model.cancel()
        original(state)

    monkeypatch.setattr(model._worker, "_on_progress", cancel_then)
    model.source = str(dataset)
    model.wait()
    assert (model.state, model.source) == ("empty", "")


def test_a_later_choice_wins(tmp_path: Path) -> None:
    """Choosing again while the first choice is read ends with the second one."""
    write_coco(tmp_path / "one", {"train": TRAIN})
    write_coco(tmp_path / "two", {"val": coco_document(["z.jpg"], [])})
    model = nb.ImportModel(nb.open_project(), location=str(tmp_path))
    model.source = "one"
    model.source = "two"
    model.wait()
    assert model.preview["items"] == 1
    assert "two" in model.code


def test_an_item_enlarged_has_its_details(model: Any) -> None:
    """One item: a larger picture, its annotations as rows, all values as text."""
    header, buffers = model.item("0", 512)
    assert header["items"][0]["key"] == "a.jpg"
    assert header["rows"][0]["label"] == "cat"
    assert len(buffers) == len(header["columns"])


def test_unknown_arguments_are_refused() -> None:
    """A misspelt trait is an error, not silence."""
    with pytest.raises((TypeError, traitlets.TraitError), match="locaton"):
        nb.ImportWidget(nb.open_project(), locaton="/")


class Browser:
    """Stands in for the comm: what would the browser have received?"""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.messages: list[dict[str, Any]] = []
        widget.send = lambda content, buffers=None: self.messages.append(content)

    def call(self, name: Any, **params: Any) -> dict[str, Any]:
        """Call a command as the browser does, and return what it hears last."""
        import threading

        before = set(threading.enumerate())
        self.widget._answer({"kind": "call", "id": "1", "name": name, "params": params})
        for thread in set(threading.enumerate()) - before:
            if thread.name == "nbannot-call":
                thread.join()
        return self.messages[-1]


def test_only_commands_can_be_called() -> None:
    """A script in the page can't reach any other method."""
    browser = Browser(nb.ImportWidget(nb.open_project()))
    for name in ("close", "choose", "_begin", "apply", None, 3, "__init__"):
        assert "no command" in browser.call(name)["message"]
    assert browser.call("complete_path", text="")["kind"] == "result"
    assert browser.call("complete_path", txt="")["kind"] == "error"


def test_random_messages_do_no_harm() -> None:
    """Whatever arrives on the comm, nothing is raised and the project stays as it is."""
    project = nb.open_project()
    browser = Browser(nb.ImportWidget(project))
    rng = random.Random(0)
    names = [
        n for n in dir(nb.ImportModel) if hasattr(getattr(nb.ImportModel, n), "_nbannot_command")
    ]

    def value(depth: int = 0) -> Any:
        kinds = [None, True, -1, 2**63, 1.5, "x", "../../etc/passwd", "upload:9"]
        if depth < 2 and rng.random() < 0.3:
            return {str(rng.choice(kinds)): value(depth + 1) for _ in range(2)}
        if depth < 2 and rng.random() < 0.2:
            return [value(depth + 1) for _ in range(2)]
        return rng.choice(kinds)

    for _ in range(500):
        message = rng.choice(
            [
                value(),
                {"kind": "call", "id": value(), "name": value(), "params": value()},
                {"kind": "call", "id": "1", "name": rng.choice(names), "params": value()},
            ]
        )
        if isinstance(message, dict) and message.get("name") in ("start", "reset", "refresh"):
            continue
        browser.widget._answer(message, [b"x"] if rng.random() < 0.2 else [])
    assert len(project.requests) == 0


def test_the_representation_is_the_same_each_time() -> None:
    """The text that is saved with the notebook is short and the same each time."""
    project = nb.open_project()
    assert repr(nb.ImportWidget(project)) == repr(nb.ImportWidget(project))


def test_commands_are_documented() -> None:
    """Each command says what it does: it is part of the model's face."""
    for name in dir(nb.ImportModel):
        method = getattr(nb.ImportModel, name)
        if hasattr(method, "_nbannot_command"):
            assert method.__doc__, name
    assert commands.find_command(nb.ImportModel(nb.open_project()), "page")
