# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the files of a dump in directory format that was just made."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

from .._core.errors import ChangeError
from .s3 import CHUNK


def read_file(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file, once it is safe on the disk.

    pg_restore takes a compressed file of which nothing is left for a table without rows; so its end is looked for here.
    """
    seen, size, decode = hashlib.sha256(), 0, zlib.decompressobj(wbits=31) if path.suffix == ".gz" else None
    try:
        with path.open("rb", buffering=0) as file:
            os.fsync(file.fileno())
            while data := file.read(CHUNK):
                seen.update(data)
                size += len(data)
                if decode:
                    _decoded(decode, data)
    except (OSError, zlib.error) as exc:
        raise ChangeError(f"{path.name} of the dump cannot be read: {exc}. Look at the disk, and run it again.", code="DUMP") from exc
    if decode and not decode.eof:
        raise ChangeError(f"{path.name} of the dump ends too early. Look at the disk and its room, and run it again.", code="DUMP")
    return size, seen.hexdigest()


def _decoded(decode: zlib._Decompress, data: bytes) -> None:
    while data and not decode.eof:
        decode.decompress(data, CHUNK)
        data = decode.unconsumed_tail
