# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore drill from its lock to its last clean-up: what restore_drill does."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Backup, System
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_text import advice_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest, PgbackrestError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import MARK, Scratch, ScratchError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_postgres import (
    Instance,
    ScratchPostgresError,
    account,
    binaries,
)


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


@dataclass
class Drill:
    """One drill: the checks so far, and what the module returns besides."""

    order: Order
    began: dt.datetime
    checks: list[Check] = field(default_factory=list)
    found: dict[str, Any] = field(
        default_factory=lambda: {
            "backup": None,
            "databases": [],
            "database_bytes": None,
            "phases": {},
            "rto_s": None,
            "rpo_s": None,
            "cleaned": [],
        }
    )

    # -- the two ways to run it --------------------------------------------------------------------------------------------
    def predict(self) -> str:
        """Check mode: looks whether the drill could be carried out, and says what it would do."""
        with self._told("preflight"):
            backup, _system, folder = self._preflight()
            left = self._scratch().leftovers()
            return (
                f"would restore {backup.label} ({backup.size} bytes) below {self.order.scratch}, open it with {folder}, "
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
            if self._restore(scratch, home, backup) and self._open(instance):
                self.found["rto_s"] = round(time.monotonic() - clock, 1)
                self._look(instance, backup, system)
        finally:
            with quiet_signals(), self._told("cleanup"), self._timed("cleanup_s"):
                scratch.remove(home)

    def _preflight(self) -> tuple[Backup, System, Path]:
        """The backup that is restored, and whether there is room and a server for it."""
        order = self.order
        catalogue = Pgbackrest(order.command).info(order.stanza)
        backup = catalogue.newest()
        system = catalogue.system(backup) if backup else None
        if not backup or not system:
            raise PgbackrestError(
                f"stanza {order.stanza} has no backup, so there is nothing to restore. Take a full backup.", code="NO_BACKUP"
            )
        folder, version = binaries(system.version, order.pg_bin)
        existing = next(p for p in (order.scratch, *order.scratch.parents) if p.exists())
        free = shutil.disk_usage(existing).free
        self.checks += drill.judge_before(size=backup.size, free=free, version=system.version, binaries=version, scratch=str(order.scratch))
        self.found["backup"] = {**backup.document(), "system_id": system.system_id, "version": system.version}
        return backup, system, folder or Path()

    def _restore(self, scratch: Scratch, home: Path, backup: Backup) -> bool:
        """Newest backup and all WAL that was archived since."""
        order = self.order
        tool = Pgbackrest(order.command, env={MARK: str(home)})
        options = [
            "--archive-mode=off",
            f"--process-max={order.processes}",
            f"--lock-path={home}/lock",
            f"--tablespace-map-all={home}/tablespaces",
        ]
        with self._told("restores"), self._timed("restore_s"):
            tool.restore(
                order.stanza, f"{home}/data", label=backup.label, options=[*options, f"--repo={backup.repo}"], timeout_s=order.timeout_s
            )
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

    def _look(self, instance: Instance, backup: Backup, system: System) -> None:
        order, found = self.order, self.found
        with self._told("looks"), self._timed("checks_s"):
            self.checks.append(drill.judge_isolation(instance.shown(list(drill.ISOLATION))))
            self.checks.append(drill.judge_system(instance.control().get("Database system identifier", ""), system.system_id))
            found["rpo_s"] = drill.rpo_s(began=self.began, last_commit=instance.last_commit(), backup_stop=backup.stop)
            there = instance.databases()
            found["database_bytes"] = instance.size_of_all()
            wanted = [name for name in order.databases if name in there] if order.databases else there
            seen = [instance.look(name) for name in wanted]
            found["databases"] = [database.document() for database in seen]
            self.checks += drill.judge_databases(seen, order.databases)
            self.checks += drill.judge_times(rto=found["rto_s"], rpo=found["rpo_s"], max_rto_s=order.max_rto_s, max_rpo_s=order.max_rpo_s)

    # -- how a step ends ---------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _told(self, check_id: str) -> Iterator[None]:
        """A step's error becomes a check: the backup's fault fails the drill, our inability leaves it unknown."""
        codes = {"restores": "RESTORE", "opens": "OPEN", "looks": "OPEN", "cleanup": "CLEANUP"}
        try:
            yield
        except (PgbackrestError, ScratchPostgresError, ScratchError) as exc:
            code = exc.facts.get("code") or codes.get(check_id, "TOOL")
            seen, advice = advice_of(str(exc))
            if check_id in codes or code == "NO_BACKUP":
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
