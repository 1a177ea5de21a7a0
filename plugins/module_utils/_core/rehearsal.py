# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a change does to a copy of the database: the rows that it writes, the locks that keep others waiting, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .checks import Check

EVERY_S = 0.1
"""How often the locks are looked at. A lock that is held for less may be missed."""
TOLD = 20
# Who waits, from the weakest: users cannot write, cannot write, cannot write, cannot even read.
# https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
MODES = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")


class LockSample(NamedTuple):
    """Seen at ``at`` (seconds since 1970): ``pid`` holds ``table`` in ``mode``."""

    at: float
    pid: int
    table: str
    mode: str


class Worked(NamedTuple):
    """Rows that were ever inserted, updated and deleted in a table."""

    inserted: int
    updated: int
    deleted: int


def held(samples: Iterable[LockSample]) -> list[dict[str, Any]]:
    """For each table the strongest lock, and the longest time that one process held one, longest first.

    A lock that was not seen for five looks was let go in between.
    """
    spans: dict[tuple[int, str], list[float]] = {}
    longest: dict[str, float] = {}
    modes: dict[str, str] = {}
    for one in sorted(samples):
        span = spans.setdefault((one.pid, one.table), [one.at, one.at])
        if one.at - span[1] > 5 * EVERY_S:
            span[0] = one.at
        span[1] = one.at
        longest[one.table] = max(longest.get(one.table, 0.0), span[1] - span[0] + EVERY_S)
        modes[one.table] = max(modes.get(one.table, one.mode), one.mode, key=MODES.index)
    order = sorted(longest, key=lambda table: (-longest[table], table))
    return [{"table": table, "mode": modes[table], "seconds": round(longest[table], 1)} for table in order]


def rows_changed(before: Mapping[str, Worked], after: Mapping[str, Worked]) -> dict[str, dict[str, int]]:
    """What was written to each table that was written to. A table that is gone afterwards is told as ``dropped``."""
    changed: dict[str, dict[str, int]] = {name: {"dropped": 1} for name in sorted(before.keys() - after.keys())}
    for name, now in sorted(after.items()):
        earlier = before.get(name, Worked(0, 0, 0))
        counts = {kind: max(0, n - was) for kind, n, was in zip(Worked._fields, now, earlier, strict=True)}
        if any(counts.values()) or name not in before:
            changed[name] = {**counts, **({"created": 1} if name not in before else {})}
    return changed


def judge_rehearsal(seconds: float, locks: Sequence[Mapping[str, Any]], *, max_update_s: int | None, max_lock_s: int | None) -> list[Check]:
    """Within the limits that were given."""
    checks = []
    if max_update_s is not None:
        hint = "Split the change, or move its work on data out of the update."
        checks.append(Check("update_s", seconds <= max_update_s, round(seconds, 1), f"<= {max_update_s}", hint, "UPDATE_TIME"))
    if max_lock_s is not None:
        worst = locks[0] if locks else {"seconds": 0.0}
        hint = "Others wait for that long: see what the update does to this table, or take the tenant out of service for it."
        checks.append(Check("longest_lock_s", worst["seconds"] <= max_lock_s, dict(worst), f"<= {max_lock_s}", hint, "LOCK_TIME"))
    return checks
