# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups that lie side by side, each whole by itself, in the form of a catalogue, by which age, schedule and retention are judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from .backup import Backup, Stanza, System


@dataclass(frozen=True)
class Listed:
    """One backup. ``system_id`` and ``version`` are empty where nothing tells them; so are the LSNs ``lsn``, start and end, of a dump."""

    label: str
    began: dt.datetime
    ended: dt.datetime
    size: int
    system_id: str = ""
    version: str = ""
    lsn: tuple[str, str] = ("", "")


def catalogue(name: str, listed: Sequence[Listed]) -> Stanza:
    """Each is a full backup; the system of the newest one is the one that is backed up now."""
    systems: dict[tuple[str, str], System] = {}
    for one in sorted(listed, key=lambda one: one.ended):
        systems.setdefault((one.system_id, one.version), System(len(systems) + 1, 1, one.system_id, one.version))
    backups = [
        Backup(
            label=one.label,
            type="full",
            start=one.began,
            stop=one.ended,
            lsn_start=one.lsn[0],
            lsn_stop=one.lsn[1],
            wal_start="",
            wal_stop="",
            references=(),
            error=False,
            size=one.size,
            repo=1,
            db=systems[one.system_id, one.version].id,
        )
        for one in listed
    ]
    return Stanza(name, 0, "ok", tuple(backups), tuple(systems.values()), ())
