"""Whether the clock can be believed, around the borders."""

from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import clock
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

NOW = dt.datetime(2026, 12, 5, 19, 30, tzinfo=dt.UTC)


def later(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("newest", "code"),
    [
        pytest.param(None, "", id="nothing-recorded"),
        pytest.param(later(-3600), "", id="earlier"),
        pytest.param(later(0), "", id="now"),
        pytest.param(later(30), "", id="as-far-as-is-borne"),
        pytest.param(later(30.001), "CLOCK_BACKWARD", id="later-than-that"),
        pytest.param(later(86400), "CLOCK_BACKWARD", id="a-day-back"),
    ],
)
def test_time_goes_forward(newest: dt.datetime | None, code: str) -> None:
    check = clock.forward_check(newest, now=NOW)
    assert (check.ok, check.code) == (None if code else True, code)


@pytest.mark.parametrize(
    ("written", "took_s", "code"),
    [
        pytest.param(later(0.5), 1, "", id="between"),
        pytest.param(later(-30), 1, "", id="behind-as-far-as-is-borne"),
        pytest.param(later(-31), 1, "CLOCK_SKEW", id="behind"),
        pytest.param(later(31), 1, "", id="ahead-as-far-as-is-borne"),
        pytest.param(later(32), 1, "CLOCK_SKEW", id="ahead"),
        pytest.param(later(80), 90, "", id="a-slow-ledger-is-no-skew"),
        pytest.param(None, 1, "CLOCK_SKEW", id="the-ledger-does-not-say"),
    ],
)
def test_the_clock_of_the_ledger(written: dt.datetime | None, took_s: float, code: str) -> None:
    check = clock.skew_check(written, asked=NOW, answered=later(took_s))
    assert (check.ok, check.code) == (None if code else True, code)


@pytest.mark.parametrize(
    ("shown", "refused"),
    [
        pytest.param(later(0.1), "", id="the-same"),
        pytest.param(later(-30), "", id="behind-as-far-as-is-borne"),
        pytest.param(later(-31), "(-31 s)", id="behind"),
        pytest.param(later(31), "", id="ahead-as-far-as-is-borne"),
        pytest.param(later(95), "(+94 s)", id="ahead"),
    ],
)
def test_the_clock_of_a_database(shown: dt.datetime, refused: str) -> None:
    def ask() -> None:
        clock.refuse_skew(shown, asked=NOW, answered=later(1), whose="postgres@10.0.0.5:5432")

    if not refused:
        return ask()
    with pytest.raises(ChangeError) as found:
        ask()
    assert refused in str(found.value)
    assert found.value.facts["code"] == "CLOCK_SKEW"
    return None
