"""What must hold for any calendars: splitting an interval, adding a deny, adding an allow."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_decide import Answer, Question, decide
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.calendar_cases import Cases, plain
from tests.support.calendar_walk import Walk

NIGHTS = [("Europe/Brussels", "2026-10-25"), ("America/New_York", "2026-03-08"), ("Australia/Lord_Howe", "2026-04-04")]
walk = functools.cache(Walk)
properties = settings(max_examples=150, deadline=None, derandomize=True)
minutes = st.integers(-1440, 1440)
lengths = st.integers(0, 600)


@st.composite
def made(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dt.datetime, random.Random]:
    """Calendars, the instant in their middle, and more of the same luck."""
    night = walk(*draw(st.sampled_from(NIGHTS)))
    rng = random.Random(draw(st.integers(0, 10**6)))
    source = Cases(rng, night, Path(tempfile.gettempdir()))
    source._ics = source._rrule  # type: ignore[method-assign] # needs no files
    return plain(source.calendars()), night.day.replace(tzinfo=dt.UTC), rng


def ask(calendars: list[dict[str, Any]], at: dt.datetime, length: int) -> Answer:
    return decide(read_calendars(calendars), Question(at, length * 60, ("acme",), horizon_days=2))


def more(calendar: dict[str, Any], effect: str, at: dt.datetime, rng: random.Random) -> dict[str, Any]:
    since = (at + dt.timedelta(minutes=rng.randint(-1440, 1440))).replace(tzinfo=None)
    until = since + dt.timedelta(minutes=rng.randint(1, 600))
    once = {"name": "more", "effect": effect, "once": {"from": since.isoformat(), "until": until.isoformat()}}
    return {**copy.deepcopy(calendar), "rules": [*copy.deepcopy(calendar["rules"]), once]}


@properties
@given(made(), minutes, st.integers(1, 600), st.integers(1, 600))
def test_a_whole_is_free_when_both_its_parts_are(case: Any, at: int, first: int, second: int) -> None:
    calendars, day, _rng = case
    start = day + dt.timedelta(minutes=at)
    parts = ask(calendars, start, first).allowed and ask(calendars, start + dt.timedelta(minutes=first), second).allowed
    assert ask(calendars, start, first + second).allowed is parts


@properties
@given(made(), minutes, lengths)
def test_another_deny_frees_nothing(case: Any, at: int, length: int) -> None:
    calendars, day, rng = case
    start = day + dt.timedelta(minutes=at)
    before, after = ask(calendars, start, length), ask([more(calendars[0], "deny", day, rng), *calendars[1:]], start, length)
    assert before.allowed or not after.allowed
    assert after.next_start is None or (before.next_start is not None and before.next_start <= after.next_start)


@properties
@given(made(), minutes, lengths)
def test_another_allow_blocks_nothing_where_one_was(case: Any, at: int, length: int) -> None:
    calendars, day, rng = case
    start = day + dt.timedelta(minutes=at)
    limited = any(rule["effect"] == "allow" for rule in calendars[0]["rules"])
    before, after = ask(calendars, start, length), ask([more(calendars[0], "allow", day, rng), *calendars[1:]], start, length)
    if limited:  # the first allow rule of a calendar limits it, each further one widens it
        assert after.allowed or not before.allowed
    else:
        assert before.allowed or not after.allowed


@properties
@given(made(), minutes, lengths)
def test_the_next_start_is_free_and_what_is_free_starts_at_once(case: Any, at: int, length: int) -> None:
    calendars, day, _rng = case
    start = day + dt.timedelta(minutes=at)
    found = ask(calendars, start, length)
    assert found.allowed is (found.next_start == start)
    if found.next_start:
        assert ask(calendars, found.next_start, length).allowed


@pytest.mark.parametrize("days", [1, 9, 10, 11, 79, 80, 81, 89])
def test_growing_looks_see_the_whole_horizon(days: int) -> None:
    """A deny that ends after so many days is looked through, and a gap of an allow is told to its end."""
    until = (dt.datetime.fromisoformat("2026-01-01") + dt.timedelta(days=days)).isoformat()
    span = {"from": "2025-12-01T00:00", "until": until}
    deny = {"name": "c", "timezone": "UTC", "rules": [{"name": "r", "effect": "deny", "once": span}]}
    allow = {"from": until, "until": "2027-01-01T00:00"}
    gap = {"name": "c", "timezone": "UTC", "rules": [{"name": "r", "effect": "allow", "once": allow}]}
    for calendars in ([deny], [gap], [deny, gap]):
        found = decide(read_calendars(calendars), Question(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 3600, ("acme",)))
        assert found.next_start == dt.datetime.fromisoformat(until).replace(tzinfo=dt.UTC)
        assert {one.until for _tenant, one in found.blocking} == {int(found.next_start.timestamp())}
