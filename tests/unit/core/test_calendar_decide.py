from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_decide import (
    Answer,
    Question,
    blocking_rows,
    checks,
    decide,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import Scope
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339, verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars


def once(since: str, until: str, effect: str = "deny", **more: str) -> dict[str, Any]:
    return {"name": f"once {effect}", "effect": effect, "once": {"from": since, "until": until}, **more}


def weekly(days: str, since: str, until: str, effect: str = "deny", **more: str) -> dict[str, Any]:
    return {"name": f"weekly {effect}", "effect": effect, "weekly": {"days": days.split(), "from": since, "until": until}, **more}


def calendar(*rules: dict[str, Any], zone: str = "UTC", name: str = "cal", **applies_to: list[str]) -> dict[str, Any]:
    return {"name": name, "timezone": zone, "rules": list(rules), "applies_to": applies_to}


def ask(
    at: str, duration: str, *calendars: dict[str, Any], tenants: tuple[str, ...] = ("acme",), scope: Scope | None = None, days: int = 90
) -> Answer:
    question = Question(parse_instant(at), parse_duration(duration), tenants, scope or Scope(), days)
    return decide(read_calendars(calendars), question)


BRUSSELS, NEW_YORK = "Europe/Brussels", "America/New_York"


@pytest.mark.parametrize(
    ("at", "duration", "calendars", "allowed", "next_start"),
    [
        pytest.param("2026-12-05T20:00:00Z", "PT2H", [], True, "2026-12-05T20:00:00Z", id="no-calendars"),
        pytest.param(
            "2026-12-05T20:00:00+01:00",
            "PT2H",
            [calendar(once("2026-12-05T22:00", "2026-12-06T00:00"), zone=BRUSSELS)],
            True,
            "2026-12-05T19:00:00Z",
            id="ends-exactly-where-the-deny-starts",
        ),
        pytest.param(
            "2026-12-05T20:00:01+01:00",
            "PT2H",
            [calendar(once("2026-12-05T22:00", "2026-12-06T00:00"), zone=BRUSSELS)],
            False,
            "2026-12-05T23:00:00Z",
            id="one-second-too-late",
        ),
        pytest.param(
            "2026-12-05T22:00:00Z",
            "PT0S",
            [calendar(once("2026-12-05T20:00", "2026-12-05T22:00"))],
            True,
            "2026-12-05T22:00:00Z",
            id="instant-at-the-end-is-free",
        ),
        pytest.param(
            "2026-12-05T20:00:00Z",
            "PT0S",
            [calendar(once("2026-12-05T20:00", "2026-12-05T22:00"))],
            False,
            "2026-12-05T22:00:00Z",
            id="instant-at-the-start-is-blocked",
        ),
        pytest.param(
            "2026-12-05T21:59:59.5Z",
            "PT0S",
            [calendar(once("2026-12-05T20:00", "2026-12-05T22:00"))],
            False,
            "2026-12-05T22:00:00Z",
            id="half-a-second-before-the-end",
        ),
        pytest.param(
            "2026-12-05T19:59:59.5Z",
            "PT1S",
            [calendar(once("2026-12-05T20:00", "2026-12-05T22:00"))],
            False,
            "2026-12-05T22:00:00Z",
            id="half-a-second-into-the-deny",
        ),
        pytest.param(
            "2026-12-04T23:30:00Z",
            "PT2H",
            [calendar(weekly("fri", "22:00", "02:00"))],
            False,
            "2026-12-05T02:00:00Z",
            id="weekly-across-midnight",
        ),
        pytest.param(
            "2026-12-04T10:00:00Z",
            "PT1H",
            [calendar(weekly("fri", "08:00", "08:00"))],
            False,
            "2026-12-05T08:00:00Z",
            id="until-equal-to-from-is-a-whole-day",
        ),
        pytest.param(
            "2026-12-05T20:00:00Z",
            "PT4H",
            [calendar(weekly("sat", "18:00", "22:00", "allow"), weekly("sat", "22:00", "02:00", "allow"))],
            True,
            "2026-12-05T20:00:00Z",
            id="adjacent-allow-spans-count-as-one",
        ),
        pytest.param(
            "2026-12-05T20:00:00Z",
            "PT4H",
            [
                calendar(weekly("sat", "18:00", "22:00", "allow"), name="a"),
                calendar(weekly("sat", "22:00", "02:00", "allow"), name="b"),
            ],
            False,
            None,
            id="each-calendar-must-agree-on-its-own",
        ),
        pytest.param(
            "2026-12-05T12:00:00Z",
            "PT2H",
            [calendar(weekly("sat", "20:00", "04:00", "allow"), once("2026-12-05T20:00", "2026-12-06T03:00"))],
            False,
            "2026-12-12T20:00:00Z",
            id="too-little-left-of-the-window",
        ),
        pytest.param(
            "2026-12-07T12:00:00Z",
            "PT9H",
            [calendar(weekly("sat", "20:00", "04:00", "allow"))],
            False,
            None,
            id="longer-than-every-window",
        ),
        pytest.param(
            "2026-12-05T12:00:00Z",
            "PT1H",
            [calendar(once("2026-12-05T14:00", "2026-12-05T12:00"))],
            True,
            "2026-12-05T12:00:00Z",
            id="until-before-from-is-no-span",
        ),
    ],
)
def test_decisions(at: str, duration: str, calendars: list[dict[str, Any]], allowed: bool, next_start: str | None) -> None:
    answer = ask(at, duration, *calendars)
    assert answer.allowed is allowed
    assert (answer.next_start and rfc3339(answer.next_start)) == next_start
    assert (answer.why_none is None) == (next_start is not None)


@pytest.mark.parametrize(
    ("zone", "rule", "span"),
    [
        # In the night of the fold 02:00..03:00 is shown twice in Brussels: 00:00Z..01:00Z and 01:00Z..02:00Z.
        pytest.param(BRUSSELS, weekly("sun", "02:30", "02:45"), ("2026-10-25T00:30:00Z", "2026-10-25T01:45:00Z"), id="fold-deny"),
        pytest.param(BRUSSELS, weekly("sun", "02:30", "02:45", "allow"), "2026-10-25", id="fold-allow-is-empty"),
        pytest.param(
            BRUSSELS, weekly("sun", "01:00", "02:30", "allow"), ("2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"), id="fold-allow-ends"
        ),
        pytest.param(
            BRUSSELS, weekly("sun", "02:30", "04:00", "allow"), ("2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"), id="fold-allow-starts"
        ),
        pytest.param(NEW_YORK, weekly("sun", "01:15", "01:30"), ("2026-11-01T05:15:00Z", "2026-11-01T06:30:00Z"), id="fold-deny-new-york"),
        pytest.param(
            NEW_YORK,
            weekly("sun", "00:00", "01:30", "allow"),
            ("2026-11-01T04:00:00Z", "2026-11-01T05:30:00Z"),
            id="fold-allow-new-york",
        ),
        # In the night of the gap 02:00..03:00 is never shown: both borders mean the transition.
        pytest.param(BRUSSELS, weekly("sun", "02:15", "02:45"), "2026-03-29", id="inside-the-gap-is-empty"),
        pytest.param(BRUSSELS, weekly("sun", "01:30", "02:30"), ("2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"), id="ends-in-the-gap"),
        pytest.param(BRUSSELS, weekly("sun", "02:30", "03:30"), ("2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"), id="starts-in-the-gap"),
        pytest.param(
            NEW_YORK,
            once("2026-03-08T02:30", "2026-03-08T04:00", "allow"),
            ("2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"),
            id="gap-allow-new-york",
        ),
    ],
)
def test_folds_and_gaps(zone: str, rule: dict[str, Any], span: tuple[str, str] | str) -> None:
    """Asked at the seconds around the borders, the answer changes exactly there; a text is a day without any span."""
    denies = rule["effect"] == "deny"

    def inside(at: dt.datetime) -> bool:
        found = ask(rfc3339(at), "PT0S", calendar(rule, zone=zone))
        return found.allowed is not denies

    if isinstance(span, str):
        midnight = parse_instant(f"{span}T00:00:00Z")
        assert not any(inside(midnight + dt.timedelta(minutes=minute)) for minute in range(0, 200, 5))
        return
    since, until = (parse_instant(text) for text in span)
    second = dt.timedelta(seconds=1)
    assert [inside(at) for at in (since - second, since, until - second, until)] == [False, True, True, False]


SCOPED = calendar(once("2026-12-05T00:00", "2026-12-06T00:00"), tenants=["acme"], environments=["production"], classes=["normal"])
NORMAL = Scope("production", "application", "normal")


@pytest.mark.parametrize(
    ("tenants", "scope", "blocked"),
    [
        pytest.param(("acme", "zeta"), NORMAL, ["acme"], id="only-the-tenant-it-binds"),
        pytest.param(("zeta",), NORMAL, [], id="other-tenant"),
        pytest.param(("acme",), Scope("staging", "application", "normal"), [], id="other-environment"),
        pytest.param(("acme",), Scope("production", "application", "standard"), [], id="other-class"),
        pytest.param(("acme",), Scope(), ["acme"], id="what-is-not-said-rules-nothing-out"),
    ],
)
def test_who_is_bound(tenants: tuple[str, ...], scope: Scope, blocked: list[str]) -> None:
    answer = ask("2026-12-05T20:00:00Z", "PT1H", SCOPED, tenants=tenants, scope=scope)
    assert [tenant for tenant, _found in answer.blocking] == blocked


@pytest.mark.parametrize(
    ("rules", "normal", "emergency"),
    [
        pytest.param([once("2026-12-05T00:00", "2026-12-06T00:00")], False, False, id="unmarked-blocks-both"),
        pytest.param([once("2026-12-05T00:00", "2026-12-06T00:00", emergency="allowed")], False, True, id="marked"),
        pytest.param([weekly("mon", "00:00", "24:00", "allow", emergency="allowed")], False, True, id="marked-allow-window"),
        pytest.param(
            [weekly("sat", "00:00", "24:00", "allow", emergency="allowed"), weekly("mon", "00:00", "24:00", "allow")],
            True,
            True,
            id="an-emergency-may-use-what-others-may",
        ),
        pytest.param(
            [weekly("sun", "00:00", "24:00", "allow", emergency="allowed"), weekly("mon", "00:00", "24:00", "allow")],
            False,
            False,
            id="one-unmarked-window-binds",
        ),
    ],
)
def test_emergencies(rules: list[dict[str, Any]], normal: bool, emergency: bool) -> None:
    found = [ask("2026-12-05T20:00:00Z", "PT1H", calendar(*rules), scope=Scope(change_class=c)).allowed for c in ("normal", "emergency")]
    assert found == [normal, emergency]


def test_everything_that_blocks_is_named() -> None:
    answer = ask(
        "2026-12-05T20:00:00+01:00",
        "PT4H",
        calendar(once("2026-12-05T21:00", "2026-12-05T22:00"), zone=BRUSSELS, name="a", tenants=["acme"]),
        calendar(weekly("sat", "18:00", "20:00", "allow"), name="b"),
        tenants=("acme", "zeta"),
    )
    outside = {"calendar": "b", "rule": "weekly allow", "from": "2026-12-05T20:00:00Z", "until": "2026-12-12T18:00:00Z"}
    assert [{k: v for k, v in row.items() if k != "reason"} for row in blocking_rows(answer)] == [
        {"tenant": "acme", "calendar": "a", "rule": "once deny", "from": "2026-12-05T20:00:00Z", "until": "2026-12-05T21:00:00Z"},
        {"tenant": "acme", **outside},
        {"tenant": "zeta", **outside},
    ]
    assert answer.next_start is None  # the window has two hours, the work needs four
    assert "longest free stretch is 7200 s" in (answer.why_none or "")


def test_the_horizon_is_included_and_nothing_beyond() -> None:
    for until, found in (("2026-12-07T00:00:00", True), ("2026-12-07T00:00:01", False)):
        answer = ask("2026-12-05T00:00:00Z", "PT1H", calendar(once("2026-12-05T00:00", until)), days=2)
        assert (answer.next_start is not None) is found
    free = ask("2026-12-05T00:00:00Z", "PT1H", days=0)
    assert free.next_start is not None


@pytest.mark.parametrize(
    "bad",
    [
        {"at": dt.datetime(2026, 1, 1)},  # noqa: DTZ001
        {"at": dt.datetime(9999, 1, 1, tzinfo=dt.UTC)},
        {"duration_s": 10**9},
        {"horizon_days": -1},
        {"horizon_days": 10**6},
        {"tenants": ()},
    ],
)
def test_questions_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    good = {"at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "duration_s": 0, "tenants": ("acme",)}
    with pytest.raises(ValueError, match="wanted"):
        Question(**{**good, **bad})


def test_the_checks_name_each_tenant_once() -> None:
    question = Question(parse_instant("2026-12-05T20:00:00Z"), 3600, ("acme", "zeta"))
    found = checks(decide(read_calendars([SCOPED]), question), question)
    assert [(check.id, check.ok, check.code) for check in found] == [("window_acme", False, "BLACKOUT"), ("window_zeta", True, "")]
    assert found[0].hint == "Start at 2026-12-06T00:00:00Z."
    assert verdict(found) == "fail"
