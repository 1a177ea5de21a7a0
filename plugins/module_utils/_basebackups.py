# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves the base backups that lie in a directory: what pg_backup_verify does with engine basebackup."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

from ._backup_gate import Limits, judge_listed
from ._basebackup import BaseBackup, noted, read, unprovable
from ._core import basebackup as core
from ._core.basebackup import LABEL, NAME
from ._core.checks import Check
from ._core.listed import catalogue
from ._core.stored_files import Found, judge
from ._core.wal_records import DamagedWalError, Origin, origin
from ._io.basebackup_files import Files, Plain, files_of, homes, readable
from ._repository import Reading

QUIET_S = 3600
"""A backup without its manifest that nobody has written to for so long is not going to be finished."""


def judge_basebackups(location: Path, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    """The checks, as far as base backups can keep ``limits``, and what the gate returns besides, as :func:`judge_repository` does."""
    with readable(location):
        return _judged(location.expanduser(), limits, now=now)


def _judged(location: Path, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    papers, backups, unfinished = _manifests(location)
    reading = Reading(limits.memory, limits.rounds, time.monotonic() + (limits.checksums_s or 0), [papers])
    due = {backup.label: noted(backup) for backup in backups}
    whole = {one.label for one in backups if not (one.content.missing or one.content.short or one.content.extra)}
    name = f"base backups in {location}"
    checks, found = judge_listed(catalogue(name, [backup.listed() for backup in backups]), whole, limits, now=now)
    checks += [_finished(unfinished, now=now), *unprovable(backups)]
    if limits.checksums_s is not None:
        for backup in backups:
            read(backup, due[backup.label], reading)
    there = {home.name for home in homes(location)}  # some were removed meanwhile, because so many only are kept
    parts = [papers, *(part for one in backups if one.label in there for part in (one.content, one.wal))]
    if limits.checksums_s is not None:
        found.update(content={part.name: part.told() for part in parts}, proved=reading.proved(whole=True))
    return [*checks, *judge(parts)], found


def _manifests(location: Path) -> tuple[Found, list[BaseBackup], list[Path]]:
    """All whose manifest can be read, what is wrong with the others, and those that have none."""
    found, backups, unfinished = Found("manifests"), [], []
    for home in homes(location):
        name, files = f"{home.name}/{NAME}", files_of(home)
        try:
            manifest = core.read_manifest((home / NAME).read_bytes())
            backups.append(BaseBackup(home.name, files, manifest, _origin(files)))
            found.read += 1
        except FileNotFoundError:
            if isinstance(files, Plain) or files.archives():
                unfinished.append(home)
            continue
        except OSError:
            found.unreadable.append(name)
        except ValueError:
            found.corrupt.append(name)
        found.files += 1
    return found, backups, unfinished


def _origin(files: Files) -> Origin | None:
    try:
        return origin(files.first_page())
    except DamagedWalError:
        return None


def _finished(unfinished: list[Path], *, now: dt.datetime) -> Check:
    late = [home.name for home in unfinished if now.timestamp() - _written(home) > QUIET_S]
    hint = "Remove them when pg_basebackup was ended; else find out who took the manifests away." if late else ""
    return Check("backups_finished", not late, {"without_manifest": late}, {"without_manifest": []}, hint, "INCOMPLETE")


def _written(home: Path) -> float:
    """When somebody wrote to it last."""
    seen = [home, *(path for path in home.iterdir() if path.name.startswith((NAME, LABEL, "base", "pg_wal")) or path.suffix == ".tar")]
    return max(path.stat().st_mtime for path in seen if path.exists())
