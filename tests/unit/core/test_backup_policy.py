"""Whether the backups are those that were promised: schedule, retention and copies."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Backup, Stanza
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup_policy import (
    Retention,
    judge_copies,
    judge_retention,
    judge_schedule,
    parse_schedule,
)

NIGHTLY = {"rrule": "FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "timezone": "UTC", "kind": "incr", "tolerance": "PT1H", "look_back": "P4D"}
NOW = "2026-11-28T06:00"


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def backup(start: str, kind: str = "incr", *, repo: int = 1, error: bool | None = False) -> Backup:
    begun = at(start)
    return Backup(start, kind, begun, begun + dt.timedelta(minutes=5), "", "", "", "", (), error, 1, repo, 1)


def stanza(*backups: Backup) -> Stanza:
    return Stanza("main", 0, "ok", backups, (), ())


def missed(schedule: dict[str, Any], *backups: Backup, now: str = NOW) -> Any:
    """The times that were missed; None when it cannot be told."""
    check = judge_schedule(stanza(*backups), parse_schedule({**NIGHTLY, **schedule}), now=at(now))
    assert check.ok is None or check.ok is (check.observed["missed"] == [])
    assert check.code == "SCHEDULE"
    return None if check.ok is None else check.observed["missed"]


NIGHTS = [backup(f"2026-11-{day}T02:30", "full" if day == 24 else "incr") for day in range(24, 29)]


@pytest.mark.parametrize(
    ("schedule", "backups", "now", "wanted"),
    [
        pytest.param({}, NIGHTS, NOW, [], id="each-night"),
        pytest.param({}, [*NIGHTS[:2], *NIGHTS[3:]], NOW, ["2026-11-26T02:30:00Z"], id="one-missed-though-the-newest-is-young"),
        pytest.param({}, NIGHTS[:4], NOW, ["2026-11-28T02:30:00Z"], id="the-last-one-missed"),
        pytest.param({}, NIGHTS[:4], "2026-11-28T03:29", [], id="not-late-yet"),
        pytest.param({}, NIGHTS[:4], "2026-11-28T03:30", ["2026-11-28T02:30:00Z"], id="late"),
        pytest.param({}, [*NIGHTS[:4], backup("2026-11-28T05:50")], NOW, [], id="made-up-for-by-hand"),
        pytest.param(
            {}, [*NIGHTS[:3], backup("2026-11-28T02:30")], NOW, ["2026-11-27T02:30:00Z"], id="the-next-one-does-not-make-up-for-it"
        ),
        pytest.param({}, [NIGHTS[0], *[backup(f"2026-11-{d}T02:29:30") for d in range(25, 29)]], NOW, [], id="a-clock-that-is-early"),
        pytest.param({"look_back": "P1D"}, [NIGHTS[0], NIGHTS[4]], NOW, [], id="what-is-past-is-past"),
        pytest.param({}, NIGHTS[3:], NOW, [], id="nothing-asked-from-before-the-oldest"),
        pytest.param({"look_back": "PT2H"}, NIGHTS, NOW, None, id="none-was-due"),
        pytest.param({"kind": "full"}, NIGHTS, NOW, [f"2026-11-{d}T02:30:00Z" for d in (25, 26, 27, 28)], id="not-of-that-kind"),
        pytest.param({"kind": "diff"}, [backup(f"2026-11-{d}T02:30", "full") for d in range(24, 29)], NOW, [], id="a-full-one-is-more"),
        pytest.param(
            {"rrule": "FREQ=WEEKLY;BYDAY=SU;BYHOUR=1;BYMINUTE=0", "kind": "full", "look_back": "P8D"},
            [backup("2026-11-15T01:00", "full"), *NIGHTS[1:]],
            NOW,
            ["2026-11-22T01:00:00Z"],
            id="weekly",
        ),
        pytest.param(
            {"rrule": "FREQ=DAILY", "look_back": "P2D"}, [backup(f"2026-11-{d}T00:01") for d in (26, 27, 28)], NOW, [], id="midnight"
        ),
        # Brussels, the night of 25 October 2026: 02:30 is shown twice, at 00:30 and 01:30 UTC
        *(
            pytest.param(
                {"timezone": "Europe/Brussels", "look_back": "P1D"},
                [backup("2026-10-24T00:30"), backup(f"2026-10-25T0{hour}:30")],
                "2026-10-25T06:00",
                [],
                id=f"the-hour-that-is-shown-twice-{hour}",
            )
            for hour in (0, 1)
        ),
        # 29 March 2026: 02:30 is never shown; the transition is at 01:00 UTC
        pytest.param(
            {"timezone": "Europe/Brussels", "look_back": "P1D"},
            [backup("2026-03-28T01:30"), backup("2026-03-29T01:00")],
            "2026-03-29T06:00",
            [],
            id="the-hour-that-is-never-shown",
        ),
    ],
)
def test_schedule(schedule: dict[str, Any], backups: list[Backup], now: str, wanted: Any) -> None:
    assert missed(schedule, *backups, now=now) == wanted


def test_no_backup_at_all_and_a_rule_of_too_many_times() -> None:
    assert judge_schedule(stanza(), parse_schedule(NIGHTLY), now=at(NOW)).ok is False
    often = parse_schedule({**NIGHTLY, "rrule": "FREQ=SECONDLY", "look_back": "P30D"})
    assert judge_schedule(stanza(backup("2026-01-01T00:00")), often, now=at(NOW)).ok is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"timezone": "Europe/Brusels"}, "timezone is 'Europe/Brusels'"),
        ({"rrule": "FREQ=OFTEN"}, "FREQ is OFTEN"),
        ({"tolerance": "an hour"}, "'an hour'"),
    ],
)
def test_a_schedule_that_is_not_understood(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_schedule({**NIGHTLY, **wrong})
    assert str(caught.value).startswith("option schedule: ")


FULLS = [backup("2026-11-14T01:00", "full"), backup("2026-11-21T01:00", "full"), NIGHTS[4]]


@pytest.mark.parametrize(
    ("retention", "backups", "earliest", "wanted"),
    [
        pytest.param(Retention(full=2), FULLS, None, [True], id="two-full"),
        pytest.param(Retention(full=3), FULLS, None, [False], id="too-few"),
        pytest.param(Retention(full=1), [*FULLS, backup("2026-11-21T01:00", repo=2)], None, [False], id="none-in-the-second"),
        pytest.param(Retention(full=1), [], None, [False], id="none"),
        pytest.param(Retention(window_s=14 * 86400), FULLS, "2026-11-14T05:59:00Z", [True], id="reaches-back"),
        pytest.param(Retention(window_s=14 * 86400), FULLS, "2026-11-14T06:00:01Z", [False], id="not-far-enough"),
        pytest.param(Retention(window_s=60), FULLS, None, [False], id="no-window"),
        pytest.param(Retention(2, 60), FULLS, "2026-11-14T05:59:00Z", [True, True], id="both"),
        pytest.param(Retention(), FULLS, None, [], id="nothing-asked"),
    ],
)
def test_retention(retention: Retention, backups: list[Backup], earliest: str | None, wanted: list[bool]) -> None:
    checks = judge_retention(stanza(*backups), retention, {"earliest": earliest, "latest": NOW}, now=at(NOW))
    assert [check.ok for check in checks] == wanted
    assert {check.code for check in checks} <= {"RETENTION"}


@pytest.mark.parametrize(
    ("second", "ok"),
    [
        pytest.param([backup("2026-11-28T03:00", repo=2)], True, id="both"),
        pytest.param([], False, id="one"),
        pytest.param([backup("2026-11-20T03:00", repo=2)], False, id="the-second-is-old"),
        pytest.param([backup("2026-11-28T03:00", repo=2, error=True)], False, id="the-second-has-page-errors"),
        pytest.param([backup("2026-11-28T03:00", repo=2, error=None)], False, id="of-the-second-it-cannot-be-told"),
    ],
)
def test_copies(second: list[Backup], ok: bool) -> None:
    check = judge_copies(stanza(NIGHTS[4], *second), 2, now=at(NOW), max_age_s=86400)
    assert (check.ok, check.code) == (ok, "MISSING_COPY")
