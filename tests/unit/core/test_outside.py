from __future__ import annotations

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.outside import judge_outside, judge_runners


@pytest.mark.parametrize(
    ("touched", "unseen", "ok", "code"),
    [
        pytest.param({}, [], True, "", id="nothing"),
        pytest.param({"account_move": 2}, [], False, "OUTSIDE", id="rows-of-others"),
        pytest.param({}, ["account_move_line"], None, "OUTSIDE_UNSEEN", id="not-looked-through"),
        pytest.param({"account_move": 1}, ["mail_message"], False, "OUTSIDE", id="what-was-seen-suffices"),
    ],
)
def test_outside(touched: dict[str, int], unseen: list[str], ok: bool | None, code: str) -> None:
    found = judge_outside(touched, unseen, 300)
    assert (found.ok, found.code) == (ok, code)


@pytest.mark.parametrize(
    ("processes", "wanted", "ok"),
    [
        pytest.param([], 1, True, id="none-runs-now"),
        pytest.param(["10.0.0.7 odoo-1"], 1, True, id="one"),
        pytest.param(["10.0.0.7 odoo-1", "10.0.0.8 odoo-1"], 1, False, id="two"),
        pytest.param(["10.0.0.7 odoo-1"], 0, False, id="none-allowed"),
    ],
)
def test_runners(processes: list[str], wanted: int, ok: bool) -> None:
    found = judge_runners(processes, wanted)
    assert (found.ok, found.code) == (ok, "" if ok else "CRON_TWICE")
