# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the pieces of a stored object, and says which of them are not what they have to be. Bounded memory."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from .._core.errors import ChangeError
from .._core.pgbackrest_info import Piece

CHUNK = 1 << 18  # of compressed bytes: what they become is held in memory, too


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class NoDecoderError(ChangeError):
    """Python on this host cannot decode what is stored so."""


def decoder(codec: str) -> Any:
    """An object with ``decompress``, ``eof`` and ``unused_data``; NoDecoderError when the package for it is missing."""
    if codec == "gz":
        return zlib.decompressobj(wbits=31)
    if codec == "bz2":
        return bz2.BZ2Decompressor()
    if codec == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        if codec == "lz4":
            import lz4.frame

            return lz4.frame.LZ4FrameDecompressor()
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj()
    except ImportError as exc:
        package = "lz4" if codec == "lz4" else "zstandard"
        raise NoDecoderError(
            f"the Python package {package} cannot be imported, and this repository is compressed by {codec}. pip install {package}",
            code="DECODER",
        ) from exc


def wrong_pieces(stream: Stream, pieces: list[Piece], codec: str) -> tuple[list[Piece], int]:
    """The pieces that are not right, and how many bytes were read. ``pieces`` are in the order of their offsets."""
    wrong, at = [], 0
    for piece in pieces:
        at += sum(len(chunk) for chunk in _chunks(stream, piece.offset - at))
        right, read = _is_right(stream, piece, codec)
        at += read
        if not right:
            wrong.append(piece)
    return wrong, at


def _is_right(stream: Stream, piece: Piece, codec: str) -> tuple[bool, int]:
    sha1, size, read, whole = hashlib.sha1(usedforsecurity=False), 0, 0, True
    decode = None if piece.stored or codec == "none" else decoder(codec)
    for chunk in _chunks(stream, piece.length):
        read += len(chunk)
        if decode is None:
            found = chunk
        elif whole and not decode.eof:
            try:
                found = decode.decompress(chunk)
                whole = not decode.unused_data
            except Exception:  # every decoder has its own; none of them reads a file
                found, whole = b"", False
        else:  # behind its end, or behind the damage
            found, whole = b"", False
        sha1.update(found)
        size += len(found)
    ended = decode is None or decode.eof
    return whole and ended and sha1.hexdigest() == piece.sha1 and (piece.stored or piece.size in (-1, size)), read


def _chunks(stream: Stream, length: int | None) -> Iterator[bytes]:
    """So many bytes, or all up to the end."""
    left = length
    while left is None or left > 0:
        chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
        if not chunk:
            return
        yield chunk
        left = None if left is None else left - len(chunk)
