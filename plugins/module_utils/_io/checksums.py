# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checksums of PostgreSQL's manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from .._core.errors import ChangeError


def _library() -> Any:
    try:
        import google_crc32c
    except ImportError as exc:
        raise ChangeError(
            "the Python package google-crc32c cannot be imported, and PostgreSQL's backups and WAL have checksums of CRC-32C. "
            "pip install google-crc32c",
            code="DECODER",
        ) from exc
    return google_crc32c


def crc32c() -> Callable[[bytes], int]:
    """The CRC-32C of bytes (RFC 3720); ChangeError without the package for it."""
    value: Callable[[bytes], int] = _library().value
    return value


class _Crc32c:
    def __init__(self) -> None:
        self.extend, self.crc = _library().extend, 0

    def update(self, data: bytes) -> None:
        self.crc = self.extend(self.crc, data)

    def hexdigest(self) -> str:
        """In the order in which a little-endian machine stores it, as PostgreSQL writes it."""
        return self.crc.to_bytes(4, "little").hex()


def checksum(algorithm: str) -> Any:
    """An object with ``update`` and ``hexdigest``; ValueError for an algorithm that PostgreSQL does not use."""
    if algorithm == "CRC32C":
        return _Crc32c()
    if algorithm in ("SHA224", "SHA256", "SHA384", "SHA512"):
        return hashlib.new(algorithm.lower())
    raise ValueError(f"no checksum that PostgreSQL writes: {algorithm!r}")
