"""The JSON container of a COCO file: split into records in one pass, never built as objects.

A file of 400 MB is split in half a second: each image and each annotation stays a `msgspec.Raw`,
a view into the file's bytes, and is decoded in chunks by those who know what it holds.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...sources.base import Source
from .bytes import Buffer, address, is_ascii, let_go, read_buffer
from .outline import Outline, outline_of

__all__ = ["Document", "loads", "open_document", "plain_json"]

LINE_SUFFIXES = (".jsonl", ".ndjson")
_STRING_OR_NAN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b')
# A whole escape; group 1 is half a surrogate pair.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)",
    re.DOTALL,
)
_PLAIN_ID = re.compile(r"[\w.:-]+", re.ASCII)
_SLICE = 1 << 24
_DIGITS = 4000  # Python refuses to convert more than 4300
_COUNTED = ("images", "annotations")


class _Top(msgspec.Struct):
    annotations: list[Raw] = msgspec.field(default_factory=list)
    images: list[Raw] = msgspec.field(default_factory=list)


class Document:
    """One COCO file: its records as views into its bytes, all else as Python objects.

    `rest` holds the other keys of the top level ("categories", "info", ...).
    """

    def __init__(
        self, path: str, data: Buffer, images: list[Raw], annotations: list[Raw],
        rest: dict[str, Any], *, contiguous: bool = True,
    ) -> None:  # fmt: skip
        self.path, self.data = path, data
        self.images, self.annotations, self.rest = images, annotations, rest
        # How the ledger calls annotation `i` (its JSON path, its name) and image `i`, if unusual.
        self.place_of: Callable[[int], tuple[str, str]] | None = None
        self.image_place_of: Callable[[int], str] | None = None
        # Where the annotations are, if they are not among the records.
        self.outline: Outline | None = None
        # Do the records lie in `data` one after the other, with commas between?
        self._base = address(data) if contiguous else None

    def text(self, records: list[Raw], places: Sequence[int] = range(0)) -> bytes:
        """Return records as the text of one JSON array; neighbours, if `places` is a range."""
        if not records or self._base is None or not isinstance(places, range):
            return b"[" + b",".join(records) + b"]"
        begin, end = _span(records, self._base)
        return b"".join((b"[", memoryview(self.data)[begin:end], b"]"))

    def forget(self, places: Sequence[int]) -> None:
        """Give back the memory of neighbouring annotations; they can't be read again."""
        if self._base is not None and isinstance(places, range) and places:
            some = self.annotations[places.start : places.stop]
            let_go(self.data, *_span(some, self._base))

    def mentions(self, pattern: re.Pattern[bytes]) -> bool:
        """Say whether a pattern is in the file."""
        data = self.data if self.outline is None else self.outline.data
        return pattern.search(data) is not None

    def only(self, places: Sequence[int]) -> Document:
        """Return a document with these annotations and nothing else, free of the file's bytes."""
        some = [Raw(bytes(self.annotations[i])) for i in places]
        found = Document(self.path, b"", [], some, {}, contiguous=False)
        found.place_of = self.place_of
        return found

    def annotations_of(self, image_ids: list[object]) -> list[int]:
        """Return the positions of the annotations that may be on these images, in order.

        A search of the bytes, ten times faster than decoding; a few too many may be found.
        """
        if not all(_PLAIN_ID.fullmatch(str(i)) for i in image_ids):
            return list(range(len(self.annotations)))  # an id that JSON may write in several ways
        exact = len(image_ids) <= 64  # more alternatives would be slower than looking them up
        names = b"|".join(re.escape(str(i).encode()) for i in image_ids)
        value = b'"?(?:%b)(?![\\w-])' % names if exact else rb'("[^"]*"|[^\s,}]+)'
        pattern = re.compile(rb'"image_id"\s*:\s*' + value)
        if self._base is None:
            return [i for i, raw in enumerate(self.annotations) if pattern.search(bytes(raw))]
        wanted = {str(i).encode() for i in image_ids}
        begin, end = _span(self.annotations, self._base) if self.annotations else (0, 0)
        found: list[int] = []
        for match in pattern.finditer(self.data, begin, end):
            if exact or match[1].strip(b'"').removesuffix(b".0") in wanted:
                at = self._at(match.start(), found[-1] if found else 0)
                if not found or at != found[-1]:
                    found.append(at)
        return found

    def _at(self, offset: int, low: int) -> int:
        # The annotation that covers a byte: bisection over addresses.
        assert self._base is not None
        high = len(self.annotations)
        while high - low > 1:
            middle = (low + high) // 2
            if address(self.annotations[middle]) - self._base <= offset:
                low = middle
            else:
                high = middle
        return low


def open_document(
    source: Source, path: str, ledger: Ledger, *, results: bool = False, outlined: bool = False
) -> Document:
    """Read and split a COCO file, or a list of `results`, which become its annotations.

    With `outlined`, the annotations of a large file are left as they are, in its `outline`.

    Raises:
        BrokenFileError: it is not JSON, or not the JSON of a COCO file.
    """
    data = _utf8(read_buffer(source, path), path, ledger)
    if path.lower().endswith(LINE_SUFFIXES):
        return _from_lines(path, data[:], ledger)
    outline = outline_of(data) if outlined else None
    if outline is not None:
        document = _outlined(path, outline, ledger)
        if document is not None:
            return document
    split = _split_list if results else _split
    try:
        return split(path, data, ledger)
    except (msgspec.DecodeError, RecursionError) as error:
        first = error
    mended = _mended(path, data, ledger)
    if mended is data:
        raise broken_json(path, data, first) from first
    try:
        return split(path, mended, ledger)
    except (msgspec.DecodeError, RecursionError) as error:
        raise broken_json(path, mended, error) from error


def broken_json(path: str, data: Buffer, error: Exception) -> BrokenFileError:
    """Return the error that says where a JSON file is broken."""
    hint = "Nothing was read from it. Get or write the file again."
    text = str(error)
    if isinstance(error, RecursionError):
        return BrokenFileError("The JSON is nested too deeply to be a COCO file", where=path)
    if "truncated" in text:
        where = f"{path}, byte offset {len(data)}"
        return BrokenFileError("The JSON ends in the middle", where=where, hint=hint)
    match = re.search(r"byte (\d+)", text)
    place = int(match[1]) if match else 0
    where = f"{path}, byte offset {place}"
    if "trailing characters" in text:
        message = "There is extra data after the end of the JSON"
        return BrokenFileError(message, where=where, hint="Is it two files in one, or JSON lines?")
    near = data[max(place - 20, 0) : place + 20].decode("utf-8", "replace")
    return BrokenFileError(f"The file is not valid JSON near {near!r}", where=where, hint=hint)


def loads(text: bytes | str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return the value of a JSON text; a number too long for Python's int stays text."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return json.loads(text, object_pairs_hook=pairs, parse_int=_int)


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < _DIGITS else digits


def plain_json(value: Any) -> str:
    """Return a value as compact, strict JSON text (ASCII; NaN and infinities as text)."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=str)
        return json.dumps(finite, separators=(",", ":"))


def _split(path: str, data: Buffer, ledger: Ledger) -> Document:
    try:
        top = msgspec.json.decode(data, type=_Top)
    except msgspec.ValidationError:
        return _split_odd(path, data, ledger)
    base = address(data)
    spans = sorted(_span(part, base) for part in (top.annotations, top.images) if part)
    # What lies outside of the two long arrays is small: read it exactly, repeated keys and all.
    pieces, end = [], 0
    for begin, stop in spans:
        pieces.append(data[end:begin])
        end = stop
    rest, repeated = _pairs(b"".join([*pieces, data[end:]]))
    _no_twins(path, repeated, ledger)
    for name in _COUNTED:
        rest.pop(name, None)
    return Document(path, data, top.images, top.annotations, rest)


def _outlined(path: str, outline: Outline, ledger: Ledger) -> Document | None:
    told = Ledger()
    try:
        document = _split(path, outline.without(), told)
    except (msgspec.DecodeError, RecursionError, BrokenFileError):
        return None
    # Had another list been taken for its end, that would be missing.
    if not document.images or document.annotations or not document.rest.get("categories"):
        return None
    document.outline = outline
    ledger.extend(told)
    return document


def _split_list(path: str, data: Buffer, ledger: Ledger) -> Document:
    del ledger
    found: list[Raw] = msgspec.json.decode(data, type=list[Raw])
    document = Document(path, data, [], found, {})
    document.place_of = lambda at: (f"$[{at}]", f"result #{at + 1}")
    return document


def _split_odd(path: str, data: Buffer, ledger: Ledger) -> Document:
    # `images` or `annotations` is not a list: an object keyed by id, null, or this is no COCO.
    try:
        top = msgspec.json.decode(data, type=dict[str, Raw])
    except msgspec.ValidationError as error:
        raise BrokenFileError(
            "The JSON is not an object with images and annotations", where=path,
            hint="A list is read where its objects have image_id, category_id, score and a bbox, "
            "segmentation or keypoints.",
        ) from error  # fmt: skip
    parts = {}
    for name in _COUNTED:
        raw = bytes(top.pop(name, Raw(b"[]"))).strip()
        if raw[:1] == b"{":
            parts[name] = [_with_id(k, v) for k, v in _objects(raw)]
            text = f"{name} in {path} is an object keyed by id, not a list; its values were read"
            ledger.note(f"{name} is not a list", file=path, message=text)
        elif raw[:1] == b"[":
            parts[name] = msgspec.json.decode(raw, type=list[Raw])
        elif raw == b"null":
            parts[name] = []
        else:
            raise BrokenFileError(f"{name!r} is neither a list nor an object", where=path)
    body = b",".join(json.dumps(k).encode() + b":" + bytes(v) for k, v in top.items())
    rest, repeated = _pairs(b"{" + body + b"}")
    _no_twins(path, repeated, ledger)
    return Document(path, data, parts["images"], parts["annotations"], rest, contiguous=False)


def _objects(raw: bytes) -> Iterator[tuple[str, Raw]]:
    yield from msgspec.json.decode(raw, type=dict[str, Raw]).items()


def _with_id(key: str, raw: Raw) -> Raw:
    text = bytes(raw).strip()
    if text[:1] != b"{" or "id" in msgspec.json.decode(text, type=dict[str, Raw]):
        return raw
    ident = key if key.isdigit() else json.dumps(key)
    comma = b"" if text[1:].lstrip()[:1] == b"}" else b","
    return Raw(b'{"id":' + ident.encode() + comma + text[1:])


def _from_lines(path: str, data: bytes, ledger: Ledger) -> Document:
    images: list[Raw] = []
    annotations: list[Raw] = []
    categories: list[Any] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            keys = msgspec.json.decode(line, type=dict[str, Raw])
            images += msgspec.json.decode(keys.get("images", Raw(b"[]")), type=list[Raw])
            annotations += msgspec.json.decode(keys.get("annotations", Raw(b"[]")), type=list[Raw])
            categories += loads(bytes(keys.get("categories", Raw(b"[]"))))
        except (ValueError, RecursionError) as error:
            keys, text = {"": Raw()}, f"line {number} of {path} is not a JSON object: {error}"
        else:
            text = f"line {number} of {path} is neither an image, an annotation nor a category"
        if "image_id" in keys:
            annotations.append(Raw(line))
        elif "file_name" in keys:
            images.append(Raw(line))
        elif "name" in keys and "id" in keys:
            categories.append(loads(line))
        elif not keys.keys() & {"images", "annotations", "categories"}:
            ledger.read()
            ledger.reject(
                "the line is not understood", file=path, where=f"line {number}",
                record=f"line {number}", message=text,
            )  # fmt: skip
    rest = {"categories": categories}
    return Document(path, data, images, annotations, rest, contiguous=False)


def _pairs(text: bytes) -> tuple[dict[str, Any], list[str]]:
    # The keys of the top level as a dict, and those that come more than once.
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found, twice = {}, set()
        for key, value in items:
            if key in found:
                twice.add(key)
            found[key] = value
        repeated[:] = sorted(twice)  # the top level ends last
        return found

    found = loads(text, pairs)
    return (found, repeated) if isinstance(found, dict) else ({}, [])


def _no_twins(path: str, repeated: list[str], ledger: Ledger) -> None:
    lost = [name for name in repeated if name in (*_COUNTED, "categories")]
    if lost:
        raise BrokenFileError(
            f"The key {lost[0]!r} comes more than once in the file, and JSON keeps only the last",
            where=path, hint="Join the lists under one key.",
        )  # fmt: skip
    for name in repeated:
        text = f"the key {name!r} comes more than once in {path}; the last one was read"
        ledger.note("a key comes more than once", file=path, message=text)


def _utf8(data: Buffer, path: str, ledger: Ledger) -> Buffer:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data[:].decode("utf-16", "replace").encode()
    data = data[3:] if data[:3] == b"\xef\xbb\xbf" else data
    if is_ascii(data):
        return data
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        for start in range(0, len(data), _SLICE):
            decode(data[start : start + _SLICE], start + _SLICE >= len(data))
    except UnicodeDecodeError as error:
        text = f"{path} is not UTF-8 ({error.reason}): what is none is read as \ufffd"
        ledger.note("the file is not UTF-8", file=path, message=text)
        return data[:].decode("utf-8", "replace").encode()
    return data


def _mended(path: str, data: Buffer, ledger: Ledger) -> Buffer:
    # Python's json module writes NaN, and halves of surrogate pairs, and other readers refuse both.
    if data.find(b"NaN") >= 0 or data.find(b"Infinity") >= 0:
        data = _replaced(
            _STRING_OR_NAN, lambda m: m[0] if m[0][:1] == b'"' else b'"%b"' % m[0], data,
            "NaN or Infinity, which JSON does not have", path, 'as text ("NaN")', ledger,
        )  # fmt: skip
    if data.find(b"\\u") >= 0:
        data = _replaced(
            _ESCAPE, lambda m: b"\\ufffd" if m[1] else m[0], data,
            "half a surrogate pair, which is no Unicode text", path, "as \ufffd", ledger,
        )  # fmt: skip
    return data


def _replaced(
    pattern: re.Pattern[bytes], replace: Callable[[re.Match[bytes]], bytes], data: Buffer,
    what: str, path: str, read_as: str, ledger: Ledger,
) -> Buffer:  # fmt: skip
    places: list[int] = []

    def mend(match: re.Match[bytes]) -> bytes:
        new = replace(match)
        if new != match[0]:
            places.append(match.start())
        return new

    mended = pattern.sub(mend, data)
    if not places:
        return data
    near = data[max(places[0] - 40, 0) : places[0] + 40].decode("utf-8", "replace")
    text = (
        f"{path} holds {what}, {len(places)} times; read {read_as}. The first is at byte offset "
        f"{places[0]}, near {near!r}"
    )
    ledger.note(what, file=path, where=f"byte offset {places[0]}", message=text)
    return mended


def _span(records: list[Raw], base: int) -> tuple[int, int]:
    last = records[-1]
    return address(records[0]) - base, address(last) - base + len(last)
