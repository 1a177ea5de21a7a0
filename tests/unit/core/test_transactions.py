from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as t

PLACE = t.Place(company=2, user=5, journal=13, partner=8, product=1, project=3)
DRAFT = {"state": "draft", "company_id": [2, "Change canary"], "journal_id": [13, "Change canary"], "ref": "canary:CHG-2026-1"}
POSTED = {
    "name": "CANRY/2026/00001",
    "state": "posted",
    "payment_state": "not_paid",
    "company_id": [2, "x"],
    "journal_id": [13, "x"],
    "move_type": "out_invoice",
    "amount_untaxed": 300.0,
    "amount_tax": 45.0,
    "amount_total": 345.0,
}
CREDIT = {**POSTED, "move_type": "out_refund", "payment_state": "paid"}
LIMITS: dict[str, Any] = {
    "tolerance": 1.2,
    "alpha": 0.01,
    "rounds": 3,
    "warmup": 2,
    "min_rounds": 8,
    "max_rounds": 120,
    "budget_s": 300.0,
    "ready_timeout_s": 60.0,
    "request_timeout_s": 30.0,
    "transactions": ["login"],
}


def test_metrics_are_the_steps_in_order() -> None:
    assert t.metrics(["invoice", "login"]) == ["invoice.create", "invoice.post", "invoice.reverse", "login"]


def test_orders_are_reproducible_and_balanced() -> None:
    first = t.orders("CHG-2026-0001", 400, ["login", "invoice"])
    assert first == t.orders("CHG-2026-0001", 400, ["login", "invoice"])
    assert first != t.orders("CHG-2026-0002", 400, ["login", "invoice"])
    assert 150 < sum(o["login"] for o in first) < 250


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, "", id="right"),
        pytest.param({"state": "posted"}, "state is 'posted', wanted 'draft'", id="already-posted"),
        pytest.param({"company_id": [1, "Acme"]}, "company_id is 1, wanted 2", id="in-a-customers-company"),
        pytest.param({"journal_id": False}, "journal_id is False, wanted 13", id="no-journal"),
        pytest.param({"ref": "canary:other"}, "ref is", id="another-tag"),
    ],
)
def test_draft(change: dict[str, Any], words: str) -> None:
    found = t.wrong_draft({**DRAFT, **change}, PLACE, "canary:CHG-2026-1")
    assert found.startswith(words) and bool(found) == bool(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, "", id="right"),
        pytest.param({"state": "draft"}, "state is 'draft'", id="not-posted"),
        pytest.param({"name": "/"}, "the posted invoice has no number", id="no-number"),
        pytest.param({"amount_untaxed": 299.99}, "amount_untaxed is 299.99, wanted 300.0", id="a-cent-less"),
        pytest.param({"amount_total": 300.0}, "amount_total is 300.0, wanted 345.0", id="tax-forgotten"),
        pytest.param({"amount_total": 345.0000001}, "", id="rounding"),
        pytest.param({"amount_total": None}, "amount_total is None", id="no-amount"),
    ],
)
def test_posted(change: dict[str, Any], words: str) -> None:
    found = t.wrong_posted({**POSTED, **change}, PLACE)
    assert found.startswith(words) and bool(found) == bool(words)


@pytest.mark.parametrize(
    ("invoice", "credit", "words"),
    [
        pytest.param({"payment_state": "reversed"}, {}, "", id="right"),
        pytest.param({}, {}, "payment_state is 'not_paid'", id="not-reconciled"),
        pytest.param({"payment_state": "reversed"}, {"state": "draft"}, "state is 'draft'", id="credit-note-is-a-draft"),
        pytest.param({"payment_state": "reversed"}, {"amount_total": 300.0}, "amount_total is 300.0", id="another-amount"),
        pytest.param({"payment_state": "reversed"}, {"company_id": [1, "Acme"]}, "company_id is 1", id="in-a-customers-company"),
    ],
)
def test_reversed(invoice: dict[str, Any], credit: dict[str, Any], words: str) -> None:
    found = t.wrong_reversed({**POSTED, **invoice}, {**CREDIT, **credit}, PLACE)
    assert found.startswith(words) and bool(found) == bool(words)


def info(*companies: tuple[int, str]) -> dict[str, Any]:
    return {"uid": 5, "user_companies": {"allowed_companies": {str(i): {"id": i, "name": name} for i, name in companies}}}


@pytest.mark.parametrize(
    ("session", "company", "right"),
    [
        pytest.param(info((2, "Change canary")), "Change canary", True, id="by-name"),
        pytest.param(info((2, "Change canary")), "2", True, id="by-id"),
        pytest.param(info((1, "Acme")), "Change canary", False, id="a-customers-user"),
        pytest.param(info((1, "Acme"), (2, "Change canary")), "Change canary", False, id="sees-a-customers-company-too"),
        pytest.param({"uid": 5}, "Change canary", False, id="no-companies"),
        pytest.param({"uid": 5, "user_companies": False}, "Change canary", False, id="portal-user"),
    ],
)
def test_session(session: dict[str, Any], company: str, right: bool) -> None:
    assert (t.wrong_session(session, company) == "") is right
    if right:
        assert t.company_id(session) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({}, [], id="right"),
        pytest.param({"tolerance": 1.0}, ["tolerance"], id="no-room"),
        pytest.param({"tolerance": float("nan")}, ["tolerance"], id="nan"),
        pytest.param({"alpha": 0.0, "budget_s": 0}, ["alpha", "budget_s"], id="all-at-once"),
        pytest.param({"min_rounds": 121}, ["min_rounds"], id="more-than-the-most"),
        pytest.param({"transactions": []}, ["transactions"], id="nothing-to-do"),
    ],
)
def test_limits(change: dict[str, Any], named: list[str]) -> None:
    found = t.limits_wrong({**LIMITS, **change})
    assert [part.split(" is ")[0] for part in found.split("; ") if part] == named
