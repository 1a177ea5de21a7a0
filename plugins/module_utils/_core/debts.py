# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Debts: approvals that an emergency went without and that are due afterwards. Computed from recorded events alone.

The contract, the same for emergency changes and for break-glass grants:

* ``debt_opened`` (about the change as a whole) opens a debt. It is recorded **before** the first thing that it excuses is done.
  Its evidence holds ``retro_approval_due``, RFC 3339: the instant until which somebody else has to approve after the fact.
* ``approved`` or ``debt_settled`` (about the change as a whole, after the debt was opened) settles it, when its evidence holds
  ``approvals``: the list that ``change_approve`` writes. ``approved`` comes from change_approve, ``debt_settled`` from break_glass.
* From ``retro_approval_due`` on the debt is overdue, and every class but ``emergency`` is stopped until it is settled.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event

DEBT_OPENED, DEBT_SETTLED = "debt_opened", "debt_settled"
SETTLING = (DEBT_SETTLED, "approved")
DUE = "retro_approval_due"
EXEMPT = "emergency"
PAY = "Have somebody else sign the plan or request of {change}, then run its playbook again, which settles the debt."


@dataclass(frozen=True)
class Debt:
    """One unsettled debt. ``due`` is None when the record holds no instant: then nobody can tell, and it counts as overdue."""

    change: str
    opened: str
    due: dt.datetime | None

    def overdue(self, now: dt.datetime) -> bool:
        return self.due is None or now >= self.due

    def as_dict(self, now: dt.datetime) -> dict[str, Any]:
        due = rfc3339(self.due) if self.due else None
        return {"change": self.change, "opened": self.opened, "due": due, "overdue": self.overdue(now)}


def debt_evidence(opened: dt.datetime, within_s: int, why: str) -> dict[str, Any]:
    """What ``debt_opened`` records: due ``within_s`` seconds after ``opened``, and why nobody could approve before."""
    return {"schema": 1, DUE: rfc3339(opened + dt.timedelta(seconds=within_s)), "reason": why}


def open_debt(change: str, events: Iterable[Event]) -> Debt | None:
    """The unsettled debt of a change, from its events in order. Of several the first opened counts: it is due first."""
    debt = None
    for event in events:
        if event.tenant is not None:
            continue
        if event.event == DEBT_OPENED and debt is None:
            debt = Debt(change, event.at, _due(event))
        elif event.event in SETTLING and event.evidence.get("approvals"):
            debt = None
    return debt


def debt_checks(debts: Sequence[Debt], *, change_class: str, now: dt.datetime) -> list[Check]:
    """Whether a change of this class may go on: each debt is a check, and an overdue one stops every class but ``emergency``."""
    if change_class == EXEMPT:
        return [Check("debts", True, f"{len(debts)} open", "an emergency is not stopped by debts")]
    wanted = "approved after the fact, or not due yet"
    return [_check(debt, wanted, now) for debt in debts] or [Check("debts", True, "none open", wanted)]


def _check(debt: Debt, wanted: str, now: dt.datetime) -> Check:
    hint = PAY.format(change=debt.change)
    if debt.due is None:
        return unknown(f"debt_{debt.change}", f"{DUE} is not recorded", hint=hint, code="DEBT_UNREADABLE")
    late = debt.overdue(now)
    return Check(f"debt_{debt.change}", not late, f"due {rfc3339(debt.due)}", wanted, hint, "DEBT_OVERDUE" if late else "")


def debts_of(records: Mapping[str, Iterable[Event]]) -> list[Debt]:
    """The unsettled debts of all records (id -> events), those without a due instant first, then by due."""
    found = [debt for change, events in sorted(records.items()) if (debt := open_debt(change, events))]
    return sorted(found, key=lambda debt: debt.due.timestamp() if debt.due else 0.0)


def _due(event: Event) -> dt.datetime | None:
    try:
        return parse_instant(event.evidence.get(DUE, ""))
    except ValueError:
        return None
