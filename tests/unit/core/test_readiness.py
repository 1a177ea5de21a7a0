from __future__ import annotations

import datetime as dt
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.readiness import ITEMS, checklist, kinds
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.waivers import gate_of

NOW = dt.datetime(2026, 12, 5, 12, 0, tzinfo=dt.timezone.utc)
EVIDENCE = ("backup_exists", "wal_age_s", "content_read_age_s", "restore_drill_age_s")
READY = {
    "on_call": "dan",
    "connectors": [{"name": "bank feed", "owner": "dan"}],
    "informed": {"at": "2026-12-01T10:00:00+01:00", "how": "a mail", "tenants": ["delta"]},
}


def plan_of(change: dict[str, Any], **other: Any) -> dict[str, Any]:
    """A change of data that is ready, but for what a row takes away."""
    return {
        "change": {**deepcopy(change), "readiness": deepcopy(READY)},
        "class": "data_impacting",
        "streams": ["database"],
        "transactions": ["invoice"],
        "impact": {"acme": "multi_tenant", "delta": "dedicated"},
        "tenants": {"acme": {}, "delta": {}},
        "gate_hosts": {"shared": "acme", "own": "delta"},
        "rollback": {"layers": ["image", "database", "filestore"]},
        "policy": {"gates": ["readiness"], "groups": [{"group": "customer:delta", "count": 1}, {"group": "dba", "count": 1}]},
        **other,
    }


def cluster(**ok: bool | None) -> dict[str, Any]:
    checks = [{"id": name, "ok": ok.get(name, True), "observed": "seen", "expected": "wanted"} for name in EVIDENCE]
    return {"evidence": {"subject": "the cluster", "checks": checks}}


MEASURED = [cluster(), cluster()]


def answers(**changed: Any) -> Any:
    def edit(plan: dict[str, Any]) -> None:
        plan["change"]["readiness"] |= changed

    return edit


def bad(plan: dict[str, Any], measured: list[dict[str, Any]] | None = None) -> dict[str, tuple[bool | None, str]]:
    found = checklist(plan, MEASURED if measured is None else measured, now=NOW)
    assert {check.id for check in found} == {"readiness_scope", *(f"readiness_{item.__name__}" for item in ITEMS)}
    assert all(check.hint and check.code for check in found if check.ok is not True)
    return {check.id.removeprefix("readiness_"): (check.ok, check.code) for check in found if check.ok is not True}


# -- which changes -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        pytest.param({"class": "normal", "streams": ["code"]}, [], id="an-ordinary-one"),
        pytest.param({}, ["the database"], id="data"),
        pytest.param({"class": "emergency", "streams": ["code", "database"]}, ["the database"], id="the-stream-alone"),
        pytest.param({"class": "normal", "streams": ["integration"]}, ["an integration"], id="integration"),
        pytest.param(
            {"class": "normal", "streams": ["config"], "tenants": {"acme": {}}}, ["the shared platform"], id="felt-beyond-its-tenants"
        ),
        pytest.param(
            {"streams": ["integration"], "tenants": {"acme": {}}},
            ["the database", "an integration", "the shared platform"],
            id="all-three",
        ),
    ],
)
def test_what_makes_a_review_necessary(change: dict[str, Any], other: dict[str, Any], wanted: list[str]) -> None:
    assert kinds(plan_of(change, **other)) == wanted


def test_an_ordinary_change_needs_nothing(change: dict[str, Any]) -> None:
    plan = {**plan_of(change), "class": "normal", "streams": ["code"], "change": change}
    found = checklist(plan, [], now=NOW)
    assert [(check.id, check.ok) for check in found] == [("readiness_scope", True)]


def test_a_change_that_is_ready(change: dict[str, Any]) -> None:
    assert bad(plan_of(change)) == {}
    assert verdict(checklist(plan_of(change), MEASURED, now=NOW)) == "pass"
    assert {gate_of(check.id) for check in checklist(plan_of(change), MEASURED, now=NOW)} == {"readiness"}


# -- what is missing -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        pytest.param(
            lambda p: p["rollback"].update(layers=["image"]), {"rollback": (False, "NO_WAY_BACK")}, id="only-the-image-comes-back"
        ),
        pytest.param(
            lambda p: p["change"]["verification"].update(transactions=["login"]), {"verification": (False, "NOT_COVERED")}, id="not-proved"
        ),
        pytest.param(lambda p: p.update(transactions=[]), {}, id="nothing-in-particular-has-to-be-proved"),
        pytest.param(lambda p: p["change"].update(owner=" "), {"people": (False, "NOBODY")}, id="no-owner"),
        pytest.param(answers(on_call="d\u0430n"), {"people": (False, "NOBODY")}, id="a-name-that-looks-like-another"),
        pytest.param(
            lambda p: p["change"].pop("readiness"),
            {"people": (False, "NOBODY"), "customers": (False, "NOT_TOLD"), "connectors": (False, "NOT_LISTED")},
            id="nothing-said",
        ),
        pytest.param(answers(informed=None), {"customers": (False, "NOT_TOLD")}, id="nobody-told"),
        pytest.param(
            answers(informed={**READY["informed"], "tenants": ["acme"]}),
            {"customers": (False, "NOT_TOLD")},
            id="others-told",  # type: ignore[dict-item]
        ),
        pytest.param(answers(informed={**READY["informed"], "tenants": ["d*"]}), {}, id="told-by-a-pattern"),  # type: ignore[dict-item]
        pytest.param(
            answers(informed={**READY["informed"], "at": "2026-12-05T12:00:01Z"}),  # type: ignore[dict-item]
            {"customers": (False, "NOT_TOLD")},
            id="will-be-told",
        ),
        pytest.param(answers(informed={**READY["informed"], "at": "2026-12-05T12:00:00Z"}), {}, id="told-right-now"),  # type: ignore[dict-item]
        pytest.param(answers(informed={**READY["informed"], "at": "soon"}), {"customers": (False, "NOT_TOLD")}, id="no-time"),  # type: ignore[dict-item]
        pytest.param(lambda p: (p["policy"].update(groups=[]), p["change"]["readiness"].pop("informed")), {}, id="nobody-has-to-be-told"),
        pytest.param(
            lambda p: (p.update(tenants={"acme": {}}), p["policy"].update(groups=[]), p["change"]["readiness"].pop("informed")),
            {"customers": (False, "NOT_TOLD")},
            id="who-feels-it-without-being-named-is-told",
        ),
        pytest.param(answers(connectors=[]), {}, id="no-connector"),
        pytest.param(
            lambda p: (p.update(streams=["integration"]), answers(connectors=[])(p)),
            {"connectors": (False, "NOT_LISTED")},
            id="an-integration-without-connectors",
        ),
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], edit: Any, wanted: dict[str, Any]) -> None:
    plan = plan_of(change)
    edit(plan)
    assert bad(plan) == wanted


def test_who_is_told_after_the_window_has_begun(change: dict[str, Any]) -> None:
    plan = plan_of(change)
    plan["change"]["window"]["start"] = "2026-11-30T20:00:00Z"
    assert bad(plan) == {"customers": (False, "NOT_TOLD")}


def test_a_change_that_is_no_databases_may_bring_back_the_image_only(change: dict[str, Any]) -> None:
    plan = plan_of(change, **{"class": "normal", "streams": ["integration"], "rollback": {"layers": ["image"]}})
    assert bad(plan) == {}


@pytest.mark.parametrize(
    ("measured", "wanted"),
    [
        pytest.param([], {"backup": (None, "NOT_MEASURED"), "drill": (None, "NOT_MEASURED")}, id="nothing-measured"),
        pytest.param([cluster()], {"backup": (None, "NOT_MEASURED"), "drill": (None, "NOT_MEASURED")}, id="one-cluster-of-two"),
        pytest.param([cluster(), cluster(restore_drill_age_s=False)], {"drill": (False, "NOT_PROVED")}, id="old-drill"),
        pytest.param([cluster(restore_drill_age_s=None), cluster()], {"drill": (None, "NOT_MEASURED")}, id="drill-unknown"),
        pytest.param([cluster(wal_age_s=False), cluster(backup_exists=None)], {"backup": (False, "NOT_PROVED")}, id="failed-and-unknown"),
        pytest.param([cluster(content_read_age_s=False), cluster()], {"backup": (False, "NOT_PROVED")}, id="never-read"),
    ],
)
def test_evidence_of_every_cluster(change: dict[str, Any], measured: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    assert bad(plan_of(change), measured) == wanted


def test_where_the_policy_wants_a_rehearsal_it_counts(change: dict[str, Any]) -> None:
    plan = plan_of(change)
    plan["policy"]["gates"] = ["readiness", "rehearsal"]
    assert bad(plan) == {"drill": (None, "NOT_MEASURED")}
    rehearsal = {"evidence": {"subject": "acme", "checks": [{"id": "rehearsal_age_s", "ok": True, "observed": 1, "expected": 1}]}}
    assert bad(plan, [*MEASURED, rehearsal]) == {}
