"""Approvals that are owed: when a debt is open, settled, overdue, and whom it stops."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import debts
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.debts import Debt
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event

NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
SIGNED = {"approvals": [{"approver": "bob"}]}


def event(name: str, tenant: str | None = None, **evidence: Any) -> Event:
    return Event(1, name, tenant, "ops-1", "2026-12-05T18:00:00Z", evidence, "", None)


OWED = event("debt_opened", **debts.debt_evidence(NOW - 3600 * SECOND, 3600, "alone on call"))
LATER = event("debt_opened", retro_approval_due="2026-12-09T19:00:00Z")


@pytest.mark.parametrize(
    ("events", "due"),
    [
        pytest.param([], None, id="none"),
        pytest.param([event("opened")], None, id="approved-before"),
        pytest.param([OWED], NOW, id="open"),
        pytest.param([OWED, event("debt_settled", **SIGNED)], None, id="settled"),
        pytest.param([OWED, event("approved", **SIGNED)], None, id="approved-afterwards"),
        pytest.param([event("approved", **SIGNED), OWED], NOW, id="approval-of-before-does-not-count"),
        pytest.param([OWED, event("debt_settled")], NOW, id="settled-by-nobody"),
        pytest.param([OWED, event("approved", approvals=[])], NOW, id="approved-by-nobody"),
        pytest.param([OWED, event("approved", "acme", **SIGNED)], NOW, id="of-a-tenant-alone"),
        pytest.param([OWED, LATER], NOW, id="the-first-of-two"),
        pytest.param([OWED, event("debt_settled", **SIGNED), OWED], NOW, id="again"),
    ],
)
def test_debts(events: list[Event], due: dt.datetime | None) -> None:
    found = debts.open_debt("CHG-2026-1", events)
    assert (found.due if found else None) == due


@pytest.mark.parametrize("text", [None, "", "soon", "2026-12-05T19:00:00", 17])
def test_a_debt_without_an_instant_stops(text: Any) -> None:
    (found,) = debts.debts_of({"CHG-2026-1": [event("debt_opened", retro_approval_due=text)]})
    (check,) = debts.debt_checks([found], change_class="normal", now=NOW)
    assert (check.ok, check.code, found.overdue(NOW)) == (None, "DEBT_UNREADABLE", True)


@pytest.mark.parametrize(
    ("change_class", "now", "wanted"),
    [
        pytest.param("normal", NOW - SECOND, "pass", id="a-second-before"),
        pytest.param("normal", NOW, "fail", id="exactly-due"),
        pytest.param("standard", NOW, "fail", id="standard"),
        pytest.param("data_impacting", NOW, "fail", id="a-higher-class-is-no-way-round"),
        pytest.param("emergency", NOW, "pass", id="emergency"),
    ],
)
def test_whom_an_overdue_debt_stops(change_class: str, now: dt.datetime, wanted: str) -> None:
    checks = debts.debt_checks([Debt("CHG-2026-1", "", NOW), Debt("BG-2026-1", "", NOW + 9 * SECOND)], change_class=change_class, now=now)
    assert verdict(checks) == wanted
    assert [c.code for c in checks if c.ok is False] == (["DEBT_OVERDUE"] if wanted == "fail" else [])


def test_no_debt_passes() -> None:
    assert verdict(debts.debt_checks([], change_class="normal", now=NOW)) == "pass"


def test_the_first_due_comes_first() -> None:
    found = debts.debts_of({"A": [LATER], "B": [OWED], "C": [event("debt_opened")], "D": []})
    assert [debt.change for debt in found] == ["C", "B", "A"]
