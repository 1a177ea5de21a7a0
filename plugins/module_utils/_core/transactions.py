# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the canary's business transactions are: their steps, the rows they write, and what must be true of the answers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STEPS: dict[str, tuple[str, ...]] = {
    "login": ("login",),
    "invoice": ("invoice.create", "invoice.post", "invoice.reverse"),
    "timesheet": ("timesheet.create",),
}
# how often a round does each: a step of 20 ms is mostly noise by itself, and its median over three costs next to nothing
REPEATS = {"login": 1, "invoice": 1, "timesheet": 3}
# how often one invoice is posted, and set back to draft in between: a third of what another invoice with its reversal costs, and the
# median of three varies so much less that posting is not what a noisy machine makes the judge wait for
POSTINGS = 3
TAG = "canary:"
QUANTITY, PRICE, HOURS = 3.0, 100.0, 0.5
MOVE_FIELDS = (
    "name",
    "state",
    "payment_state",
    "move_type",
    "ref",
    "amount_untaxed",
    "amount_tax",
    "amount_total",
    "company_id",
    "journal_id",
)


@dataclass(frozen=True)
class Place:
    """Where the canary may write: the ids of its company and of what belongs to it."""

    company: int
    user: int
    journal: int
    partner: int
    product: int
    project: int

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


def metrics(transactions: Iterable[str]) -> list[str]:
    """The steps of these transactions, in their order."""
    return [step for name in transactions for step in STEPS[name]]


def tag(change: str) -> str:
    """What marks every row of this change's canary."""
    return f"{TAG}{change}"


def orders(change: str, rounds: int, transactions: Sequence[str]) -> list[dict[str, bool]]:
    """For each round and transaction: does the baseline go first? The same change draws the same order, so a run can be repeated."""
    draw = random.Random(f"odoo_canary {change}")  # noqa: S311  nothing is secret about the order
    return [{name: draw.random() < 0.5 for name in transactions} for _dummy in range(rounds)]


def invoice_values(place: Place, mark: str) -> dict[str, Any]:
    """A customer invoice of the canary company."""
    line = {"product_id": place.product, "name": mark, "quantity": QUANTITY, "price_unit": PRICE}
    return {
        "move_type": "out_invoice",
        "company_id": place.company,
        "journal_id": place.journal,
        "partner_id": place.partner,
        "ref": mark,
        "invoice_line_ids": [[0, 0, line]],
    }


def timesheet_values(place: Place, mark: str) -> dict[str, Any]:
    return {"project_id": place.project, "name": mark, "unit_amount": HOURS, "user_id": place.user, "company_id": place.company}


def id_of(value: Any) -> int:
    """The id in a many2one as Odoo's ``read`` gives it."""
    return int(value[0]) if isinstance(value, (list, tuple)) and value else 0


def wrong(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What is not as it should be in a row, or nothing. Numbers to the cent, references by id."""
    for name, want in wanted.items():
        seen = row.get(name)
        if isinstance(seen, (list, tuple)):
            seen = id_of(seen)
        same = abs(seen - want) < 0.005 if isinstance(want, float) and isinstance(seen, (int, float)) else seen == want
        if not same:
            return f"{name} is {seen!r}, wanted {want!r}"
    return ""


def wrong_draft(row: Mapping[str, Any], place: Place, mark: str) -> str:
    return wrong(row, {"state": "draft", "company_id": place.company, "journal_id": place.journal, "ref": mark})


def wrong_posted(row: Mapping[str, Any], place: Place) -> str:
    """The posted invoice must have a number, the right amounts, and be unpaid."""
    if not row.get("name") or row["name"] == "/":
        return "the posted invoice has no number"
    total = float(row.get("amount_untaxed") or 0) + float(row.get("amount_tax") or 0)
    wanted = {"state": "posted", "payment_state": "not_paid", "company_id": place.company, "amount_untaxed": QUANTITY * PRICE}
    return wrong(row, {**wanted, "amount_total": total})


def wrong_reversed(invoice: Mapping[str, Any], credit: Mapping[str, Any], place: Place) -> str:
    """The invoice must be reversed by a posted credit note over the same amount, in the canary company."""
    found = wrong(invoice, {"state": "posted", "payment_state": "reversed"})
    wanted = {"state": "posted", "move_type": "out_refund", "company_id": place.company, "journal_id": place.journal}
    return found or wrong(credit, {**wanted, "amount_total": float(invoice["amount_total"])})


def wrong_timesheet(row: Mapping[str, Any], place: Place, mark: str) -> str:
    return wrong(row, {"name": mark, "unit_amount": HOURS, "company_id": place.company, "project_id": place.project})


def wrong_session(info: Mapping[str, Any], company: str) -> str:
    """The canary's user must see the canary company and no other; else it must not write anything."""
    allowed = (info.get("user_companies") or {}).get("allowed_companies") or {}
    names = sorted(str(c.get("name")) for c in allowed.values())
    known = {str(c.get("name")) for c in allowed.values()} | {str(c.get("id")) for c in allowed.values()}
    if len(names) == 1 and company in known:
        return ""
    return f"the canary's user may work in companies {names}, wanted only {company!r}: run the tenant role, which makes that user"


def company_id(info: Mapping[str, Any]) -> int:
    """The one company of a session that :func:`wrong_session` found right."""
    return int(next(iter(info["user_companies"]["allowed_companies"].values()))["id"])


def limits_wrong(given: Mapping[str, Any]) -> str:
    """What is wrong with the numbers of a canary, all at once, or nothing."""
    rules = (
        ("tolerance", 1 < given["tolerance"] <= 10, "greater than 1, at most 10"),
        ("alpha", 0 < given["alpha"] <= 0.2, "between 0 and 0.2"),
        ("rounds", 1 <= given["rounds"] <= 1000, "1 to 1000"),
        ("warmup", 0 <= given["warmup"] <= 100, "0 to 100"),
        ("min_rounds", 1 <= given["min_rounds"] <= given["max_rounds"], "1 to max_rounds"),
        ("max_rounds", 1 <= given["max_rounds"] <= 2000, "1 to 2000"),
        ("budget_s", given["budget_s"] > 0, "greater than 0"),
        ("ready_timeout_s", given["ready_timeout_s"] > 0, "greater than 0"),
        ("request_timeout_s", given["request_timeout_s"] > 0, "greater than 0"),
        ("transactions", bool(given["transactions"]), "at least one"),
    )
    return "; ".join(f"{name} is {given[name]}, wanted {wanted}" for name, ok, wanted in rules if not ok)
