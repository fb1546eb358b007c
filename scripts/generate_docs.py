"""Write the parts of the documents that come from the code: `python scripts/generate_docs.py`.

`--check` changes nothing and fails where a document is out of date; the tests run it.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import nbannot.formats
from nbannot.formats import FORMATS, get_format
from nbannot.formats.base import Format, Option
from nbannot.formats.features import fates_of, sample_of
from nbannot.formats.recognised import RECOGNISED
from nbannot.schema import TYPES

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- {0}: made by scripts/generate_docs.py -->", "<!-- end of {0} -->"


def formats() -> list[Format]:
    """Return the built-in formats, in alphabetical order."""
    return [get_format(name) for name in FORMATS]


def summary_table() -> str:
    """Return the table of formats for the README: what is read and written, in short."""
    both = [fmt for fmt in formats() if fmt.reads and fmt.writes]
    read = [fmt for fmt in formats() if fmt.reads and not fmt.writes]
    rows = ["| | formats |", "|-|-|"]
    for what, some in ((f"read and written ({len(both)})", both), (f"read ({len(read)})", read)):
        links = (f"[{fmt.title}](docs/formats/{fmt.name}.md)" for fmt in some)
        rows.append(f"| {what} | {' · '.join(links)} |")
    known = len(RECOGNISED)
    rows.append(f"| recognised by name ({known}) | [nuScenes, ELAN, DICOM …](docs/formats.md) |")
    return "\n".join(rows)


def linked_table() -> str:
    """Return the table of formats, a row each, for a page beside the folder of formats."""
    return _table("formats/")


def _table(folder: str) -> str:
    rows = ["| format | name | read | write | holds |", "|-|-|-|-|-|"]
    for fmt in formats():
        read, write = ("✓" if yes else "" for yes in (fmt.reads, fmt.writes))
        link = f"[{fmt.title}]({folder}{fmt.name}.md)"
        rows.append(f"| {link} | `{fmt.name}` | {read} | {write} | {_holds(fmt)} |")
    return "\n".join(rows)


def _holds(fmt: Format) -> str:
    every = set(fmt.holds) >= set(TYPES)
    return "everything" if every else ", ".join(t.replace("_", " ") for t in fmt.holds)


def recognised_list() -> str:
    """Return what is recognised by name and not read."""
    return "\n".join(
        f"* {known.title}" + (f": {known.instead}" if known.instead else "") for known in RECOGNISED
    )


def page(fmt: Format) -> str:
    """Return the page of one format."""
    abilities = [word for word, yes in (("read", fmt.reads), ("written", fmt.writes)) if yes]
    parts = [
        f"# {fmt.title}\n",
        f"`{fmt.name}` · {' and '.join(abilities)} · [all formats](../formats.md)\n",
        f"{fmt.summary}\n",
        _prose(inspect.cleandoc(type(fmt).__doc__ or "")) + "\n",
        f"The rules come from: {fmt.rules}\n",
    ]
    if fmt.reads:
        parts.append(f"## Reading\n\n{_code(_READ, fmt)}\n{_options('reading', fmt.read_options)}")
    if fmt.writes:
        parts.append(
            f"## Writing\n\n{_code(_WRITE, fmt)}\n{_options('writing', fmt.write_options)}"
        )
        parts.append(f"## What it holds, and what it loses\n\n{_fates(fmt)}")
        parts.append(f"## What is written\n\n{_sample(fmt)}")
    return "\n".join(parts).rstrip() + "\n"


_READ = 'project.import_dataset("dataset.zip", format="{name}")  # found by itself, most often'
_WRITE = 'project.export_plan("{name}")  # what would be lost\nproject.export("{name}", "out")'


def _code(text: str, fmt: Format) -> str:
    return f"```python\n{text.format(name=fmt.name)}\n```\n"


def _prose(text: str) -> str:
    # reStructuredText of a docstring, as far as ours use it, as Markdown.
    text = re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)
    return re.sub(r"::\n\n((?:    .*\n?|\n)+)", lambda m: ":\n\n" + m[1], text)


def _fates(fmt: Format) -> str:
    rows = ["| | | |", "|-|-|-|"]
    marks = {"kept": "kept", "converted": "changed", "dropped": "left out", "lost": "LOST"}
    for name, fate in fates_of(fmt).items():
        how = "; ".join(fate.how).replace("|", "\\|") if fate.outcome != "kept" else ""
        rows.append(f"| {name} | {marks[fate.outcome]} | {how} |")
    text = "Each was written and read again; whatever is not kept is a line of the export's ledger."
    return f"{text}\n\n" + "\n".join(rows) + "\n"


def _sample(fmt: Format) -> str:
    files = sample_of(fmt)
    shown = ["```text", *sorted(files), "```\n"]
    texts = {p: d for p, d in files.items() if _is_text(d)}
    if texts:
        path = max(texts, key=lambda p: len(texts[p]))
        body = texts[path].decode()
        lines = [line[:_WIDTH] + "…" * (len(line) > _WIDTH) for line in body.splitlines()]
        more = ["…"] if len(lines) > _LINES else []
        shown += [f"`{path}`:\n", "```text", *lines[:_LINES], *more, "```\n"]
    return "\n".join(shown)


_WIDTH, _LINES = 200, 24


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode() and bool(data)
    except UnicodeDecodeError:
        return False


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


def adding_page() -> str:
    """Return the page about formats of one's own: what the registry's docstring says."""
    doc = inspect.cleandoc(nbannot.formats.__doc__ or "")
    before, _, rest = doc.partition("::\n\n")
    code, after = re.split(r"\n\n(?=\S)", rest, maxsplit=1)
    blocks = re.split(r"^# (\S+?)(?:: (.*))?$", inspect.cleandoc(code), flags=re.MULTILINE)[1:]
    parts = ["# Adding a format\n", before.partition("\n\n")[2] + ":\n"]
    for name, about, body in zip(blocks[::3], blocks[1::3], blocks[2::3], strict=True):
        language = "toml" if name.endswith(".toml") else "python"
        told = f"`{name}`" + (f": {about}" if about else "")
        code = body.strip().replace("'''", '"""')  # a docstring within a docstring
        parts.append(f"{told}\n\n```{language}\n{code}\n```\n")
    parts.append(after + "\n")
    parts.append(
        "What is shown here is the docstring of `nbannot.formats`. A test installs it as a package "
        "of its own, and runs the suite against it.\n"
    )
    return "\n".join(parts)


SECTIONS = {
    "README.md": {"table of formats": summary_table},
    "docs/formats.md": {"table of formats": linked_table, "recognised": recognised_list},
}
PAGES = ROOT / "docs/formats"


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
    wanted: dict[Path, str] = {ROOT / "docs/adding-a-format.md": adding_page()}
    wanted |= {PAGES / f"{fmt.name}.md": page(fmt) for fmt in formats()}
    for document, sections in SECTIONS.items():
        text = (ROOT / document).read_text("utf-8")
        for name, make in sections.items():
            text = filled(text, name, make())
        wanted[ROOT / document] = text
    for file in sorted({*PAGES.glob("*.md"), *wanted}):
        old, new = file.read_text("utf-8") if file.exists() else None, wanted.get(file)
        if new == old:
            continue
        stale += 1
        shown = file.relative_to(ROOT)
        if "--check" in sys.argv:
            print(f"{shown} is out of date: run python scripts/generate_docs.py")
        elif new is None:
            file.unlink()
            print(f"removed {shown}: there is no such format")
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(new, "utf-8")
            print(f"wrote {shown}")
    return stale if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
