"""Writing brat: the texts, their .ann files, annotation.conf and visual.conf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET
from ..fitting import FileNames, Fitting, Holds, Row
from ..json_records import (
    own,
)
from ..json_values import dumps
from ..texts import (
    is_split,
    json_object,
    plain_label,
    text_items,
)
from ..writing import Export, Sink, safe_path
from .config import annotation_conf, visual_conf

__all__ = ["BratWriter"]

_HOLDS = Holds(
    {"text_span": (), "relation": ()}, columns=("attributes", "extra", "group"), kinds=("text",)
)
_UNSAFE = r"[\s:;|]+"
_ID = re.compile(r"[TER]\d{1,15}")


class BratWriter:
    """Writes a folder per subset, a text and an .ann file per item."""

    def __init__(self, export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
        self._export, self._sink = export, sink
        self._ledger, self._progress = ledger, progress
        self._fitting = Fitting("brat", _HOLDS, ledger)
        self._names: dict[str, str] = {}
        self._entities: dict[str, None] = {}
        self._relations: dict[str, None] = {}
        self._events: dict[str, list[str]] = {}
        self._attributes: dict[str, list[str]] = {}

    def write(self) -> None:
        """Write all subsets."""
        alone = list(self._export.subsets) in ([], [DEFAULT_SUBSET], [""])
        names = FileNames(stems=True)
        renamed = lost = 0
        for subset in self._export.subsets:
            folder = "" if alone else safe_path(subset or DEFAULT_SUBSET)
            if folder and not is_split(folder):
                self._ledger.note(
                    "name of a subset is not kept", file=folder,
                    message=f"{folder} is a folder, and part of the key when read again",
                )  # fmt: skip
            for item, rows, text, data in text_items(
                self._export, subset, self._fitting, self._progress, f"Writing {subset or 'texts'}"
            ):
                key = item["key"]
                named = key if key.lower().endswith(".txt") else f"{key}.txt"
                renamed += named != key
                lost += bool(data)
                path = names.of({"key": named}, folder)
                self._sink.write(path, text)
                lines = _Lines(self, self._fitting, item, text).of(rows)
                body = "".join(f"{line}\n" for line in lines)
                self._sink.write(path[: -len(".txt")] + ".ann", body)
        self._write_config()
        self._fitting.close()
        if renamed:
            self._ledger.note(
                "keys end in .txt", message=f"{renamed:,} texts are files, and called so"
            )
        if lost:
            self._ledger.note("no place in brat", message=f"data beside the text of {lost:,} items")

    def _write_config(self) -> None:
        for label in self._export.labels:
            plain = re.sub(_UNSAFE, "_", label.name)
            self._names.setdefault(label.name, plain)
            if not any(plain in some for some in (self._relations, self._events, self._entities)):
                kind = label.extra.get("brat", {})
                if kind.get("kind") == "relations":
                    self._relations[plain] = None
                elif kind.get("kind") != "events":
                    self._entities[plain] = None
        self._sink.write("annotation.conf", annotation_conf(
            self._entities, self._relations, self._events, self._attributes
        ))  # fmt: skip
        colors = visual_conf(self._export.labels, self._names)
        if colors:
            self._sink.write("visual.conf", colors)

    # -- what annotation.conf lists ---------------------------------------------------------

    def saw_entity(self, given: str, name: str) -> None:
        """Remember a type of span."""
        self._names[given] = name
        self._entities[name] = None

    def saw_relation(self, given: str, name: str) -> None:
        """Remember a type of relation."""
        self._names[given] = name
        self._relations[name] = None

    def saw_event(self, kind: str, roles: Sequence[str]) -> None:
        """Remember a type of event and its roles."""
        known = self._events.setdefault(kind, [])
        known += [r for r in dict.fromkeys(roles) if r not in known]

    def saw_attribute(self, name: str, value: object) -> None:
        """Remember an attribute and its value."""
        known = self._attributes.setdefault(name, [])
        if value is not True and str(value) not in known:
            known.append(str(value))


class _Lines:
    """The lines of one item."""

    def __init__(self, writer: BratWriter, fitting: Fitting, item: Row, text: str) -> None:
        self._writer, self._fitting, self._item, self._text = writer, fitting, item, text
        self._ids: dict[str, str] = {}
        self._counts = dict.fromkeys("TERANM#", 0)
        self._later: list[str] = []

    def of(self, rows: Sequence[Row]) -> Iterator[str]:
        """Yield the lines of the item's annotations."""
        spans = [r for r in rows if r["type"] == "text_span"]
        relations = [r for r in rows if r["type"] == "relation"]
        self._keep_ids(rows)
        wholes = self._wholes(spans)
        for parts in wholes:
            yield self._span(parts)
        for parts in wholes:
            for event in own(parts[0], "brat").get("events", ()):
                yield self._bare_event(event, self._ids[_id_of(parts[0])])
        yield from self._relations(relations)
        yield from self._later
        yield from own(self._item, "brat", "meta").get("lines", ())

    def _keep_ids(self, rows: Sequence[Row]) -> None:
        # Ids that brat could have given are kept; the others get the numbers that are left.
        for row in rows:
            name = str(row.get("source_id", ""))
            letter = "T" if row["type"] == "text_span" else "ER"
            if _ID.fullmatch(name) and name[0] in letter and name not in self._ids:
                self._ids[name] = name
            for event in own(row, "brat").get("events", ()):
                if _ID.fullmatch(event["id"]):
                    self._ids[event["id"]] = event["id"]
        for name in self._ids.values():
            self._counts[name[0]] = max(self._counts[name[0]], int(name[1:]))

    def _new(self, letter: str) -> str:
        self._counts[letter] += 1
        return f"{letter}{self._counts[letter]}"

    def _wholes(self, spans: Sequence[Row]) -> list[list[Row]]:
        # Parts of a discontinuous span: those of one group, if brat's reader made them.
        found: dict[object, list[Row]] = {}
        for n, row in enumerate(spans):
            part = own(row, "brat").get("part")
            group = row.get("group")
            if part is None and group is not None:
                self._fitting.warn(self._item, row, "group can't be written", f"group {group}")
            key = ("group", group, row["label"]) if part is not None and group is not None else n
            found.setdefault(key, []).append(row)
        return [
            sorted(parts, key=lambda r: own(r, "brat").get("part", 0)) for parts in found.values()
        ]

    def _span(self, parts: list[Row]) -> str:
        first = parts[0]
        parts_of_text = [(r["start"], r["end"]) for r in parts]
        given = _id_of(first)
        name = self._ids.get(given) or self._new("T")
        self._ids[given] = name
        label = plain_label(self._fitting, self._item, first, _UNSAFE)
        self._writer.saw_entity(first["label"], label)
        offsets = ";".join(f"{low} {high}" for low, high in parts_of_text)
        quoted = " ".join(
            " ".join(re.split(r"[\r\n\t]", self._text[a:b])) for a, b in parts_of_text
        )
        self._more(name, json_object(first.get("attributes")), own(first, "brat"))
        return f"{name}\t{label} {offsets}\t{quoted}"

    def _bare_event(self, event: Mapping[str, Any], trigger: str) -> str:
        name = event["id"] if _ID.fullmatch(event["id"]) else self._new("E")
        self._ids[event["id"]] = name
        self._writer.saw_event(event["type"], ())
        self._more(name, event.get("attributes", {}), event)
        return f"{name}\t{event['type']}:{trigger}"

    def _relations(self, rows: Sequence[Row]) -> Iterator[str]:
        events: dict[str, list[Row]] = {}
        equal: dict[object, list[Row]] = {}
        plain: list[Row] = []
        for row in rows:
            mine = own(row, "brat")
            ends = json_object(row.get("attributes"))
            if not (ends.get("from") and ends.get("to")):
                self._fitting.reject(
                    self._item, row, "relation without ends", "it names no from or no to"
                )
            elif "event" in mine:
                events.setdefault(mine["event"], []).append(row)
            elif "equivalent" in mine:
                equal.setdefault(mine["equivalent"], []).append(row)
            else:
                plain.append(row)
        for given in events:
            name = given if _ID.fullmatch(given) else self._new("E")
            self._ids[given] = name
        for given, some in events.items():
            yield from self._event(self._ids[given], some)
        for row in plain:
            yield from self._relation(row)
        for some in equal.values():
            yield from self._equivalence(some)

    def _end(self, row: Row, which: str) -> str | None:
        given = str(json_object(row["attributes"])[which])
        name = self._ids.get(given)
        if name is None and own(row, "brat") and _ID.fullmatch(given):
            return given  # it was missing when it was read
        if name is None:
            self._fitting.reject(
                self._item, row, "end of a relation is missing", f"{given} is not written"
            )
        return name

    def _event(self, name: str, rows: Sequence[Row]) -> Iterator[str]:
        kind = own(rows[0], "brat")["type"]
        trigger = self._end(rows[0], "from")
        if trigger is None:
            return
        roles = []
        for row in rows:
            to = self._end(row, "to")
            if to is not None:
                roles.append((plain_label(self._fitting, self._item, row, _UNSAFE), to))
        self._writer.saw_event(kind, [re.sub(r"\d+$", "", role) for role, _ in roles])
        yield f"{name}\t{kind}:{trigger}" + "".join(f" {role}:{to}" for role, to in roles)
        self._more(name, json_object(rows[0]["attributes"]), own(rows[0], "brat"))

    def _relation(self, row: Row) -> Iterator[str]:
        one, other = self._end(row, "from"), self._end(row, "to")
        if one is None or other is None:
            return
        given = _id_of(row)
        name = self._ids.get(given) or self._new("R")
        self._ids[given] = name
        label = plain_label(self._fitting, self._item, row, _UNSAFE)
        self._writer.saw_relation(row["label"], label)
        first, second = own(row, "brat").get("roles", ("Arg1", "Arg2"))
        yield f"{name}\t{label} {first}:{one} {second}:{other}"
        self._more(name, json_object(row["attributes"]), own(row, "brat"))

    def _equivalence(self, rows: Sequence[Row]) -> Iterator[str]:
        names = [self._end(rows[0], "from"), *(self._end(row, "to") for row in rows)]
        there = [name for name in names if name is not None]
        if len(there) > 1:
            label = plain_label(self._fitting, self._item, rows[0], _UNSAFE)
            yield f"*\t{label} {' '.join(there)}"

    def _more(self, name: str, attributes: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
        for given, value in attributes.items():
            if given in ("from", "to", "direction") and name[0] != "T":
                continue
            if value is False or value is None:
                continue
            plain = re.sub(_UNSAFE, "_", given)
            if isinstance(value, (dict, list)):
                value = dumps(value)
            said = "" if value is True else " " + re.sub(r"\s+", " ", str(value))
            self._writer.saw_attribute(plain, value)
            self._later.append(f"{self._new('A')}\t{plain} {name}{said}")
        for kind, database, entry, text in extra.get("normalizations", ()):
            self._later.append(f"{self._new('N')}\t{kind} {name} {database}:{entry}\t{text}")
        for kind, text in extra.get("notes", ()):
            self._later.append(f"{self._new('#')}\t{kind} {name}\t{text}")


def _id_of(row: Row) -> str:
    return str(row.get("source_id", id(row)))
