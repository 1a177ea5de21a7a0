# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Odoo on the restored copy: its files, its neutralisation, and the business transactions that show that it works."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import filestore, neutral, rehearsal
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.drill import judge_room
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.filestore import Named
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Rules
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import Transaction
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import canary, filestore_fetch
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.attachments import NAMED
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.empty_network import alone, interfaces
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import Account, Address, OdooClient, OdooError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import Scratch, free_bytes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_odoo import URL, CopyOfOdoo, ScratchOdooError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_postgres import Instance, account
from ansible_collections.odoo_ops.change_control.plugins.module_utils._recovery_kit import Kit

ROUNDS = 3
_OWNER = "SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = 'ir_module_module'"
_INSTALLED = "SELECT name, coalesce(latest_version, '') FROM ir_module_module WHERE state = 'installed'"


@dataclass(frozen=True)
class Update:
    """A change that is rehearsed: the release that brings it, the modules it updates, and what it may cost."""

    command: str
    image: str
    modules: str
    digest: str
    max_update_s: int | None
    max_lock_s: int | None


@dataclass(frozen=True)
class OdooOrder:
    """Which Odoo is started, on which database, with whose files, and what is done with it."""

    command: str
    image: str
    database: str
    run_as: str
    store: Mapping[str, Any]
    known: Mapping[str, Transaction]
    transactions: tuple[str, ...]
    login: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    company: str
    ready_s: float
    timeout_s: float
    update: Update | None = None


@dataclass
class Seen:
    """What came of it. ``ready_s``: until the login page answered; None when it did not come to that."""

    checks: list[Check] = field(default_factory=list)
    ready_s: float | None = None
    version: str = ""


def judge_command(command: str, *, found: str | None) -> Check:
    """Is there anything to start? Told before the restore, which takes long."""
    seen = found or "no program that this user may start"
    return Check("odoo_command", found is not None, seen, command, "Correct command of odoo.", "ODOO_START")


@dataclass(frozen=True)
class OdooOnCopy:
    """The steps, in their order. ``database`` is the one on the copy, which a single tenant gets under another name."""

    order: OdooOrder
    instance: Instance
    database: str

    def prepare(self, scratch: Scratch, kit: Kit | None) -> CopyOfOdoo:
        """The process that will run, and the folders that it writes to. A rebuild takes image and modules from the bundle."""
        rows, order = self.instance.ask(self.database, _OWNER), self.order
        if not rows:
            raise ScratchOdooError(f"database {self.database} is not Odoo's. Correct database of odoo.", code="NOT_ODOO")
        user, role = account(order.run_as), rows[0][0]
        image, addons = (kit.release["image"], (kit.modules,)) if kit else (order.image, ())
        process = CopyOfOdoo(order.command, image, self.instance.folder, user, role, self.database, order.timeout_s, addons)
        process.filestore.mkdir(parents=True, mode=0o700)
        scratch.give(process.home)
        return process

    def fetch(self, process: CopyOfOdoo, scratch: Scratch) -> list[Check]:
        """The files that the database names."""
        named = self.named()
        needed, free = sum(one.size or 0 for one in named.values()), free_bytes(process.filestore)
        if not (room := judge_room(needed, free, str(self.instance.folder), what="filestore_free_bytes")).ok:
            return [room]
        found = filestore_fetch.fetch(named, filestore_fetch.source(self.order.store, self.order.database), process.filestore)
        scratch.give(process.home)
        return [room, *filestore.judge(found)]

    def named(self) -> dict[str, Named]:
        return filestore_fetch.names_of(self.instance.ask(self.database, NAMED))

    def neutralise(self, process: CopyOfOdoo) -> Check:
        """Neutralises the database, and asks it whether it is."""
        alone(process.neutralise)
        there = {(row[0], row[1]) for row in self.instance.ask(self.database, neutral.COLUMNS)}
        counts = {what: int(self.instance.ask(self.database, sql)[0][0]) for what, sql in neutral.to_ask(there).items()}
        return neutral.judge_neutral(counts, flagged=self.instance.ask(self.database, neutral.FLAG)[0][0] != "0")

    def rehearse(self, process: CopyOfOdoo, update: Update) -> tuple[list[Check], dict[str, Any]]:
        """Carries the update out, and tells how long it took, whom it kept waiting, and what it wrote."""
        before = self.instance.worked(self.database)
        with self.instance.locks(self.database) as samples:
            began = time.monotonic()
            if update.modules:
                alone(lambda: process.update(update.modules))
            seconds = time.monotonic() - began
        locks, rows = rehearsal.held(samples), rehearsal.rows_changed(before, self.instance.worked(self.database))
        done = Check("updates", True, f"{update.modules or 'nothing'} in {seconds:.1f} s", "done", code="UPDATE")
        limits = {"max_update_s": update.max_update_s, "max_lock_s": update.max_lock_s}
        told = {"digest": update.digest, "modules": update.modules, "image": update.image, "seconds": round(seconds, 1)}
        return [done, *rehearsal.judge_rehearsal(seconds, locks, **limits)], {**told, "locks": locks[: rehearsal.TOLD], "rows": rows}

    def installed(self) -> dict[str, str]:
        """The installed modules, and the version that the database has of each."""
        return {row[0]: row[1] for row in self.instance.ask(self.database, _INSTALLED)}

    def work(self, process: CopyOfOdoo) -> Seen:
        """Starts Odoo, waits for it, and does the transactions."""
        return alone(lambda: self._work(process))

    def _work(self, process: CopyOfOdoo) -> Seen:
        """In a process that has no network."""
        order, ways = self.order, interfaces()
        unreached = Check("no_route_outside", ways == ["lo"], ways, ["lo"], "The copy could reach the world: do not use it.", "ISOLATION")
        seen = Seen([unreached], version=process.version())
        if not unreached.ok:
            return seen
        who = Account(self.database, order.login, order.password, order.api_key)
        client = OdooClient("restored copy", Address(URL), who)
        with process.serving() as running:
            began = time.monotonic()
            try:
                client.wait_ready(budget_s=order.ready_s, every_s=0.1, ended=lambda: running.poll() is not None)
            except OdooError as exc:
                raise ScratchOdooError(f"{exc} (it said: {process.said()})", code="ODOO_START") from exc
            seen.ready_s = time.monotonic() - began
            seen.checks.append(Check("odoo_starts", True, f"{seen.ready_s:.1f} s", "its login page answers", code="ODOO_START"))
            seen.checks += self._transactions(client)
        return seen

    def _transactions(self, client: OdooClient) -> list[Check]:
        names = self.order.transactions
        if not names:
            return []
        rules = Rules(tolerance=1.2, alpha=0.01, min_pairs=ROUNDS, smoke=True)
        change = f"DRILL-{dt.datetime.now(dt.timezone.utc):%Y}-0"
        plan = canary.Plan(
            change, rules, 0, ROUNDS, self.order.timeout_s, company=self.order.company, known=self.order.known, transactions=names,
            ready_timeout_s=self.order.ready_s,
        )  # fmt: skip
        try:
            run = canary.carry_out(canary.Sides(client, None), plan)
        except OdooError as exc:
            hint = "Odoo answers on the copy, and does not do its work: see the message."
            return [Check("transactions", None, str(exc), "done", hint, "TRANSACTIONS")]
        return [replace(one, code="TRANSACTIONS") if one.ok is not True else one for one in (*run.judgement.checks, *run.extra)]
