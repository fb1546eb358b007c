"""``python -m benchmarks [names]``: measure, print the table, write ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .cases import CASES, make_cases
from .frame import measure
from .report import into_readme, page, table

ROOT = Path(__file__).parents[1]
FULL_IMAGES = 118_287


def main() -> None:
    """Run the cases that are named, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*CASES, "browser", []], metavar="name")
    parser.add_argument("--images", type=int, default=FULL_IMAGES, help="size of the COCO file")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side (default 3)")
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    given = parser.parse_args()
    names = given.names or [*CASES, "browser"]

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    cases = make_cases(names, given.images, given.repeats)
    outcomes = [measure(case, tell) for case in cases]
    if "browser" in names:
        from .browser import measure_pages

        outcomes += measure_pages(tell)
    print(table(outcomes))
    # Only a whole run of full size is published.
    if not given.no_write and not given.names and given.images == FULL_IMAGES:
        (ROOT / "docs/benchmarks.md").write_text(page(outcomes), "utf-8")
        into_readme(ROOT / "README.md", outcomes)


if __name__ == "__main__":
    main()
