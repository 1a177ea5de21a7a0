# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore drill from its lock to its last clean-up: what restore_drill does."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Backup, Stanza, System
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_info import DamagedError, databases_sizes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.recovery_bundle import judge_release
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill_odoo import OdooOnCopy, OdooOrder, judge_command
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill_record import DrillRecord
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest, PgbackrestError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import MARK, Scratch, free_bytes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_odoo import CopyOfOdoo
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_postgres import Instance, account, binaries
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signals import ends_on_signal, quiet_signals
from ansible_collections.odoo_ops.change_control.plugins.module_utils._recovery_kit import Kit, open_kit

BACK = "brought_back"
"""The database into which a tenant's dump is restored, next to the restored one."""


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
    odoo: OdooOrder | None = None
    dumps: str = ""
    """Where the tenant's dumps are, when its newest dump is drilled and not the backup of its cluster."""
    s3: Mapping[str, Any] = field(default_factory=dict)
    bundle: Path | None = None
    """What a rebuild needs besides database and files, as recovery_bundle writes it, of the ``tenant``."""
    tenant: str = ""

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
    record: DrillRecord = field(default_factory=DrillRecord)
    target: dt.datetime | None = None
    kit: Kit | None = None

    @property
    def checks(self) -> list[Check]:
        return self.record.checks

    @property
    def found(self) -> dict[str, Any]:
        return self.record.found

    # -- the two ways to run it --------------------------------------------------------------------------------------------
    def predict(self) -> str:
        """Check mode: looks whether the drill could be carried out, and says what it would do."""
        with self.record.told("preflight"):
            backup, _system, folder = self._preflight()
            left, upto = self._scratch().leftovers(), f" up to {rfc3339(self.target)}" if self.target else ""
            return (
                f"would restore {backup.label} ({backup.size} bytes){upto} below {self.order.scratch}, open it with {folder}, "
                f"check it and remove it{f', and remove {len(left)} folders that earlier drills left' if left else ''}"
            )
        return ""

    def run(self) -> None:
        """Everything; what was made is removed whatever happens."""
        with self.record.told("lock"), ends_on_signal():
            scratch = self._scratch()
            with scratch.locked():
                self._clear(scratch)
                self._restore_and_look(scratch)

    # -- steps -------------------------------------------------------------------------------------------------------------
    def _scratch(self) -> Scratch:
        return Scratch(self.order.scratch, self.order.stanza, account(self.order.run_as))

    def _clear(self, scratch: Scratch) -> None:
        with self.record.timed("leftovers_s"):
            for folder in scratch.leftovers():
                scratch.remove(folder)
                self.found["cleaned"].append(str(folder))

    def _restore_and_look(self, scratch: Scratch) -> None:
        clock = time.monotonic()
        with self.record.told("preflight"), self.record.timed("preflight_s"):
            backup, system, folder = self._preflight()
        if not self.record.good:
            return
        home = scratch.make("data", "tablespaces", "lock", "spool")
        try:
            instance = Instance(home, folder, scratch.owner, self.order.login, self.order.timeout_s, self.order.processes)
            if (
                self._configure(scratch, home)
                and self._restore(scratch, home, backup)
                and self._open(instance)
                and self._bring_back(instance)
            ):
                self.found["rto_s"] = round(time.monotonic() - clock, 1)
                self._look(instance, backup, system)
                self._odoo(scratch, instance)
                self._judge_times()
        finally:
            with quiet_signals(), self.record.told("cleanup"), self.record.timed("cleanup_s"):
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
        free, size = free_bytes(order.scratch), self._size_of_one(backup) if order.one_tenant else backup.size
        self.record.checks += drill.judge_before(size=size, free=free, version=system.version, binaries=version, scratch=str(order.scratch))
        self._judge_command()
        self.found["backup"] = {**backup.document(), "system_id": system.system_id, "version": system.version}
        return backup, system, folder or Path()

    def _judge_command(self) -> None:
        if self.order.odoo:
            self.record.checks.append(judge_command(self.order.odoo.command, found=shutil.which(self.order.odoo.command)))

    def _served(self) -> str:
        """The database of the copy that Odoo works on."""
        return BACK if self.order.one_tenant or not self.order.odoo else self.order.odoo.database

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

    def _configure(self, scratch: Scratch, home: Path) -> bool:
        """What a rebuild starts from; nothing to do for other kinds."""
        if self.order.bundle is None:
            return True
        with self.record.told("configures"), self.record.timed("configuration_s"):
            checks, self.kit = open_kit(self.order.bundle, self.order.tenant, home / "kit")
            self.record.checks += checks
            scratch.give(home)
        return self.kit is not None

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
        with self.record.told("restores"), self.record.timed("restore_s"):
            instant = {"kind": "time", "target": drill.recovery_target(self.target)} if self.target else {}
            options += [f"--repo={backup.repo}", *(["--target-action=promote"] if self.target else [])]
            options += [f"--db-include={order.one_tenant}"] if order.one_tenant else []
            tool.restore(order.stanza, f"{home}/data", label=backup.label, options=options, timeout_s=order.timeout_s, **instant)
            scratch.give(home)
            self.checks.append(Check("restores", True, backup.label, "restored", code="RESTORE"))
            return True
        return False

    def _open(self, instance: Instance) -> bool:
        with self.record.told("opens"), self.record.timed("start_s"):
            instance.start()
            self.checks.append(Check("opens", True, "accepts connections", "accepts connections", code="OPEN"))
            return True
        return False

    def _bring_back(self, instance: Instance) -> bool:
        """One tenant's way out of the copy of a whole cluster: a dump, and a database made of it. Nothing to do for other kinds."""
        name = self.order.one_tenant
        if not name:
            return True
        with self.record.told("brings_back"):
            with self.record.timed("export_s"):
                export = instance.export(name)
            with self.record.timed("import_s"):
                instance.bring_back(export, BACK, like=name)
            self.checks.append(Check("brings_back", True, f"database {name}", "dumped and restored", code="EXPORT"))
            return True
        return False

    def _look(self, instance: Instance, backup: Backup, system: System) -> None:
        order, found = self.order, self.found
        with self.record.told("looks"), self.record.timed("checks_s"):
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
            self.record.checks += drill.judge_databases(seen, order.databases)
            if order.one_tenant and all(check.ok for check in self.checks):
                self.checks.append(drill.judge_rows(instance.rows(order.one_tenant), instance.rows(BACK)))

    def _odoo(self, scratch: Scratch, instance: Instance) -> None:
        """Odoo with its files on the copy. It is not started unless the copy is neutralised."""
        order, record = self.order.odoo, self.record
        if order is None or not record.good:
            return
        on_copy, process = OdooOnCopy(order, instance, self._served()), None
        with record.told("odoo_works"):
            process = on_copy.prepare(scratch, self.kit)
            if self.kit:
                record.checks.append(judge_release(self.kit.release, on_copy.installed()))
            with record.timed("filestore_s"):
                record.checks += on_copy.fetch(process, scratch)
        if process and record.good:
            with record.told("neutralised"), record.timed("neutralise_s"):
                record.checks.append(on_copy.neutralise(process))
        if process and record.good and order.update:
            process = self._rehearse(on_copy, process)
        if process and record.good:
            with record.told("odoo_works"), record.timed("odoo_s"):
                seen = on_copy.work(process)
                record.checks += seen.checks
                record.found["odoo"] = {"version": seen.version, "ready_s": seen.ready_s, "modules": on_copy.installed()}

    def _rehearse(self, on_copy: OdooOnCopy, process: CopyOfOdoo) -> CopyOfOdoo:
        """The update of a change; the process that serves after it."""
        update = on_copy.order.update
        new = replace(process, command=update.command, image=update.image)
        with self.record.told("updates"), self.record.timed("update_s"):
            checks, self.found["rehearsal"] = on_copy.rehearse(new, update)
            self.record.checks += checks
        return new

    def _judge_times(self) -> None:
        """A rebuild is back when Odoo answers; what only a drill does is not counted."""
        order, found = self.order, self.found
        if order.kind == "rebuild" and found["odoo"]:
            found["rto_s"] = drill.rebuild_s(found["phases"], found["odoo"]["ready_s"])
        limits = {"max_rto_s": order.max_rto_s, "max_rpo_s": order.max_rpo_s}
        self.record.checks += drill.judge_times(rto=found["rto_s"], rpo=found["rpo_s"], **limits)


def processors() -> int:
    """How many processes a restore uses by default."""
    return max(1, min(len(os.sched_getaffinity(0)), 8))
