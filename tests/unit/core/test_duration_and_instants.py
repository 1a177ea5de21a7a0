from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0S", 0),
        ("PT2H", 7200),
        ("PT1H30M", 5400),
        ("P1DT12H", 129600),
        ("P2W", 1209600),
        ("PT90M", 5400),
        ("P1D", 86400),
        ("PT1H1M1S", 3661),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "2H", "P1Y", "P1M", "PT1.5H", "-PT1H", "pt1h", "PT1M1H", "P1W1D", "PT2H ", "PT2H\n", "P\u0661D", 7200, None],
)
def test_other_durations_are_refused_and_the_message_shows_how(text: str) -> None:
    with pytest.raises(ValueError, match="PT1H30M"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-05T20:00:00+01:00", "2026-12-05T19:00:00"),
        ("2026-12-05T19:00:00Z", "2026-12-05T19:00:00"),
        ("2026-12-05t19:00:00z", "2026-12-05T19:00:00"),
        ("2026-12-05T19:00:00.1234567-05:30", "2026-12-06T00:30:00.123456"),
    ],
)
def test_instants(text: str, utc: str) -> None:
    assert parse_instant(text).astimezone(dt.UTC) == dt.datetime.fromisoformat(utc + "+00:00")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-12-05T20:00:00", "no offset"),
        ("2026-12-05", "not understood"),
        ("tomorrow", "not understood"),
        ("2026-02-30T20:00:00Z", "does not exist"),
        ("2026-02-20T24:10:00Z", "does not exist"),
        ("2026-02-20T20:00:00+25:00", "does not exist"),
        ("2026-12-05T20:00Z", "not understood"),
        (None, "not understood"),
    ],
)
def test_other_instants_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_instant(text)
