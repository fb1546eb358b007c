"""A person walks through the import screen, in JupyterLab and in Notebook 7."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = Path(os.environ.get("NBANNOT_PICTURES", ROOT / "test-results" / "pictures"))

SETUP = """
import nbannot as nb
project = nb.open_project()
widget = nb.ImportWidget(project)
widget
"""
GALLERY = "project"
THEME = "(name) => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})"


def chosen(source):
    """Return a cell that shows the import screen with a source chosen."""
    return SETUP.replace("(project)", f"(project, source={source!r})")


def picture(page, name, selector=".nbannot-import"):
    """Keep a picture of a widget, for a person to look at and for the documents."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.locator(selector).last.screenshot(path=PICTURES / f"{name}.png")


def screen(nb):
    """Return the import screen, once it is there."""
    found = nb.page.locator(".nbannot-import").last
    found.wait_for()
    return found


def in_state(nb, state):
    """Return the import screen, once it is in `state`."""
    found = nb.page.locator(f".nbannot-import[data-state={state}]").last
    found.wait_for()
    return found


def painted(nb):
    """Wait until a page of thumbnails is painted."""
    nb.page.locator("[data-page-ready='0']").last.wait_for()


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_pick_see_import_undo(notebook, demo_folder, faults, app):
    """Pick a folder, read why the format was chosen, look at the pictures, import, undo."""
    nb = notebook([SETUP, GALLERY], app, run=False)
    nb.page.set_viewport_size({"width": 1280, "height": 1500})
    nb.run_cell(0)
    ui = screen(nb)
    picture(nb.page, f"{app}-1-empty")
    ui.locator(".nbannot-entry-main", has_text="demo-data").click()
    ui.get_by_role("button", name="Import folder coco").click()
    in_state(nb, "ready")
    painted(nb)

    formats = ui.get_by_role("radiogroup", name="Format")
    assert formats.get_by_role("radio", name="COCO").is_checked()
    assert "annotations" in formats.inner_text()
    assert "8 items" in ui.inner_text()
    assert "project.import_dataset(" in ui.inner_text()
    picture(nb.page, f"{app}-2-ready")
    assert not faults(nb.page, ".nbannot-import")

    ui.locator(".nbannot-tile").first.click()
    detail = ui.get_by_role("group", name="Picture")
    detail.wait_for()
    assert "astronaut" in ui.inner_text()
    picture(nb.page, f"{app}-3-enlarged")
    assert not faults(nb.page, ".nbannot-import")
    nb.page.keyboard.press("Escape")
    detail.wait_for(state="detached")

    ui.get_by_role("button", name="Import 8 items").click()
    in_state(nb, "done")
    counts = nb.evaluate("(len(project.items), len(project.annotations))")
    assert counts == nb.evaluate("(widget.preview['items'], widget.preview['annotations'])")
    picture(nb.page, f"{app}-4-done")
    assert not faults(nb.page, ".nbannot-import")

    nb.run_cell(1)
    gallery = nb.page.locator(".nbannot-project").last
    gallery.wait_for()
    painted(nb)
    assert "8 items" in gallery.inner_text()
    picture(nb.page, f"{app}-5-gallery", ".nbannot-project")
    assert not faults(nb.page, ".nbannot-project")

    ui.get_by_role("button", name="Undo").click()
    ui.get_by_text("Undone").first.wait_for()
    nb.wait_until("len(project.items)", 0)


def test_with_the_keyboard_alone(notebook, demo_folder):
    """Everything from picking a folder to the import works without a mouse."""
    nb = notebook([SETUP])
    ui = screen(nb)
    keys = nb.page.keyboard
    ui.locator(".nbannot-entry-main", has_text="demo-data").focus()
    keys.press("Enter")
    nb.wait_until("widget.location.endswith('demo-data')")
    ui.locator(".nbannot-entry-main", has_text="coco").wait_for()
    ui.get_by_role("button", name="Import this folder").focus()
    keys.press("Enter")
    in_state(nb, "ready")
    painted(nb)
    ui.locator(".nbannot-tile").first.focus()
    keys.press("ArrowRight")
    keys.press("Enter")
    ui.get_by_role("group", name="Picture").wait_for()
    keys.press("Escape")
    ui.locator(".nbannot-go").focus()
    keys.press("Enter")
    in_state(nb, "done")
    assert nb.evaluate("len(project.items)") == 8


def test_a_choice_of_label_and_format_is_followed(notebook, demo_folder):
    """Dropping a label shows what is lost; another format reads the pictures alone."""
    nb = notebook([chosen("demo-data/coco")])
    ui = in_state(nb, "ready")
    row = ui.locator(".nbannot-label-row", has_text="person").first
    row.locator("select").select_option("drop")
    ui.get_by_text("its label is dropped").wait_for()
    nb.wait_until("widget.labels[0]['action']", "drop")
    ui.get_by_role("radiogroup", name="Format").get_by_role("radio", name="Image folder").check()
    nb.wait_until("(widget.state, widget.preview['annotations'])", ("ready", 0))
    picture(nb.page, "another-format")


def test_upload_of_files_larger_than_a_message(notebook, demo_folder, tmp_path):
    """A zip of 12 MB, more than one message may hold, arrives whole and is imported."""
    big = shutil.copytree(demo_folder / "coco", tmp_path / "coco")
    (big / "images" / "noise.bin").write_bytes(os.urandom(12 * 1024 * 1024))
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path, "coco")
    nb = notebook([SETUP])
    ui = screen(nb)
    ui.get_by_role("tab", name="Upload").click()
    picture(nb.page, "upload")
    ui.locator("input[type=file]").first.set_input_files(archive)
    ui = in_state(nb, "ready")
    assert nb.evaluate("widget.preview['items']") == 8
    ui.locator(".nbannot-go").click()
    in_state(nb, "done")
    assert nb.evaluate("project.items['blob'].notna().all()")


def test_a_dataframe_of_the_notebook(notebook):
    """A DataFrame is listed by its name, its columns have roles, and its rows are imported."""
    frame = (
        "import pandas as pd\n"
        "boxes = pd.DataFrame({'path': ['a.jpg', 'b.jpg'], 'class': ['cat', 'dog'], "
        "'xmin': [1, 2], 'ymin': [3, 4], 'xmax': [9, 9], 'ymax': [8, 8]})"
    )
    nb = notebook([frame, SETUP])
    ui = screen(nb)
    ui.get_by_role("tab", name="DataFrames").click()
    ui.locator(".nbannot-entry-main", has_text="boxes").click()
    ui = in_state(nb, "ready")
    assert "2 items" in ui.inner_text()
    picture(nb.page, "dataframe")
    ui.locator(".nbannot-go").click()
    in_state(nb, "done")
    assert nb.evaluate("sorted(project.labels['name'])") == ["cat", "dog"]


def test_a_folder_that_is_no_dataset(notebook, jupyter):
    """Nothing fits: the screen says what each format misses, and never that it is empty."""
    folder = jupyter.root / "letters"
    folder.mkdir(exist_ok=True)
    (folder / "letter.md").write_text("Dear Ada", "utf-8")
    nb = notebook([chosen("letters")])
    ui = in_state(nb, "unrecognised")
    assert "Pascal VOC" in ui.inner_text()
    picture(nb.page, "unrecognised")


def test_what_is_recognised_and_not_read(notebook, jupyter):
    """The screen says what it is, by name."""
    folder = jupyter.root / "drive" / "v1.0-mini"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sample_annotation.json").write_text("[]", "utf-8")
    nb = notebook([chosen("drive")])
    ui = in_state(nb, "unrecognised")
    assert "This looks like nuScenes" in ui.inner_text()
    picture(nb.page, "recognised")


def test_a_fix_is_accepted(notebook, demo_folder, jupyter):
    """Label files without names: the offer is accepted, and what it set can be changed."""
    folder = jupyter.root / "nameless"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    photo = next((demo_folder / "coco" / "images" / "train").iterdir())
    shutil.copy(photo, folder / photo.name)
    (folder / f"{photo.stem}.txt").write_text("1 0.5 0.5 0.4 0.4\n", "utf-8")
    nb = notebook([chosen("nameless")])
    ui = in_state(nb, "ready")
    assert "No file names the classes" in ui.inner_text()
    picture(nb.page, "fix")
    ui.get_by_role("button", name="Accept").click()
    ui = in_state(nb, "ready")
    nb.page.wait_for_function("!document.body.innerText.includes('No file names the classes')")
    assert nb.evaluate("widget.options") == {"names": "class_0, class_1"}


def test_a_path_that_is_not_there(notebook):
    """A wrong path is an error that names it, and another choice recovers from it."""
    nb = notebook([chosen("no-such-folder")])
    ui = in_state(nb, "error")
    assert "no-such-folder" in ui.get_by_role("alert").first.inner_text()
    picture(nb.page, "error")


def test_problems_name_their_records(notebook, demo_folder, jupyter):
    """What can't be imported as given is grouped by reason, with file and record of each."""
    folder = jupyter.root / "torn"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(demo_folder / "coco", folder)
    next((folder / "images" / "train").iterdir()).unlink()
    nb = notebook([chosen("torn")])
    ui = in_state(nb, "ready")
    problems = ui.locator(".nbannot-problems")
    problems.locator("summary, button").first.click()
    picture(nb.page, "problems")
    assert "instances_train.json" in problems.inner_text()


def test_names_from_files_are_text(notebook, jupyter):
    """A label or a file name that is markup shows as it is written, and nothing runs."""
    from tests.datasets import coco_document, write_coco

    evil = '<img src=x onerror="window.__nbannot_xss=1">'
    document = coco_document(["a.jpg"], [(0, evil, (1, 1, 9, 9))], (evil,))
    write_coco(jupyter.root / "evil", {"train": document})
    nb = notebook([chosen("evil"), GALLERY], run=False)
    nb.run_cell(0)
    ui = in_state(nb, "ready")
    painted(nb)
    assert evil in ui.inner_text()
    ui.locator(".nbannot-tile").first.click()
    ui.get_by_role("group", name="Picture").wait_for()
    nb.page.keyboard.press("Escape")
    ui.locator(".nbannot-go").click()
    in_state(nb, "done")
    nb.run_cell(1)
    nb.page.locator(".nbannot-project").last.wait_for()
    assert nb.page.evaluate("window.__nbannot_xss") is None


def test_cancel_while_a_cell_is_running(notebook, jupyter):
    """Cancel reaches the import although the kernel is busy with a cell."""
    slow = """
import threading
from nbannot.formats import get_format
from nbannot.schema import Batch
release, met = threading.Event(), threading.Event()
def read(self, source, options, ledger, progress, limit=None):
    if limit is None:
        progress.start("Waiting", 1000, "steps")
        for _ in range(1000):
            met.set()
            release.wait(0.05)
            progress.advance()
    ledger.read(1)
    yield Batch.of({"item": [0], "key": ["a.jpg"], "kind": ["image"]})
type(get_format("imagefolder")).read = read
"""
    busy = (
        "import time\nwhile widget.state != 'empty' and time.monotonic() < stop: time.sleep(0.05)"
    )
    (jupyter.root / "one").mkdir(exist_ok=True)
    from tests.datasets import picture as write_picture

    write_picture(jupyter.root / "one" / "a.jpg")
    cells = [
        SETUP,
        slow,
        f"import time; stop = time.monotonic() + 30\nwidget.source = 'one'\nmet.wait(10)\n{busy}",
    ]
    nb = notebook(cells, run=False)
    nb.run_cell(0)
    nb.run_cell(1)
    nb.start_cell(2)
    ui = screen(nb)
    ui.get_by_role("progressbar", name="Waiting").wait_for()
    picture(nb.page, "reading")
    ui.get_by_role("button", name="Stop reading").click()
    in_state(nb, "empty")
    nb.wait_until("time.monotonic() < stop")
    assert nb.evaluate("len(project.items)") == 0


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [420, 1280])
def test_themes_and_widths(notebook, demo_folder, faults, theme, width):
    """Light and dark, narrow and wide: nothing is cut off, and contrast is sufficient."""
    nb = notebook([chosen("demo-data/coco"), GALLERY], "lab", run=False)
    page = nb.page
    page.set_viewport_size({"width": width, "height": 1400})
    page.evaluate(THEME, theme)
    page.locator(f"body[data-jp-theme-name='{theme}']").wait_for(state="attached")
    nb.run_cell(0)
    ui = in_state(nb, "ready")
    painted(nb)
    overflow = ui.evaluate("(el) => el.scrollWidth - el.clientWidth")
    picture(page, f"{theme.split()[-1].lower()}-{width}")
    assert overflow <= 0
    assert not faults(page, ".nbannot-import")
    page.evaluate(THEME, "JupyterLab Light")


def test_the_saved_notebook_shows_the_project_without_a_kernel(notebook, demo_folder):
    """The notebook file holds a static summary of the project, and no state of a widget."""
    done = "project.import_dataset('demo-data/coco')\nproject"
    nb = notebook([f"import nbannot as nb\nproject = nb.open_project()\n{done}"])
    nb.page.locator(".nbannot-project").last.wait_for()
    saved = nb.save()
    data = saved.cells[0].outputs[-1]["data"]
    assert "8 items" in data["text/plain"]
    assert "data:image/svg+xml" in data["text/html"]
    assert "<script" not in data["text/html"]
    assert "widgets" not in saved.metadata


def test_a_page_is_reached_by_its_number(notebook):
    """A page number typed, and Enter: the gallery shows that page."""
    many = (
        "import nbannot as nb\nproject = nb.open_project()\n"
        "rows = [{'image': f'{i:03}.jpg', 'label': 'x'} for i in range(60)]\n"
        "project.import_dataset(rows)\nproject"
    )
    nb = notebook([many])
    gallery = nb.page.locator(".nbannot-project").last
    painted(nb)
    field = gallery.get_by_role("spinbutton", name="Page")
    field.fill("3")
    field.press("Enter")
    nb.page.locator("[data-page-ready='48']").wait_for()
    assert "059.jpg" in gallery.inner_text()
