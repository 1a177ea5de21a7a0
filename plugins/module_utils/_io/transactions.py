# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out the canary's business transactions on one side, times their steps, and takes back what they wrote.

Every row lies in the canary company and carries the change's tag, so that a run that was killed can be cleaned up by the
next one: posted invoices are reversed, drafts and timesheet lines are deleted, what has a number and cannot be reversed is
voided. Only one canary may work on a tenant at a time; the lease of the change sees to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any, TypeVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Outcome
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooClient, OdooError

T = TypeVar("T")
RECORDS = (
    ("journal", "account.journal", "code", "CANRY"),
    ("partner", "res.partner", "ref", "CANARY"),
    ("product", "product.product", "default_code", "CANARY"),
    ("project", "project.project", "name", "Change canary"),
)


class TransactionError(OdooError):
    """A transaction whose answer is not what the business needs, or whose rows could not be taken back."""


class Steps:
    """The outcomes of one transaction's steps. A step that raises keeps the later ones from being reached."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.outcomes = dict.fromkeys(names, Outcome())
        self.error = ""

    def timed(
        self, name: str, work: Callable[[], T], judge: Callable[[T], str], *, times: int = 1, back: Callable[[], object] | None = None
    ) -> T:
        """Does and times one step; ``judge`` (not timed) says what is wrong with its result, or nothing.

        ``times`` above 1 does it again after ``back`` (not timed) has brought its row to where it was before; the median counts.
        """
        took = []
        try:
            for turn in range(times):
                if turn and back:
                    back()
                began = time.perf_counter()
                result = work()
                took.append(time.perf_counter() - began)
                if why := judge(result):
                    raise TransactionError(f"{name}: {why}")
        except OdooError as exc:
            self.error = str(exc)
            self.outcomes[name] = Outcome(error=self.error)
            raise
        self.outcomes[name] = Outcome(seconds=median(took))
        return result


def one(rows: Any, what: str) -> dict[str, Any]:
    """The one row of an answer."""
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise TransactionError(f"{what} gave {len(rows) if isinstance(rows, list) else rows!r} rows, wanted one")
    return rows[0]


def new_id(answer: Any, what: str) -> int:
    """The id in the answer of ``create``."""
    ids = answer if isinstance(answer, list) else [answer]
    if len(ids) != 1 or not isinstance(ids[0], int):
        raise TransactionError(f"{what} gave {answer!r}, wanted one id")
    return ids[0]


def locate(client: OdooClient, company: str) -> core.Place:
    """Where the canary may write; refuses a user who sees any other company."""
    info = client.login()
    if why := core.wrong_session(info, company):
        raise TransactionError(why)
    client.logout()
    own = core.company_id(info)
    found = {}
    for name, model, field, value in RECORDS:
        domain = [["company_id", "=", own], [field, "=", value]]
        rows = client.call(model, "search_read", domain=domain, fields=["id"], limit=2, context={"allowed_company_ids": [own]})
        if not isinstance(rows, list) or len(rows) != 1:
            raise TransactionError(
                f"{model} {value} in company {company!r}: found {len(rows) if isinstance(rows, list) else 0}, wanted one: "
                "run the tenant role, which makes the canary company"
            )
        found[name] = int(rows[0]["id"])
    return core.Place(company=own, user=int(info["uid"]), **found)


# -- the transactions ----------------------------------------------------------------------------------------------------
def login(client: OdooClient, place: core.Place, _mark: str, steps: Steps) -> None:
    """A fresh web session with the password, and the user's own record read in it."""

    def work() -> dict[str, Any]:
        client.login()
        return client.read_self()

    steps.timed("login", work, lambda row: core.wrong(row, {"login": client.account.login, "company_id": place.company}))
    client.logout()


def read_move(client: OdooClient, place: core.Place, move: int) -> dict[str, Any]:
    rows = client.call("account.move", "read", ids=[move], fields=list(core.MOVE_FIELDS), context=place.context)
    return one(rows, "account.move.read")


def reverse(client: OdooClient, place: core.Place, invoice: int, mark: str) -> int:
    """Reverses a posted invoice by a posted credit note; goes on from wherever an earlier attempt was killed."""
    known = [["reversed_entry_id", "=", invoice], ["company_id", "=", place.company]]
    found = client.call("account.move", "search_read", domain=known, fields=["state"], context=place.context)
    if not found:
        context = {**place.context, "active_model": "account.move", "active_ids": [invoice]}
        values = {"journal_id": place.journal, "reason": mark, "company_id": place.company, "move_ids": [[6, 0, [invoice]]]}
        wizard = new_id(client.call("account.move.reversal", "create", vals_list=[values], context=context), "account.move.reversal.create")
        client.call("account.move.reversal", "refund_moves", ids=[wizard], context=context)
        found = client.call("account.move", "search_read", domain=known, fields=["state"], context=place.context)
    if not found:
        raise TransactionError(f"account.move.reversal of invoice {invoice} made no credit note")
    # two canaries at once, or a request that ended after its timeout, may have made more: the sweep deletes or voids those
    credit = min(found, key=lambda row: (row["state"] != "posted", row["id"]))
    if credit["state"] == "draft":
        client.call("account.move", "action_post", ids=[credit["id"]], context=place.context)
    return int(credit["id"])


def invoice(client: OdooClient, place: core.Place, mark: str, steps: Steps) -> None:
    """A customer invoice: drafted, posted (and set back, and posted again), reversed."""
    values = core.invoice_values(place, mark)
    move = steps.timed(
        "invoice.create",
        lambda: new_id(client.call("account.move", "create", vals_list=[values], context=place.context), "account.move.create"),
        lambda found: core.wrong_draft(read_move(client, place, found), place, mark),
    )
    steps.timed(
        "invoice.post",
        lambda: client.call("account.move", "action_post", ids=[move], context=place.context),
        lambda _answer: core.wrong_posted(read_move(client, place, move), place),
        times=core.POSTINGS,
        back=lambda: client.call("account.move", "button_draft", ids=[move], context=place.context),
    )
    steps.timed(
        "invoice.reverse",
        lambda: reverse(client, place, move, mark),
        lambda credit: core.wrong_reversed(read_move(client, place, move), read_move(client, place, credit), place),
    )


def timesheet(client: OdooClient, place: core.Place, mark: str, steps: Steps) -> None:
    """A timesheet line: submitted, read back, deleted."""
    model = "account.analytic.line"
    values, fields = core.timesheet_values(place, mark), ["name", "unit_amount", "company_id", "project_id"]
    line = steps.timed(
        "timesheet.create",
        lambda: new_id(client.call(model, "create", vals_list=[values], context=place.context), f"{model}.create"),
        lambda found: core.wrong_timesheet(
            one(client.call(model, "read", ids=[found], fields=fields, context=place.context), f"{model}.read"), place, mark
        ),
    )
    client.call(model, "unlink", ids=[line], context=place.context)


WORK: dict[str, Callable[[OdooClient, core.Place, str, Steps], None]] = {"login": login, "invoice": invoice, "timesheet": timesheet}


def run(name: str, client: OdooClient, place: core.Place, mark: str) -> dict[str, Outcome]:
    """One transaction on one side. An error is an outcome; its rows are taken back right away where this side still can."""
    steps = Steps(core.STEPS[name])
    try:
        WORK[name](client, place, mark, steps)
    except OdooError as exc:
        if not steps.error:  # after the last step: taking back, or the logout
            steps.outcomes[core.STEPS[name][-1]] = Outcome(error=str(exc))
        try:
            sweep(client, place)
        except OdooError:
            return steps.outcomes  # the sweep at the end of the run goes through the baseline, and is checked
    return steps.outcomes


# -- taking back ---------------------------------------------------------------------------------------------------------
def leftovers(client: OdooClient, place: core.Place) -> tuple[list[dict[str, Any]], list[int]]:
    """The canary's moves that are neither reversed nor gone, and its timesheet lines."""
    tagged = [["company_id", "=", place.company], ["journal_id", "=", place.journal], ["state", "in", ["draft", "posted"]]]
    fields = ["state", "move_type", "ref", "posted_before"]
    rows = client.call("account.move", "search_read", domain=tagged + DEBTS, fields=fields, order="id", context=place.context)
    lines = [["company_id", "=", place.company], ["project_id", "=", place.project], ["name", "=like", core.TAG + "%"]]
    return list(rows), list(client.call("account.analytic.line", "search", domain=lines, context=place.context))


# any draft of ours (a draft credit note's ref ends in the tag), and what is posted and open: an invoice, or a second credit note of one
DEBTS: list[Any] = [
    "&", ["ref", "like", core.TAG],
    "|", ["state", "=", "draft"],
    "|", "&", ["move_type", "=", "out_invoice"], ["payment_state", "!=", "reversed"],
    "&", ["move_type", "=", "out_refund"], ["payment_state", "=", "not_paid"],
]  # fmt: skip


def sweep(client: OdooClient, place: core.Place) -> int:
    """Takes back what earlier transactions left: reverses posted invoices, voids what has a number, deletes drafts and lines."""
    moves, lines = leftovers(client, place)
    for move in moves:
        if (move["state"], move["move_type"]) == ("posted", "out_invoice"):
            reverse(client, place, int(move["id"]), str(move["ref"]))
    rest = leftovers(client, place)[0] if moves else []
    open_credits = [m["id"] for m in rest if m["state"] == "posted"]
    if open_credits:
        client.call("account.move", "button_draft", ids=open_credits, context=place.context)
    # Odoo does not delete what once had a number
    if void := open_credits + [m["id"] for m in rest if m["state"] == "draft" and m["posted_before"]]:
        client.call("account.move", "button_cancel", ids=void, context=place.context)
    if drafts := [m["id"] for m in rest if m["state"] == "draft" and not m["posted_before"]]:
        client.call("account.move", "unlink", ids=drafts, context=place.context)
    if lines:
        client.call("account.analytic.line", "unlink", ids=lines, context=place.context)
    return len(moves) + len(lines)
