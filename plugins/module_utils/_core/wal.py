# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is the archived WAL without a gap? Computed from the listing, because none of info, check and verify tells.

A segment has a timeline and a number: its place in the log divided by the segment size. Recovery from a backup follows
the *path*: the timelines from the backup's own to the newest, each left where its child began.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT_SEGMENT = 16 * 1024 * 1024
MIN_SEGMENT, MAX_SEGMENT = 1024 * 1024, 1024 * 1024 * 1024
_LOG = 1 << 32  # the middle eight digits of a name count units of 4 GiB
_SEGMENT = re.compile(r"^(?P<name>[0-9A-F]{24})(?P<partial>\.partial)?-[0-9a-f]{40}(?:\.(?:gz|lz4|zst|bz2))?$")
_HISTORY = re.compile(r"^(?P<timeline>[0-9A-F]{8})\.history$")
_PARENT = re.compile(r"^\s*(?P<timeline>[0-9]+)\s+(?P<lsn>[0-9A-Fa-f]+/[0-9A-Fa-f]+)")


@dataclass(frozen=True, order=True)
class Segment:
    timeline: int
    number: int

    def name(self, size: int) -> str:
        return segment_name(self.timeline, self.number, size)


@dataclass(frozen=True)
class Archive:
    """The listing of one archive: when each whole segment was stored, and what is odd."""

    stored: Mapping[str, int]
    duplicates: tuple[str, ...]
    histories: tuple[int, ...]
    partials: tuple[str, ...]


@dataclass(frozen=True)
class Gap:
    """A run of segments that are not there."""

    timeline: int
    first: int
    last: int

    def document(self, size: int) -> dict[str, Any]:
        first, last = (segment_name(self.timeline, number, size) for number in (self.first, self.last))
        return {"first": first, "last": last, "count": self.last - self.first + 1}


@dataclass(frozen=True)
class Leg:
    """One timeline on the path: from segment ``begin`` up to, and without, segment ``end`` (``None``: as far as there are any)."""

    timeline: int
    begin: int
    end: int | None


# -- arithmetic ----------------------------------------------------------------------------------------------------------


def parse_lsn(text: str) -> int:
    """``1A/2B000028`` as a number; ValueError when it is not one."""
    high, slash, low = text.partition("/")
    if not slash:
        raise ValueError(f"not an LSN: {text!r}")
    return (int(high, 16) << 32) + int(low, 16)


def segment_name(timeline: int, number: int, size: int) -> str:
    per_log = _LOG // size
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"


def parse_segment(name: str, size: int) -> Segment:
    """The place of a segment's name; ValueError when no segment of this size can be called so."""
    timeline, log, low = (int(name[i : i + 8], 16) for i in (0, 8, 16))
    if low >= _LOG // size or len(name) != 24:
        raise ValueError(f"{name} cannot be a segment of {size} bytes")
    return Segment(timeline, log * (_LOG // size) + low)


def segment_size(pairs: Iterable[tuple[str, str]], names: Iterable[str] = ()) -> int:
    """The segment size, from LSNs and the segments that hold them (pgBackRest does not tell it).

    A segment whose last eight digits are not zero settles it. Before that every size fits; then it is the default, or the
    largest smaller one that all ``names`` allow. ValueError when nothing fits.
    """
    low_max = max((int(name[16:24], 16) for name in names), default=0)
    fits = [1 << bits for bits in range(20, 31) if low_max < _LOG >> bits]
    for lsn, name in pairs:
        fits = [size for size in fits if segment_name(int(name[:8], 16), parse_lsn(lsn) // size, size) == name]
    if not fits:
        raise ValueError("no segment size fits the LSNs and names of WAL that the catalogue has")
    return DEFAULT_SEGMENT if DEFAULT_SEGMENT in fits else max((s for s in fits if s < DEFAULT_SEGMENT), default=min(fits))


# -- listing -------------------------------------------------------------------------------------------------------------


def parse_listing(entries: Mapping[str, Any]) -> Archive:
    """``repo-ls --output=json --recurse archive/STANZA/ID``. A file of no bytes holds no WAL, so it counts as not there."""
    stored: dict[str, int] = {}
    duplicates, histories, partials = set(), [], []
    for path, entry in entries.items():
        file = path.rsplit("/", 1)[-1]
        if entry.get("type") not in ("file", "link") or entry.get("size", 1) == 0:
            continue
        if segment := _SEGMENT.match(file):
            name = segment["name"]
            if segment["partial"]:
                partials.append(name)
                continue
            if name in stored:
                duplicates.add(name)
            stored[name] = max(int(entry.get("time") or 0), stored.get(name, 0))
        elif history := _HISTORY.match(file):
            histories.append(int(history["timeline"], 16))
    return Archive(stored, tuple(sorted(duplicates)), tuple(sorted(histories)), tuple(sorted(partials)))


def parse_history(text: str) -> list[tuple[int, int]]:
    """The parents in a timeline's history file, oldest first: (timeline, LSN where it was left). ValueError on any other line."""
    parents: list[tuple[int, int]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _PARENT.match(line)
        if not found:
            raise ValueError(f"not a line of a history file: {line[:80]!r}")
        parents.append((int(found["timeline"]), parse_lsn(found["lsn"])))
    if sorted(parents) != parents or not parents:
        raise ValueError("a history file whose timelines do not rise")
    return parents


# -- path ----------------------------------------------------------------------------------------------------------------


def newest_timeline(archive: Archive, start: int) -> int:
    """Where recovery from timeline ``start`` ends: it tries the next history file, and the next, until one is not there."""
    while start + 1 in archive.histories:
        start += 1
    return start


def path(parents: Sequence[tuple[int, int]], *, timeline: int, start: Segment, stop_lsn: int, size: int) -> list[Leg] | None:
    """The legs from a backup to ``timeline``, whose history is ``parents``; ``None`` when that timeline left before the backup's end."""
    if start.timeline == timeline:
        return [Leg(timeline, start.number, None)]
    legs: list[Leg] = []
    begin = start.number
    for parent, lsn in parents:
        if parent < start.timeline:
            continue
        if not legs and (parent != start.timeline or lsn < stop_lsn):
            return None
        legs.append(Leg(parent, begin, lsn // size))
        begin = lsn // size
    return [*legs, Leg(timeline, begin, None)] if legs else None


def gaps(archive: Archive, legs: Sequence[Leg], *, needed: int, size: int) -> list[Gap]:
    """What is missing on a path up to its newest archived segment, and at least up to number ``needed``."""
    numbers = _by_timeline(archive, legs, size)
    found: list[Gap] = []
    for position, leg in enumerate(legs):
        have = numbers[leg.timeline]
        later = any(numbers[after.timeline] for after in legs[position + 1 :])
        end = _end(leg, have, needed=needed, later=later)
        found += [Gap(leg.timeline, first, last) for first, last in _holes(have, leg.begin, end)]
    return found


def tip(archive: Archive, legs: Sequence[Leg], *, size: int) -> Segment | None:
    """The newest archived segment of a path."""
    numbers = _by_timeline(archive, legs, size)
    return next((Segment(leg.timeline, numbers[leg.timeline][-1]) for leg in reversed(legs) if numbers[leg.timeline]), None)


def _by_timeline(archive: Archive, legs: Sequence[Leg], size: int) -> dict[int, list[int]]:
    """The archived numbers of each leg, sorted, without what lies outside the leg."""
    found: dict[int, list[int]] = {leg.timeline: [] for leg in legs}
    limits = {leg.timeline: leg for leg in legs}
    for name in archive.stored:
        leg = limits.get(int(name[:8], 16))
        if leg:
            number = parse_segment(name, size).number
            if number >= leg.begin and (leg.end is None or number < leg.end):
                found[leg.timeline].append(number)
    return {timeline: sorted(numbers) for timeline, numbers in found.items()}


def _end(leg: Leg, have: Sequence[int], *, needed: int, later: bool) -> int:
    """Up to where a leg must be whole: to its child when anything was archived there, else to its own newest segment."""
    newest = have[-1] + 1 if have else leg.begin
    if leg.end is None:
        return max(newest, needed + 1)
    return leg.end if later else max(newest, min(needed + 1, leg.end))


def _holes(have: Sequence[int], begin: int, end: int) -> list[tuple[int, int]]:
    """The runs from ``begin`` up to, and without, ``end`` that ``have`` lacks; costs as much as there are segments, not numbers."""
    holes, expected = [], begin
    for number in (*have, end):
        if number > expected:
            holes.append((expected, number - 1))
        expected = number + 1
    return holes
