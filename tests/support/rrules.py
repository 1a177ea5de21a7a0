"""Random recurrence rules, without the few forms on which dateutil departs from RFC 5545 (each is named where it is left out)."""

from __future__ import annotations

import datetime as dt
import random

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
FREQUENCIES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]
# How far ahead of its start a rule is compared: enough for several periods, short enough for dateutil.
SUB_DAILY = ("HOURLY", "MINUTELY", "SECONDLY")
REACH = {"YEARLY": 3000, "MONTHLY": 900, "WEEKLY": 400, "DAILY": 150, "HOURLY": 20, "MINUTELY": 3, "SECONDLY": 1}


def some(rng: random.Random, numbers: range | list[str] | list[int], most: int = 3) -> str:
    return ",".join(str(item) for item in sorted(rng.sample(list(numbers), min(len(numbers), rng.randint(1, most)))))


def signed(rng: random.Random, most: int) -> list[int]:
    return [*range(1, most + 1), *range(-most, 0)]


def by_day(rng: random.Random, freq: str, parts: dict[str, str]) -> str:
    """With ordinals or without; dateutil takes both in one list as an intersection, RFC 5545 as a union."""
    if freq in ("MONTHLY", "YEARLY") and "BYWEEKNO" not in parts and rng.random() < 0.5:
        most = 5 if freq == "MONTHLY" or "BYMONTH" in parts else 53
        return ",".join(f"{rng.choice(signed(rng, most))}{day}" for day in rng.sample(DAYS, rng.randint(1, 3)))
    return some(rng, DAYS, 5)


def day_parts(rng: random.Random, freq: str, parts: dict[str, str]) -> None:
    def maybe(chance: float, name: str, value: str) -> None:
        if rng.random() < chance:
            parts[name] = value

    maybe(0.3, "BYMONTH", some(rng, range(1, 13), 5))
    # as a number from the end dateutil does not see the last days of December in week 1 of the next year
    maybe(0.25 if freq == "YEARLY" else 0, "BYWEEKNO", some(rng, [*range(1, 54), *range(-51, 0)]))
    maybe(0.15 if freq == "YEARLY" else 0, "BYYEARDAY", some(rng, signed(rng, 366), 6))
    maybe(0.3 if freq != "WEEKLY" else 0, "BYMONTHDAY", some(rng, signed(rng, 31), 6))
    if rng.random() < 0.5:
        parts["BYDAY"] = by_day(rng, freq, parts)
    maybe(0.3, "BYHOUR", some(rng, range(24)))
    maybe(0.3, "BYMINUTE", some(rng, range(60)))
    maybe(0.2, "BYSECOND", some(rng, range(60)))


def random_rule(rng: random.Random, start: dt.datetime, freq: str | None = None) -> str:
    freq = freq or rng.choice(FREQUENCIES)
    parts = {"FREQ": freq}

    def maybe(chance: float, name: str, value: str) -> None:
        if rng.random() < chance:
            parts[name] = value

    maybe(0.4, "INTERVAL", str(rng.choice([2, 3, 4, 7, 10, 24, 25, 90])))
    if freq in SUB_DAILY:
        # dateutil goes second by second to the next match, so it has to be near
        tomorrow = start + dt.timedelta(days=1)
        name, value = rng.choice(
            [
                ("BYMONTH", ",".join(str((start.month + n - 1) % 12 + 1) for n in (0, 1))),
                ("BYMONTHDAY", f"{start.day},{tomorrow.day},-1"),
                ("BYYEARDAY", f"{start.timetuple().tm_yday},{tomorrow.timetuple().tm_yday},1,-1"),
                ("BYDAY", f"{DAYS[start.weekday()]},{rng.choice(DAYS)}"),
            ]
        )
        maybe(0.6, name, value)
        # an interval may keep to hours that are never wanted
        hours = {"HOURLY": parts.get("INTERVAL", "1") in "1", "MINUTELY": True, "SECONDLY": True}[freq]
        maybe(0.3 if hours else 0, "BYHOUR", f"{start.hour},{(start.hour + 1) % 24}")
        maybe(0.3 if freq == "HOURLY" or "INTERVAL" not in parts else 0, "BYMINUTE", some(rng, range(60)))
        maybe(0.3 if "INTERVAL" not in parts else 0, "BYSECOND", some(rng, range(60)))
    else:
        day_parts(rng, freq, parts)
    maybe(0.4, "WKST", rng.choice(DAYS))
    # dateutil begins the first week of a rule at its start, not at WKST, and counts positions from there
    aligned = freq != "WEEKLY" or DAYS[start.weekday()] == parts.get("WKST", "MO")
    maybe(0.25 if aligned and len(parts) > 1 else 0, "BYSETPOS", some(rng, [1, -1] if freq in SUB_DAILY else [1, 2, 3, -1, -2, -5]))
    end = rng.random()
    if end < 0.25:
        parts["COUNT"] = str(rng.randint(1, 60))
    elif end < 0.5:
        until = start + dt.timedelta(seconds=rng.randint(0, REACH[freq] * 86400))
        parts["UNTIL"] = until.strftime("%Y%m%dT%H%M%S")
    return ";".join(f"{name}={value}" for name, value in parts.items())
