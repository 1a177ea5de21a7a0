from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, gate, message, rfc3339, unknown, verdict

GOOD = Check("age_s", True, 10, "<= 60", "Check the timer.")
BAD = Check("age_s", False, 90, "<= 60", "Check the timer.", "AGE")
DARK = unknown("age_s", "no answer", hint="Run it by hand.")


@pytest.mark.parametrize(
    ("checks", "wanted"),
    [
        pytest.param([], "unknown", id="nothing-looked-at"),
        pytest.param([GOOD], "pass", id="good"),
        pytest.param([GOOD, DARK], "unknown", id="unknown-never-passes"),
        pytest.param([GOOD, BAD], "fail", id="one-bad"),
        pytest.param([DARK, BAD], "fail", id="bad-beats-unknown"),
    ],
)
def test_verdict(checks: list[Check], wanted: str) -> None:
    assert verdict(checks) == wanted


def test_message_says_what_seen_wanted_and_what_to_do() -> None:
    assert message("tenant acme", [DARK, BAD]) == "tenant acme: age_s is 90, wanted <= 60. Check the timer. (1 more not ok: age_s)"


def test_evidence_is_complete_and_in_utc() -> None:
    at = dt.datetime(2026, 12, 5, 20, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    found = gate("tenant acme", [BAD], at=at)
    assert found["evidence"] == {
        "schema": 1,
        "subject": "tenant acme",
        "measured_at": "2026-12-05T19:00:00Z",
        "checks": [{"id": "age_s", "ok": False, "observed": 90, "expected": "<= 60", "hint": "Check the timer.", "code": "AGE"}],
    }


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(dt.datetime(2026, 1, 1))  # noqa: DTZ001
