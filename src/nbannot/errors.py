"""The errors that nbannot raises, each one saying what happened, where, and what to do.

::

    NbannotError
    ├── SourceError                 a source can't be opened or read
    │   ├── UnsafeSourceError       an archive or file that would do harm (bomb, path escape, link)
    │   └── DependencyError         an optional package is missing (also an ImportError)
    ├── FormatError                 a file is not what its format says
    │   ├── UnknownFormatError      no format recognises the source
    │   └── BrokenFileError         a container (JSON, XML, YAML, image ...) can't be parsed
    ├── SchemaError                 columns do not fit nbannot.schema (a reader's fault)
    ├── OptionError                 an argument has a wrong value (also a ValueError)
    ├── ProjectError                the project can't be opened, read or changed
    ├── StrictError                 strict=True, and the ledger is not clean
    ├── BalanceError                a reader did not account for its records (a reader's fault)
    └── Cancelled                   somebody pressed Cancel
"""

from __future__ import annotations

__all__ = [
    "BalanceError",
    "BrokenFileError",
    "Cancelled",
    "DependencyError",
    "FormatError",
    "NbannotError",
    "OptionError",
    "ProjectError",
    "SchemaError",
    "SourceError",
    "StrictError",
    "UnknownFormatError",
    "UnsafeSourceError",
]


def printable(text: object, limit: int = 300) -> str:
    r"""Return `text` on one line, control and bidirectional characters escaped, cut at `limit`.

    Names come from files that anybody may have made: an escape sequence in one
    must not reach a terminal or a log.

    >>> printable("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    text = str(text)
    if text.isprintable() and len(text) <= limit:
        return text
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


class NbannotError(Exception):
    """Base of every error raised on purpose.

    `message` says what happened, `where` names the file, line or path in the
    file, `hint` says what to do. All three are in ``str(error)``.

    >>> print(NbannotError("The file is cut short", where="a.json", hint="Download it again."))
    The file is cut short (a.json). Download it again.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = printable(message, 2000).rstrip(".")
        self.where = printable(where)
        self.hint = printable(hint, 2000)
        text = f"{self.message} ({self.where})." if self.where else f"{self.message}."
        super().__init__(f"{text} {self.hint}".rstrip())


class SourceError(NbannotError):
    """A source can't be opened or read."""


class UnsafeSourceError(SourceError):
    """An archive or file that would do harm: a bomb, a path that escapes, a link."""


class DependencyError(SourceError, ImportError):
    """A feature needs a package that is not installed; the hint is the command that installs it."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the package {package}",
            hint=f"Install it with: pip install 'nbannot[{extra}]'",
        )


class FormatError(NbannotError):
    """A file is not what its format says."""


class UnknownFormatError(FormatError):
    """No format recognises the source."""


class BrokenFileError(FormatError):
    """A container (JSON, XML, YAML, image, table) can't be parsed at all."""


class SchemaError(NbannotError):
    """Columns do not fit `nbannot.schema`: a fault of the reader, not of the user."""


class OptionError(NbannotError, ValueError):
    """An argument has a wrong value."""


class ProjectError(NbannotError):
    """The project can't be opened, read or changed."""


class StrictError(NbannotError):
    """``strict=True`` was asked for, and the ledger has warnings or rejections."""


class BalanceError(NbannotError):
    """A reader did not account for all its records, so nothing was imported."""


class Cancelled(NbannotError):
    """The work was cancelled; the project is as it was."""

    def __init__(self, message: str = "Cancelled, nothing was changed") -> None:
        super().__init__(message)
