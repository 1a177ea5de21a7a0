from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ticket


def events(*names: str) -> list[Any]:
    """``acme:started`` is a tenant's, ``closed=failed,acme=rolled back`` has a result."""
    found = []
    for seq, name in enumerate(names, start=1):
        what, _equals, rest = name.partition("=")
        tenant, _colon, event = what.rpartition(":")
        result, _comma, words = rest.partition(",")
        evidence = {"result": result, "tenants": dict(word.split("=") for word in words.split(",") if word)} if rest else {}
        found.append(SimpleNamespace(seq=seq, event=event, tenant=tenant or None, at=f"t{seq}", digest=f"d{seq}", evidence=evidence))
    return found


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["gated", "debt_opened"], [], id="nothing-planned"),
        pytest.param(["planned", "gated"], ["planned:1"], id="planned"),
        pytest.param(["planned", "planned", "approved", "approved"], ["planned:1", "planned:2", "approved:3"], id="planned-again"),
        pytest.param(["planned", "approved", "planned"], ["planned:1", "approved:2", "planned:3"], id="another-plan-after-the-approval"),
        pytest.param(["planned", "a:started", "b:started", "approved"], ["planned:1", "applying:2"], id="an-emergency"),
        pytest.param(["planned", "a:started", "a:failed", "b:failed"], ["planned:1", "applying:2", "failed:3"], id="failed"),
        pytest.param(["planned", "a:started", "closed=succeeded,a=released"], ["planned:1", "applying:2", "succeeded:3"], id="succeeded"),
        pytest.param(
            ["planned", "a:started", "a:failed", "a:rolled_back", "closed=failed,a=rolled back,b=untouched"],
            ["planned:1", "applying:2", "failed:3", "rolled_back:5"],
            id="rolled-back",
        ),
        pytest.param(
            ["planned", "a:started", "a:failed", "closed=failed,a=rolled back,b=failed; not rolled back"],
            ["planned:1", "applying:2", "failed:3", "failed:4"],
            id="one-not-brought-back",
        ),
        pytest.param(
            ["planned", "a:started", "closed=stopped,a=released,b=untouched"],
            ["planned:1", "applying:2", "stopped:3"],
            id="stopped-by-the-end-of-its-window",
        ),
        pytest.param(["planned", "closed=abandoned", "planned"], ["planned:1", "abandoned:2"], id="abandoned-is-the-end"),
        pytest.param(["closed=abandoned"], ["abandoned:1"], id="closed-unplanned"),
        pytest.param(["planned", "ticketed", "approved", "ticketed"], ["planned:1", "approved:3"], id="its-own-entries-do-not-count"),
    ],
)
def test_history(names: list[str], wanted: list[str]) -> None:
    assert [f"{step.state}:{step.seq}" for step in ticket.history(events(*names))] == wanted


@pytest.mark.parametrize(("shown", "wanted"), [(None, [1, 2, 3]), ("d1", [2, 3]), ("d3", []), ("of another ledger", [1, 2, 3])])
def test_due(shown: str | None, wanted: list[int]) -> None:
    assert [step.seq for step in ticket.due(ticket.history(events("planned", "approved", "a:started")), shown)] == wanted


@pytest.mark.parametrize(
    ("way", "now", "left"),
    [(("0", "3"), "-1", ("0", "3")), (("0", "3"), "0", ("3",)), (("0", "3"), "3", ()), ((), "x", ()), (("Done",), "Done", ())],
)
def test_left_of(way: tuple[str, ...], now: str, left: tuple[str, ...]) -> None:
    assert ticket.left_of(way, now) == left


def test_every_system_has_a_way_for_every_state_and_an_estate_may_write_others() -> None:
    for system in ("servicenow", "jira"):
        assert ticket.WAYS[system].keys() == set(ticket.STATES)
    found = ticket.ways("servicenow", {"planned": [], "approved": [-4, "-3"], "applying": "-1"})
    assert (found["planned"], found["approved"], found["applying"], found["abandoned"]) == ((), ("-4", "-3"), ("-1",), ("4",))
    for bad in ({"done": ["3"]}, {"planned": [{}]}, {"planned": [True]}, {"planned": None}):
        with pytest.raises(ValueError, match="states"):
            ticket.ways("jira", bad)


@pytest.mark.parametrize("key", ["CHG0030001^ORnumber=CHG1", "../incident", "CHG", "", "chg0030001", "OPS-17"])
def test_an_id_that_would_reach_further_is_refused(key: str) -> None:
    assert ticket.key_error("servicenow", key)
    assert not ticket.key_error("file", key)


def test_the_same_news_are_kept_once() -> None:
    step = ticket.history(events("planned"))[0]
    kept = [
        *events("planned"),
        SimpleNamespace(event="ticketed", tenant=None, evidence=ticket.evidence("jira", "OPS-17", step, problem="down")),
    ]
    assert not ticket.news(kept, ticket.evidence("jira", "OPS-17", step, problem="down in another way"))
    assert ticket.news(kept, ticket.evidence("jira", "OPS-17", step, problem=""))
    assert ticket.news(kept, ticket.evidence("jira", "OPS-18", step, problem="down"))
    assert ticket.news(events("planned"), ticket.evidence("jira", "OPS-17", step, problem=""))
