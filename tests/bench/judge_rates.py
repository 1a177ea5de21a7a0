"""How often the judge is wrong, and how many pairs it needs: counted on simulated canaries.

python -m tests.bench.judge_rates [--runs 1000] [--pairs 400]

Every run is looked at after every pair. "border": the truth is exactly the tolerance, where a "pass" or a "fail" is an error.

Noise: log-normal with the sd of the logarithm. "bimodal": one sample in five takes three times as long. "tails": Student's t with 2.5
degrees of freedom in the logarithm. "autocorrelated": each sample keeps 0.7 of the one before it in time, of either side.
"drift": the machine gets up to three times as slow and fast again. "lopsided" breaks the assumption: the canary's noise is
exponential, the baseline's is not.

Test: "speed" is the latency test alone, "whole" is one of five metrics with its share of alpha and the test of its spread, and "signs" is
what betting on the sign alone would need, as the yardstick.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

Pairs = list[tuple[float, float]]
Side = Callable[[random.Random], float]
ALPHA, TOLERANCE, FAMILY = 0.01, 1.2, 5


def normal(sigma: float) -> Side:
    return lambda rng: rng.gauss(0, sigma)


def bimodal(rng: random.Random) -> float:
    return rng.gauss(0, 0.15) + (math.log(3) if rng.random() < 0.2 else 0)


def tails(rng: random.Random) -> float:
    return 0.15 * rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.25, 2) / 2.5)


def independent(side: Side, rng: random.Random) -> Iterator[tuple[float, float]]:
    while True:
        yield side(rng), side(rng)


def autocorrelated(rng: random.Random) -> Iterator[tuple[float, float]]:
    """What is done first in each pair is drawn, as the canary does."""
    last = 0.0
    while True:
        slots = []
        for _slot in range(2):
            last = 0.7 * last + rng.gauss(0, 0.25 * math.sqrt(1 - 0.49))
            slots.append(last)
        yield (slots[0], slots[1]) if rng.random() < 0.5 else (slots[1], slots[0])


def drift(rng: random.Random) -> Iterator[tuple[float, float]]:
    number = 0
    while True:
        common = math.log(3) * math.sin(math.pi * number / 60) ** 2
        yield common + rng.gauss(0, 0.25), common + rng.gauss(0, 0.25)
        number += 1


def lopsided(rng: random.Random) -> Iterator[tuple[float, float]]:
    """Both have the median 0."""
    while True:
        yield rng.gauss(0, 0.1), 0.25 * (rng.expovariate(1) - math.log(2))


SHAPES: dict[str, Callable[[random.Random], Iterator[tuple[float, float]]]] = {
    "0.1": lambda rng: independent(normal(0.1), rng),
    "0.15": lambda rng: independent(normal(0.15), rng),
    "0.25": lambda rng: independent(normal(0.25), rng),
    "0.4": lambda rng: independent(normal(0.4), rng),
    "bimodal": lambda rng: independent(bimodal, rng),
    "tails": lambda rng: independent(tails, rng),
    "autocorrelated": autocorrelated,
    "drift": drift,
    "lopsided": lopsided,
}


def pairs_of(shape: str, ratio: float, n: int, seed: str) -> Pairs:
    noise = SHAPES[shape](random.Random(seed))
    return [(0.1 * math.exp(old), 0.1 * ratio * math.exp(new)) for old, new in (next(noise) for _dummy in range(n))]


def stop(pairs: Pairs, family: int = 1, **how: Any) -> tuple[str, int]:
    """The first decision over one metric, and the pairs it took. What the first pairs decide stands: the others are only looked at else."""
    for n in (40, 100):
        if n < len(pairs) and (found := decided(pairs[:n], family, **how))[0] != "unknown":
            return found
    return decided(pairs, family, **how)


def decided(pairs: Pairs, family: int, *, whole: bool = True, tolerance: float = TOLERANCE, allowance: float = 0.0) -> tuple[str, int]:
    """Not ``whole``: by speed alone, as a single test at ``ALPHA``."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import betting, judge, judge_latency, judge_spread

    share = ALPHA / family
    old, new = [math.log(b) for b, _dummy in pairs], [math.log(c) for _dummy, c in pairs]
    ds = [c - b - math.log(tolerance) for b, c in zip(old, new, strict=True)]
    levels = judge_latency.Levels(share * judge.LATENCY_SHARE if whole else share, share * judge.SPREAD_SHARE, ALPHA)
    found, fine = judge_latency.both_bets(ds, betting.lessons(ds, (old, new)), tolerance=tolerance, levels=levels, allowance=allowance)
    slower, passed = found.hit, max(fine.hit, 8) if fine.hit else 0
    if whole:
        spread = judge_spread.judge_spread(old, new, tolerated=tolerance, alpha_fail=levels.fail_spread, alpha_pass=ALPHA)
        passed = judge_latency.passed_after(fine, spread, len(pairs), 8)
        slower = min((n for n in (slower, spread.wide) if n), default=0)
    if slower and not 0 < passed < slower:
        return "fail", slower
    return ("pass", passed) if passed else ("unknown", len(pairs))


def signs(pairs: Pairs, family: int = 1) -> tuple[str, int]:
    """The yardstick: betting a fixed share on the sign."""
    up = down = 0.0
    for n, (b, c) in enumerate(pairs, 1):
        above = c > TOLERANCE * b
        up += math.log1p(0.35 if above else -0.35)
        down += math.log1p(-0.39 if above else 0.39)
        if up >= math.log(family / ALPHA):
            return "fail", n
        if down >= -math.log(ALPHA) and n >= 8:
            return "pass", n
    return "unknown", len(pairs)


HEAD = f"{'noise':<16}{'truth':<8}{'test':<8}{'family':>6}{'pass':>9}{'fail':>9}{'unknown':>9}{'median':>8}{'p90':>6}"


def line(shape: str, truth: str, ratio: float, test: str, family: int, runs: int, limit: int) -> str:
    given = (pairs_of(shape, ratio, limit, f"{shape}{ratio}{family}{k}") for k in range(runs))
    found = [signs(p, family) if test == "signs" else stop(p, family, whole=test == "whole") for p in given]
    share = {d: sum(f[0] == d for f in found) / runs for d in ("pass", "fail", "unknown")}
    ns = sorted(f[1] for f in found)
    counts = "".join(f"{share[d]:>9.2%}" for d in ("pass", "fail", "unknown"))
    return f"{shape:<16}{truth:<8}{test:<8}{family:>6}{counts}{statistics.median(ns):>8.0f}{ns[int(0.9 * runs)]:>6}"


def table(runs: int, limit: int) -> None:
    print(f"{HEAD}   ({runs} runs, at most {limit} pairs)")
    for shape in SHAPES:
        for truth, ratio in (("A/A", 1.0), ("border", TOLERANCE), ("+40 %", 1.4)):
            if shape in ("0.25", "0.4") and truth != "border":
                print(line(shape, truth, ratio, "signs", 1, runs, limit), flush=True)
            print(line(shape, truth, ratio, "speed", 1, runs, limit), flush=True)
            print(line(shape, truth, ratio, "whole", FAMILY, runs, limit), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=400)
    args = parser.parse_args()
    began = time.monotonic()
    table(min(args.runs, 20000), min(args.pairs, 2000))
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
