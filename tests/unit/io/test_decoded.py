"""Pieces of stored objects: each compression, and what a wrong byte, a cut or something behind the end comes to."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_info import Piece
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.decoded import CHUNK, wrong_pieces

BODY = b"".join(str(number).encode() for number in range(200_000))
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "lz4": lz4.frame.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def piece(data: bytes, *, offset: int = 0, length: int | None = None, stored: bool = False, name: str = "a") -> Piece:
    return Piece(offset, length, hashlib.sha1(data).hexdigest(), stored, len(data), name)


def wrong(content: bytes, pieces: list[Piece], codec: str) -> list[str]:
    found, read = wrong_pieces(io.BytesIO(content), pieces, codec)
    assert read <= len(content)
    return [one.name for one in found]


@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize("body", [b"", b"x", BODY], ids=["empty", "short", "long"])
def test_what_was_encoded_is_right(codec: str, body: bytes) -> None:
    encoded = ENCODERS[codec](body)
    assert wrong(encoded, [piece(body, length=len(encoded))], codec) == []
    assert wrong(encoded, [piece(body)], codec) == []
    assert wrong(encoded, [piece(encoded, stored=True)], codec) == []


@pytest.mark.parametrize("codec", ENCODERS)
def test_each_piece_of_a_bundle_is_judged_by_itself(codec: str) -> None:
    parts = [ENCODERS[codec](body) for body in (b"one", BODY, b"three")]
    offsets = [0, len(parts[0]) + 5, len(parts[0]) + 5 + len(parts[1])]
    content = parts[0] + b"-gap-" + parts[1] + parts[2]
    pieces = [
        piece(body, offset=offset, length=len(part), name=name)
        for body, offset, part, name in zip((b"one", BODY, b"three"), offsets, parts, "abc", strict=True)
    ]
    assert wrong(content, pieces, codec) == []
    at = offsets[1] + len(parts[1]) // 2
    flipped = content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]
    assert wrong(flipped, pieces, codec) == ["b"]


@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="a-byte-less"),
        pytest.param(lambda data: data[: CHUNK // 2], id="half"),
        pytest.param(lambda _data: b"", id="nothing"),
        pytest.param(lambda data: data + b"\0", id="a-byte-more"),
        pytest.param(lambda data: data + data, id="twice"),
        pytest.param(lambda data: bytes(len(data)), id="zeros"),
    ],
)
def test_what_was_not_encoded_so_is_wrong(codec: str, damage: Callable[[bytes], bytes]) -> None:
    assert wrong(damage(ENCODERS[codec](BODY)), [piece(BODY)], codec) == ["a"]
