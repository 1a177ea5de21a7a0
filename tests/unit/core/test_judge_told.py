from __future__ import annotations

import math
import random

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge, judge_told

DRAW = random.Random(2)
DOWN = [judge.Pair(canary=judge.Outcome(error="down"), baseline=judge.Outcome(0.1 + k / 1000)) for k in range(3)]


def pairs(ratio: float, n: int) -> list[judge.Pair]:
    def took(factor: float) -> judge.Outcome:
        return judge.Outcome(0.1 * factor * math.exp(DRAW.gauss(0, 0.1)))

    return [judge.Pair(canary=took(ratio), baseline=took(1)) for _dummy in range(n)]


def said(records: dict[str, list[judge.Pair]], *, smoke: bool = False) -> str:
    return judge_told.progress("tenant acme", judge.judge(records, judge.Rules(smoke=smoke)), rounds=40, elapsed_s=21.4)


def test_a_line_has_samples_bounds_and_decision_of_each_step() -> None:
    told = said({"login": pairs(1.0, 60), "post": pairs(1.2, 12), "create": DOWN, "slow": pairs(2.0, 40)})
    assert told.startswith("canary of tenant acme: 40 rounds in 21 s; slow failed, 2.0")
    assert "create failed, 3 errors of 3, of the baseline 0" in told
    assert "login passed, 1." in told or "login passed, 0.9" in told
    assert " over 60 pairs" in told and " to " in told
    assert "post open, 1." in told and ", about " in told
    assert told.index("slow failed") < told.index("post open") < told.index("login passed")
    assert "\n" not in told


def test_of_many_steps_those_that_passed_are_counted() -> None:
    told = said({**{f"s{k}": pairs(1.0, 120) for k in range(8)}, "post": pairs(1.2, 12)})
    assert "post open" in told and "8 more passed" in told and "s0" not in told
    told = said({f"s{k}": pairs(1.2, 9) for k in range(9)})
    assert told.count("open") == 7 and "3 more open" in told


def test_a_smoke_and_an_empty_canary_have_their_line() -> None:
    assert "login open, about 5 more" in said({"login": [judge.Pair(canary=judge.Outcome(0.1))] * 3}, smoke=True)
    assert said({}).endswith("nothing yet")
