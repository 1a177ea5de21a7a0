# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Follows the records of a stretch of WAL and holds each against its CRC-32C.

A file of WAL has no checksum of its own, a record has one. Sources: PostgreSQL's xlogrecord.h and xlog_internal.h. Numbers are those of a
little-endian machine. What lies behind the last record, and the few bytes between records, nothing protects, and nothing reads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .basebackup import Range
from .wal import parse_segment

SERVERS = {0xD106: "13", 0xD10D: "14", 0xD110: "15", 0xD113: "16", 0xD116: "17", 0xD118: "18"}
"""The server that writes pages with this magic number."""
CONTINUES, LONG, OVERWRITES = 1, 2, 8
_PAGE = struct.Struct("<HHIQI4x")
_FIRST = struct.Struct("<QII")
_RECORD = struct.Struct("<IIQBB2xI")
_CHECKED = 20  # bytes of a record's head before its checksum
_XLOG, _SWITCH = 0, 0x40


class DamagedWalError(ValueError):
    """What is wrong, and where."""


class Origin(NamedTuple):
    """What the first page of a file of WAL tells: of which system, which server, and how large the files and their pages are."""

    system_id: str
    version: str
    segment: int
    page: int


def origin(page: bytes) -> Origin:
    """Of the first 40 bytes; DamagedWalError when they are no head of a file of WAL."""
    if len(page) < _PAGE.size + _FIRST.size:
        raise DamagedWalError("it is too short for WAL")
    magic, info, *_rest = _PAGE.unpack_from(page)
    system_id, segment, size = _FIRST.unpack_from(page, _PAGE.size)
    if magic not in SERVERS or not info & LONG or not size or segment % size:
        raise DamagedWalError("it does not begin as WAL does")
    return Origin(str(system_id), SERVERS[magic], segment, size)


class Walk:
    """Takes the pages from ``start`` on, in their order, until :attr:`done`; what lies outside of start and end is passed over.

    Where ``start`` is the beginning of a file, the record that began before it is passed over, too.
    """

    def __init__(self, timeline: int, start: int, end: int, of: Origin, crc32c: Callable[[bytes], int]) -> None:
        self.timeline, self.at, self.end, self.of, self.crc32c = timeline, start, end, of, crc32c
        self.begun = self.total = 0
        self.headless = False
        self.before: int | None = None
        self.record = bytearray()

    @property
    def done(self) -> bool:
        return self.at >= self.end and not self.total

    def page(self, address: int, data: bytes) -> None:
        """DamagedWalError when this page is not what it has to be."""
        if self.done or address + self.of.page <= self.at:
            return
        pos = self._head(address, data)
        if not self.total and self.at > address + pos:
            pos = self.at - address
        while pos < len(data) and not self.done:
            if not self.total:
                self.begun = self.at = address + pos
                (self.total,) = struct.unpack_from("<I", data, pos)
                if self.total < _RECORD.size:
                    raise DamagedWalError(f"no record at {lsn(self.begun)}")
            part = data[pos : pos + self.total - len(self.record)]
            self.record += part
            pos += -(-len(part) // 8) * 8
            self.at = address + pos
            if len(self.record) == self.total and self._ended():  # the rest of the file is empty
                self.at = -(-self.at // self.of.segment) * self.of.segment
                return

    def _head(self, address: int, data: bytes) -> int:
        """Where the content of a page begins."""
        if len(data) < self.of.page:
            raise DamagedWalError(f"it ends at {lsn(address + len(data))}")
        magic, info, timeline, told, left = _PAGE.unpack_from(data)
        if SERVERS.get(magic) != self.of.version or told != address or timeline > self.timeline:  # a new timeline's file begins so
            raise DamagedWalError(f"no page of timeline {self.timeline} at {lsn(address)}")
        pos = _PAGE.size
        if address % self.of.segment == 0:
            if not info & LONG or origin(data) != self.of:
                raise DamagedWalError(f"WAL of another server at {lsn(address)}")
            pos += _FIRST.size
        if info & OVERWRITES:  # the server ended in the midst of a record, and went on without it
            self.total, self.at = 0, address + pos
            self.record.clear()
        elif info & CONTINUES and self.at == address and self.before is None and not self.total:
            self.total, self.headless = left, True
        elif self.total and (not info & CONTINUES or left != self.total - len(self.record)):
            raise DamagedWalError(f"the record at {lsn(self.begun)} is not continued at {lsn(address)}")
        elif not self.total and info & CONTINUES and self.before is not None:
            raise DamagedWalError(f"another record is continued at {lsn(address)}")
        return pos

    def _ended(self) -> bool:
        """Proves the record that is whole now. Whether it ends its file."""
        data, self.total, headless = bytes(self.record), 0, self.headless
        self.record.clear()
        self.headless = False
        if headless:
            return False
        _total, _xid, before, info, manager, crc = _RECORD.unpack_from(data)
        if self.crc32c(data[_RECORD.size :] + data[:_CHECKED]) != crc:
            raise DamagedWalError(f"the record at {lsn(self.begun)} has another checksum")
        if self.before is not None and before != self.before:
            raise DamagedWalError(f"the record at {lsn(self.begun)} does not follow the one before")
        self.before = self.begun
        return (manager, info & 0xF0) == (_XLOG, _SWITCH)


def lsn(number: int) -> str:
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


class Proof:
    """The files of WAL that a backup needs, given one after the other in the order of their names."""

    def __init__(self, ranges: Sequence[Range], of: Origin, crc32c: Callable[[bytes], int]) -> None:
        self.of = of
        self.walks = [Walk(one.timeline, one.start, one.end, of, crc32c) for one in ranges]

    def file(self, name: str, chunks: Iterable[bytes]) -> str:
        """Why this file cannot be relied upon, or nothing."""
        place = parse_segment(name, self.of.segment)
        begin = address = place.number * self.of.segment
        walks = [walk for walk in self.walks if walk.timeline == place.timeline]
        try:
            for page in cut(chunks, self.of.page):
                for walk in walks:
                    walk.page(address, page)
                address += len(page)
        except DamagedWalError as exc:
            return str(exc)
        return "" if address - begin == self.of.segment else f"it has {address - begin} bytes, wanted {self.of.segment}"


def cut(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of ``size``, the last of which may be shorter."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) - len(rest) % size
        yield from (rest[at : at + size] for at in range(0, whole, size))
        rest = rest[whole:]
    if rest:
        yield rest
