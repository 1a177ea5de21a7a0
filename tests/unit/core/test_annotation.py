"""What monitoring is told of a change, from its record."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import annotation
from hypothesis import given
from hypothesis import strategies as st

BEGAN = dt.datetime(2026, 12, 5, 19, tzinfo=dt.timezone.utc)
PLAN = {
    "class": "normal",
    "change": {"domain": "application", "environment": "production", "class": "normal"},
    "tenants": {"acme": {}, "bravo": {}},
    "cohorts": [["acme"], ["bravo"]],
}


def event(minute: int, name: str, tenant: str | None = None, **evidence: Any) -> SimpleNamespace:
    at = (BEGAN + dt.timedelta(minutes=minute)).isoformat()
    return SimpleNamespace(event=name, tenant=tenant, at=at, evidence=evidence, digest=str(minute), seq=minute, subject=None)


def what(*more: SimpleNamespace) -> annotation.Told:
    found = annotation.told("CHG-2026-0142", "Billing", [event(0, "planned", plan=PLAN), event(1, "started", "acme"), *more])
    assert found is not None
    return found


def test_nothing_is_told_before_a_tenant_is_touched() -> None:
    assert annotation.told("CHG-2026-0142", "", [event(0, "planned", plan=PLAN)]) is None
    assert annotation.told("CHG-2026-0142", "", []) is None


@pytest.mark.parametrize(
    ("result", "words", "state", "verdict"),
    [
        ("succeeded", {"acme": "released"}, "succeeded", "pass"),
        ("failed", {"acme": "rolled back"}, "rolled_back", "fail"),
        ("failed", {"acme": "failed, not rolled back"}, "failed", "fail"),
        ("stopped", {"acme": "released", "bravo": "untouched"}, "stopped", "unknown"),
    ],
)
def test_how_it_ended(result: str, words: dict[str, str], state: str, verdict: str) -> None:
    found = what(event(5, "closed", result=result, tenants=words))
    assert (found.state, found.verdict, found.ended) == (state, verdict, BEGAN + dt.timedelta(minutes=5))
    tags = annotation.annotation(found)["tags"]
    assert [tag for tag in tags if tag.startswith(("result:", "verdict:"))] == [f"result:{state}", f"verdict:{verdict}"]


def test_a_change_under_way_has_no_end_and_no_verdict() -> None:
    made = annotation.annotation(what())
    assert "timeEnd" not in made
    assert not [tag for tag in made["tags"] if tag.startswith(("result:", "verdict:"))]
    assert "ended" not in annotation.metrics(what(), grouped=True)


def test_many_tenants_are_counted() -> None:
    many = {**PLAN, "tenants": {f"t{n}": {} for n in range(46)}}
    found = annotation.told("CHG-2026-0142", "", [event(0, "planned", plan=many), event(1, "started", "t1")])
    assert found is not None
    assert [tag for tag in annotation.annotation(found)["tags"] if tag.startswith("tenant")] == ["tenants:46"]


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), whitelist_characters="\n"), min_size=1))
def test_any_label_is_read_back(text: str) -> None:
    lines = annotation.family_lines("odoo_change_info", "x", [({"environment": text}, 1)], {})
    assert annotation.samples_of("".join(lines)) == {("odoo_change_info", frozenset({("environment", text)})): 1.0}


def test_differences() -> None:
    made = annotation.annotation(what())
    there = {**made, "id": 7, "tags": list(reversed(made["tags"])), "timeEnd": made["time"]}
    assert not annotation.differs(there, made)
    assert annotation.differs({**there, "text": "edited"}, made)
    assert annotation.differs({**there, "tags": there["tags"][:-1]}, made)
    assert annotation.differs(there, annotation.annotation(what(event(5, "closed", result="succeeded", tenants={}))))
