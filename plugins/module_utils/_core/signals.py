# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The catalogue of signals: named queries of what real traffic does, how each is judged, and what is asked of Prometheus for it.

A query's text has selectors in angle brackets, ``<service>``, which the task gives, and ``<window>``, the length of a step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SIDE_BY_SIDE, BEFORE_AFTER = "side_by_side", "before_after"
NEEDS = {"latency": ("query",), "ratio": ("bad", "total", "allowed"), "count": ("counter", "allowed", "tolerance")}
NEEDS["level"] = ("query", "statistic", "limit")
OPTIONAL = {"ratio": ("alive",), "count": ("alive",)}
TEXTS = ("query", "bad", "total", "counter", "alive")
WINDOW = "window"
MOST_POINTS = 360
"""So many numbers does one series have at most."""
SAFE = re.compile(r"[\w .:;,@/|*+?()\[\]{}^$=~!-]+")
_SLOT = re.compile(r"<([a-z_]+)>")


@dataclass(frozen=True)
class Query:
    """One entry of the catalogue."""

    name: str
    title: str
    kind: str
    unit: str
    required: bool
    compare: tuple[str, ...]
    exporter: str
    metrics: tuple[str, ...]
    texts: Mapping[str, str]
    rule: Mapping[str, Any] = field(default_factory=dict)

    def slots(self) -> list[str]:
        """The selectors that it needs."""
        found = dict.fromkeys(slot for text in self.texts.values() for slot in _SLOT.findall(text))
        return [slot for slot in found if slot != WINDOW]


@dataclass(frozen=True)
class Period:
    """A stretch of time in whole steps, as seconds since 1970."""

    start: int
    end: int
    step: int

    @property
    def points(self) -> int:
        return (self.end - self.start) // self.step

    @property
    def length(self) -> int:
        return self.end - self.start

    def earlier(self, seconds: int) -> Period:
        return Period(self.start - seconds, self.end - seconds, self.step)


@dataclass(frozen=True)
class Ask:
    """One request: numbers over a period, or one number at its end."""

    promql: str
    period: Period
    over_time: bool


# -- the catalogue -------------------------------------------------------------------------------------------------------
def judge_signals(document: Mapping[str, Any]) -> list[str]:
    """Errors that only the meaning shows. The document must have passed the schema."""
    errors = []
    for name, entry in document["queries"].items():
        needed = NEEDS[entry["kind"]]
        known = {*needed, *OPTIONAL.get(entry["kind"], ())}
        every = {key for keys in (*NEEDS.values(), *OPTIONAL.values()) for key in keys}
        where = f"signals.queries.{name}"
        errors += [f"{where}.{key} is missing: a {entry['kind']} needs it. Write it." for key in needed if key not in entry]
        errors += [f"{where}.{key} is nothing that a {entry['kind']} has. Leave it out." for key in entry if key in every - known]
    return errors


def queries_of(*documents: Mapping[str, Any]) -> dict[str, Query]:
    """The queries of all documents by name; a later one replaces an earlier one of its name."""
    entries = {name: entry for document in documents for name, entry in document["queries"].items()}
    return {name: query_of(name, entry) for name, entry in entries.items()}


def query_of(name: str, entry: Mapping[str, Any]) -> Query:
    return Query(
        name,
        title=entry["title"],
        kind=entry["kind"],
        unit=entry["unit"],
        required=entry["required"],
        compare=tuple(entry["compare"]),
        exporter=entry["exporter"],
        metrics=tuple(entry["metrics"]),
        texts={key: " ".join(entry[key].split()) for key in TEXTS if key in entry},
        rule={key: entry[key] for key in ("allowed", "tolerance", "statistic", "limit") if key in entry},
    )


def chosen(queries: Mapping[str, Query], compare: str | None, only: Sequence[str]) -> dict[str, Query]:
    """Those that such a comparison can tell apart, or of them the named ones; ValueError for a name that there is not."""
    if strangers := sorted(set(only) - set(queries)):
        raise ValueError(f"there is no query named {', '.join(strangers)}. Write names of the catalogue: {', '.join(queries)}.")
    asked = {name: query for name, query in queries.items() if compare is None or compare in query.compare}
    if unable := sorted(set(only) - set(asked)):
        raise ValueError(f"{', '.join(unable)} cannot be compared {compare}. Take them out of only, or give them that in the catalogue.")
    return {name: query for name, query in asked.items() if not only or name in only}


# -- what is asked -------------------------------------------------------------------------------------------------------
def selector_errors(selectors: Mapping[str, Any]) -> list[str]:
    """What is wrong with selectors: they become part of a query between quotes."""
    return [
        f"the selector {name} is {value!r}. Write a text without quotes and backslashes, as in a matcher of PromQL."
        for name, value in selectors.items()
        if not isinstance(value, str) or not SAFE.fullmatch(value) or name == WINDOW
    ]


def filled(text: str, selectors: Mapping[str, str], step: int) -> str:
    """The text with its selectors. All of them must be there."""
    values = {**selectors, WINDOW: f"{step}s"}
    return _SLOT.sub(lambda slot: values[slot[1]], text)


def missing(query: Query, selectors: Mapping[str, str]) -> list[str]:
    """The selectors that the query needs and does not get."""
    return [slot for slot in query.slots() if slot not in selectors]


def asks(query: Query, selectors: Mapping[str, str], period: Period) -> dict[str, Ask]:
    """What to ask of one side, or of one time, by the part of the judgement that it is for."""

    def text(key: str) -> str:
        return filled(query.texts[key], selectors, period.step)

    if query.kind in ("latency", "level"):
        return {"values": Ask(text("query"), period, over_time=True)}
    counted = {"bad": "bad", "total": "total"} if query.kind == "ratio" else {"count": "counter"}
    found = {part: Ask(counting(text(key), period.length), period, over_time=False) for part, key in counted.items()}
    alive = text("alive" if "alive" in query.texts else next(reversed(counted.values())))
    return {**found, "alive": Ask(f"sum(count_over_time({alive}[{period.step}s]))", period, over_time=True)}


def counting(selector: str, seconds: int) -> str:
    """How often counters rose in the last seconds, all series together, restarts and births of series included.

    What ``increase`` alone would lose: a counter that begins with its first event, as Traefik's of an error. What it would add: its guess
    of what happened before the first and after the last sample.
    """
    s, w = selector, f"{seconds}s"
    there = f"({s} - {s} offset {w}) and resets({s}[{w}]) == 0"
    restarted = f"increase({s}[{w}]) and {s} offset {w}"
    born = f"max_over_time({s}[{w}]) unless {s} offset {w}"
    return f"sum(({there}) or ({restarted}) or ({born}))"


def reachable(query: Query, selectors: Mapping[str, str], step: int) -> str:
    """What gives a number when the query finds anything at all now."""
    keys = [key for key in ("query", "total", "counter") if key in query.texts]
    text = filled(query.texts[keys[0]], selectors, step)
    return text if keys[0] == "query" else f"sum({text})"


def names(queries: Iterable[Query]) -> str:
    """What tells which of the metrics of all these queries Prometheus has."""
    every = sorted({metric for query in queries for metric in query.metrics})
    return f'count by (__name__) ({{__name__=~"{"|".join(every)}"}})'


def period(start: float, end: float, step: int) -> Period:
    """The period in steps of at least so many seconds, longer ones when there would be too many points."""
    length = max(0, int(end) - int(start))
    step = max(step, math.ceil(length / MOST_POINTS))
    return Period(int(end) - length // step * step, int(end), step)
