"""annotation.conf and visual.conf: the labels that brat offers, and their colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...schema import Label

__all__ = ["annotation_conf", "labels_of", "visual_conf"]

_SECTION = re.compile(r"\[(\w+)\]")
_COLOR = re.compile(r"\bbgColor:(#[0-9a-fA-F]{6}|#[0-9a-fA-F]{3})\b")
_KINDS = ("entities", "events", "relations")


def _sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        match = _SECTION.fullmatch(line.strip())
        if match:
            name = match[1].lower()
        elif line.strip() and not line.lstrip().startswith("#"):
            found.setdefault(name, []).append(line)
    return found


def labels_of(annotation: str, visual: str) -> list[Label]:
    r"""Return the labels that the two files declare, in their order; indented ones are children.

    >>> [label.name for label in labels_of("[entities]\nPerson\n\tAuthor\n", "")]
    ['Person', 'Author']
    """
    colors = {}
    for line in _sections(visual).get("drawing", ()):
        name, _, rest = line.strip().partition("\t" if "\t" in line.strip() else " ")
        match = _COLOR.search(rest)
        if match:
            color = match[1].lower()
            colors[name] = color if len(color) == 7 else "#" + "".join(2 * c for c in color[1:])
    found: dict[str, Label] = {}
    sections = _sections(annotation)
    for kind in _KINDS:
        above: list[str] = []
        for line in sections.get(kind, ()):
            depth = len(line) - len(line.lstrip("\t"))
            name = line.strip().split("\t")[0].split(" ")[0].lstrip("!")
            if not name or name[0] in "<-":
                continue
            above = above[:depth]
            parent = above[-1] if above else None
            found.setdefault(
                name, Label(name, colors.get(name), parent, extra={"brat": {"kind": kind}})
            )
            above.append(name)
    return list(found.values())


def annotation_conf(
    entities: Iterable[str], relations: Iterable[str], events: Mapping[str, Sequence[str]],
    attributes: Mapping[str, Sequence[str]],
) -> str:  # fmt: skip
    """Return the text of annotation.conf."""
    lines = ["[entities]", *entities, "", "[relations]"]
    lines += [f"{name}\tArg1:<ANY>, Arg2:<ANY>" for name in relations]
    lines += ["", "[events]"]
    for name, roles in events.items():
        lines.append("\t".join([name, ", ".join(f"{role}*:<ANY>" for role in roles)]).rstrip())
    lines += ["", "[attributes]"]
    for name, values in attributes.items():
        some = f", Value:{'|'.join(values)}" if values else ""
        lines.append(f"{name}\tArg:<ANY>{some}")
    return "\n".join(lines) + "\n"


def visual_conf(labels: Iterable[Label], names: Mapping[str, str]) -> str:
    """Return the text of visual.conf: a colour for each label that has one; "" for none."""
    colors = [
        f"{names[label.name]}\tbgColor:{label.color}"
        for label in labels
        if label.color and label.name in names
    ]
    return "\n".join(["[labels]", "", "[drawing]", *colors]) + "\n" if colors else ""
