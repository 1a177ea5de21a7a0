# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out declared business transactions on one side, times their steps, and takes back what they wrote.

Every row lies in the canary company and carries the change's tag, so that a run that was killed can be cleaned up by the next one, by the
leftovers that each transaction declares. Only one canary may work on a tenant at a time; the lease of the change sees to that.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Outcome
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import (
    Call,
    Leftover,
    Search,
    Step,
    Transaction,
    expressions,
    rendered,
    unexpected,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import DENIED, OdooClient, OdooError

MOST = 500  # rows that one rule takes back one after the other
EARLIER = dt.timedelta(minutes=10)


class TransactionError(OdooError):
    """A transaction whose answer is not what the business needs, or whose rows could not be taken back."""


def searcher() -> Search:
    """JMESPath, whose expressions are compiled once."""
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError as exc:
        raise TransactionError("the Python package jmespath is missing on this host: pip install jmespath") from exc

    def search(path: str, among: Any) -> Any:
        try:
            return jmespath.search(path, among)
        except JMESPathError as exc:
            raise TransactionError(f"{path} cannot be told of this answer ({str(exc).splitlines()[0]})") from exc

    return search


@dataclass(frozen=True)
class Ground:
    """What all transactions of a run know: the canary company, its user, the tag, and the ids of their records."""

    company: int
    named: str
    user: int
    login: str
    database: str
    tag: str
    started: str
    records: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def names(self, transaction: str = "") -> dict[str, Any]:
        """The names that expressions may use."""
        now = dt.datetime.now(dt.timezone.utc)
        told = {
            "company": self.company,
            "user": self.user,
            "login": self.login,
            "database": self.database,
            "tag": self.tag,
            "prefix": core.TAG,
            "today": f"{now:%Y-%m-%d}",
            "now": f"{now:%Y-%m-%d %H:%M:%S}",
            "earlier": f"{now - EARLIER:%Y-%m-%d %H:%M:%S}",
            "started": self.started,
        }
        return {**told, **self.records.get(transaction, {})}

    @property
    def context(self) -> dict[str, Any]:
        """Only the canary company is visible, and nobody follows or is notified."""
        return {
            "allowed_company_ids": [self.company],
            "mail_create_nosubscribe": True,
            "mail_create_nolog": True,
            "mail_notrack": True,
            "tracking_disable": True,
        }


class Worker:
    """One side of the comparison, and how things are asked of it."""

    def __init__(self, client: OdooClient, ground: Ground, *, alone: bool = True) -> None:
        self.client, self.ground, self._search = client, ground, searcher()
        self.alone = alone

    # -- one call --------------------------------------------------------------------------------------------------------
    def ask(self, call: Call, names: dict[str, Any]) -> Any:
        """Asks, keeps in ``names`` what is to be saved, and raises when the answer is not as expected."""
        answer = self._answer(call, names)
        for name, path in call.save.items():
            names[name] = self._search(path, answer)
        if why := unexpected(answer, call, names, self._search):
            what = rendered(call.what, names, self._search)
            raise TransactionError(f"{self.client.name}: {what}: {why}", code=call.code or ("CONTRACT" if call.shape is not None else ""))
        return answer

    def _answer(self, call: Call, names: Mapping[str, Any]) -> Any:
        if call.kind == "session":
            return self.client.session(call.what)
        if call.kind == "http":
            verb, path = rendered(call.what, names, self._search).split(" ", 1)
            return self.client.http(verb, path, auth=call.auth, body=rendered(call.body, names, self._search))
        given = {name: rendered(value, names, self._search) for name, value in call.args.items()}
        context = {**self.ground.context, **rendered(call.context, names, self._search)}
        ids = rendered(call.ids, names, self._search) or ()
        return self.client.call(call.model, call.method, ids=ids, context=context, api=call.api, **given)

    def asked(self, calls: Iterable[Call], names: dict[str, Any]) -> None:
        for call in calls:
            self.ask(call, names)

    # -- one transaction -------------------------------------------------------------------------------------------------
    def run(self, transaction: Transaction) -> dict[str, Outcome]:
        """One transaction. An error is an outcome; its rows are taken back right away where this side still can."""
        outcomes = dict.fromkeys(transaction.metrics, Outcome())
        names, at = self.ground.names(transaction.name), transaction.metrics[0]
        try:
            for step in transaction.steps:
                at = step.metric
                outcomes[at] = Outcome(seconds=self._timed(step, names))
            self.asked(transaction.last, names)
        except OdooError as exc:
            outcomes[at] = Outcome(error=str(exc), code=str(exc.facts.get("code", "")))
            self._after_error(transaction)
        return outcomes

    def _timed(self, step: Step, names: dict[str, Any]) -> float:
        """Seconds of what the step does; what it checks is not timed."""
        took = []
        for turn in range(step.times):
            if turn:
                self.asked(step.back, names)
            began = time.perf_counter()
            self.asked(step.do, names)
            took.append(time.perf_counter() - began)
            self.asked(step.then, names)
        return median(took)

    def _after_error(self, transaction: Transaction) -> None:
        if not self.alone:  # rows of other users who are in the midst of theirs would be taken back with it
            return
        try:
            self.sweep([transaction])
        except OdooError:
            return  # the sweep at the end of the run goes through the baseline, and is checked

    # -- taking back -----------------------------------------------------------------------------------------------------
    def found(self, rule: Leftover) -> list[dict[str, Any]]:
        """The rows that a rule would take back, with the fields that its calls speak of."""
        texts = list(expressions([[call.ids, call.args, call.context] for call in rule.do]))
        fields = sorted({"id", *(name for text in texts for name in re.findall(r"\brow\.([a-z_0-9]+)", text))})
        domain = rendered(rule.domain, self.ground.names(), self._search)
        rows = self.client.call(rule.model, "search_read", domain=domain, fields=fields, order="id", context=self.ground.context)
        if not isinstance(rows, list):
            raise TransactionError(f"{self.client.name}: {rule.model}.search_read gave {type(rows).__name__}, wanted rows")
        return rows

    def leftovers(self, transactions: Iterable[Transaction]) -> set[tuple[str, int]]:
        """Model and id of every row that is left."""
        return {(rule.model, int(row["id"])) for one in transactions for rule in one.leftovers for row in self.found(rule)}

    def sweep(self, transactions: Iterable[Transaction]) -> int:
        """Takes back what earlier transactions left, and tells of how many rows."""
        transactions = list(transactions)
        left = self.leftovers(transactions)
        if left:
            for one in transactions:
                for rule in one.leftovers:
                    self._take_back(rule)
        return len(left)

    def _take_back(self, rule: Leftover) -> None:
        rows = self.found(rule)
        if rows and not rule.each:
            self.asked(rule.do, {**self.ground.names(), "ids": [row["id"] for row in rows], "row": rows[0]})
            return
        for _turn in range(MOST):
            if not rows:
                return
            self.asked(rule.do, {**self.ground.names(), "ids": [rows[0]["id"]], "row": rows[0]})
            before, rows = rows[0]["id"], self.found(rule)
            if rows and rows[0]["id"] == before:
                raise TransactionError(f"{rule.model} {before} was taken back and is still there: reverse or delete it by hand")


# -- before a run --------------------------------------------------------------------------------------------------------
def settle(client: OdooClient, company: str, tag: str) -> Ground:
    """Where the canary may write; refuses a user who sees any other company."""
    info = client.login()
    if why := core.wrong_session(info, company):
        raise TransactionError(why)
    client.logout()
    started = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d %H:%M:%S}"
    return Ground(core.company_id(info), company, int(info["uid"]), client.account.login, client.account.database, tag, started)


def with_records(client: OdooClient, ground: Ground, transactions: Iterable[Transaction]) -> Ground:
    """The ground with the ids of the records that the transactions work on."""
    search, records = searcher(), {}
    for one in transactions:
        mine: dict[str, int] = {}
        for name, record in one.records.items():
            domain = rendered(record.domain, {**ground.names(), **mine}, search)
            mine[name] = located(client, ground, record.model, [["company_id", "=", ground.company], *domain] if record.company else domain)
        records[one.name] = mine
    return replace(ground, records=records)


def located(client: OdooClient, ground: Ground, model: str, domain: list[Any]) -> int:
    """The first row of a domain."""
    rows = client.call(model, "search", domain=domain, limit=1, order="id", context=ground.context)
    if isinstance(rows, list) and rows:
        return int(rows[0])
    raise TransactionError(
        f"{model} with {domain} in company {ground.named!r}: found none, wanted one: run the tenant role (playbook tenant_provision), "
        "which makes the canary company and its records"
    )


def versions(client: OdooClient, names: Sequence[str]) -> list[dict[str, Any]]:
    """These modules with their versions in the database and in the files of the release that answers."""
    fields = ["name", "latest_version", "installed_version"]
    return list(client.call("ir.module.module", "search_read", domain=[["name", "in", list(names)]], fields=fields))


def modules(client: OdooClient) -> dict[str, str]:
    """State of every module that is installed, or on its way to be or not to be."""
    try:
        rows = client.call(
            "ir.module.module",
            "search_read",
            domain=[["state", "not in", ["uninstalled", "uninstallable"]]],
            fields=["name", "state"],
        )
    except OdooError as exc:
        if exc.facts.get("code") != DENIED:
            raise
        raise TransactionError(
            f"{exc}. The canary's user must be able to read the list of modules: run the tenant role (playbook tenant_provision) again, "
            "which gives that right",
            code=DENIED,
        ) from exc
    return {str(row["name"]): str(row["state"]) for row in rows}
