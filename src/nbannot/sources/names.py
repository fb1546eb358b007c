"""Names of files: which are junk, which would escape, which can't be stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from ..errors import UnsafeSourceError, printable

__all__ = ["JUNK", "is_junk", "relative_path", "shared_names", "storable", "unused"]

JUNK = frozenset(
    {".DS_Store", ".git", ".ipynb_checkpoints", "Thumbs.db", "__MACOSX", "desktop.ini"}
)
"""What file managers and tools leave behind; files and folders of these names are never listed."""

MAX_PATH = 4096
MAX_DEPTH = 255
_DRIVE = re.compile(r"[A-Za-z]:")


def is_junk(name: str) -> bool:
    """Say whether a file or folder of this name is what a file manager or tool left behind.

    ``._a.jpg`` is what macOS writes beside ``a.jpg`` on foreign disks: its Finder data.

    >>> [is_junk(name) for name in ("Thumbs.db", "._a.jpg", "a.jpg")]
    [True, True, False]
    """
    return name in JUNK or name.startswith("._")


def relative_path(name: str, source: str, what: str = "member") -> str:
    r"""Return the name of a member as a relative path with ``/``; "" for the top folder itself.

    >>> relative_path("./images//a.jpg", "pets.zip"), relative_path("images\\a.jpg", "pets.zip")
    ('images/a.jpg', 'images/a.jpg')

    Raises:
        UnsafeSourceError: it is absolute, climbs out with ``..``, names a drive, holds NUL, or is
            longer or deeper than any file system allows.
    """
    path = name.replace("\\", "/")
    parts = path.split("/")
    reason = ""
    if path.startswith("/"):
        reason = "is an absolute path"
    elif _DRIVE.match(path):
        reason = "names a drive"
    elif ".." in parts:
        reason = "leads out of its folder"
    elif "\0" in path:
        reason = "holds a NUL character"
    elif len(path) > MAX_PATH or len(parts) > MAX_DEPTH:
        reason = f"is a path of {len(path):,} characters and {len(parts):,} levels"
    if reason:
        # NUL is left out of the text, or "ok.png\0.py" would read as neither name.
        raise UnsafeSourceError(
            f"The {what} {printable(name)!r} {reason}, so nothing was read",
            where=source,
            hint="Such a name does harm when it is unpacked; ask whoever made the file.",
        )
    if "" in parts or "." in parts:
        path = "/".join(part for part in parts if part not in ("", "."))
    return path if path.isascii() else _written_out(path)


def unused(path: str, taken: Mapping[str, object]) -> str:
    """Return `path` with a number before its suffix, so that nothing in `taken` has that name.

    >>> unused("labels/1.txt", {"labels/1.txt": 0})
    'labels/1 (2).txt'
    """
    folder, slash, name = path.rpartition("/")
    stem, dot, end = name.rpartition(".")
    if not stem:
        stem, dot, end = name, "", ""
    number = 2
    while (other := f"{folder}{slash}{stem} ({number}){dot}{end}") in taken:
        number += 1
    return other


def shared_names(paths: Sequence[str], most: int = 20) -> list[str]:
    """Return remarks on paths that differ only in case or Unicode form: one file on other systems.

    >>> shared_names(["Cat.png", "cat.png", "dog.png"])
    ['Cat.png and cat.png differ only in case or Unicode form; both are kept']
    """
    groups: dict[str, list[str]] = {}
    if len({_folded(path) for path in paths}) == len(paths):
        return []
    for path in paths:
        groups.setdefault(_folded(path), []).append(path)
    alike = [group for group in groups.values() if len(group) > 1]
    notes = [
        f"{' and '.join(printable(path, 100) for path in group[:3])} differ only in case or "
        "Unicode form; both are kept"
        for group in alike[:most]
    ]
    if len(alike) > most:
        notes.append(f"{len(alike) - most:,} more groups of names differ only in case or form")
    return notes


def _folded(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def storable(paths: list[str], real: dict[str, str], notes: list[str]) -> list[str]:
    r"""Return `paths` as Unicode text; `real` learns what those that were not are called on disk.

    A name on disk may be any bytes. One that is not UTF-8 can be opened, but not stored or shown:
    it is listed with its odd bytes written out.

    >>> real = {}
    >>> storable(["caf\udce9.png"], real, [])
    ['caf\\xe9.png']
    """
    text = "/".join(paths)
    if text.isascii() or _is_unicode(text):
        return paths
    listed = []
    for path in paths:
        name = _written_out(path)
        if name != path:
            real[name] = path
            notes.append(f"The name of {name} is not UTF-8; its odd bytes are written as \\x..")
        listed.append(name)
    return listed


def _written_out(path: str) -> str:
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, as JavaScript may send it
        return path.encode("utf-8", "backslashreplace").decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
