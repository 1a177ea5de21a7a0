from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import (
    CalendarError,
    Events,
    MonthDay,
    MonthSpan,
    Once,
    Recurring,
    Weekly,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars

FREEZE = Path(__file__).parent / "freeze.ics"
GOOD: dict[str, Any] = {
    "name": "finance",
    "timezone": "Europe/Brussels",
    "applies_to": {"tenants": ["acme"], "environments": [], "classes": ["normal"]},
    "rules": [
        {"name": "weekends", "effect": "allow", "weekly": {"days": ["sun", "sat"], "from": "20:00", "until": "24:00"}},
        {"name": "audit", "effect": "deny", "once": {"from": "2026-12-07T00:00", "until": "2026-12-11T24:00"}, "emergency": "allowed"},
        {"name": "payroll", "effect": "deny", "rrule": "FREQ=MONTHLY;BYMONTHDAY=25", "start": "2026-01-25T06:00", "duration": "PT8H"},
        {
            "name": "month end",
            "effect": "deny",
            "span": {"from": {"business_day": -3, "at": "00:00"}, "until": {"business_day": 2, "month": "next", "at": "18:00"}},
        },
        {"name": "group freeze", "effect": "deny", "ics": str(FREEZE)},
    ],
}


def test_a_good_calendar() -> None:
    (calendar,) = read_calendars([GOOD])
    weekends, audit, payroll, month_end, freeze = calendar.rules
    assert weekends.when == Weekly((5, 6), 72000, 86400)
    assert isinstance(audit.when, Once)
    assert audit.when.until.isoformat() == "2026-12-12T00:00:00"
    assert isinstance(payroll.when, Recurring)
    assert payroll.when.seconds == 8 * 3600
    assert month_end.when == MonthSpan(MonthDay(-3, True, 0, 0), MonthDay(2, True, 1, 64800))
    assert isinstance(freeze.when, Events)
    assert len(freeze.when.events) == 1
    assert (weekends.emergency_allowed, audit.emergency_allowed) == (False, True)
    assert calendar.binds("acme")
    assert not calendar.binds("zeta")


REMOVE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one place changed; a path such as rules.0.weekly.from."""
    result = copy.deepcopy(GOOD)
    at: Any = result
    *way, last = path.split(".")
    for part in way:
        at = at[int(part)] if part.isdigit() else at[part]
    if value is REMOVE:
        del at[last]
    else:
        at[int(last) if last.isdigit() else last] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        pytest.param("name", REMOVE, "name is missing", id="no-name"),
        pytest.param("timezone", REMOVE, "timezone is missing", id="no-zone"),
        pytest.param("timezone", "Europe/Brussel", "time zone is unknown", id="unknown-zone"),
        pytest.param("timezone", "Europe", "time zone is unknown", id="zone-is-a-folder"),
        pytest.param("timezone", "../../etc/passwd", "time zone is unknown", id="zone-is-a-path"),
        pytest.param("rules", [], "rules is not a list", id="no-rules"),
        pytest.param("rules", "all", "rules is not a list", id="rules-text"),
        pytest.param("rule", [], "key rule is unknown", id="misspelt-key"),
        pytest.param("holidays", ["2026-12-24"], "holidays is not a mapping", id="holidays-list"),
        pytest.param("holidays", {"country": "XX"}, "the country is unknown", id="no-such-country"),
        pytest.param("holidays", {"country": False}, "YAML reads NO as false", id="norway"),
        pytest.param("holidays", {"country": "DE", "subdivision": "ZZ"}, "the country is unknown", id="no-such-subdivision"),
        pytest.param("holidays", {"subdivision": "BY"}, "subdivision stands without country", id="subdivision-alone"),
        pytest.param("holidays", {"dates": "2026-12-24"}, "dates is not a list", id="holiday-text"),
        pytest.param("holidays", {"dates": ["24-12-2026"]}, "not a day of the calendar", id="holiday-other-order"),
        pytest.param("holidays", {"dates": [24]}, "no date", id="holiday-number"),
        pytest.param("holidays", {"days": []}, "key days is unknown", id="holidays-misspelt"),
        pytest.param("applies_to", ["acme"], "applies_to is not a mapping", id="applies-to-list"),
        pytest.param("applies_to.tenant", ["acme"], "key tenant is unknown", id="applies-to-misspelt"),
        pytest.param("applies_to.environments", ["prod"], "development, staging, uat or production", id="unknown-environment"),
        pytest.param("applies_to.tenants", "acme", "tenants is not a list", id="tenants-text"),
        pytest.param("rules.0", "weekend", "the rule is not a mapping", id="rule-text"),
        pytest.param("rules.0.effect", "denied", "effect is not known", id="effect"),
        pytest.param("rules.0.effect", REMOVE, "effect is not known", id="no-effect"),
        pytest.param("rules.0.name", REMOVE, "name is missing", id="rule-without-name"),
        pytest.param("rules.0.weekly", REMOVE, "exactly one kind", id="no-kind"),
        pytest.param("rules.0.once", {}, "exactly one kind", id="two-kinds"),
        pytest.param("rules.2.rrule", "FREQ=NEVER", "In it, FREQ is NEVER", id="rrule"),
        pytest.param("rules.2.rrule", REMOVE, "exactly one kind", id="start-without-rrule"),
        pytest.param("rules.2.start", REMOVE, "start is not a local", id="rrule-without-start"),
        pytest.param("rules.2.start", "2026-01-25T06:00Z", "with an offset", id="rrule-start-with-offset"),
        pytest.param("rules.2.duration", REMOVE, "duration is no duration", id="rrule-without-duration"),
        pytest.param("rules.2.duration", "P1M", "duration is no duration", id="a-month-has-no-length"),
        pytest.param("rules.2.duration", "P400D", "longer than 366 days", id="rrule-too-long"),
        pytest.param("rules.0.duration", "PT1H", "key duration is unknown", id="duration-beside-weekly"),
        pytest.param("rules.3.span", "monthly", "span is not a mapping", id="span-text"),
        pytest.param("rules.3.span.until", REMOVE, "until is not a mapping", id="span-without-until"),
        pytest.param("rules.3.span.from.day", 1, "exactly one of day and business_day", id="span-two-days"),
        pytest.param("rules.3.span.from.business_day", 0, "no day of a month", id="day-0"),
        pytest.param("rules.3.span.from.business_day", "last", "no day of a month", id="day-text"),
        pytest.param("rules.3.span.from.business_day", True, "no day of a month", id="day-true"),
        pytest.param("rules.3.span.until.month", "last", "month is not known", id="month"),
        pytest.param("rules.3.span.until.at", REMOVE, "at is not a time of day", id="span-without-at"),
        pytest.param("rules.3.span.until.to", "24:00", "key to is unknown", id="span-misspelt"),
        pytest.param("rules.4.ics", "/nowhere.ics", "cannot be read", id="ics-missing"),
        pytest.param("rules.4.ics", {}, "ics is missing", id="ics-mapping"),
        pytest.param("rules.0.emergancy", "allowed", "key emergancy is unknown", id="rule-misspelt"),
        pytest.param("rules.1.emergency", True, "emergency is not known", id="emergency"),
        pytest.param("rules.0.weekly.days", ["saturday"], "mon, tue", id="day"),
        pytest.param("rules.0.weekly.days", [], "days is empty", id="no-days"),
        pytest.param("rules.0.weekly.from", 1200, "the number 1200", id="sexagesimal"),
        pytest.param("rules.0.weekly.from", "8:00", "HH:MM", id="one-digit"),
        pytest.param("rules.0.weekly.from", "24:00", "at the day's end", id="from-24"),
        pytest.param("rules.0.weekly.until", "24:01", "HH:MM", id="after-24"),
        pytest.param("rules.0.weekly.until", REMOVE, "until is not a time of day", id="no-until"),
        pytest.param("rules.1.once.from", "2026-12-07", "not a local date and time", id="date-only"),
        pytest.param("rules.1.once.from", "2026-12-07T00:00Z", "with an offset", id="offset"),
        pytest.param("rules.1.once.from", "2026-02-30T00:00", "not a day of the calendar", id="no-such-day"),
        pytest.param("rules.1.once.from", "2026-12-07T25:00", "not a local date and time", id="no-such-hour"),
        pytest.param("rules.1.once.from", "0026-12-07T00:00", "1971 to 2999", id="no-such-year"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path: str, value: Any, says: str) -> None:
    with pytest.raises(CalendarError) as told:
        read_calendars([changed(path, value)])
    text = str(told.value)
    assert says in text
    assert text.startswith(("calendars, calendar 1", "iCalendar file /nowhere.ics"))
    if path.startswith("rules.") and "nowhere" not in str(value):
        assert f"rule {int(path.split('.')[1]) + 1}" in text
    assert "Write" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("- {name: a", "is not valid YAML", id="broken"),
        pytest.param("{name: a}", "are not a list", id="no-list"),
        pytest.param("", "are not a list", id="empty-file"),
        pytest.param("- {name: a, name: b}", "is there twice", id="a-key-twice-would-hide-rules"),
        pytest.param("- {name: a, timezone: Nowhere/Here, rules: [{}]}", "time zone is unknown", id="zone"),
        pytest.param("- {name: !!python/object/apply:os.getcwd []}", "is not valid YAML", id="no-code"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "cal.yml").write_text(text)
    with pytest.raises(CalendarError, match=says) as told:
        read_calendars([str(tmp_path / "cal.yml")])
    assert "cal.yml" in str(told.value)


def test_unquoted_yaml_times_are_understood_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "cal.yml"
    file.write_text(
        "- {name: a, timezone: UTC, rules: [{name: r, effect: deny, once: {from: 2026-12-07T00:00:00, until: 2026-12-08 12:30:00}}]}\n"
    )
    (calendar,) = read_calendars([str(file)])
    assert calendar.rules[0].when.until.isoformat() == "2026-12-08T12:30:00"  # type: ignore[union-attr]
    file.write_text("- {name: a, timezone: UTC, rules: [{name: r, effect: deny, weekly: {days: [mon], from: 20:00, until: 23:00}}]}\n")
    with pytest.raises(CalendarError, match="in quotes"):
        read_calendars([str(file)])


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(CalendarError, match=r"nowhere.yml: cannot be read"):
        read_calendars(["/nowhere.yml"])
