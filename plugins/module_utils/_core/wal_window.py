# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides whether the archived WAL carries the backups, and which instants can be reached with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .backup import Backup, Stanza
from .checks import Check, rfc3339, unknown
from .wal import Archive, Gap, Leg, Segment, gaps, newest_timeline, parse_history, parse_lsn, parse_segment, path, segment_size, tip

NO_WINDOW: dict[str, str | None] = {"earliest": None, "latest": None}
_CURE = "Take a full backup now: what lies before a gap cannot be rolled forward over it."
_ORPHAN = "Put the history file of that timeline back into the archive, or take a full backup on it."


@dataclass(frozen=True)
class Lacking:
    """What an archive does not have and should."""

    archive: Archive
    gaps: tuple[Gap, ...]
    size: int
    newest: Segment | None

    def lacks(self, name: str, *, at: float) -> bool:
        """Whether a segment that is not there any more, and was written ``at``, is needed: it lies in a gap, or came after the newest
        one that is left. What is older than that and has a higher number is of a server that used the archive before."""
        try:
            segment = parse_segment(name, self.size)
        except ValueError:
            return False
        if name in self.archive.stored:
            return False
        end = self.newest
        if end and segment.timeline == end.timeline and segment.number > end.number:
            return at >= self.archive.stored[end.name(self.size)]
        return any(gap.timeline == segment.timeline and gap.first <= segment.number <= gap.last for gap in self.gaps)


@dataclass(frozen=True)
class WalResult:
    """The checks, the reachable window, and what was seen, for the result."""

    checks: list[Check]
    window: dict[str, str | None]
    seen: dict[str, Any]
    lacking: Lacking | None = None


@dataclass(frozen=True)
class _Track:
    """One backup against the archive: its path (``None``: a dead branch) and its own first and last segment."""

    backup: Backup
    start: Segment
    stop: Segment
    legs: list[Leg] | None


def history_needed(archive: Archive, backup: Backup) -> int | None:
    """The timeline whose history file has to be read before :func:`judge_wal`."""
    timeline = newest_timeline(archive, int(backup.wal_start[:8] or "1", 16))
    return timeline if timeline in archive.histories else None


def judge_wal(
    stanza: Stanza, archive: Archive, history: str | None, *, now: dt.datetime, max_wal_age_s: int | None = None, whole_window: bool = True
) -> WalResult:
    """``history`` is the text of the file that :func:`history_needed` names."""
    newest = stanza.newest()
    if newest is None:
        return WalResult([], dict(NO_WINDOW), {})
    try:
        tracks, size, timeline = _tracks(stanza, newest, archive, history)
    except ValueError as exc:
        return WalResult(
            [unknown("wal_continuity", str(exc), hint="Read the archive with pgbackrest repo-ls.", code="TOOL")], dict(NO_WINDOW), {}
        )
    return _judge(tracks, archive, size=size, timeline=timeline, now=now, max_wal_age_s=max_wal_age_s, whole_window=whole_window)


def _tracks(stanza: Stanza, newest: Backup, archive: Archive, history: str | None) -> tuple[list[_Track], int, int]:
    """The backups of the newest one's system, oldest first. ValueError when the catalogue or the archive cannot be understood."""
    backups = sorted((b for b in stanza.backups if (b.db, b.repo) == (newest.db, newest.repo)), key=lambda b: b.stop)
    for backup in backups:
        if not (backup.wal_start and backup.wal_stop and backup.lsn_start and backup.lsn_stop):
            raise ValueError(f"backup {backup.label} names no WAL, so it was taken without the archive")
    pairs = [(b.lsn_start, b.wal_start) for b in backups]
    size = segment_size(pairs, archive.stored)
    timeline = newest_timeline(archive, int(newest.wal_start[:8], 16))
    parents = parse_history(history) if history is not None else []
    tracks = []
    for backup in backups:
        start, stop = parse_segment(backup.wal_start, size), parse_segment(backup.wal_stop, size)
        legs = path(parents, timeline=timeline, start=start, stop_lsn=parse_lsn(backup.lsn_stop), size=size)
        tracks.append(_Track(backup, start, stop, legs))
    return tracks, size, timeline


def _judge(
    tracks: Sequence[_Track], archive: Archive, *, size: int, timeline: int, now: dt.datetime, max_wal_age_s: int | None, whole_window: bool
) -> WalResult:
    newest = tracks[-1]
    on_path = [t for t in tracks if t.legs]
    found = _missing(tracks, archive, size=size, whole_window=whole_window)
    checks = [_path_check(newest, timeline, archive), _gap_check(found, size), _unique_check(archive)]
    end = tip(archive, newest.legs, size=size) if newest.legs else None
    stored = dt.datetime.fromtimestamp(archive.stored[end.name(size)], dt.timezone.utc) if end else None
    if max_wal_age_s is not None:
        age = int((now - stored).total_seconds()) if stored else None
        hint = "Check archive_command and pg_stat_archiver on the primary; archive_timeout bounds this age when nothing is written."
        checks.append(Check("wal_age_s", age is not None and age <= max_wal_age_s, age, f"<= {max_wal_age_s}", hint, "WAL_AGE"))
    window = _window(on_path, found, archive, size=size, newest=newest, end=end)
    seen = {
        "timeline": timeline,
        "segments": len(archive.stored),
        "segment_bytes": size,
        "newest": end.name(size) if end else None,
        "newest_at": rfc3339(stored) if stored else None,
        "gaps": [gap.document(size) for gap in found[:20]],
        "missing": sum(gap.last - gap.first + 1 for gap in found),
    }
    return WalResult(checks, window, seen, Lacking(archive, tuple(found), size, end))


def _missing(tracks: Sequence[_Track], archive: Archive, *, size: int, whole_window: bool) -> list[Gap]:
    """Gaps on the way from the oldest backup that counts, and inside every other one's own range."""
    rolled = [t for t in tracks if t.legs and (whole_window or t is tracks[-1])][:1]
    found: set[Gap] = set()
    for track in rolled:
        found.update(gaps(archive, track.legs or [], needed=tracks[-1].stop.number, size=size))
    covered = rolled[0].start if rolled else None
    for track in tracks:
        if covered is None or not track.legs or track.start.number < covered.number:
            own = [Leg(track.start.timeline, track.start.number, track.stop.number + 1)]
            found.update(gaps(archive, own, needed=track.stop.number, size=size))
    return sorted(found, key=lambda gap: (gap.first, gap.timeline))


def _path_check(newest: _Track, timeline: int, archive: Archive) -> Check:
    wanted = f"a way to timeline {timeline}"
    beyond = sorted({int(name[:8], 16) for name in archive.stored if int(name[:8], 16) > timeline})
    if newest.legs is None:
        seen = f"timeline {timeline} left timeline {newest.start.timeline} before backup {newest.backup.label} ended"
        return Check("wal_timeline", False, seen, wanted, "Take a full backup on the server that writes now.", "WAL_FORK")
    if beyond:
        return Check("wal_timeline", False, f"WAL of timeline {beyond[0]} without its history file", wanted, _ORPHAN, "WAL_HISTORY")
    return Check("wal_timeline", True, timeline, wanted)


def _gap_check(found: Sequence[Gap], size: int) -> Check:
    if not found:
        return Check("wal_continuity", True, "no gap", "no gap")
    told = found[0].document(size)
    seen = f"{told['first']} missing" if told["count"] == 1 else f"{told['first']} to {told['last']} missing ({told['count']} segments)"
    more = f" and {len(found) - 1} more gaps, the last ending at {found[-1].document(size)['last']}" if found[1:] else ""
    return Check("wal_continuity", False, seen + more, "no gap", _CURE, "WAL_GAP")


def _unique_check(archive: Archive) -> Check:
    hint = "Two servers archive into one stanza: stop the wrong one, then take a full backup."
    return Check("wal_unique", not archive.duplicates, list(archive.duplicates[:5]), [], hint, "WAL_DUPLICATE")


def _window(
    on_path: Sequence[_Track], found: Sequence[Gap], archive: Archive, *, size: int, newest: _Track, end: Segment | None
) -> dict[str, str | None]:
    """From the end of the oldest backup that reaches the newest segment to the time when that one was stored."""
    if end is None or not newest.legs:
        return dict(NO_WINDOW)
    ahead = [gap for gap in found if gap.last >= newest.start.number]
    if ahead:  # the newest backup reaches the segment before the gap, when its own range is whole
        last = min(gap.first for gap in ahead) - 1
        legs = [leg for leg in newest.legs if leg.begin <= last]
        if last < newest.stop.number or not legs:
            return dict(NO_WINDOW)
        end = Segment(legs[-1].timeline, last)
    before = [gap.last for gap in found if gap.first <= end.number]
    reaching = [t for t in on_path if not t.backup.error and all(t.start.number > last for last in before)]
    if not reaching:
        return dict(NO_WINDOW)
    latest = dt.datetime.fromtimestamp(archive.stored[end.name(size)], dt.timezone.utc)
    earliest = min(t.backup.stop for t in reaching)
    return {"earliest": rfc3339(earliest), "latest": rfc3339(max(latest, earliest))}
