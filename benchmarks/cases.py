"""What is compared with what, and the budget of each."""

from __future__ import annotations

from pathlib import Path

from . import data
from .frame import Case, Work

__all__ = ["CASES", "make_cases"]

CASES = (
    "coco", "preview", "export", "frame", "detect", "startup", "yolo", "voc", "cvat", "linear",
)  # fmt: skip
"""Names that the command line takes, "browser" beside them."""


def make_cases(names: list[str], images: int, repeats: int) -> list[Case]:
    """Return the cases called `names`, their files made; `images` is the size of the COCO file."""
    cases: list[Case] = []
    if {"coco", "preview", "export"} & set(names):
        path = str(data.coco_file(images))
        loaded = Work("pycocotools.COCO(path)", "coco_load", {"path": path})
        size = f"{images:,} images"
        if "coco" in names:
            cases.append(
                Case(
                    f"Import COCO, {size}, into a project on disk",
                    Work("nbannot", "coco_import", {"path": path}),
                    loaded,
                    must=1 / 3,
                    goal=1 / 6,
                    must_memory=1 / 2,
                    repeats=repeats,
                    note="the peer only loads it",
                )
            )
        if "preview" in names:
            cases.append(
                Case(
                    f"First 24 items of COCO, {size}, ready to draw",
                    Work("nbannot", "coco_preview", {"path": path}),
                    loaded,
                    must=1 / 10,
                    goal=1 / 20,
                    repeats=repeats,
                )
            )
        if "export" in names:
            cases.append(
                Case(
                    f"Export COCO, {size}",
                    Work("nbannot", "coco_export", {"path": path}),
                    loaded,
                    must=1 / 3,
                    goal=1 / 6,
                    repeats=repeats,
                    note="the peer only loads it",
                )
            )
    if "frame" in names:
        rows = 1_000_000
        cases.append(
            Case(
                "Import 1,000,000 boxes from a DataFrame",
                Work("nbannot", "frame_import", {"rows": rows}),
                Work("DataFrame.to_parquet", "frame_to_parquet", {"rows": rows}),
                must=10,
                goal=5,
                repeats=repeats,
            )
        )
    if "detect" in names:
        path = str(data.folder_of_files(200_000))
        cases.append(
            Case(
                "Find the format of a folder of 200,000 files",
                Work("nbannot", "detect_folder", {"path": path}),
                Work("os.scandir, walked", "walk_folder", {"path": path}),
                must=1.5,
                goal=1.1,
                repeats=max(repeats, 5),
            )
        )
    if "startup" in names:
        cases.append(
            Case(
                "`import nbannot`",
                Work("nbannot", "import_module", {"name": "nbannot"}),
                Work("`import anywidget`", "import_module", {"name": "anywidget"}),
                must=1.2,
                goal=1.05,
                repeats=max(repeats, 15),
                note="nbannot loads each part at its first use",
            )
        )
    cases += folder_cases(names)
    return cases


def folder_cases(names: list[str], items: int = 200_000) -> list[Case]:
    """Return the cases of `items` items in many files, or in one large one.

    Datumaro is in an environment of its own (``make peers``); where it is absent, so are they.
    """
    makers = {"yolo": data.yolo_folder, "voc": data.voc_folder, "cvat": data.cvat_folder}
    cases = []
    for format in [name for name in makers if name in names]:
        path = str(data.warmed(makers[format](items)))
        ours = Work("nbannot", "import_folder", {"path": path, "format": format})
        title = f"Import {_TITLES[format]}, {items:,} images, into a project on disk"
        peers = []
        if format != "cvat":
            call = {"path": path, "format": format}
            peers.append(Work("supervision, loaded", "supervision_load", call))
        if PEERS.is_file():
            call = {"path": path, "format": _DATUMARO[format]}
            peers.append(Work("Datumaro, loaded", "datumaro_load", call, str(PEERS)))
        cases += [Case(title, ours, peer, must=1 / 5, goal=1 / 10, repeats=1) for peer in peers]
    if "linear" in names:
        for format, make in makers.items():
            few, many = (
                Work(f"{n:,}", "import_folder", {"path": str(make(n)), "format": format})
                for n in (items // 10, items)
            )
            title = f"Import {_TITLES[format]}: {items:,} images beside {items // 10:,}"
            cases.append(
                Case(title, many, few, must=12, goal=10, repeats=1, note="time is linear at 10")
            )
    return cases


PEERS = Path(__file__).parents[1] / ".venv-peers/bin/python"
_TITLES = {"yolo": "YOLO", "voc": "Pascal VOC", "cvat": "CVAT"}
_DATUMARO = {"yolo": "yolo", "voc": "voc", "cvat": "cvat"}
