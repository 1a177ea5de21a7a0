from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as t
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import Transaction, transaction_of

LIMITS: dict[str, Any] = {
    "tolerance": 1.2,
    "alpha": 0.01,
    "rounds": 3,
    "warmup": 2,
    "min_rounds": 8,
    "max_rounds": 120,
    "budget_s": 300.0,
    "pause_s": 0.0,
    "concurrency": 1,
    "ready_timeout_s": 60.0,
    "request_timeout_s": 30.0,
    "transactions": ["login"],
}


def declared(name: str, *steps: str, modules: tuple[str, ...] = ()) -> Transaction:
    calls = [{"session": "read"}]
    return transaction_of({"transaction": name, "title": name, "modules": modules, "steps": [{"step": s, "do": calls} for s in steps]})


def test_metrics_are_the_steps_in_order() -> None:
    found = t.metrics([declared("invoice", "create", "post"), declared("login", "login")])
    assert found == ["invoice.create", "invoice.post", "login"]


def test_what_lacks_a_module_is_told_and_not_done() -> None:
    plain, order = declared("login", "login"), declared("order", "quote", modules=("sale", "account", "stock"))
    assert t.applicable([plain, order], ["account"]) == ([plain], {"order": ["sale", "stock"]})
    assert t.applicable([order], ["account", "sale", "stock", "web"]) == ([order], {})


def test_an_update_that_did_not_end_is_seen() -> None:
    assert t.unfinished({"base": "installed", "sale": "to upgrade", "crm": "to install"}) == ["crm (to install)", "sale (to upgrade)"]
    assert t.unfinished({"base": "installed"}) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({"latest_version": "19.0.2", "installed_version": "19.0.2"}, "", id="updated"),
        pytest.param(
            {"latest_version": "19.0.1", "installed_version": "19.0.2"}, "acme is 19.0.1 in the database and 19.0.2", id="not-ended"
        ),
        pytest.param({"latest_version": False, "installed_version": "19.0.2"}, "acme is nothing in the database", id="never-installed"),
        pytest.param({"name": "another"}, "acme is nothing in the database and nothing in the release", id="not-there"),
    ],
)
def test_a_module_that_the_database_has_in_another_version(row: dict[str, Any], words: str) -> None:
    found = t.behind([{"name": "acme", **row}], ["acme"])
    assert (found[0].startswith(words) if words else True) and len(found) == bool(words)


@pytest.mark.parametrize(
    ("baseline", "canary", "warmup", "enough"),
    [
        pytest.param([], [], 0, True, id="none-asked-for"),
        pytest.param([], [], 2, False, id="not-begun"),
        pytest.param([9.0, 0.4], [8.0, 0.5], 2, True, id="as-many-as-asked-for"),
        pytest.param([9.0], [8.0], 2, False, id="one-short"),
        pytest.param([0.4, 0.4], [0.5, 2.5], 2, False, id="another-worker-loads-its-registry"),
        pytest.param([0.4, 0.4, 0.4], [0.5, 2.5, 0.5], 2, True, id="and-has-loaded-it"),
        pytest.param([0.4] * 12, [0.5] * 11 + [2.5], 2, True, id="not-for-ever"),
        pytest.param([0.4, 0.8], [0.5, 1.0], 2, True, id="exactly-twice"),
    ],
)
def test_warm_ups(baseline: list[float], canary: list[float], warmup: int, enough: bool) -> None:
    assert t.warmed({"baseline": baseline, "canary": canary}, warmup) is enough


def test_orders_are_reproducible_and_balanced() -> None:
    first = t.orders("CHG-2026-0001", 400, ["login", "invoice"])
    assert first == t.orders("CHG-2026-0001", 400, ["login", "invoice"])
    assert first != t.orders("CHG-2026-0002", 400, ["login", "invoice"])
    assert 150 < sum(o["login"] for o in first) < 250


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
        pytest.param({"concurrency": 65}, ["concurrency"], id="too-many-users"),
        pytest.param({"pause_s": -1.0}, ["pause_s"], id="pause-below-nothing"),
        pytest.param({"transactions": []}, ["transactions"], id="nothing-to-do"),
    ],
)
def test_limits(change: dict[str, Any], named: list[str]) -> None:
    found = t.limits_wrong({**LIMITS, **change})
    assert [part.split(" is ")[0] for part in found.split("; ") if part] == named
