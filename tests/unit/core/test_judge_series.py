from __future__ import annotations

import math
import random

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge as j
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge_series as js

NAN = float("nan")
RULES = j.Rules()
Points = list[tuple[float, float | None]]


def points(ratio: float = 1.0, n: int = 300, seed: int = 1) -> Points:
    draw = random.Random(seed)
    return [(60.0 * k, 0.1 * ratio * math.exp(draw.gauss(0, 0.2))) for k in range(n)]


OLD, NEW = points(), points(seed=2)
HOLES: Points = [(at, NAN if k % 4 == 0 else v) for k, (at, v) in enumerate(NEW)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param(OLD, NEW, "", id="whole"),
        pytest.param(OLD, NEW[::-1], "", id="in-any-order"),
        pytest.param(OLD, [*NEW[:5], (NEW[5][0], None), *NEW[6:]], "", id="one-missing"),
        pytest.param(OLD, HOLES, "only 225 of 300", id="a-quarter-nan"),
        pytest.param(OLD, NEW[:200], "only 200 of 300", id="ended-early"),
        pytest.param(OLD, [(at + 7, v) for at, v in NEW], "only 0 of 600", id="other-times"),
        pytest.param(OLD, [*NEW, NEW[3]], "1 points of a time", id="one-delivered-twice"),
        pytest.param(OLD + OLD, NEW, "the baseline has 300", id="all-delivered-twice"),
        pytest.param([], [], "only 0 of 1", id="nothing"),
    ],
)
def test_aligned(old: Points, new: Points, words: str) -> None:
    pairs, why = js.aligned(old, new)
    assert words in why if words else not why
    assert bool(pairs) == (not why)


def test_pairs_are_of_the_same_time() -> None:
    assert js.aligned([(2.0, 0.2), (1.0, 0.1)], [(1.0, 0.3), (2.0, 0.4)]) == ([(0.1, 0.3), (0.2, 0.4)], "")


@pytest.mark.parametrize(
    ("canary", "ok", "code"),
    [
        pytest.param(NEW, True, "", id="the-same"),
        pytest.param(points(1.4, seed=3), False, "SLOWER", id="slower"),
        pytest.param(HOLES, None, "MISSING", id="holes"),
        pytest.param([(at, 0.1) for at, _v in OLD], None, "CONSTANT", id="constant"),
        pytest.param([(at, 0.0) for at, _v in OLD], None, "MISSING", id="zeros"),
    ],
)
def test_judge_series(canary: Points, ok: bool | None, code: str) -> None:
    checks = js.judge_series({"login": OLD, "post": OLD}, {"login": canary, "post": NEW}, RULES)
    assert [c.id for c in checks] == ["latency:login", "latency:post"]
    assert (checks[0].ok, checks[0].code) == (ok, code)
    assert checks[1].ok is True


def test_a_metric_the_canary_lacks_is_unknown() -> None:
    assert [c.ok for c in js.judge_series({"login": OLD}, {}, RULES)] == [None]
