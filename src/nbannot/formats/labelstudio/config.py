"""Label Studio's labelling configuration: which controls and labels there are; read and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from ...errors import BrokenFileError
from ...schema import Label

__all__ = ["Config", "Control", "config_xml", "parse_config"]

KIND_OF_OBJECT = {
    "Image": "image", "Video": "video", "Audio": "audio", "AudioPlus": "audio", "Text": "text",
    "HyperText": "text", "Paragraphs": "text", "TimeSeries": "time_series", "Table": "table",
    "List": "other", "Chat": "text", "Pdf": "other",
}  # fmt: skip
"""Kind of item of each object tag."""

_CHILDREN = ("Label", "Choice")
_RGB = re.compile(r"rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class Control:
    """A control tag: its `tag` (``RectangleLabels``), `name`, and the objects it is on."""

    tag: str
    name: str
    to_names: tuple[str, ...]


@dataclass
class Config:
    """A labelling configuration.

    `objects` are (kind, key in the data or None) by name, `controls` by name; a name with
    ``{{idx}}`` stands for one of each number. `labels` are those of all controls, in order.
    """

    file: str = ""
    objects: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)

    def knows(self, from_name: str) -> bool:
        """Say whether there is a control of this name."""
        return from_name in self.controls or any(
            _pattern(name).fullmatch(from_name) for name in self.controls if "{{" in name
        )

    def control_like(self, from_name: str) -> Control | None:
        """Return the control of this name, also one of ``{{idx}}``; None if there is none."""
        if from_name in self.controls:
            return self.controls[from_name]
        for name, control in self.controls.items():
            if "{{" in name and _pattern(name).fullmatch(from_name):
                return control
        return None

    def object_of(self, to_name: str) -> tuple[str, str | None] | None:
        """Return (kind, key in the data) of the object of this name, None if there is none."""
        found = self.objects.get(to_name)
        if found is None:
            for name, entry in self.objects.items():
                if "{{" in name and _pattern(name).fullmatch(to_name):
                    return entry
        return found


def _pattern(name: str) -> re.Pattern[str]:
    parts = re.split(r"\{\{.*?\}\}", name)
    return re.compile(".*".join(re.escape(p) for p in parts))


def parse_config(data: bytes | str, file: str = "") -> Config:
    """Return what a labelling configuration declares.

    Raises:
        BrokenFileError: it is not XML, or not a configuration, or has a DTD or entities in it.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise BrokenFileError(
            f"The labelling configuration can't be read: {error!r}", where=file
        ) from error
    if root.tag != "View":
        raise BrokenFileError(f"It begins with <{root.tag}>, not with <View>", where=file)
    config = Config(file)
    seen: set[str] = set()
    for tag in root.iter():
        name, to = tag.get("name"), tag.get("toName") or tag.get("toname")
        if name and to:
            config.controls[name] = Control(tag.tag, name, tuple(to.replace(" ", "").split(",")))
            for label in _labels(tag, name, ()):
                if label.name not in seen:
                    seen.add(label.name)
                    config.labels.append(label)
        elif name and (tag.get("value") or tag.get("valueList")):
            kind = KIND_OF_OBJECT.get(tag.tag, "other")
            config.objects[name] = (kind, _data_key(tag.get("value") or tag.get("valueList") or ""))
    return config


def _data_key(value: str) -> str | None:
    # "$image" -> image; "$item[{{idx}}].url" and "see $name" -> their first word.
    match = re.search(r"\$(\w[\w.\-]*)", value)
    return match[1] if match else None


def _labels(control: Any, name: str, above: tuple[str, ...]) -> Iterable[Label]:
    nested = control.tag == "Taxonomy" or bool(above)
    for child in control:
        if child.tag not in _CHILDREN:
            if child.tag in ("View", "Filter"):
                yield from _labels(child, name, above)
            continue
        value = child.get("alias") or child.get("value")
        if not value:
            continue
        path = (*above, value)
        known = ("value", "alias", "background", "hotkey")
        extra: dict[str, Any] = {"control": name}
        extra |= {k: v for k, v in child.attrib.items() if k not in known}
        if child.get("alias") and child.get("value"):
            extra["value"] = child.get("value")
        yield Label(
            "/".join(path) if nested else value,
            color=_color(child.get("background")),
            parent="/".join(above) or None,
            hotkey=child.get("hotkey"),
            extra=extra,
        )
        deeper = path if control.tag == "Taxonomy" or above else ()
        yield from _labels(child, name, deeper)


def _color(css: str | None) -> str | None:
    if not css:
        return None
    match = _RGB.fullmatch(css.strip().lower())
    if match:
        parts = [min(int(v), 255) for v in match.groups()]
    else:
        from PIL import ImageColor

        try:
            parts = list(ImageColor.getrgb(css.strip())[:3])
        except ValueError:
            return None
    return "#{:02x}{:02x}{:02x}".format(*parts)


# -- writing --------------------------------------------------------------------------


def config_xml(
    objects: Mapping[str, tuple[str, str]],
    controls: Mapping[str, tuple[str, str, Iterable[str]]],
    labels: Mapping[str, Label],
    relations: Iterable[str] = (),
) -> str:
    """Return a labelling configuration.

    Args:
        objects: (tag, key in the data) of each object, by name.
        controls: (tag, name of its object, labels) of each control, by name.
        labels: what is known of each label, by name.
        relations: labels of relations.
    """
    lines = ["<View>"]
    for name, (tag, key) in objects.items():
        lines.append(f"  <{tag} name={quoteattr(name)} value={quoteattr('$' + key)}/>")
    for name, (tag, to, names) in controls.items():
        head = f"  <{tag} name={quoteattr(name)} toName={quoteattr(to)}"
        child = "Choice" if tag in ("Choices", "Taxonomy") else "Label"
        if tag == "Taxonomy":
            lines += [f"{head}>", *_tree(names, labels), f"  </{tag}>"]
        elif tag == "Choices" or tag.endswith("Labels"):
            many = ' choice="multiple"' if tag == "Choices" else ""
            inner = [f"    <{child}{_attributes(n, labels.get(n))}/>" for n in names]
            lines += [f"{head}{many}>", *inner, f"  </{tag}>"]
        else:
            lines.append(f"{head}/>")
    named = [f"    <Relation value={quoteattr(name)}/>" for name in relations]
    if named:
        lines += ["  <Relations>", *named, "  </Relations>"]
    return "\n".join([*lines, "</View>", ""])


def _attributes(name: str, label: Label | None, *, shown: str | None = None) -> str:
    extra = dict(label.extra) if label else {}
    value = shown or name
    out = {"value": value}
    if isinstance(extra.get("value"), str):  # `name` is the alias of what a user reads
        out = {"value": extra["value"], "alias": value}
    if label and label.color:
        out["background"] = label.color
    if label and label.hotkey:
        out["hotkey"] = label.hotkey
    for key, entry in extra.items():
        if key in ("category", "model_index") and isinstance(entry, str):
            out[key] = entry
    return "".join(f" {k}={quoteattr(v)}" for k, v in out.items())


def _tree(paths: Iterable[str], labels: Mapping[str, Label]) -> list[str]:
    tree: dict[str, Any] = {}
    for path in paths:
        place = tree
        for part in path.split("/"):
            place = place.setdefault(part, {})

    def lines(nodes: dict[str, Any], above: str, depth: int) -> list[str]:
        out = []
        for name, children in nodes.items():
            path = f"{above}/{name}" if above else name
            head = f"{'  ' * depth}<Choice{_attributes(path, labels.get(path), shown=name)}"
            if children:
                out += [f"{head}>", *lines(children, path, depth + 1), f"{'  ' * depth}</Choice>"]
            else:
                out.append(f"{head}/>")
        return out

    return lines(tree, "", 2)
