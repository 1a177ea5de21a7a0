"""What goes on when the window or a calendar has closed: every policy, every state of tenant and cohort, every reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import overrun, policy, progress
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
WINDOW = Check("change_window", False, "now", "earlier", "hint", "WINDOW_OVER")
EARLY = Check("change_window", False, "now", "later", "hint", "OUTSIDE_WINDOW")
CALENDAR = Check("window_bravo", False, "blocked", "free", "hint", "BLACKOUT")
BLIND = unknown("calendars", "cannot be read", hint="hint", code="CALENDAR_ERROR")
FREE = Check("window_bravo", True, "free", "free")


@pytest.fixture
def plan(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    cohorts = (("acme", 1), ("bravo", 2), ("cedar", 2), ("delta", 3))
    return plans.build_plan(change, [plans.Tenant(n, "multi_tenant", c, f"odoo-{n}", n, "s", IMAGE) for n, c in cohorts], policy=policy)


def did(tenant: str, *events: str) -> list[Any]:
    return [SimpleNamespace(event=event, tenant=tenant, evidence={}) for event in events]


CANARY = did("acme", *plans.STEPS)
UNDER_WAY = [*CANARY, *did("bravo", "started", "held")]
FELLOW_BEGUN = [*CANARY, *did("cedar", "started")]
FELLOW_RELEASED = [*CANARY, *did("cedar", *plans.STEPS)]
LAST_STEP = [*CANARY, *did("bravo", *plans.STEPS[:-2])]


@pytest.mark.parametrize(
    ("kind", "events", "window", "calendar"),
    [
        pytest.param("roll_back", UNDER_WAY, False, False, id="roll-back-under-way"),
        pytest.param("roll_back", FELLOW_BEGUN, False, False, id="roll-back-untouched"),
        pytest.param("roll_back", CANARY, False, False, id="roll-back-next-cohort"),
        pytest.param("stop_before_next_cohort", UNDER_WAY, True, True, id="stop-under-way"),
        pytest.param("stop_before_next_cohort", LAST_STEP, True, True, id="stop-about-to-open"),
        pytest.param("stop_before_next_cohort", FELLOW_BEGUN, False, False, id="stop-untouched"),
        pytest.param("stop_before_next_cohort", CANARY, False, False, id="stop-next-cohort"),
        pytest.param("finish_cohort", UNDER_WAY, True, True, id="finish-under-way"),
        pytest.param("finish_cohort", FELLOW_BEGUN, True, False, id="finish-untouched-of-a-cohort-that-has-begun"),
        pytest.param("finish_cohort", FELLOW_RELEASED, True, False, id="finish-untouched-fellow-released"),
        pytest.param("finish_cohort", CANARY, False, False, id="finish-next-cohort"),
        pytest.param("finish_cohort", [], False, False, id="finish-nothing-has-begun"),
        pytest.param(None, UNDER_WAY, False, False, id="a-plan-of-an-earlier-release-is-strict"),
    ],
)
def test_who_goes_on(plan: dict[str, Any], kind: str | None, events: list[Any], window: bool, calendar: bool) -> None:
    if kind:
        plan["policy"]["overrun"] = kind
    found = overrun.excuse([WINDOW, CALENDAR], tenant="bravo", plan=plan, states=progress.states(events, plan))
    assert [check.ok for check in found] == [window, calendar]
    assert [check.code for check in found] == ["OVERRUN" if window else "WINDOW_OVER", "OVERRUN" if calendar else "BLACKOUT"]
    assert all(kind in str(check.observed) for check in found if check.ok)


@pytest.mark.parametrize("kind", policy.OVERRUNS)
@pytest.mark.parametrize("check", [EARLY, BLIND, FREE], ids=lambda c: c.code or "free")
def test_nothing_else_is_excused(plan: dict[str, Any], kind: str, check: Check) -> None:
    plan["policy"]["overrun"] = kind
    states = progress.states(UNDER_WAY, plan)
    assert overrun.excuse([check], tenant="bravo", plan=plan, states=states) == [check]
