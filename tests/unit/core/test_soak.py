"""When a release has been watched for long enough, for the next cohort and for the proof."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import soak

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
NOW = dt.datetime(2026, 12, 5, 19, 30, tzinfo=dt.UTC)
END = dt.datetime(2026, 12, 5, 21, 0, tzinfo=dt.UTC)


@pytest.fixture
def plan(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    cohorts = (("acme", 1), ("amber", 1), ("bravo", 2), ("cedar", 3))
    tenants = [plans.Tenant(n, "multi_tenant", c, f"odoo-{n}", n, "s", IMAGE) for n, c in cohorts]
    return plans.build_plan(change, tenants, policy={**policy, "soak_s": 300})


def released(**at: str) -> dict[str, dt.datetime]:
    events = [SimpleNamespace(event="released", tenant=name, at=f"2026-12-05T{time}Z", evidence={}) for name, time in at.items()]
    return soak.released_at([*events, SimpleNamespace(event="started", tenant="cedar", at="2026-12-05T23:00:00Z", evidence={})])


@pytest.mark.parametrize(
    ("tenant", "at", "until"),
    [
        pytest.param("acme", {}, None, id="the-canary-waits-for-nobody"),
        pytest.param("bravo", {}, None, id="nothing-released"),
        pytest.param("bravo", {"acme": "19:00:00", "amber": "19:10:00"}, "19:15:00", id="the-last-of-the-cohort-counts"),
        pytest.param("amber", {"acme": "19:00:00"}, None, id="not-for-fellows"),
        pytest.param("cedar", {"acme": "19:00:00", "amber": "19:00:00", "bravo": "19:20:00"}, "19:25:00", id="the-cohort-before"),
        pytest.param("cedar", {"acme": "19:40:00", "amber": "19:00:00", "bravo": "19:20:00"}, "19:45:00", id="every-cohort-before"),
        pytest.param("acme", {"acme": "19:00:00", "amber": "19:10:00"}, "19:15:00", id="its-own-once-released"),
        pytest.param(
            "cedar", {"acme": "18:00:00", "amber": "18:00:00", "bravo": "18:00:00", "cedar": "19:29:00"}, "19:34:00", id="the-last"
        ),
    ],
)
def test_until_when(plan: dict[str, Any], tenant: str, at: dict[str, str], until: str | None) -> None:
    found = soak.soaks_until(tenant, plan, released(**at))
    assert found == (dt.datetime.fromisoformat(f"2026-12-05T{until}+00:00") if until else None)


@pytest.mark.parametrize(
    ("duration", "soak_s", "refused"),
    [
        pytest.param("PT1H", 300, False, id="room-enough"),
        pytest.param("PT10M1S", 300, False, id="a-second-is-left"),
        pytest.param("PT10M", 300, True, id="filled-to-the-end"),
        pytest.param("PT10M", 0, False, id="nothing-is-watched"),
    ],
)
def test_a_window_that_the_soaks_fill(plan: dict[str, Any], duration: str, soak_s: int, refused: bool) -> None:
    plan["change"]["window"]["duration"], plan["policy"]["soak_s"] = duration, soak_s
    told = soak.window_errors(plan)
    assert bool(told) is refused
    assert all("wanted more than PT600S: 2 of the 3 cohorts are watched for 300 s each" in one for one in told)


def test_one_cohort_needs_no_room(plan: dict[str, Any]) -> None:
    plan["change"]["window"]["duration"], plan["cohorts"] = "PT1M", [["acme"]]
    assert soak.window_errors(plan) == []


def test_without_a_soak_nothing_waits(plan: dict[str, Any]) -> None:
    at = released(acme="19:29:59", amber="19:30:00")
    for given in ({"soak_s": 0}, {}):
        plan["policy"] = given
        until = soak.soaks_until("bravo", plan, at)
        assert soak.soak_check(until, now=NOW, window_end=END).ok is True
        assert soak.left_s(until, now=NOW, ends=END) == 0


@pytest.mark.parametrize(
    ("until", "ok", "left", "hint"),
    [
        pytest.param(None, True, 0, "", id="nothing"),
        pytest.param(NOW, True, 0, "", id="exactly-over"),
        pytest.param(NOW + dt.timedelta(milliseconds=1), False, 1, "Run it again after", id="just-before"),
        pytest.param(END - dt.timedelta(seconds=1), False, 5399, "Run it again after", id="right-before-the-end-of-the-window"),
        pytest.param(END, False, 0, "change_close", id="nothing-can-begin-then-so-nobody-waits"),
    ],
)
def test_the_check_and_the_wait(until: dt.datetime | None, ok: bool, left: int, hint: str) -> None:
    check = soak.soak_check(until, now=NOW, window_end=END)
    assert (check.ok, check.code) == (ok, "" if ok else "SOAKING")
    assert hint in check.hint
    assert soak.left_s(until, now=NOW, ends=END) == left


def test_a_proof_waits_beyond_the_window() -> None:
    assert soak.left_s(END + dt.timedelta(seconds=10), now=END) == 10
