"""Which files of a source are COCO, of which task and subset each is, and where its images are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ...sources.base import Source
from ..look import Head, Look
from .json import LINE_SUFFIXES

__all__ = ["Part", "Shape", "find_parts", "json_files", "near", "shape_of"]

_TASKS = "instances|person_keypoints|keypoints|stuff|captions|image_info|labels|panoptic"
_TASK = re.compile(rf"({_TASKS})(?:_(.+))?", re.IGNORECASE)
_SPLIT = re.compile(
    r"(?:^|[_\-. ])"
    r"((?:train|training|val|valid|validation|dev|test|testing|eval|minival|trainval|unlabeled)"
    r"(?:[_-]?\d+)?)(?:$|[_\-. ])",
    re.IGNORECASE,
)
_FILE_FOLDERS = ("annotations", "annotation", "labels", "ann", "json")
_GEOMETRY = {"bbox", "segmentation", "category_id", "caption", "keypoints", "segments_info"}
_HINTS = {"images", "image_id", "file_name", "categories", "file_names", "video_id"}
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}\[\]]')


@dataclass(frozen=True, slots=True)
class Shape:
    """What the head of a JSON file shows: is it COCO (`confidence` > 0), or why not (`missing`).

    `is_results` says that it is a list of a model's results.
    """

    confidence: float = 0.0
    evidence: str = ""
    missing: str = ""
    is_results: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One COCO file: its path, the folder of its dataset, and its task ("": not said).

    `split` is the subset as its name or folder says ("val2017"; None: not said), `subset` the
    same made unique in the source. Several parts of one subset (instances, keypoints, captions)
    describe the same images. `layer` is the name of the layer of predictions, where the file is
    a list of results.
    """

    path: str
    root: str
    task: str
    split: str | None
    subset: str | None
    layer: str | None = None


def json_files(source: Source) -> list[str]:
    """Return the JSON files that may be COCO: the one asked for, or all, the likeliest first."""
    suffixes = (".json", *LINE_SUFFIXES)
    if source.main is not None:
        return [source.main] if source.main.lower().endswith(suffixes) else []

    def unlikely(path: str) -> tuple[bool, int, int, str]:
        folder, _, name = path.rpartition("/")
        likely = (
            "coco" in name.lower()
            or _TASK.fullmatch(_stem(path)) is not None
            or folder.rpartition("/")[2].lower() in _FILE_FOLDERS
            or name.lower() in ("labels.json", "annotations.json", "result.json")
        )
        task = _TASK.fullmatch(_stem(path))
        rank = _TASKS.split("|").index(task[1].lower()) if task else 0
        return not likely, path.count("/"), rank, path

    return sorted(source.files.with_suffix(*suffixes), key=unlikely)


def shape_of(head: Head, path: str = "") -> Shape:
    """Tell COCO from the other formats that are JSON, by the keys at their places in the head."""
    if not head.json_start or not head.json_keys & _HINTS:
        return Shape(missing="no images or annotations with an image_id")
    keys = _outline(head.text)
    top, images = keys.get("", set()), keys.get("images", set())
    annotations, categories = keys.get("annotations", set()), keys.get("categories", set())
    if head.json_start == "[":
        return _results(top)
    videos = keys.get("videos", set())
    if "video_id" in annotations and annotations & {"segmentations", "bboxes"}:
        return Shape(0.95, "tracks of videos with video_id and segmentations or bboxes")
    if "videos" in top and "file_names" in videos:
        return Shape(0.9, "videos with file_names of their frames")
    if "image_id" in annotations and annotations & _GEOMETRY:
        what = sorted(annotations & _GEOMETRY)
        return Shape(0.95, f"annotations with image_id, {', '.join(what)}")
    if "file_name" in images or {"id", "coco_url"} <= images:
        return Shape(0.95 if {"id", "file_name"} <= images else 0.8, "images with id and file_name")
    if {"images", "annotations"} <= top and not annotations and not images:
        return Shape(0.9, "empty lists of images and annotations")
    if {"id", "name"} <= categories and top & {"images", "annotations", "info", "licenses"}:
        return Shape(0.8, "categories with id and name")
    if path.lower().endswith(LINE_SUFFIXES) and "image_id" in top and top & _GEOMETRY:
        return Shape(0.8, "lines with image_id, " + ", ".join(sorted(top & _GEOMETRY)))
    return Shape(missing="no images or annotations with an image_id")


def _results(keys: set[str]) -> Shape:
    # Of a list, by the keys of its elements.
    geometry = keys & {"bbox", "segmentation", "keypoints"}
    if {"image_id", "category_id", "score"} <= keys and geometry:
        what = ", ".join(sorted(geometry))
        evidence = f"a list of results: image_id, category_id, score, {what}"
        return Shape(0.9, evidence, is_results=True)
    if {"image_id", "caption"} <= keys <= {"image_id", "caption", "id", "score"}:
        return Shape(0.9, "a list of captions with image_id", is_results=True)
    if {"video_id", "category_id", "score"} <= keys and keys & {"segmentations", "bboxes"}:
        evidence = "a list of results: video_id, category_id, score, lists per frame"
        return Shape(0.9, evidence, is_results=True)
    return Shape(missing="a list, where COCO has an object with images and annotations")


def find_parts(source: Source) -> tuple[list[Part], list[Part], dict[str, str]]:
    """Return the COCO files of a source, its results, and of each other JSON file why it is none.

    Results have the subset that their names say, and each a layer of its own.
    """
    look = Look(source)
    parts, results, others = [], [], {}
    for path in json_files(source):
        shape = shape_of(look.head(path), path)
        if shape.is_results:
            results.append(path)
        elif shape.confidence or source.main == path:
            parts.append(_part(path))
        else:
            others[path] = shape.missing
    return _apart(sorted(parts, key=lambda p: p.path)), _layers(sorted(results)), others


def _layers(paths: list[str]) -> list[Part]:
    # Named after the files; where two have one name, by their folders too.
    stems = [_stem(path) for path in paths]
    layers = []
    for path, stem in zip(paths, stems, strict=True):
        part = _part(path)
        said = _SPLIT.search(stem)
        split = said[1] if said is not None else part.subset if _in_split(part.root) else None
        name = stem if stems.count(stem) == 1 else path.rpartition(".")[0]
        layers.append(Part(path, part.root, part.task, split, split, name))
    return layers


def near(part: Part, source: Source) -> list[str]:
    """Return the folders where the images of a part may lie, the likeliest first, that exist."""
    root = f"{part.root}/" if part.root else ""
    folder = part.path.rpartition("/")[0]
    inner = f"{folder}/" if folder else ""
    stem = part.path.rpartition("/")[2].partition(".")[0]
    subset = part.split or "default"
    places = [
        f"{root}images/{subset}",
        f"{root}{subset}",
        f"{root}{subset}/images",
        f"{root}{subset}/data",
        f"{inner}images",
        f"{inner}data",
        folder,
        f"{inner}{stem}",
        f"{root}images",
        f"{root}data",
        f"{root}JPEGImages",
        part.root,
    ]
    known = set(source.files.all_folders())
    return [p for p in dict.fromkeys(places) if p in known]


def _part(path: str) -> Part:
    folder, _, name = path.rpartition("/")
    parent, _, last = folder.rpartition("/")
    inside = last.lower() in _FILE_FOLDERS
    root = parent if inside else folder
    stem = _stem(name)
    task = _TASK.fullmatch(stem)
    if task is not None and (task[2] or not _in_split(root)):
        return Part(path, root, task[1].lower(), task[2], task[2])
    split = _SPLIT.search(stem)
    if split is not None:
        return Part(path, root, "", split[1], split[1])
    # "train/_annotations.coco.json", "val/annotations.json", "test/labels.json"
    last = root.rpartition("/")[2]
    subset = last if _in_split(root) else None
    return Part(path, root, task[1].lower() if task else "", subset, subset)


def _in_split(folder: str) -> bool:
    return _SPLIT.fullmatch(folder.rpartition("/")[2]) is not None


def _apart(parts: list[Part]) -> list[Part]:
    # Files of one subset in one place are merged where each says another task; else they are
    # subsets of their own, as are those of several datasets (folders) in one source.
    groups: dict[tuple[str, str | None], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.root, part.split), []).append(part)
    apart = []
    for group in groups.values():
        twice = len({p.task for p in group}) < len(group)
        apart += [replace(p, subset=_stem(p.path) if twice else p.split) for p in group]
    roots: dict[str | None, set[str]] = {}
    for part in apart:
        roots.setdefault(part.subset, set()).add(part.root)
    return [p if len(roots[p.subset]) == 1 else replace(p, subset=_full_name(p)) for p in apart]


def _full_name(part: Part) -> str | None:
    names = part.root.split("/") if part.root else []
    if part.subset and names[-1:] != [part.subset]:
        names.append(part.subset)
    return "_".join(names) or None


def _stem(path: str) -> str:
    return re.sub(r"(\.coco)?\.[^.]+$", "", path.rpartition("/")[2], flags=re.IGNORECASE)


def _outline(text: str) -> dict[str, set[str]]:
    # Keys by place: "" the top level, "images" those of each image, whether in a list or by id.
    # For a list at the top level, "" are the keys of its elements.
    keys: dict[str, set[str]] = {}
    stack: list[str] = []
    pending = ""
    top = 2 if text.lstrip()[:1] == "[" else 1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            stack.append(pending)
            pending = ""
        elif token in "}]":
            if stack:
                stack.pop()
        elif match[2]:
            pending = match[1]
            if len(stack) == top:
                keys.setdefault("", set()).add(pending)
            elif len(stack) == top + 2:
                keys.setdefault(stack[top], set()).add(pending)
        else:
            pending = ""
    return keys
