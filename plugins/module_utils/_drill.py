# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore drill from its lock to its last clean-up: what restore_drill does."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Backup, Stanza, System
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_info import DamagedError, databases_sizes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_text import advice_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest, PgbackrestError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import MARK, Scratch, ScratchError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_postgres import (
    Instance,
    ScratchPostgresError,
    account,
    binaries,
)

BACK = "brought_back"
"""The database into which a tenant's dump is restored, next to the restored one."""


class Interrupted(BaseException):
    """A signal asked us to end. Not an Exception, so that nothing on the way takes it for a failed check."""


@dataclass(frozen=True)
class Order:
    """What is to be drilled. Times are in seconds."""

    stanza: str
    command: list[str]
    scratch: Path
    run_as: str
    pg_bin: str | None
    login: str
    databases: list[str]
    max_rto_s: int | None
    max_rpo_s: int | None
    timeout_s: int
    processes: int
    kind: str = "restore"
    target: dt.datetime | None = None
    """The instant to go back to; without it the end of what is archived, and with the kind ``pitr`` a random one."""

    @property
    def to_instant(self) -> bool:
        return self.kind == "pitr" or self.target is not None

    @property
    def one_tenant(self) -> str:
        """The database that alone is brought back with the kind ``single_tenant``, else nothing."""
        return self.databases[0] if self.kind == "single_tenant" else ""


@dataclass
class Drill:
    """One drill: the checks so far, and what the module returns besides."""

    order: Order
    began: dt.datetime
    checks: list[Check] = field(default_factory=list)
    target: dt.datetime | None = None
    found: dict[str, Any] = field(
        default_factory=lambda: {
            "backup": None,
            "databases": [],
            "database_bytes": None,
            "phases": {},
            "rto_s": None,
            "rpo_s": None,
            "instant": None,
            "cleaned": [],
        }
    )

    # -- the two ways to run it --------------------------------------------------------------------------------------------
    def predict(self) -> str:
        """Check mode: looks whether the drill could be carried out, and says what it would do."""
        with self._told("preflight"):
            backup, _system, folder = self._preflight()
            left, upto = self._scratch().leftovers(), f" up to {rfc3339(self.target)}" if self.target else ""
            return (
                f"would restore {backup.label} ({backup.size} bytes){upto} below {self.order.scratch}, open it with {folder}, "
                f"check it and remove it{f', and remove {len(left)} folders that earlier drills left' if left else ''}"
            )
        return ""

    def run(self) -> None:
        """Everything; what was made is removed whatever happens."""
        with self._told("lock"), ends_on_signal():
            scratch = self._scratch()
            with scratch.locked():
                self._clear(scratch)
                self._restore_and_look(scratch)

    # -- steps -------------------------------------------------------------------------------------------------------------
    def _scratch(self) -> Scratch:
        return Scratch(self.order.scratch, self.order.stanza, account(self.order.run_as))

    def _clear(self, scratch: Scratch) -> None:
        with self._timed("leftovers_s"):
            for folder in scratch.leftovers():
                scratch.remove(folder)
                self.found["cleaned"].append(str(folder))

    def _restore_and_look(self, scratch: Scratch) -> None:
        clock = time.monotonic()
        with self._told("preflight"), self._timed("preflight_s"):
            backup, system, folder = self._preflight()
        if not self.checks or not all(check.ok for check in self.checks):
            return
        home = scratch.make("data", "tablespaces", "lock", "spool")
        try:
            instance = Instance(home, folder, scratch.owner, self.order.login, self.order.timeout_s, self.order.processes)
            if self._restore(scratch, home, backup) and self._open(instance) and self._bring_back(instance):
                self.found["rto_s"] = round(time.monotonic() - clock, 1)
                self._look(instance, backup, system)
        finally:
            with quiet_signals(), self._told("cleanup"), self._timed("cleanup_s"):
                scratch.remove(home)

    def _preflight(self) -> tuple[Backup, System, Path]:
        """The backup that is restored, and whether there is room and a server for it."""
        order = self.order
        catalogue = Pgbackrest(order.command).info(order.stanza)
        backup = self._backup_before(catalogue) if order.to_instant else catalogue.newest()
        system = catalogue.system(backup) if backup else None
        if not backup or not system:
            raise PgbackrestError(
                f"stanza {order.stanza} has no backup, so there is nothing to restore. Take a full backup.", code="NO_BACKUP"
            )
        folder, version = binaries(system.version, order.pg_bin)
        existing = next(p for p in (order.scratch, *order.scratch.parents) if p.exists())
        free, size = shutil.disk_usage(existing).free, self._size_of_one(backup) if order.one_tenant else backup.size
        self.checks += drill.judge_before(size=size, free=free, version=system.version, binaries=version, scratch=str(order.scratch))
        self.found["backup"] = {**backup.document(), "system_id": system.system_id, "version": system.version}
        return backup, system, folder or Path()

    def _size_of_one(self, backup: Backup) -> int:
        order = self.order
        manifest = f"backup/{order.stanza}/{backup.label}/backup.manifest"
        try:
            with Pgbackrest(order.command).reading(order.stanza, manifest, repo=backup.repo) as stream:
                sizes, rest = databases_sizes(TextIOWrapper(stream, encoding="utf-8", newline="\n"))
        except (DamagedError, UnicodeDecodeError, KeyError, TypeError) as exc:
            raise PgbackrestError(f"{manifest} is not what pgBackRest wrote ({exc}). Take a full backup.", code="RESTORE") from exc
        if (size := drill.room_for_one(sizes, rest, order.one_tenant)) is None:
            there = ", ".join(sorted(sizes)) or "none"
            raise PgbackrestError(
                f"backup {backup.label} has no database {order.one_tenant} (it has {there}). Correct databases, or take a backup.",
                code="DATABASE",
            )
        return size

    def _backup_before(self, catalogue: Stanza) -> Backup | None:
        """The backup from which the instant is reached, all of the system that the stanza has now."""
        newest = catalogue.newest()
        backups = [one for one in catalogue.backups if newest and (one.db, one.repo) == (newest.db, newest.repo)]
        if not backups:
            return None
        self.target = self.order.target or drill.random_instant(backups, now=self.began, share=random.random())  # noqa: S311
        self.found["instant"] = rfc3339(self.target)
        if backup := drill.backup_before(backups, self.target):
            return backup
        first = min(one.stop for one in backups)
        raise PgbackrestError(
            f"the oldest backup ended at {rfc3339(first)}, after {rfc3339(self.target)}. Choose an instant that can be reached, "
            "as pitr_window of pg_backup_verify tells.",
            code="PITR",
        )

    def _restore(self, scratch: Scratch, home: Path, backup: Backup) -> bool:
        """The backup, and all WAL that was archived since, or up to the instant."""
        order = self.order
        tool = Pgbackrest(order.command, env={MARK: str(home)})
        options = [
            "--archive-mode=off",
            f"--process-max={order.processes}",
            f"--lock-path={home}/lock",
            f"--tablespace-map-all={home}/tablespaces",
        ]
        with self._told("restores"), self._timed("restore_s"):
            instant = {"kind": "time", "target": drill.recovery_target(self.target)} if self.target else {}
            options += [f"--repo={backup.repo}", *(["--target-action=promote"] if self.target else [])]
            options += [f"--db-include={order.one_tenant}"] if order.one_tenant else []
            tool.restore(order.stanza, f"{home}/data", label=backup.label, options=options, timeout_s=order.timeout_s, **instant)
            scratch.give(home)
            self.checks.append(Check("restores", True, backup.label, "restored", code="RESTORE"))
            return True
        return False

    def _open(self, instance: Instance) -> bool:
        with self._told("opens"), self._timed("start_s"):
            instance.start()
            self.checks.append(Check("opens", True, "accepts connections", "accepts connections", code="OPEN"))
            return True
        return False

    def _bring_back(self, instance: Instance) -> bool:
        """One tenant's way out of the copy of a whole cluster: a dump, and a database made of it. Nothing to do for other kinds."""
        name = self.order.one_tenant
        if not name:
            return True
        with self._told("brings_back"):
            with self._timed("export_s"):
                export = instance.export(name)
            with self._timed("import_s"):
                instance.bring_back(export, BACK, like=name)
            self.checks.append(Check("brings_back", True, f"database {name}", "dumped and restored", code="EXPORT"))
            return True
        return False

    def _look(self, instance: Instance, backup: Backup, system: System) -> None:
        order, found = self.order, self.found
        with self._told("looks"), self._timed("checks_s"):
            self.checks.append(drill.judge_isolation(instance.shown(list(drill.ISOLATION))))
            self.checks.append(drill.judge_system(instance.control().get("Database system identifier", ""), system.system_id))
            if self.target:
                self.checks.append(drill.judge_instant(self.target, last_commit=instance.last_commit(), stopped=instance.stopped_at()))
            else:
                found["rpo_s"] = drill.rpo_s(began=self.began, last_commit=instance.last_commit(), backup_stop=backup.stop)
            there = instance.databases()
            found["database_bytes"] = instance.size_of_all()
            wanted = [name for name in order.databases if name in there] if order.databases else there
            seen = [instance.look(name) for name in wanted]
            found["databases"] = [database.document() for database in seen]
            self.checks += drill.judge_databases(seen, order.databases)
            if order.one_tenant and all(check.ok for check in self.checks):
                self.checks.append(drill.judge_rows(instance.rows(order.one_tenant), instance.rows(BACK)))
            self.checks += drill.judge_times(rto=found["rto_s"], rpo=found["rpo_s"], max_rto_s=order.max_rto_s, max_rpo_s=order.max_rpo_s)

    # -- how a step ends ---------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _told(self, check_id: str) -> Iterator[None]:
        """A step's error becomes a check: the backup's fault fails the drill, our inability leaves it unknown."""
        codes = {"restores": "RESTORE", "opens": "OPEN", "brings_back": "EXPORT", "looks": "OPEN", "cleanup": "CLEANUP"}
        try:
            yield
        except (PgbackrestError, ScratchPostgresError, ScratchError) as exc:
            code = exc.facts.get("code") or codes.get(check_id, "TOOL")
            seen, advice = advice_of(str(exc))
            if (check_id in codes and code != "PITR_END") or code in ("NO_BACKUP", "PITR", "DATABASE", "RESTORE"):
                self.checks.append(Check(check_id, False, seen, "done", advice, code))
            else:
                self.checks.append(unknown(check_id, seen, hint=advice, code=code))

    @contextlib.contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.found["phases"][phase] = round(time.monotonic() - began, 2)


@contextlib.contextmanager
def ends_on_signal() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP raise :class:`Interrupted`, so that everything on the way is cleaned up."""

    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def quiet_signals() -> Iterator[None]:
    """Cleaning up is not interrupted a second time."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def processors() -> int:
    """How many processes a restore uses by default."""
    return max(1, min(len(os.sched_getaffinity(0)), 8))
