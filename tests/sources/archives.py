"""Archives that tests make, whole and damaged."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

MIB = 1 << 20
FILES = {
    "data.yaml": b"names: [cat]\n" * 40,
    "images/a.jpg": bytes(range(256)) * 300,
    "images/b.jpg": b"b" * 5,
    "labels/a.txt": b"",
}


def zip_of(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tar_of(path: Path, files: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar, compressed as its name says."""
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode, format=format) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def tar_header(name: str, size: bytes, kind: bytes = b"0") -> bytes:
    """Return a tar header with a size field of one's own, and a right checksum."""
    info = tarfile.TarInfo(name)
    info.type = kind
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


def deflated_zeros(total: int) -> bytes:
    """Return a raw deflate stream of `total` zero bytes (whole MiB), from one repeated unit."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    unit = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return unit * (total // MIB) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def raw_zip(members: Iterable[tuple[bytes, bytes, int]], quote: int = 1) -> bytes:
    """Return a zip of ``(name, deflate stream, declared size)``, each listed `quote` times."""
    body, listed = b"", []
    for name, data, size in members:
        place = len(body)
        head = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(data), size, len(name), 0)
        body += b"PK\3\4" + head + name + data
        central = struct.pack("<HHHHHH", 0x314, 20, 0, 8, 0, 33)
        central += struct.pack("<IIIHHHHHII", 0, len(data), size, len(name), 0, 0, 0, 0, 0, place)
        listed += [b"PK\1\2" + central + name] * quote
    directory = b"".join(listed)
    end = struct.pack("<HHHHIIH", 0, 0, len(listed), len(listed), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end
