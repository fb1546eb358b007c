"""Write the parts of the documents that come from the code: `python scripts/generate_docs.py`.

`--check` changes nothing and fails where a document is out of date; the tests run it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from nbannot.formats import FORMATS, get_format
from nbannot.formats.base import Format, Option

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- {0}: made by scripts/generate_docs.py -->", "<!-- end of {0} -->"


def formats() -> list[Format]:
    """Return the built-in formats, in alphabetical order."""
    return [get_format(name) for name in FORMATS]


def summary_table() -> str:
    """Return the table of formats: one row each."""
    rows = ["| format | name | read | write | holds |", "|-|-|-|-|-|"]
    for fmt in formats():
        read, write = ("✓" if yes else "" for yes in (fmt.reads, fmt.writes))
        rows.append(f"| {fmt.title} | `{fmt.name}` | {read} | {write} | {', '.join(fmt.holds)} |")
    return "\n".join(rows)


def pages() -> str:
    """Return a section per format, with its options."""
    parts = []
    for fmt in formats():
        parts.append(f"## {fmt.title} (`{fmt.name}`)\n\n{fmt.summary}\n")
        parts.append(f"* Holds: {', '.join(fmt.holds)}.")
        parts.append(f"* Rules: {fmt.rules}\n")
        if fmt.reads:
            parts.append(_options("reading", fmt.read_options))
        if fmt.writes:
            parts.append(_options("writing", fmt.write_options))
    return "\n".join(parts).rstrip() + "\n"


def _options(what: str, options: tuple[Option, ...]) -> str:
    if not options:
        return f"No options for {what}.\n"
    rows = [f"Options for {what}:\n", "| option | values | default | meaning |", "|-|-|-|-|"]
    for option in options:
        values = ", ".join(option.choices) or option.kind
        default = "found out" if option.default is None else f"`{option.default}`"
        help_text = option.help.replace("|", "\\|")
        rows.append(f"| `{option.name}` | {values} | {default} | {help_text} |")
    return "\n".join(rows) + "\n"


SECTIONS = {
    "README.md": {"table of formats": summary_table},
    "docs/formats.md": {"table of formats": summary_table, "formats": pages},
}


def filled(text: str, name: str, content: str) -> str:
    """Return `text` with the marked section `name` replaced by `content`."""
    begin, end = BEGIN.format(name), END.format(name)
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"there is no section {begin!r}")
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text)


def main() -> int:
    """Write, or with --check compare, every document; return the number of differences."""
    stale = 0
    for path, sections in SECTIONS.items():
        file = ROOT / path
        old = new = file.read_text("utf-8")
        for name, make in sections.items():
            new = filled(new, name, make())
        if new != old:
            stale += 1
            if "--check" in sys.argv:
                print(f"{path} is out of date: run python scripts/generate_docs.py")
            else:
                file.write_text(new, "utf-8")
                print(f"wrote {path}")
    return stale if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
