from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.access import (
    SYSTEMS,
    Right,
    judge_access,
    of_binding,
    of_postgresql,
    of_role,
    review,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.waivers import gate_of

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.timezone.utc)
SUPER = Right("postgresql", "db:5432", "postgres", "superuser")
LOGIN = Right("postgresql", "db:5432", "odoo_acme", "login")
OPERATOR = Right("kubernetes", "odoo-acme", "User:operator", "ClusterRole/odoo-operator")


def entry(right: Right, **other: Any) -> dict[str, Any]:
    return {**right.listed(), **other}


def bad(rights: list[Right], *entries: dict[str, Any], systems: tuple[str, ...] = ("postgresql", "kubernetes")) -> dict[str, str]:
    checks = review(rights, {"rights": list(entries)}, systems, now=NOW)
    assert [c.id for c in checks] == [name for s in systems for name in (f"access_{s}", f"access_{s}_required")]
    assert {gate_of(c.id) for c in checks} == {"access"}
    assert all(bool(c.hint) == (c.ok is not True) for c in checks)
    return {c.id: c.code for c in checks if not c.ok}


@pytest.mark.parametrize(
    ("rights", "entries", "wanted"),
    [
        pytest.param([], [], {}, id="nothing"),
        pytest.param([SUPER, OPERATOR], [entry(SUPER), entry(OPERATOR)], {}, id="as-it-should-be"),
        pytest.param([SUPER, LOGIN], [entry(SUPER)], {"access_postgresql": "EXCESS_RIGHT"}, id="one-too-many"),
        pytest.param([SUPER], [entry(SUPER), entry(LOGIN)], {}, id="what-may-be-there-need-not"),
        pytest.param(
            [SUPER], [entry(SUPER), entry(LOGIN, required=True)], {"access_postgresql_required": "MISSING_RIGHT"}, id="one-too-few"
        ),
        pytest.param([LOGIN], [entry(LOGIN, subject="odoo_*", where="*")], {}, id="by-a-pattern"),
        pytest.param([LOGIN], [entry(LOGIN, subject="ODOO_*")], {"access_postgresql": "EXCESS_RIGHT"}, id="letter-case-counts"),
        pytest.param([LOGIN], [entry(LOGIN, system="kubernetes")], {"access_postgresql": "EXCESS_RIGHT"}, id="of-another-system"),
        pytest.param([LOGIN], [entry(LOGIN, until="2026-12-01T00:00:01Z")], {}, id="a-second-before-it-ends"),
        pytest.param([LOGIN], [entry(LOGIN, until="2026-12-01T00:00:00Z")], {"access_postgresql": "EXCESS_RIGHT"}, id="it-has-ended"),
        pytest.param([], [entry(LOGIN, until="2026-12-01T00:00:00Z", required=True)], {}, id="what-has-ended-is-not-required"),
    ],
)
def test_rights_against_the_list(rights: list[Right], entries: list[dict[str, Any]], wanted: dict[str, str]) -> None:
    assert bad(rights, *entries) == wanted


def test_only_systems_that_were_asked_for_count() -> None:
    assert bad([SUPER], systems=("kubernetes",)) == {}
    assert bad([SUPER], systems=SYSTEMS) == {"access_postgresql": "EXCESS_RIGHT"}


def test_many_are_told_in_short() -> None:
    (first, *_rest) = review([Right("ledger", "trusted", f"key{n}", "sign") for n in range(8)], {"rights": []}, ("ledger",), now=NOW)
    assert first.observed == "; ".join(f"key{n}: sign in trusted" for n in range(5)) + " and 3 more"
    assert verdict([first]) == "fail"


def test_a_binding_gives_its_role_to_each_subject() -> None:
    live = {
        "metadata": {"name": "ops", "namespace": "odoo-acme"},
        "roleRef": {"kind": "ClusterRole", "name": "odoo-operator"},
        "subjects": [{"kind": "User", "name": "operator"}, {"kind": "ServiceAccount", "name": "ci", "namespace": "build"}],
    }
    assert of_binding(live) == [OPERATOR, Right("kubernetes", "odoo-acme", "ServiceAccount:build/ci", "ClusterRole/odoo-operator")]
    assert of_binding({"metadata": {"name": "x"}, "roleRef": live["roleRef"], "subjects": None}) == []
    (whole,) = of_binding({"metadata": {"name": "x"}, "roleRef": live["roleRef"], "subjects": [{"kind": "Group", "name": "admins"}]})
    assert (whole.where, whole.subject) == ("cluster", "Group:admins")


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["watch", "get"]}, "get,watch core: events,pods"),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, "* *: *"),
        ({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["odoo"], "verbs": ["get"]}, "get core: secrets named odoo"),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, "get /metrics"),
    ],
)
def test_a_role_lets_do_what_its_rules_say(rule: dict[str, Any], wanted: str) -> None:
    (right,) = of_role({"kind": "Role", "metadata": {"name": "r", "namespace": "odoo-acme"}, "rules": [rule]})
    assert right == Right("kubernetes", "odoo-acme", "Role/r", wanted)
    assert of_role({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": None}) == []


def test_attributes_and_memberships_of_a_role() -> None:
    found = of_postgresql("db:5432", "dan", ["login"], [("pg_monitor", False), ("odoo_acme", True)])
    assert [right.right for right in found] == ["login", "member of pg_monitor", "member of odoo_acme, may grant it"]


def test_a_time_that_is_none_is_an_error() -> None:
    assert judge_access({"rights": [entry(SUPER), entry(LOGIN, until="soon")]})[0].startswith("access.rights.1.until is 'soon': time")
