"""Places behind a URL, through fsspec: ``s3://bucket/pets``, ``memory://pets.zip``."""

from __future__ import annotations

from typing import Any

from ..errors import OptionError
from .links import without_secrets

__all__ = ["remote_place"]


def remote_place(url: str) -> tuple[Any, str]:
    """Return the file system (an ``AbstractFileSystem``) of a URL, and the path in it.

    Raises:
        OptionError: the scheme is unknown, its package is not installed, or it can't be reached.

    >>> remote_place("memory://bucket/pets.zip")[1]
    '/bucket/pets.zip'
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
        system.exists(path)
    except ImportError as error:
        raise OptionError(
            f"{without_secrets(url)} needs a package that is not installed",
            hint=f"{error}. nbannot[s3], [gcs], [azure] and [http] bring it along.",
        ) from error
    except Exception as error:  # each file system raises its own
        raise OptionError(f"{without_secrets(url)} can't be reached: {error}") from error
    return system, path.rstrip("/")
