"""What an update did to a copy: locks and rows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.neutral import QUESTIONS, judge_neutral, to_ask
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.rehearsal import (
    LockSample,
    Worked,
    held,
    judge_rehearsal,
    rows_changed,
)


def samples(start: float, seconds: float, pid: int = 1, table: str = "move", mode: str = "AccessExclusiveLock") -> list[LockSample]:
    return [LockSample(round(start + n / 10, 1), pid, table, mode) for n in range(round(seconds * 10))]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        pytest.param([], [], id="none"),
        pytest.param(samples(0, 0.1), [("move", "AccessExclusiveLock", 0.1)], id="seen-once"),
        pytest.param(samples(0, 2), [("move", "AccessExclusiveLock", 2.0)], id="two-seconds"),
        pytest.param(samples(0, 1) + samples(10, 2), [("move", "AccessExclusiveLock", 2.0)], id="let-go-in-between"),
        pytest.param(samples(0, 1, pid=1) + samples(1, 1, pid=2), [("move", "AccessExclusiveLock", 1.0)], id="one-process-after-the-other"),
        pytest.param(
            samples(0, 1, mode="ShareLock") + samples(1, 1), [("move", "AccessExclusiveLock", 2.0)], id="a-stronger-one-by-the-same-process"
        ),
        pytest.param(
            samples(0, 1) + samples(0, 3, table="line", mode="ShareLock"),
            [("line", "ShareLock", 3.0), ("move", "AccessExclusiveLock", 1.0)],
            id="longest-first",
        ),
    ],
)
def test_how_long_others_would_wait(seen: list[LockSample], told: list[tuple[str, str, float]]) -> None:
    assert [(one["table"], one["mode"], one["seconds"]) for one in held(reversed(seen))] == told


def test_what_was_written() -> None:
    before = {"move": Worked(10, 5, 0), "old": Worked(1, 0, 0), "same": Worked(7, 7, 7)}
    after = {"move": Worked(10, 25, 1), "new": Worked(3, 0, 0), "same": Worked(7, 7, 7)}
    assert rows_changed(before, after) == {
        "old": {"dropped": 1},
        "move": {"inserted": 0, "updated": 20, "deleted": 1},
        "new": {"inserted": 3, "updated": 0, "deleted": 0, "created": 1},
    }


@pytest.mark.parametrize(
    ("limits", "codes"),
    [
        pytest.param({"max_update_s": None, "max_lock_s": None}, [], id="no-limits"),
        pytest.param({"max_update_s": 10, "max_lock_s": 2}, [], id="exactly-at-the-limits"),
        pytest.param({"max_update_s": 9, "max_lock_s": 1}, ["UPDATE_TIME", "LOCK_TIME"], id="over-both"),
    ],
)
def test_limits(limits: dict[str, Any], codes: list[str]) -> None:
    checks = judge_rehearsal(10.0, [{"table": "move", "mode": "ShareLock", "seconds": 2.0}], **limits)
    assert [check.code for check in checks if not check.ok] == codes


def test_no_lock_keeps_nobody_waiting() -> None:
    assert all(check.ok for check in judge_rehearsal(1.0, [], max_update_s=1, max_lock_s=0))


# -- neutralised? ------------------------------------------------------------------------------------------------------------

QUIET = {"outgoing mail servers": 0, "scheduled actions": 0, "payment providers": 0}


@pytest.mark.parametrize(
    ("counts", "flagged", "ok"),
    [
        pytest.param(QUIET, True, True, id="quiet"),
        pytest.param(QUIET, False, False, id="quiet-but-not-marked"),
        pytest.param({**QUIET, "payment providers": 1}, True, False, id="a-payment-provider"),
        pytest.param({**QUIET, "scheduled actions": 12}, True, False, id="scheduled-actions"),
        pytest.param({"outgoing mail servers": 0}, True, None, id="cannot-be-asked-about-scheduled-actions"),
        pytest.param({}, False, None, id="no-odoo"),
    ],
)
def test_what_may_be_started(counts: dict[str, int], flagged: bool, ok: bool | None) -> None:
    check = judge_neutral(counts, flagged=flagged)
    assert (check.ok, check.code) == (ok, "NEUTRAL")


def test_only_what_is_there_is_asked() -> None:
    assert to_ask([]) == {}
    assert to_ask([("ir_mail_server", "active")]) == {}, "a column is missing"
    there = [(one.table, column) for one in QUESTIONS for column in one.columns]
    assert to_ask(there).keys() == {one.id for one in QUESTIONS}
