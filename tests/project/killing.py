"""What child processes of the tests do to a project; they are forked, so importing is done once."""

from __future__ import annotations

import multiprocessing as mp
from multiprocessing.connection import Connection
from typing import Any

from nbannot.errors import NbannotError
from nbannot.project import open_project
from nbannot.schema import Label
from tests.project.making import add, annotation_rows, item_rows, jpeg

__all__ = ["CHUNKS", "ITEMS", "context", "hold", "import_many", "import_slowly", "look"]

CHUNKS = 10
ITEMS = 2_000


def context() -> Any:
    """Return where child processes come from: a server that has imported everything once."""
    made = mp.get_context("forkserver")
    made.set_forkserver_preload(["tests.project.killing"])
    return made


def import_slowly(path: str, pipe: Connection) -> None:
    """Import 2,000 items with two annotations and a picture in chunks, telling each step."""
    project = open_project(path)
    pipe.send("open")
    with project.begin("import", title="killed") as commit:
        pipe.send("begun")
        task = commit.add_task("killed")
        label = commit.ensure_labels([Label("cat")])["cat"]
        blob = commit.put_media(jpeg("red"))
        size = ITEMS // CHUNKS
        for chunk in range(CHUNKS):
            names = [f"{chunk}/{i}.jpg" for i in range(size)]
            items = commit.add_items(task, item_rows(names, blob=[blob] * size)).tolist()
            rows = [{"item": i, "type": "tag", "label": label} for i in items for _ in range(2)]
            commit.add_annotations(annotation_rows(rows))
            pipe.send(f"chunk {chunk}")
        commit.finish(read=3 * ITEMS, imported=3 * ITEMS)
        pipe.send("committing")
    pipe.send("committed")
    for step in range(CHUNKS):
        project.page(label="cat", start=step)
        pipe.send(f"after {step}")
    project.close()
    pipe.send("closed")


def hold(path: str, pipe: Connection) -> None:
    """Hold a change open until told to go on."""
    with open_project(path) as project, project.begin("import", title="held") as commit:
        commit.add_items(commit.add_task("held"), item_rows(["h.jpg"]))
        pipe.send("holding")
        pipe.recv()
    pipe.send("done")


def import_many(path: str, name: str, count: int, pipe: Connection) -> None:
    """Import `count` tasks of two items, in turn with others; tell what went wrong."""
    errors = []
    with open_project(path) as project:
        for n in range(count):
            try:
                add(project, f"{name}{n}", {"a.jpg": ["cat"], "b.jpg": ["dog"]})
            except NbannotError as error:
                errors.append(str(error))
    pipe.send(errors)


def look(path: str, pipe: Connection) -> None:
    """Read until told to stop, and tell the states that were seen and were not whole."""
    torn, reads = [], 0
    with open_project(path, read_only=True) as project:
        while not pipe.poll():
            counts = project.summary()["counts"]
            reads += 1
            if counts["items"] != 2 * counts["tasks"] or counts["annotations"] != counts["items"]:
                torn.append(counts)
    pipe.send((reads, torn))
