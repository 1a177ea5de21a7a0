"""50,000 decisions against the minute-by-minute oracle, at every change of the clock; and that the oracle sees what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import calendar_rules

from tests.faults.calendar_oracle import around, run
from tests.support.calendar_walk import ZONES, anchors


def test_no_disagreement_with_the_oracle() -> None:
    done, wrong = run(50_000)
    assert done == 50_000
    assert wrong == []


def test_all_changes_of_the_clock_are_there() -> None:
    assert len(ZONES) >= 20
    nights = dict.fromkeys(zone for zone, _day in anchors())
    assert len(nights) == len(ZONES)
    assert {("Europe/Brussels", "2035-10-28"), ("America/New_York", "2020-03-08"), ("Australia/Lord_Howe", "2026-10-03")} <= set(anchors())


@pytest.mark.parametrize("wrong_side", ["elapsed_span", "wall_span"])
def test_a_fold_that_is_decided_the_wrong_way_is_found(wrong_side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(calendar_rules, wrong_side)

    def swapped(*args: Any, deny: bool) -> Any:
        return right(*args, deny=not deny)

    monkeypatch.setattr(calendar_rules, wrong_side, swapped)
    number = anchors().index(("Europe/Brussels", "2026-10-25"))
    _done, wrong = around(number, 1200, 0)
    assert wrong
