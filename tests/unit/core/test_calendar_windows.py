from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.filter import calendars as filters
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_decide import Question, decide
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars

SINCE, UNTIL = "2026-12-01T00:00:00Z", "2026-12-15T00:00:00Z"
AUDIT = {"name": "audit", "effect": "deny", "once": {"from": "2026-11-30T00:00", "until": "2026-12-12T22:00:30"}, "emergency": "allowed"}
NIGHTS = {"name": "nights", "effect": "allow", "weekly": {"days": ["sat"], "from": "20:00", "until": "04:00"}}
ESTATE = {"name": "estate", "timezone": "UTC", "rules": [AUDIT]}
ACME = {"name": "acme", "timezone": "UTC", "applies_to": {"tenants": ["acme"], "environments": ["production"]}, "rules": [NIGHTS]}


def names(**more: Any) -> list[str]:
    return [row["rule"] for row in filters.blackout_windows([ESTATE, ACME], SINCE, UNTIL, **more)]


def test_all_spans_of_the_range_are_told_whole_and_in_order() -> None:
    rows = filters.blackout_windows([ACME, ESTATE], SINCE, UNTIL)
    assert [(row["calendar"], row["effect"], row["from"], row["until"], row["tenants"]) for row in rows] == [
        ("estate", "deny", "2026-11-30T00:00:00Z", "2026-12-12T22:00:30Z", []),
        ("acme", "allow", "2026-12-05T20:00:00Z", "2026-12-06T04:00:00Z", ["acme"]),
        ("acme", "allow", "2026-12-12T20:00:00Z", "2026-12-13T04:00:00Z", ["acme"]),
    ]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, ["audit", "nights", "nights"]),
        ({"tenants": ["zeta"]}, ["audit"]),
        ({"tenants": ["acme"], "scope": {"environment": "staging"}}, ["audit"]),
        ({"scope": {"class": "emergency"}}, ["nights", "nights"]),
    ],
)
def test_tenants_and_scope(more: dict[str, Any], wanted: list[str]) -> None:
    assert names(**more) == wanted


def test_argo_cd_may_sync_when_the_calendars_leave_whole_minutes_free() -> None:
    (window,) = filters.argocd_sync_windows([ESTATE, ACME], SINCE, UNTIL, ["acme"])
    assert window == {
        "kind": "allow",
        "schedule": "1 22 12 12 *",
        "duration": "359m",
        "timeZone": "UTC",
        "applications": ["*"],
        "manualSync": False,
    }


def test_a_range_without_a_free_minute_is_denied() -> None:
    (window,) = filters.argocd_sync_windows([ESTATE], SINCE, "2026-12-02T00:00:00Z")
    assert (window["kind"], window["schedule"], window["duration"]) == ("deny", "0 0 * * *", "1440m")


def test_argo_cd_and_the_gate_agree_minute_by_minute() -> None:
    given = [{**ESTATE, "timezone": "Europe/Brussels"}, ACME]
    opened = set()
    for window in filters.argocd_sync_windows(given, SINCE, UNTIL, ["acme"]):
        minute, hour, day, month, _weekday = window["schedule"].split()
        start = dt.datetime(2026, int(month), int(day), int(hour), int(minute), tzinfo=dt.UTC)
        opened |= {start + dt.timedelta(minutes=n) for n in range(int(window["duration"][:-1]))}
    read, at = read_calendars(given), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    while at < dt.datetime(2026, 12, 15, tzinfo=dt.UTC):
        assert decide(read, Question(at, 60, ("acme",), horizon_days=0)).allowed is (at in opened)
        at += dt.timedelta(minutes=1 if at.day in (12, 13) else 60)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"since": "2026-12-01"}, "is not understood"),
        ({"since": UNTIL, "until": SINCE}, "wanted more than 0"),
        ({"until": "2047-01-01T00:00:00Z"}, "at most 3660 days"),
        ({"tenants": "acme"}, "wanted a list of names"),
        ({"scope": {"environment": "prod"}}, "scope has environment: prod"),
        ({"scope": {"env": "production"}}, "scope has env"),
        ({"calendars": [{"name": "a"}]}, "calendar 1 (a)"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(filters.AnsibleFilterError) as told:
        filters.blackout_windows(**{"calendars": [ESTATE], "since": SINCE, "until": UNTIL, **change})
    assert says in str(told.value)
    assert str(told.value).startswith("blackout_windows: ")


def test_argo_cd_windows_are_not_rendered_for_longer_than_their_schedules_hold() -> None:
    with pytest.raises(filters.AnsibleFilterError, match="at most 350 days"):
        filters.argocd_sync_windows([ESTATE], SINCE, "2027-12-01T00:00:00Z")
