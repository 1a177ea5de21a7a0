from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_sync import drift_checks
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_windows import Range, sync_windows
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars
from hypothesis import given, settings
from hypothesis import strategies as st

UTC = dt.timezone.utc
NOW = dt.datetime(2026, 12, 1, 9, 30, 20, tzinfo=UTC)
NIGHTS = {"name": "nights", "effect": "allow", "weekly": {"days": ["sat"], "from": "20:00", "until": "04:00"}}
AUDIT = {"name": "audit", "effect": "deny", "once": {"from": "2026-12-03T00:00:30", "until": "2026-12-04T00:00:10"}}
NEVER = {"name": "closed", "effect": "deny", "once": {"from": "2026-01-01T00:00", "until": "2028-01-01T00:00"}}


def calendars(*rules: dict[str, Any], zone: str = "Europe/Brussels") -> Any:
    return read_calendars([{"name": "estate", "timezone": zone, "rules": list(rules)}] if rules else [])


def ahead(days: float = 14, since: dt.datetime = NOW) -> Range:
    return Range(since, since + dt.timedelta(days=days))


def bad(found: Any, *rules: dict[str, Any], asked: Range | None = None) -> dict[str, str]:
    """Code -> what was seen."""
    checks = drift_checks(found, calendars(*rules), asked or ahead())
    assert [check.id for check in checks] == ["sync_windows_foreign", "sync_windows_open", "sync_windows_shut"]
    return {check.code: check.observed for check in checks if not check.ok}


def rendered(*rules: dict[str, Any], days: float = 60) -> list[dict[str, Any]]:
    return sync_windows(calendars(*rules), ahead(days, NOW.replace(hour=0, minute=0, second=0)))


@pytest.mark.parametrize("rules", [(), (NIGHTS,), (AUDIT,), (NIGHTS, AUDIT), (NEVER,)], ids=["none", "allow", "deny", "both", "never"])
@pytest.mark.parametrize("later", [0, 1, 13.7, 40], ids=str)
def test_what_was_rendered_holds_while_it_reaches(rules: tuple[dict[str, Any], ...], later: float) -> None:
    asked = ahead(since=NOW + dt.timedelta(days=later))
    assert bad(rendered(*rules), *rules, asked=asked) == {}


def test_before_it_ends_it_has_to_be_rendered_again() -> None:
    assert bad(rendered(AUDIT), AUDIT, asked=ahead(since=NOW + dt.timedelta(days=50))) == {
        "SHUT_WITHIN": "2027-01-30T00:00:00Z to 2027-02-03T09:30:00Z"
    }


def test_a_year_later_last_years_windows_come_back() -> None:
    asked = ahead(since=NOW + dt.timedelta(days=365))
    assert bad(rendered(NIGHTS), NIGHTS, asked=asked) == {
        "OPEN_BEYOND": "2027-12-05T19:00:00Z to 2027-12-06T03:00:00Z and 1 more",
        "SHUT_WITHIN": "2027-12-04T19:00:00Z to 2027-12-05T03:00:00Z and 1 more",
    }


ALL_DAY = {"kind": "deny", "schedule": "0 0 * * *", "duration": "1440m", "timeZone": "UTC", "applications": ["*"], "manualSync": False}


@pytest.mark.parametrize(
    ("found", "rules", "wanted"),
    [
        pytest.param(None, (NIGHTS,), {"OPEN_BEYOND"}, id="no-windows-let-everything-through"),
        pytest.param([], (NIGHTS,), {"OPEN_BEYOND"}, id="an-empty-list-too"),
        pytest.param([], (), set(), id="which-is-right-without-calendars"),
        pytest.param([ALL_DAY], (NIGHTS,), {"SHUT_WITHIN"}, id="denied-for-good"),
        pytest.param([ALL_DAY], (NEVER,), set(), id="which-is-right-when-nothing-is-allowed"),
        pytest.param(rendered(), (NIGHTS,), {"OPEN_BEYOND"}, id="a-calendar-more"),
        pytest.param(rendered(NIGHTS), (), {"SHUT_WITHIN"}, id="a-calendar-less"),
        pytest.param(rendered(NIGHTS)[1:], (NIGHTS,), {"SHUT_WITHIN"}, id="a-window-was-removed"),
        pytest.param([*rendered(NIGHTS), ALL_DAY], (NIGHTS,), {"SHUT_WITHIN"}, id="a-deny-was-added"),
        pytest.param("allow", (), {"FOREIGN_WINDOW"}, id="no-list"),
        pytest.param(["allow"], (), {"FOREIGN_WINDOW"}, id="no-window"),
    ],
)
def test_differences(found: Any, rules: tuple[dict[str, Any], ...], wanted: set[str]) -> None:
    assert bad(found, *rules).keys() == wanted


@pytest.mark.parametrize(
    ("change", "foreign"),
    [
        ({"manualSync": True}, True),
        ({"manualSync": None}, False),
        ({"syncOverrun": True}, True),
        ({"applications": ["web"]}, True),
        ({"applications": None}, True),
        ({"clusters": ["in-cluster"]}, True),
        ({"namespaces": []}, False),
        ({"timeZone": "Europe/Brussels"}, True),
        ({"timeZone": ""}, False),
        ({"description": "by hand"}, False),
        ({"schedule": "0 19 * * 6"}, True),
        ({"schedule": "0 19 5 dec *"}, True),
        ({"duration": "8h"}, True),
        ({"kind": "deny"}, True),
        ({"kind": "maybe"}, True),
        ({"novel": 1}, True),
    ],
)
def test_windows_of_another_form_are_somebody_elses(change: dict[str, Any], foreign: bool) -> None:
    windows = rendered(NIGHTS)
    windows[0] = {key: value for key, value in {**windows[0], **change}.items() if value is not None}
    found = bad(windows, NIGHTS)
    assert ("FOREIGN_WINDOW" in found) is foreign
    assert foreign or found == {}


@given(st.lists(st.integers(1, 60 * 14 * 24), min_size=1, max_size=6), st.integers(1, 1440))
@settings(max_examples=60, deadline=None)
def test_a_deny_that_was_not_rendered_is_always_found(starts: list[int], minutes: int) -> None:
    begin = NOW.replace(second=0, tzinfo=None)
    rules = [
        {
            "name": f"deny {n}",
            "effect": "deny",
            "once": {
                "from": (begin + dt.timedelta(minutes=start)).isoformat(),
                "until": (begin + dt.timedelta(minutes=start + minutes)).isoformat(),
            },
        }
        for n, start in enumerate(starts)
    ]
    of = read_calendars([{"name": "estate", "timezone": "UTC", "rules": rules}])
    asked = ahead(15)
    assert {c.code for c in drift_checks(rendered(), of, asked) if not c.ok} == {"OPEN_BEYOND"}
    assert all(c.ok for c in drift_checks(sync_windows(of, ahead(60)), of, asked))
