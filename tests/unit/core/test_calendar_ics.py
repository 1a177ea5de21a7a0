"""iCalendar files: which spans an event gives, what is refused, and zones that only the file knows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_ics import parse_events
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_ics_zone import FileZone
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import Calendar, CalendarError, Events, Rule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_rules import spans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import zone
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_ics_file import read_components

BRUSSELS = ZoneInfo("Europe/Brussels")
OFFICE = """BEGIN:VTIMEZONE
TZID:Romance Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def event(*lines: str) -> str:
    return "\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"]) + "\n"


def file(tmp_path: Path, *parts: str) -> Path:
    path = tmp_path / "a.ics"
    path.write_text("BEGIN:VCALENDAR\nVERSION:2.0\n" + "".join(parts) + "END:VCALENDAR\n")
    return path


def denied(path: Path, effect: str = "deny") -> list[str]:
    """All spans of June 2026 to May 2027 in Brussels, as local times without the year."""
    events = Events(parse_events(read_components(str(path)), "here", BRUSSELS, zone))
    within = tuple(int(dt.datetime(year, 6, 1, tzinfo=dt.UTC).timestamp()) for year in (2026, 2027))
    found = spans(Rule("r", effect, events), Calendar("c", BRUSSELS, ()), within)  # type: ignore[arg-type]
    return ["..".join(dt.datetime.fromtimestamp(at, BRUSSELS).strftime("%m-%d %H:%M") for at in span) for span in found]


SERIES = ("UID:1", "DTSTART;TZID=Europe/Brussels:20260601T200000", "DTEND;TZID=Europe/Brussels:20260601T220000")


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        pytest.param([event("DTSTART;VALUE=DATE:20261224")], ["12-24 00:00..12-25 00:00"], id="a-day"),
        pytest.param([event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20270104")], ["12-24 00:00..01-04 00:00"], id="days"),
        pytest.param([event("DTSTART;VALUE=DATE:20261025", "DURATION:P1D")], ["10-25 00:00..10-26 00:00"], id="a-day-of-25-hours"),
        pytest.param([event("DTSTART:20261205T200000Z", "DURATION:PT2H")], ["12-05 21:00..12-05 23:00"], id="utc"),
        pytest.param([event("DTSTART:20261205T200000", "DURATION:+PT2H")], ["12-05 20:00..12-05 22:00"], id="floating"),
        pytest.param(
            [event("DTSTART;TZID=America/New_York:20261205T200000", "DTEND;TZID=America/New_York:20261205T210000")],
            ["12-06 02:00..12-06 03:00"],
            id="another-zone",
        ),
        pytest.param(
            [event("DTSTART;TZID=America/New_York:20261205T200000", "DTEND:20261206T020000Z")],
            ["12-06 02:00..12-06 03:00"],
            id="ends-elsewhere",
        ),
        pytest.param([event("DTSTART:20261205T200000Z")], [], id="no-length"),
        pytest.param([event("DTSTART:20261205T200000", "DTEND:20261205T200000")], [], id="ends-as-it-starts"),
        pytest.param(
            [OFFICE, event("DTSTART;TZID=Romance Standard Time:20261205T200000", "DURATION:PT1H")],
            ["12-05 20:00..12-05 21:00"],
            id="own-zone",
        ),
        pytest.param([event(*SERIES, "RRULE:FREQ=DAILY;COUNT=2")], ["06-01 20:00..06-01 22:00", "06-02 20:00..06-02 22:00"], id="series"),
        pytest.param(
            [event(*SERIES, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260602T180000Z")],
            ["06-01 20:00..06-01 22:00", "06-03 20:00..06-03 22:00"],
            id="without-one-named-in-utc",
        ),
        pytest.param(
            [event(*SERIES, "RDATE;TZID=Europe/Brussels:20260605T080000,20260606T080000")],
            ["06-01 20:00..06-01 22:00", "06-05 08:00..06-05 10:00", "06-06 08:00..06-06 10:00"],
            id="more-dates",
        ),
        pytest.param(
            [event(*SERIES, "RDATE;VALUE=PERIOD:20260605T080000Z/PT30M,20260606T080000Z/20260606T090000Z")],
            ["06-01 20:00..06-01 22:00", "06-05 10:00..06-05 10:30", "06-06 10:00..06-06 11:00"],
            id="periods",
        ),
        pytest.param(
            [
                event("UID:1", "RECURRENCE-ID:20260602T180000Z", "DTSTART:20260603T180000Z", "DURATION:PT3H"),
                event(*SERIES, "RRULE:FREQ=DAILY;COUNT=2"),
            ],
            ["06-01 20:00..06-01 22:00", "06-03 20:00..06-03 23:00"],
            id="one-moved-even-before-its-series",
        ),
        pytest.param(
            [
                event(*SERIES, "RRULE:FREQ=DAILY;COUNT=2"),
                event("UID:1", "RECURRENCE-ID:20260602T180000Z", "DTSTART:20260602T180000Z", "STATUS:CANCELLED"),
            ],
            ["06-01 20:00..06-01 22:00"],
            id="one-cancelled",
        ),
        pytest.param([event(*SERIES, "STATUS:CANCELLED")], [], id="cancelled"),
        pytest.param([event(*SERIES, "TRANSP:TRANSPARENT")], ["06-01 20:00..06-01 22:00"], id="free-time-counts"),
        pytest.param(
            [event(*SERIES, "RRULE:FREQ=WEEKLY;BYDAY=WE;UNTIL=20260610T200000Z")],
            ["06-01 20:00..06-01 22:00", "06-03 20:00..06-03 22:00", "06-10 20:00..06-10 22:00"],
            id="the-start-is-one-of-them",
        ),
        pytest.param(
            [event("DTSTART;VALUE=DATE:20260601", "RRULE:FREQ=YEARLY;UNTIL=20270101")], ["06-01 00:00..06-02 00:00"], id="days-until-a-date"
        ),
        pytest.param([event(*SERIES, "BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM")], ["06-01 20:00..06-01 22:00"], id="an-alarm"),
        pytest.param(
            [event("DTSTART;VALUE=DATE:20261224", "DESCRIPTION:long\n  er: text")], ["12-24 00:00..12-25 00:00"], id="folded-line"
        ),
        pytest.param([], [], id="no-events"),
    ],
)
def test_events(tmp_path: Path, events: list[str], wanted: list[str]) -> None:
    assert denied(file(tmp_path, *events)) == wanted


def test_folds_of_an_event_take_the_side_of_its_effect(tmp_path: Path) -> None:
    path = file(tmp_path, event("DTSTART;TZID=Europe/Brussels:20261025T023000", "DURATION:PT2H"))
    seconds = {effect: spans_of(path, effect) for effect in ("deny", "allow")}
    assert seconds == {"deny": 3 * 3600, "allow": 3600}


def spans_of(path: Path, effect: str) -> int:
    events = Events(parse_events(read_components(str(path)), "here", BRUSSELS, zone))
    ((since, until),) = spans(Rule("r", effect, events), Calendar("c", BRUSSELS, ()), (1750000000, 1900000000))
    return until - since


@pytest.mark.parametrize(
    ("events", "says"),
    [
        pytest.param([event("SUMMARY:x")], "a VEVENT has no DTSTART", id="no-start"),
        pytest.param([event("DTSTART:20261205T200000Z", "DTSTART:20261206T200000Z")], "DTSTART is there 2 times", id="two-starts"),
        pytest.param([event("DTSTART:2026-12-05")], "is not understood", id="time"),
        pytest.param([event("DTSTART:20261305T200000Z")], "does not exist", id="month-13"),
        pytest.param([event("DTSTART;VALUE=DATE:20261205T200000")], "is not understood", id="a-date-with-time"),
        pytest.param([event("DTSTART;TZID=Mars/Base:20261205T200000")], "the time zone 'Mars/Base' is unknown", id="zone"),
        pytest.param([event("DTSTART:20261205T200000Z", "DTEND;VALUE=DATE:20261206")], "not both a date or both a time", id="mixed"),
        pytest.param([event("DTSTART:20261205T200000Z", "DTEND:20261205T190000Z")], "DTEND is before DTSTART", id="backwards"),
        pytest.param([event("DTSTART:20261205T200000Z", "DTEND:20261205T210000Z", "DURATION:PT1H")], "DTEND and DURATION", id="both"),
        pytest.param([event("DTSTART:20261205T200000Z", "DURATION:-PT1H")], "is not understood", id="negative"),
        pytest.param([event("DTSTART;VALUE=DATE:20261205", "DURATION:PT1H")], "Write whole days", id="a-part-of-a-day"),
        pytest.param([event(*SERIES, "RRULE:FREQ=DAILY;UNTIL=20261205")], "Write a time too", id="until-date"),
        pytest.param([event("DTSTART;VALUE=DATE:20261205", "RRULE:FREQ=HOURLY")], "it starts on a date", id="hourly-days"),
        pytest.param([event(*SERIES, "RRULE:FREQ=DAILY;X-OWN=1")], "is unknown", id="unknown-part"),
        pytest.param([event(*SERIES, "EXRULE:FREQ=DAILY")], "EXRULE is not understood", id="exrule"),
        pytest.param([event(*SERIES, "EXDATE;VALUE=DATE:20260602")], "not both a date or both a time", id="exdate-date"),
        pytest.param([event(*SERIES, "RDATE:20260605T080000Z/20260605T080000Z")], "not after its start", id="empty-period"),
        pytest.param([event(*SERIES, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260602T180000Z")], "RANGE", id="this-and-future"),
        pytest.param(
            [event(*SERIES, "RECURRENCE-ID:20260602T180000Z", "RRULE:FREQ=DAILY")], "RRULE is not understood here", id="series-in-one"
        ),
        pytest.param(
            [event(*SERIES), event("UID:1", "RECURRENCE-ID;VALUE=DATE:20260602", "DTSTART:20260602T180000Z")], "RECURRENCE-ID", id="mix"
        ),
        pytest.param([event(*SERIES), event(*SERIES)], "it is there twice", id="twice"),
        pytest.param(["BEGIN:VTODO\nEND:VTODO\n"], "components VTODO are not understood", id="tasks"),
        pytest.param(["CALSCALE:HEBREW\n"], "CALSCALE is not GREGORIAN", id="scale"),
        pytest.param(["BEGIN:VEVENT\n"], "END:VCALENDAR ends nothing", id="unclosed"),
        pytest.param(["END:VEVENT\n"], "END:VEVENT ends nothing", id="unopened"),
        pytest.param(["no colon\n"], "no colon", id="no-line"),
        pytest.param(
            ["BEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE\n", event("DTSTART;TZID=X:20261205T200000")], "STANDARD and DAYLIGHT", id="empty-zone"
        ),
        pytest.param([OFFICE.replace("+0200", "2h"), event("DTSTART;TZID=Romance Standard Time:20261205T200000")], "is '2h'", id="offset"),
    ],
)
def test_what_is_not_understood_is_an_error(tmp_path: Path, events: list[str], says: str) -> None:
    with pytest.raises(CalendarError) as told:
        denied(file(tmp_path, *events))
    assert says in str(told.value)
    assert str(told.value).endswith(".")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no VCALENDAR"),
        (b"<html>", "."),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261205T200000Z\n", "cut off"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261205T200000Z\nEND:VEVENT\n", "cut off"),
        (b"BEGIN:VCALENDAR\n\xff\xfeEND:VCALENDAR\n", "cannot be read"),
        (b"DTSTART:20261205T200000Z\n", "stands in no component"),
    ],
)
def test_a_broken_file_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.ics"
    path.write_bytes(content)
    with pytest.raises(CalendarError, match=says):
        denied(path)


def test_a_zone_of_the_file_shows_what_the_iana_zone_shows() -> None:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_ics_text import Line, components
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_ics_zone import file_zone

    lines = [Line(line.partition(":")[0], {}, line.partition(":")[2]) for line in OFFICE.splitlines()]
    own = file_zone(components(lines)[0])
    assert isinstance(own, FileZone)
    for minute in range(0, 2 * 366 * 1440, 17 * 60 + 13):
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
        assert at.astimezone(own).replace(tzinfo=None) == at.astimezone(BRUSSELS).replace(tzinfo=None)
        assert at.astimezone(own).fold == at.astimezone(BRUSSELS).fold
    for month, day, hours in ((3, 29, (1, 4)), (10, 25, (1, 4))):
        for quarter in range(hours[0] * 4, hours[1] * 4):
            wall = dt.datetime.fromisoformat(f"2026-{month:02}-{day:02}") + dt.timedelta(minutes=15 * quarter)
            for fold in (0, 1):
                shown = [wall.replace(tzinfo=info, fold=fold).utcoffset() for info in (own, BRUSSELS)]
                assert shown[0] == shown[1], (wall, fold)
