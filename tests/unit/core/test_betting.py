from __future__ import annotations

import itertools
import math
import random

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import betting, judge_latency, judge_spread

MU = 0.17


def gauss(n: int, shift: float = 0.0, seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(shift, 0.35) for _dummy in range(n)]


@pytest.mark.parametrize("sizes", [[0.3, 0.01, 0.5, 0.2, 0.4, 0.05, 2.0, 0.3, 0.25, 0.6], [0.1] * 10, [5.0, 0.0, 5.0, 0.2] * 2])
@pytest.mark.parametrize("target", [1e9, 8.0])
def test_the_game_is_fair(sizes: list[float], target: float) -> None:
    """Exactly: over all signs the capital is 1 on average, with every stake learned from the numbers before it."""
    total = 0.0
    for signs in itertools.product((1, -1), repeat=len(sizes)):
        ds = [s * size for s, size in zip(signs, sizes, strict=True)]
        total += betting.bet(ds, betting.lessons(ds), mu=MU, target=target).now
    assert total / 2 ** len(sizes) == pytest.approx(1.0)


@pytest.mark.parametrize("target", [4.0, 20.0])
def test_no_more_than_its_share_ever_reaches_the_target(target: float) -> None:
    sizes = [0.3, 0.1, 0.5, 0.2, 0.4, 0.35, 2.0, 0.3, 0.25, 0.6]
    hits = 0
    for signs in itertools.product((1, -1), repeat=len(sizes)):
        ds = [s * size for s, size in zip(signs, sizes, strict=True)]
        hits += bool(betting.bet(ds, betting.lessons(ds), mu=MU, target=target).hit)
    assert 0 < hits / 2 ** len(sizes) <= 1 / target


def test_looking_after_every_number_and_once_at_the_end_is_the_same() -> None:
    ds = gauss(120, 0.17)
    whole = betting.bet(ds, betting.lessons(ds), mu=MU, target=100)
    first = next(n for n in range(1, 121) if betting.bet(ds[:n], betting.lessons(ds[:n]), mu=MU, target=100).hit)
    assert whole.hit == first
    assert whole.now == 100


def test_stakes_look_at_earlier_numbers_only() -> None:
    """Mirroring a number changes neither the capital before it nor what it was worth: both signs together pay exactly 2."""
    ds = gauss(40)
    for k in (0, 1, 8, 20, 39):
        mirrored = [*ds[:k], -ds[k]]
        before = betting.bet(ds[:k], betting.lessons(ds[:k]), mu=MU, target=1e9).now if k else 1.0
        after = [betting.bet(x, betting.lessons(x), mu=MU, target=1e9).now / before for x in (ds[: k + 1], mirrored)]
        assert sum(after) == pytest.approx(2.0)


def test_known_sequence() -> None:
    """By hand: the first stake is tanh(mu d / 0.35^2), and the second as well, for one number says nothing about the noise."""
    ds = [math.log(1.4), -0.1]
    found = betting.bet(ds, betting.lessons(ds), mu=MU, target=100)
    first, second = (1 + math.tanh(MU * d / 0.1225) for d in ds)
    assert found.best == pytest.approx(first)
    assert found.now == pytest.approx(first * second)


def test_one_number_is_worth_at_most_nine_tenths() -> None:
    assert betting.bet([1e6], betting.lessons([1e6]), mu=MU, target=100).now == pytest.approx(1.9)
    assert betting.bet([-1e6], betting.lessons([-1e6]), mu=MU, target=100).now == pytest.approx(0.1)


def test_the_noise_is_learned_and_tails_are_clipped() -> None:
    calm, wild = gauss(200), [d * (40 if k % 10 == 0 else 1) for k, d in enumerate(gauss(200))]
    assert betting.lesson(calm).variance == pytest.approx(0.35**2, rel=0.2)
    assert betting.lesson(calm).clip == math.inf
    assert betting.lesson(wild).clip < 1.5
    assert betting.lesson(wild).variance < 0.6
    assert betting.lesson([]).variance == betting.PRIOR_SD**2


def test_a_common_ups_and_downs_of_both_sides_is_no_noise() -> None:
    draw = random.Random(3)
    common = [draw.gauss(0, 1) for _dummy in range(100)]
    sides = [[c + draw.gauss(0, 0.1) for c in common] for _dummy in range(2)]
    ds = [b - a for a, b in zip(*sides, strict=True)]
    assert betting.lesson(ds, sides).variance < 0.05


def test_what_is_excluded_lies_below_the_centre() -> None:
    ds = gauss(100, 0.5)
    low = betting.excluded_below(ds, betting.lessons(ds), mu=MU, alpha=0.01)
    assert low is not None
    assert 0.3 < low < 0.5
    assert betting.excluded_below(ds[:6], betting.lessons(ds[:6]), mu=MU, alpha=0.01) is None


@pytest.mark.parametrize(
    ("e_values", "wanted"),
    [
        pytest.param([], set(), id="none"),
        pytest.param([99.0], set(), id="not-enough"),
        pytest.param([100.0], {0}, id="just-enough"),
        pytest.param([100.0, 1.0], set(), id="one-of-two-needs-twice-as-much"),
        pytest.param([100.0, 100.0], {0, 1}, id="both-need-only-the-single-amount"),
        pytest.param([1.0, 400.0, 1.0, 150.0], {1}, id="the-second-does-not-follow"),
        pytest.param([1.0, 400.0, 1.0, 200.0], {1, 3}, id="the-second-follows"),
    ],
)
def test_accused(e_values: list[float], wanted: set[int]) -> None:
    assert betting.accused(e_values, 0.01) == wanted


def test_power_is_the_chance_that_was_counted() -> None:
    hits = 0
    for k in range(300):
        ds = gauss(50, MU, seed=k)
        hits += bool(betting.bet(ds, betting.lessons(ds), mu=MU, target=100).hit)
    assert betting.power(50, mu=MU, variance=0.35**2, threshold=100) == pytest.approx(hits / 300, abs=0.15)
    assert betting.power(0, mu=MU, variance=0.1, threshold=100) == 0.0


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 17, 300])
def test_distances_cover_every_pair_after_the_first_few(n: int) -> None:
    found = judge_spread.distances(gauss(n), gauss(n, seed=2))
    assert len(found) == max(0, n - judge_spread.SETTLED)
    assert all(x >= 0 and y >= 0 for x, y in found)


def test_the_order_game_is_fair() -> None:
    pairs = [(0.5, 1.0), (0.2, 4.0), (3.0, 0.1), (1.0, 1.0), (0.0, 9.0), (2.0, 0.3)]
    total = 0.0
    for swaps in itertools.product((False, True), repeat=len(pairs)):
        given = [(b, a) if swap else (a, b) for swap, (a, b) in zip(swaps, pairs, strict=True)]
        total += judge_spread.bet_on_order(given, slope=0.7, target=6.0)[-1]
    assert total / 2 ** len(pairs) == pytest.approx(1.0)


def test_until_a_wider_spread_is_unlikely_nothing_passes() -> None:
    fine = betting.Capital(100, 100, 9)
    path = (1.0, 0.7, 0.3, 0.3, 0.6, 0.9, 0.6, 0.4)
    spread = judge_spread.Spread(path, 100.0, 0, 9)
    assert [judge_latency.passed_after(fine, spread, n, 8) for n in (9, 10, 11, 12)] == [0, 0, 0, 12]
    assert judge_latency.passed_after(fine, judge_spread.Spread(path[:4], 100.0, 0, 0), 12, 8) == 0
    assert judge_latency.passed_after(betting.Capital(), spread, 12, 8) == 0
