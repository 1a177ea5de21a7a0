"""Random calendars and questions near a change of the clock, all in whole minutes."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.calendar_walk import DAY, MINUTE, SIDE_DAYS, Piece, Walk, occurrences

NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LONGEST = 2 * DAY


@dataclass(frozen=True)
class Event:
    """What an iCalendar file holds, as text for the product and as pieces for the oracle."""

    form: str  # zone, floating, utc or date
    start: dt.datetime
    minutes: int
    as_duration: bool
    rule: str
    without: tuple[dt.datetime, ...]
    more: tuple[dt.datetime, ...]
    moved: tuple[dt.datetime, dt.datetime] | None

    def pieces(self, walk: Walk) -> list[Piece]:
        starts = {self.start, *self.more, *(occurrences(walk, self.rule, self.start) if self.rule else ())} - set(self.without)
        if self.moved:
            starts -= {self.moved[0]}
        found = [self._piece(at) for at in starts]
        return [*found, self._piece(self.moved[1])] if self.moved else found

    def _piece(self, at: dt.datetime) -> Piece:
        if self.form == "utc":
            return Piece(at, minutes=self.minutes, utc=True)
        return Piece(at, minutes=self.minutes) if self.as_duration else Piece(at, at + MINUTE * self.minutes)

    def text(self, zone: str) -> str:
        def line(name: str, *times: dt.datetime) -> str:
            form = "%Y%m%d" if self.form == "date" else "%Y%m%dT%H%M%S" + ("Z" if self.form == "utc" else "")
            params = {"zone": f";TZID={zone}", "date": ";VALUE=DATE"}.get(self.form, "")
            return f"{name}{params}:" + ",".join(at.strftime(form) for at in times)

        def event(start: dt.datetime, *more: str) -> list[str]:
            duration = f"P{self.minutes // DAY}D" if self.form == "date" else f"PT{self.minutes}M"
            end = f"DURATION:{duration}" if self.as_duration else line("DTEND", start + MINUTE * self.minutes)
            return ["BEGIN:VEVENT", "UID:1", line("DTSTART", start), end, *more, "END:VEVENT"]

        more = [f"RRULE:{self.rule}"] if self.rule else []
        more += [line("EXDATE", *self.without)] if self.without else []
        more += [line("RDATE", *self.more)] if self.more else []
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *event(self.start, *more)]
        lines += event(self.moved[1], line("RECURRENCE-ID", self.moved[0])) if self.moved else []
        return "\r\n".join([*lines, "END:VCALENDAR", ""])


class Cases:
    """Cases around one anchor; ``folder`` takes the iCalendar files."""

    def __init__(self, rng: random.Random, walk: Walk, folder: Path) -> None:
        self.rng, self.walk, self.folder, self.files = rng, walk, folder, 0

    def calendars(self) -> list[dict[str, Any]]:
        """Calendars as the product reads them; each rule holds its minutes, too, which are taken out by :func:`plain`."""
        found = [self._calendar(number) for number in range(self.rng.randint(1, 2))]
        for calendar in found:
            for rule in calendar["rules"]:
                rule["minutes"] = self.walk.marked(rule, calendar)
        return found

    def question(self) -> tuple[int, int, int, str]:
        """Minute of the walk, minutes of work, days of horizon, class."""
        rng = self.rng
        at = SIDE_DAYS * DAY + (rng.randint(-60, 360) if rng.random() < 0.5 else rng.randint(-DAY, DAY))
        return at, rng.choice([0, 0, rng.randint(1, 90), rng.randint(1, 600)]), rng.choice([0, 1, 1]), rng.choice(["normal", "emergency"])

    def _calendar(self, number: int) -> dict[str, Any]:
        rng = self.rng
        off = {"dates": sorted({self._moment(5)[:10] for _n in range(rng.randint(0, 3))})}
        if rng.random() < 0.3:
            off["country"] = rng.choice(["BE", "US", "JP", "CL"])
        rules = [self._rule(n) for n in range(rng.choice([1, 1, 2, 3]))]
        return {"name": f"c{number}", "timezone": self.walk.zone, "rules": rules, "holidays": off}

    def _rule(self, number: int) -> dict[str, Any]:
        rng = self.rng
        base: dict[str, Any] = {"name": f"r{number}", "effect": rng.choice(["deny", "deny", "allow"])}
        if rng.random() < 0.1:
            base["emergency"] = "allowed"
        kind = rng.choices([self._once, self._weekly, self._rrule, self._span, self._ics], [3, 3, 3, 3, 1])[0]
        return {**base, **kind()}

    def _moment(self, days: int = 3) -> str:
        if self.rng.random() < 0.5:
            return (self.walk.change + MINUTE * self.rng.randint(-120, 120)).isoformat()
        return (self.walk.day + MINUTE * self.rng.randint(-days * DAY, days * DAY)).isoformat()

    def _clock(self) -> str:
        near = self.rng.randint(-120, 120) if self.rng.random() < 0.6 else self.rng.randrange(DAY)
        return (self.walk.change + MINUTE * near).strftime("%H:%M")

    def _minutes(self) -> int:
        return self.rng.choice([self.rng.randint(0, 150), self.rng.randint(1, 600), self.rng.randint(1, LONGEST)])

    def _once(self) -> dict[str, Any]:
        return {"once": {"from": self._moment(), "until": self._moment()}}

    def _weekly(self) -> dict[str, Any]:
        days = self.rng.sample(NAMES, self.rng.randint(1, 5))
        return {"weekly": {"days": days, "from": self._clock(), "until": self._clock()}}

    def _rule_text(self, start: dt.datetime, *, dates: bool = False) -> str:
        rng, day = self.rng, start.strftime("%a").upper()[:2]
        texts = ["FREQ=DAILY", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY", f"FREQ=WEEKLY;BYDAY={day},SA,MO", "FREQ=MONTHLY", "FREQ=YEARLY"]
        texts += [f"FREQ=MONTHLY;BYDAY=-1{day},1{day},2SU", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,1"]
        texts += [f"FREQ=YEARLY;BYMONTH={start.month};BYDAY={day}", f"FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,{day}"]
        if not dates:
            texts += ["FREQ=HOURLY;INTERVAL=5", "FREQ=MINUTELY;INTERVAL=45", "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30"]
        text, end = rng.choice(texts), rng.random()
        if end < 0.2:
            return f"{text};COUNT={rng.randint(1, 30)}"
        until = self.walk.day + MINUTE * rng.randint(-DAY, 3 * DAY)
        return f"{text};UNTIL={until.strftime('%Y%m%d' if dates else '%Y%m%dT%H%M%S')}" if end < 0.4 else text

    def _start(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self._moment()) - dt.timedelta(days=self.rng.choice([0, 0, 1, 7, 14, 21]))

    def _rrule(self) -> dict[str, Any]:
        start = self._start()
        return {"rrule": self._rule_text(start), "start": start.isoformat(), "duration": f"PT{self._minutes()}M"}

    def _span(self) -> dict[str, Any]:
        day = self.walk.day.day

        def part() -> dict[str, Any]:
            near = self.rng.random() < 0.6
            if self.rng.random() < 0.5:
                at: dict[str, Any] = {
                    "day": max(1, min(31, day + self.rng.randint(-2, 2))) if near else self.rng.choice([1, 31, 29, -1, -31])
                }
            else:
                at = {"business_day": max(1, day * 5 // 7 + self.rng.randint(-1, 2)) if near else self.rng.choice([1, 2, -1, -3, 22, -23])}
            if self.rng.random() < 0.3:
                at["month"] = self.rng.choice(["this", "next"])
            return {**at, "at": self.rng.choice([self._clock(), "00:00", "24:00"])}

        return {"span": {"from": part(), "until": part()}}

    def _ics(self) -> dict[str, Any]:
        rng, form = self.rng, self.rng.choice(["zone", "zone", "floating", "utc", "date"])
        dates = form == "date"

        def near(at: dt.datetime) -> dt.datetime:
            return at.replace(hour=0, minute=0, second=0) if dates else at

        start = near(self._start())
        days = dt.timedelta(days=rng.randint(0, 9))
        event = Event(
            form=form,
            start=start,
            minutes=rng.randint(1, 2) * DAY if dates else self._minutes(),
            as_duration=rng.random() < 0.5 and not dates,
            rule=self._rule_text(start, dates=dates) if rng.random() < 0.7 else "",
            without=(start + days,) if rng.random() < 0.3 else (),
            more=(near(dt.datetime.fromisoformat(self._moment())),) if rng.random() < 0.3 else (),
            moved=(start + days, near(dt.datetime.fromisoformat(self._moment()))) if rng.random() < 0.3 else None,
        )
        self.files += 1
        path = self.folder / f"{self.files % 64}.ics"
        path.write_text(event.text(self.walk.zone))
        return {"ics": str(path), "event": event}


def plain(calendars: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what only the oracle knows."""
    return [
        {**calendar, "rules": [{k: v for k, v in rule.items() if k not in ("minutes", "event")} for rule in calendar["rules"]]}
        for calendar in calendars
    ]
