"""What is kept of a judgement to be drawn: it says the same as the judgement, and stays small."""

from __future__ import annotations

import json
import math
import random
import statistics

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge as j
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge_drawn as d


def pairs(ratio: float, n: int, seed: int = 1) -> list[j.Pair]:
    draw = random.Random(seed)

    def took(factor: float) -> j.Outcome:
        return j.Outcome(0.1 * factor * math.exp(draw.gauss(0, 0.25)))

    return [j.Pair(canary=took(ratio), baseline=took(1)) for _dummy in range(n)]


@pytest.mark.parametrize(("ratio", "n"), [(1.0, 90), (1.4, 120), (1.2, 60), (1.0, 3), (1.0, 1)])
def test_the_path_ends_where_the_judgement_stands(ratio: float, n: int) -> None:
    records = {"a": pairs(ratio, n), "b": pairs(1.0, n, seed=2)}
    found, path = j.judge(records, j.Rules()).figures["a"], d.drawable(records, j.Rules())["a"]["path"]
    assert path["n"][-1] == n == len(records["a"])
    assert path["e_fail"][-1] == pytest.approx(found["e_fail"], rel=1e-3)
    assert max(path["e_pass"]) <= found["e_pass"] * 1.001
    for name in ("ratio", "ratio_low", "ratio_high"):
        assert path[name][-1] == (None if found[name] is None else pytest.approx(found[name], rel=1e-3)), name
    assert (path["target_fail"], path["target_pass"], path["tolerance"]) == (2 / (0.01 * 0.8), 100, 1.2)


def test_each_point_is_what_was_known_then() -> None:
    given = pairs(1.4, 200)
    path = d.drawable({"a": given}, j.Rules())["a"]["path"]
    for k, n in enumerate(path["n"]):
        then = j.judge({"a": given[:n]}, j.Rules()).figures["a"]
        assert path["e_fail"][k] == pytest.approx(then["e_fail"], rel=1e-3)
        assert path["ratio"][k] == pytest.approx(then["ratio"], rel=0.02)
        if path["ratio_low"][k] is not None:
            assert path["ratio_low"][k] == pytest.approx(then["ratio_low"], rel=1e-3)


@pytest.mark.parametrize("n", [0, 1, 2, 59, 60, 61, 240, 2000])
def test_looks_are_few_and_end_with_the_last(n: int) -> None:
    at = d.looks(n)
    assert len(at) == min(n, d.LOOKS)
    assert at == sorted(set(at))
    assert not n or (at[0] >= 1 and at[-1] == n)


def test_quantiles_are_those_of_the_library() -> None:
    values = [random.Random(4).gauss(1, 0.1) for _dummy in range(77)]
    found = d.quantiles(values)
    assert found[1:-1] == pytest.approx(statistics.quantiles(values, n=20, method="inclusive"), rel=1e-3)
    assert (found[0], found[-1]) == (pytest.approx(min(values), rel=1e-3), pytest.approx(max(values), rel=1e-3))
    assert d.quantiles([]) == []
    assert d.quantiles([0.25]) == [0.25] * 21


def test_it_stays_small_and_is_json() -> None:
    records = {"a": pairs(1.2, 2000), "b": pairs(1e-30, 2000)}
    text = json.dumps(d.drawable(records, j.Rules()), allow_nan=False)
    assert len(text) < 2 * 4000


@pytest.mark.parametrize(
    ("given", "sides", "path"),
    [
        pytest.param([], set(), False, id="nothing"),
        pytest.param([j.Pair(canary=j.Outcome(0.1))] * 3, {"canary"}, False, id="no-baseline"),
        pytest.param([j.Pair(canary=j.Outcome(error="down"), baseline=j.Outcome(0.1))] * 3, {"baseline"}, False, id="it-fails"),
        pytest.param([j.Pair(canary=j.Outcome(0.1), baseline=j.Outcome(0.1))] * 9, {"baseline", "canary"}, False, id="constant"),
        pytest.param([*pairs(1.0, 9), j.Pair(canary=j.Outcome(math.nan), baseline=j.Outcome(0.1))], {"baseline"}, False, id="not-a-number"),
        pytest.param([j.Pair(canary=j.Outcome(0.0), baseline=j.Outcome(0.1)), *pairs(1.0, 9)], {"baseline", "canary"}, False, id="zero"),
        pytest.param(pairs(1.0, 2), {"baseline", "canary"}, True, id="two-pairs"),
    ],
)
def test_what_cannot_be_judged_has_no_path(given: list[j.Pair], sides: set[str], path: bool) -> None:
    found = d.drawable({"a": given}, j.Rules())["a"]
    assert set(found["quantiles"]) == sides
    assert (found["path"] is not None) == path


def test_a_smoke_has_no_path() -> None:
    assert d.drawable({"a": pairs(1.0, 9)}, j.Rules(smoke=True))["a"]["path"] is None
