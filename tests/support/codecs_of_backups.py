"""What is in a compressed file, as the standard library or the reference implementation decodes it."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import zstandard

TOOLS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".lz4": lz4.frame.decompress,
    ".zst": lambda one: zstandard.ZstdDecompressor().decompressobj().decompress(one),
}
DAMAGED = (OSError, EOFError, RuntimeError, ValueError, zstandard.ZstdError)


def decoded(path: Path, data: bytes | None = None) -> bytes:
    """By the ending of its name; one of :data:`DAMAGED` is raised when it cannot be."""
    return TOOLS.get(path.suffix, bytes)(path.read_bytes() if data is None else data)
