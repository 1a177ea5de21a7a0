from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.verbs import (
    VERBS,
    by_verb,
    deploy_check,
    holders,
    plan_errors,
    refusal,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy

GIVEN = {"people": {"ops": ["request", "deploy"], "leads": ["approve", "waive"], "on-call": ["override", "deploy"]}}
PEOPLE = by_verb(GIVEN)
MEMBERS = {"ops": ("olga", "Oscar"), "leads": ("lea",), "on-call": ("dan", "olga"), "guests": ("eve",)}
MAY = {
    "request": {"olga", "oscar"},
    "approve": {"lea"},
    "deploy": {"olga", "oscar", "dan"},
    "override": {"dan", "olga"},
    "waive": {"lea"},
}
EVERYBODY = ["olga", "oscar", "lea", "dan", "eve", "root"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", EVERYBODY)
def test_each_verb_is_for_the_people_of_its_groups(verb: str, name: str) -> None:
    why = refusal(verb, name, PEOPLE, MEMBERS)
    assert (why is None) is (name in MAY[verb])
    if why:
        assert why == f"'{name}' is in no group with the verb {verb} ({', '.join(PEOPLE[verb])})"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", EVERYBODY)
def test_without_people_in_the_policy_everybody_may(verb: str, name: str) -> None:
    assert by_verb({}) == {}
    assert refusal(verb, name, {}, MEMBERS) is None
    assert holders(verb, {}, MEMBERS) is None


def test_nobody_may_when_nobody_is_in_the_groups() -> None:
    assert holders("deploy", PEOPLE, {}) == frozenset()
    assert refusal("deploy", "olga", PEOPLE, {}) is not None


@pytest.mark.parametrize(("name", "may"), [("OLGA", True), (" olga ", True), ("\uff4flga", True), ("\u043elga", False), ("", False)])
def test_names_are_people(name: str, may: bool) -> None:
    assert (refusal("request", name, PEOPLE, MEMBERS) is None) is may


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({"requester": "olga"}, [], id="may"),
        pytest.param({"requester": "lea"}, ["change.requester: 'lea' is in no group with the verb request (ops)."], id="requester"),
        pytest.param({"requester": "olga", "waivers": [{"owner": "lea"}]}, [], id="waiver"),
        pytest.param(
            {"requester": "olga", "waivers": [{"owner": "lea"}, {"owner": "olga"}]},
            ["change.waivers.1.owner: 'olga' is in no group with the verb waive (leads)."],
            id="the-owner-of-the-second-waiver",
        ),
    ],
)
def test_who_may_not_stand_in_a_change_file(change: dict[str, Any], wanted: list[str]) -> None:
    found = plan_errors(change, PEOPLE, MEMBERS)
    assert [error.partition(" Let one of them")[0] for error in found] == wanted
    assert plan_errors(change, {}, MEMBERS) == []


@pytest.mark.parametrize(("names", "ok"), [(["olga"], True), (["dan", "oscar"], True), (["olga", "root"], False), (["lea"], False)])
def test_every_name_of_the_run_must_be_let(names: list[str], ok: bool) -> None:
    (check,) = deploy_check(names, PEOPLE, MEMBERS)
    assert (check.id, check.ok, check.code) == ("executor_verb", ok, "" if ok else "NO_VERB")
    assert deploy_check(names, {}, MEMBERS) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_no_group_has_locks_everybody_out(verb: str) -> None:
    document = deepcopy(read_policy())
    document["people"] = {"all": [other for other in VERBS if other != verb]}
    assert policy.judge_policy(document) == [f"policy.people gives the verb {verb} to no group. Add it to one."]
    document["people"]["some"] = [verb]
    assert policy.judge_policy(document) == []


def test_the_plan_keeps_the_groups_of_each_verb(change: dict[str, Any]) -> None:
    facts = {"change_class": "normal", "bundled": False, "groups": [], "tiers": {}}
    assert policy.for_plan(read_policy(), change=change, **facts)["people"] == {}
    kept = policy.for_plan({**read_policy(), **GIVEN}, change=change, **facts)["people"]
    assert kept == {"request": ["ops"], "approve": ["leads"], "deploy": ["on-call", "ops"], "override": ["on-call"], "waive": ["leads"]}
