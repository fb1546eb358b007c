"""What is recognised by name and not read: so that nobody is told "unknown" of a known thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .base import Candidate
from .look import Look

__all__ = ["RECOGNISED", "recognise"]


class Known(NamedTuple):
    """A format that is known and not read.

    `suffixes`: one of these must occur ((): any); `sign` returns what shows it, "" for nothing.
    """

    title: str
    suffixes: tuple[str, ...]
    sign: Callable[[Look], str]
    instead: str = ""


def recognise(look: Look) -> Iterator[Candidate]:
    """Yield a candidate of confidence 0, with evidence, for each known format it looks like."""
    there = look.files.suffixes()
    for known in RECOGNISED:
        if known.suffixes and not any(s in there for s in known.suffixes):
            continue
        sign = known.sign(look)
        if sign:
            text = "nbannot recognises this format, and does not read it yet"
            if known.instead:
                text += f": {known.instead}"
            yield Candidate("", known.title, 0.0, (sign,), text)


# -- signs -------------------------------------------------------------------------------------


def _file(*suffixes: str) -> Callable[[Look], str]:
    def sign(look: Look) -> str:
        found = look.files.with_suffix(*suffixes)
        return f"{found[0]} is there" if found else ""

    return sign


def _path(pattern: str) -> Callable[[Look], str]:
    # A path that the pattern is found in.
    search = re.compile(pattern, re.IGNORECASE).search

    def sign(look: Look) -> str:
        return next((f"{path} is there" for path in look.files if search(f"/{path}")), "")

    return sign


def _json(*keys: str, suffixes: tuple[str, ...] = (".json",)) -> Callable[[Look], str]:
    def sign(look: Look) -> str:
        for path in look.files.with_suffix(*suffixes)[:3]:
            if look.head(path).json_keys >= set(keys):
                return f"{path} has the keys {', '.join(keys)}"
        return ""

    return sign


def _root(name: str, *, inside: str = "") -> Callable[[Look], str]:
    def sign(look: Look) -> str:
        for path in look.files.with_suffix(".xml", ".eaf")[:3]:
            head = look.head(path)
            if head.xml_root == name and inside in head.text:
                return f"{path} begins with <{name}>"
        return ""

    return sign


def _text(pattern: str, *suffixes: str) -> Callable[[Look], str]:
    match = re.compile(pattern, re.MULTILINE).match

    def sign(look: Look) -> str:
        for path in look.files.with_suffix(*suffixes)[:3]:
            lines = look.head(path).lines[:5]
            if lines and all(match(line) for line in lines[:-1] or lines):
                return f"{path} has its rows"
        return ""

    return sign


RECOGNISED = (
    Known("KITTI 3D and raw (tracklets, velodyne)", (".bin", ".xml", ".txt"),
          _path(r"/velodyne(_points)?/|/tracklet_labels\.xml|/tracklets\.xml|/oxts/")),
    Known("nuScenes", (".json",), _path(r"/(v1\.0-[a-z]+/)?(sample_annotation|ego_pose)\.json$")),
    Known("Waymo Open Dataset", (".tfrecord", ".parquet"),
          _path(r"/segment-\d+.*\.tfrecord$|/(lidar_box|camera_box)/.*\.parquet$")),
    Known("KITTI-360", (".xml", ".txt"), _path(r"/data_3d_bboxes|/data_2d_semantics")),
    Known("OpenLABEL / VCD", (".json",), _json("openlabel")),
    Known("VCD (Video Content Description)", (".json",), _json("vcd")),
    Known("CrowdHuman", (".odgt",), _file(".odgt")),
    Known("VisDrone", (".txt",), _text(r"^(-?\d+,){7,9}-?\d+,?$", ".txt"), "MOT reads its videos"),
    Known("UA-DETRAC", (".xml",), _root("sequence", inside="<ignored_region")),
    Known("dlib XML", (".xml",), _root("dataset", inside="<image file=")),
    Known("iBUG landmarks (.pts)", (".pts",), _file(".pts")),
    Known("TuSimple lanes", (".json",), _json("lanes", "h_samples", "raw_file")),
    Known("CULane", (".txt",), _path(r"\.lines\.txt$")),
    Known("GeoJSON", (".geojson", ".json"), _json("type", "features", "geometry",
          suffixes=(".geojson", ".json"))),
    Known("QuPath project", (".qpproj", ".qpdata"), _file(".qpproj", ".qpdata")),
    Known("ASAP annotations", (".xml",), _root("ASAP_Annotations")),
    Known("DICOM", (".dcm",), _file(".dcm")),
    Known("NIfTI volumes (BraTS and others)", (".gz", ".nii"), _path(r"\.nii(\.gz)?$")),
    Known("BraTS as numpy", (".npy",), _path(r"/[^/]*brats[^/]*/|_data_cropped\.npy$")),
    Known("NYU Depth", (".h5",), _path(r"/\d+\.h5$")),
    Known("HDF5", (".h5", ".hdf5"), _file(".h5", ".hdf5")),
    Known("MVTec anomaly detection", (".png",), _path(r"/ground_truth/[^/]+/[^/]+_mask\.png$")),
    Known("Super-resolution pairs", (".png", ".jpg"), _path(r"/(hr|lr|upsampled)/[^/]+$"),
          "the images alone can be read as an image folder"),
    Known("SYNTHIA", (".png", ".txt"),
          _path(r"/gt(left|right|txt)?/\d{4,}\.(png|txt)$|/gt/(labels|color|label_txt)/")),
    Known("ELAN", (".eaf",), _file(".eaf"), "export a TextGrid from ELAN"),
    Known("BORIS", (".boris",), _file(".boris")),
    Known("MATLAB file (MPII, LSP and others)", (".mat",), _file(".mat"),
          "MPII's JSON version is read"),
    Known("spaCy DocBin (.spacy)", (".spacy",), _file(".spacy"),
          "convert it with spaCy to JSONL"),
    Known("Datumaro binary", (".datum",), _file(".datum"), "export Datumaro's JSON"),
    Known("Arrow dataset cache", (".arrow",), _file(".arrow"),
          "save it with Dataset.to_parquet"),
    Known("Point clouds", (".pcd", ".ply", ".las", ".laz", ".bin"),
          _file(".pcd", ".ply", ".las", ".laz")),
    Known("Label Studio labelling configurations", (".xml",), _root("View"),
          "Label Studio's JSON export holds the annotations"),
    Known("RAR or 7-Zip archive", (".rar", ".7z"), _file(".rar", ".7z"), "unpack it first"),
    Known("Archives in a folder", (".zip", ".tar", ".tgz", ".gz"), _file(".zip", ".tar", ".tgz"),
          "open one of them"),
    Known("Video files", (".mp4", ".avi", ".mov", ".mkv", ".webm"),
          _file(".mp4", ".avi", ".mov", ".mkv", ".webm"), "there are no annotations beside them"),
)  # fmt: skip
"""Formats that are recognised by name only, in the order in which they are looked for."""
