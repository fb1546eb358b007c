"""What the child processes do: ``python -m benchmarks.work '{"function": ..., ...}'``.

Each function does its work once and returns the seconds it took. Where that is a whole job of
seconds, imports are part of it, as for a user; where it is short, they come before the clock.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any


def coco_load(path: str) -> float:
    """Load a COCO file with pycocotools, into Python objects."""
    start = time.perf_counter()
    from pycocotools.coco import COCO

    COCO(path)
    return time.perf_counter() - start


def coco_import(path: str) -> float:
    """Import a COCO file into a project on disk: read, checked, committed."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        import nbannot as nb

        project = nb.open_project(Path(folder, "bench"))
        report = project.import_dataset(path)
        seconds = time.perf_counter() - start
        assert report.read == report.imported + report.warned + report.rejected
        assert report.imported
        project.close()
    return seconds


def coco_preview(path: str, count: int = 24) -> float:
    """Open a COCO file in the import model, until its first page can be drawn."""
    start = time.perf_counter()
    import nbannot as nb

    model = nb.ImportModel(nb.open_project())
    shown = threading.Event()

    def on_change(_: Any) -> None:
        if model.preview.get("items") or model.error:
            shown.set()

    model.observe(on_change, names=["preview", "error"])
    model.source = path
    if not shown.wait(600) or model.error:
        raise RuntimeError(model.error or "no preview after ten minutes")
    header, _ = model.page(start=0, count=count, size_px=160)
    assert len(header["items"]) == count
    return time.perf_counter() - start


def coco_export(path: str, format: str = "coco") -> float:
    """Export a project into which a COCO file was imported (before the clock starts)."""
    import nbannot as nb

    with tempfile.TemporaryDirectory() as folder:
        project = nb.open_project(Path(folder, "bench"))
        project.import_dataset(path)
        start = time.perf_counter()
        project.export(format, Path(folder, "out.zip"))
        seconds = time.perf_counter() - start
        project.close()
    return seconds


def _frame(rows: int) -> Any:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 600, rows), rng.uniform(0, 440, rows)
    images = np.array([f"images/{n:06d}.jpg" for n in range(max(rows // 8, 1))], object)
    labels = np.array([f"class {n}" for n in range(80)], object)
    return pd.DataFrame(
        {
            "image": images[rng.integers(0, len(images), rows)],
            "label": labels[rng.integers(0, 80, rows)],
            "x1": x,
            "y1": y,
            "x2": x + rng.uniform(1, 40, rows),
            "y2": y + rng.uniform(1, 40, rows),
            "score": rng.uniform(0, 1, rows),
        }
    )


def frame_import(rows: int) -> float:
    """Import a DataFrame of boxes into a project on disk."""
    import nbannot as nb

    frame = _frame(rows)
    with tempfile.TemporaryDirectory() as folder:
        nb.open_project().import_dataset(frame.head(1))
        project = nb.open_project(Path(folder, "bench"))
        start = time.perf_counter()
        report = project.import_dataset(frame)
        seconds = time.perf_counter() - start
        assert report.changes.adds_annotations == rows
        project.close()
    return seconds


def frame_to_parquet(rows: int) -> float:
    """Write the same DataFrame as Parquet."""
    frame = _frame(rows)
    with tempfile.TemporaryDirectory() as folder:
        frame.head(1).to_parquet(Path(folder, "small.parquet"))
        start = time.perf_counter()
        frame.to_parquet(Path(folder, "frame.parquet"))
        return time.perf_counter() - start


def detect_folder(path: str) -> float:
    """Find the format of a folder of many files."""
    import nbannot as nb

    with tempfile.TemporaryDirectory() as small:
        nb.detect(small)
    start = time.perf_counter()
    assert nb.detect(path)[0].confidence > 0
    return time.perf_counter() - start


def walk_folder(path: str) -> float:
    """Walk the same folder with `os.scandir`."""
    start = time.perf_counter()
    left, count = [path], 0
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    left.append(entry.path)
                else:
                    count += 1
    assert count
    return time.perf_counter() - start


def import_folder(path: str, format: str) -> float:
    """Import a dataset of many small files, or one large one, into a project on disk."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        import nbannot as nb

        project = nb.open_project(Path(folder, "bench"))
        report = project.import_dataset(path, format=format)
        seconds = time.perf_counter() - start
        assert report.imported
        project.close()
    return seconds


def supervision_load(path: str, format: str) -> float:
    """Load a YOLO or VOC dataset with supervision."""
    start = time.perf_counter()
    from supervision import DetectionDataset

    if format == "yolo":
        dataset = DetectionDataset.from_yolo(
            f"{path}/images/train", f"{path}/labels/train", f"{path}/data.yaml"
        )
    else:
        dataset = DetectionDataset.from_pascal_voc(f"{path}/JPEGImages", f"{path}/Annotations")
    assert len(dataset)
    return time.perf_counter() - start


def datumaro_load(path: str, format: str) -> float:
    """Load a dataset with Datumaro, and look at every annotation."""
    start = time.perf_counter()
    from datumaro import Dataset

    dataset = Dataset.import_from(path, format)
    assert sum(len(item.annotations) for item in dataset)
    return time.perf_counter() - start


def import_module(name: str) -> float:
    """Import a module, and nothing before it."""
    start = time.perf_counter()
    __import__(name)
    return time.perf_counter() - start


def peak_mb() -> float:
    """Return the peak of resident pages: this process's, and the largest of a helper of it."""
    return _own_peak_mb() + _kib_mb(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _own_peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count what the parent had when it forked, too
        line = next(n for n in status.read_text().splitlines() if n.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return _kib_mb(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _kib_mb(peak: int) -> float:
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _main(call: dict[str, Any]) -> None:
    seconds = globals()[call["function"]](**call["arguments"])
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb()}), flush=True)
    os._exit(0)  # threads that still read in the background are of no interest


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
