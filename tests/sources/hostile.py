"""A child process that reads one file, with little memory, and prints what came of it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from nbannot.errors import NbannotError
from nbannot.media.images import probe_image, thumbnail
from nbannot.sources import open_source

ADDRESS_SPACE_BYTES = 1_500_000_000


def main(path: str, what: str) -> dict[str, Any]:
    """Open `path` as a source and read all of it, or look at it as an image."""
    before = peak_bytes()
    answer: dict[str, Any] = {}
    try:
        if what == "image":
            with open(path, "rb") as stream:  # noqa: PTH123
                data = stream.read()
            answer["info"] = probe_image(data, os.path.basename(path))  # noqa: PTH119
            answer["thumbnail"] = len(thumbnail(data, 160))
        else:
            source = open_source(path)
            answer["files"] = list(source.files)
            answer["notes"] = source.notes
            answer["bytes"] = sum(len(source.read(name)) for name in source.files)
    except NbannotError as error:
        answer["error"], answer["message"] = type(error).__name__, str(error)
    answer["canary"] = os.environ.get("NBANNOT_CANARY")
    answer["grown"] = peak_bytes() - before
    return answer


def peak_bytes() -> int:
    """Return the most memory that this process has held at once."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
