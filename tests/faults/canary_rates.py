"""F11: how often a canary is judged wrongly. Counted and printed: ./dev python -m tests.faults.canary_rates [--runs 2000]

A canary here is what odoo_canary does: five steps, looked at after every round, at most 240 rounds, alpha 0.01, tolerance 1.2. A/A: the
same release on both sides; a "fail" is a false alarm. Found: one step is slower (or fails, or is less steady) on the canary. The command
ends with an error when the false alarms, the found, or a reported case is not as promised.

Beside it the peer: a Mann-Whitney judge with the defaults of Kayenta (tests/bench/kayenta.py) on the same samples of some of the runs,
which calls a canary bad when it calls a step high: when it looks once, after the last round, and when it looks after every round from the
eighth on, which it is not made for, and people do.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.bench import judge_rates, kayenta

ROUNDS, STEPS = 240, judge_rates.FAMILY
SHAPES = ("0.25", "0.15", "bimodal", "tails", "autocorrelated", "drift")
FIRST_LOOK, PEER = 8, 20  # of the peer, and to it one in so many runs is shown
REALISTIC = ("0.1", "0.15", "0.25", "autocorrelated", "drift")  # where 240 rounds must suffice to find +40 %


def canary(shape: str, seed: str, ratio: float = 1.0) -> tuple[str, int]:
    """The first "fail" of any step, else "pass" when all have passed."""
    found = [judge_rates.stop(pairs, STEPS) for pairs in steps_of(shape, seed, ratio)]
    fails = [n for decision, n in found if decision == "fail"]
    passed = all(decision == "pass" for decision, _n in found)
    if fails:
        return "fail", min(fails)
    return ("pass", max(n for _decision, n in found)) if passed else ("unknown", ROUNDS)


# -- the peer --------------------------------------------------------------------------------------------------------------
def peer(steps: list[judge_rates.Pairs]) -> tuple[bool, int]:
    """Whether the last look calls any step high, and the first look that does (0: none)."""
    import numpy

    once, first = False, 0
    for pairs in steps:
        old, new = numpy.asarray(pairs).T
        once = once or kayenta.is_high(old, new)
        end = first - 1 if first else len(pairs)
        first = next((n for n in range(FIRST_LOOK, end + 1) if kayenta.is_high(old[:n], new[:n])), first)
    return once, first


def beside(runs: list[list[judge_rates.Pairs]]) -> str:
    """What the peer says of these runs, for the end of a line."""
    found = [peer(steps) for steps in runs]
    hits = [first for _once, first in found if first]
    median = f", median {statistics.median(hits):.0f}" if hits else ""
    once = sum(high for high, _first in found)
    return f" | Mann-Whitney, {len(runs)} runs: high {once / len(runs):.0%} at one look, {len(hits) / len(runs):.0%} at any{median}"


def steps_of(shape: str, seed: str, ratio: float) -> list[judge_rates.Pairs]:
    """Five steps, the first of them ``ratio`` times as slow."""
    return [judge_rates.pairs_of(shape, ratio if k == 0 else 1.0, ROUNDS, f"{seed}-{k}") for k in range(STEPS)]


def counted(shapes: tuple[str, ...], runs: int, ratio: float, what: str) -> dict[str, int]:
    """Runs spread evenly over the shapes, and a line for each."""
    total = {"pass": 0, "fail": 0, "unknown": 0}
    for shape in shapes:
        found = [canary(shape, f"f11 {what} {shape} {k}", ratio) for k in range(math.ceil(runs / len(shapes)))]
        counts = {d: sum(f[0] == d for f in found) for d in total}
        median = statistics.median(n for _decision, n in found)
        theirs = beside([steps_of(shape, f"f11 {what} {shape} {k}", ratio) for k in range(max(5, len(found) // PEER))])
        print(f"{what:<8}{shape:<16}{len(found):>6} runs  {counts}  median {median:.0f} rounds{theirs}", flush=True)
        total = {d: total[d] + counts[d] for d in total}
    return total


def power(runs: int) -> None:
    """How often one slower step of five is found, and when."""
    for slower in (10, 20, 30, 40, 60, 100):
        for shape in ("0.15", "0.25", "0.4"):
            found = [canary(shape, f"power {slower} {shape} {k}", 1 + slower / 100) for k in range(runs)]
            share = {d: f"{sum(f[0] == d for f in found) / runs:.0%}" for d in ("pass", "fail", "unknown")}
            median = statistics.median(f[1] for f in found)
            theirs = beside([steps_of(shape, f"power {slower} {shape} {k}", 1 + slower / 100) for k in range(max(5, runs // 10))])
            print(f"power   +{slower:<4}% noise {shape:<6}{share}  median {median:.0f} rounds{theirs}", flush=True)


def spread(runs: int, factor: float) -> None:
    """The same median, the variance times ``factor``, over one step."""
    found, given = [], []
    for k in range(runs):
        rng = random.Random(f"spread {k}")
        stretch = math.sqrt(factor)
        given.append([(math.exp(rng.gauss(0, 0.2)), math.exp(rng.gauss(0, 0.2) * stretch)) for _dummy in range(ROUNDS)])
        found.append(judge_rates.stop(given[-1]))
    share = {d: f"{sum(f[0] == d for f in found) / runs:.0%}" for d in ("pass", "fail", "unknown")}
    theirs = beside([[pairs] for pairs in given[: max(5, runs // 4)]])
    print(f"variance times {factor:g}: {share}  median {statistics.median(f[1] for f in found):.0f} rounds{theirs}", flush=True)


def errors(runs: int, rate: float, rounds: int = 60) -> None:
    """A step that fails at a rate, where the baseline never does."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge_errors import judge_errors

    found, given = [], []
    for k in range(runs):
        rng = random.Random(f"errors {rate} {k}")
        failed = [(False, rng.random() < rate) for _dummy in range(rounds)]
        given.append([(float(b), float(c)) for b, c in failed])
        found.append(judge_errors(failed, alpha_fail=0.001 / STEPS, min_rounds=8).decision)
    share = {d: f"{found.count(d) / runs:.1%}" for d in ("pass", "fail", "unknown")}
    theirs = beside([[pairs] for pairs in given[: max(5, runs // PEER)]])
    print(f"errors  {rate:.0%}: {share} after {rounds} rounds{theirs}", flush=True)


# -- the record as baseline ------------------------------------------------------------------------------------------------
SAMPLED, NOISE = 60, 0.15  # samples of each step of a recorded run, and the sd of their logarithms within it


def days(drift: str, size: float, runs: int, rng: random.Random) -> list[float]:
    """How slow the machine was on the day of each recorded run and, last, of the canary."""
    if drift == "walk":
        found = [0.0]
        for _dummy in range(runs):
            found.append(found[-1] + rng.gauss(0, size))
        return found
    if drift == "jump":  # the machine was changed after the last recorded run
        return [rng.gauss(0, 0.01) for _dummy in range(runs)] + [size]
    return [rng.gauss(0, size) for _dummy in range(runs + 1)]


def of_the_record(drift: str, size: float, runs: int, ratio: float, tolerance: float, rng: random.Random, *, naive: bool) -> str:
    """One canary of five steps against a record of so many runs; the days are the same for all steps. ``naive``: as if days were alike."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import canary_record as cr

    *past, today = days(drift, size, runs, rng)
    steps = [f"s{k}" for k in range(STEPS)]

    def took(day: float, factor: float, n: int) -> list[float]:
        return [0.1 * factor * math.exp(day + rng.gauss(0, NOISE)) for _dummy in range(n)]

    made = [
        cr.Run(f"C-{n}", "", f"2026-01-{n + 1:02d}T12:00:00Z", {s: took(day, 1.0, SAMPLED) for s in steps}) for n, day in enumerate(past)
    ]
    found, wrong = cr.baseline(cr.Record("acme", tuple(made)), steps, change="C", tolerance=tolerance, alpha=judge_rates.ALPHA)
    if wrong and not naive:
        return "refused"
    decided = []
    for step in steps:
        pairs = list(
            zip(found.samples[step], took(today, ratio if step == "s0" else 1.0, min(ROUNDS, len(found.samples[step]))), strict=False)
        )
        allowed = 0.0 if naive else found.allowances[step]
        decided.append(judge_rates.stop(pairs, STEPS, tolerance=tolerance, allowance=allowed)[0])
    return "fail" if "fail" in decided else "pass" if set(decided) == {"pass"} else "unknown"


def record(runs: int) -> None:
    """``mode: record``: how often it errs when the days differ. "refused": RECORD_SCATTERS, before anything is done."""
    words = ("pass", "fail", "unknown", "refused")
    print(f"\n{'record: days differ by':<24}{'runs':>5}{'tolerance':>10}  {'truth':<14}{'test':<8}" + "".join(f"{w:>9}" for w in words))
    grid = [("days", 0.0, 5), ("days", 0.02, 5), ("days", 0.05, 5), ("days", 0.05, 10), ("days", 0.1, 10)]
    for drift, size, count in [*grid, ("walk", 0.03, 10), ("jump", 0.3, 10)]:
        for tolerance, slow in ((1.2, 1.4), (1.5, 1.8)):
            for truth, ratio in (("the same", 1.0), ("at the limit", tolerance), (f"+{100 * (slow - 1):.0f} %", slow)):
                for naive in (False, True) if truth == "at the limit" else (False,):
                    rng = random.Random(f"record {drift} {size} {count} {tolerance} {truth}")
                    found = [of_the_record(drift, size, count, ratio, tolerance, rng, naive=naive) for _dummy in range(runs)]
                    share = "".join(f"{found.count(w) / runs:>9.1%}" for w in words)
                    name = f"{drift}, {size:.0%}"
                    print(f"{name:<24}{count:>5}{tolerance:>10}  {truth:<14}{'naive' if naive else 'ours':<8}{share}", flush=True)


def cases() -> list[str]:
    """The reported cases of Mann-Whitney judges: ours and theirs. Those that ours gets wrong are returned."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge

    wrong = []
    print(f"\n{'case':<50}{'right':<18}{'ours':<10}Mann-Whitney")
    for kind, table in (("", kayenta.DURATIONS), ("errors", kayenta.ERRORS)):
        for name, (old, new, right) in table.items():
            if kind:
                pairs = [
                    judge.Pair(canary=judge.Outcome(0.1 + k / 1e4, "x" * bool(c)), baseline=judge.Outcome(0.1 + k / 1e4, "x" * bool(b)))
                    for k, (b, c) in enumerate(zip(old, new, strict=True))
                ]
                ours = judge.errors_of(pairs, judge.Rules(min_pairs=6), 1).decision
            else:
                ours = judge.judge_speeds({"m": list(zip(old, new, strict=True))}, judge.Rules())["m"].decision
            wrong += [] if ours in right else [name]
            print(f"{name:<50}{' or '.join(sorted(right)):<18}{ours:<10}{kayenta.mann_whitney(old, new)}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="A/A canaries; half as many with +40 %%")
    runs = min(max(parser.parse_args().runs, 12), 20000)
    same = counted(SHAPES, runs, 1.0, "A/A")
    slow = counted(REALISTIC, runs // 2, 1.4, "+40 %")
    alarms, found = same["fail"] / sum(same.values()), slow["fail"] / sum(slow.values())
    print(f"false alarms {alarms:.2%} of {sum(same.values())}; +40 % found {found:.2%} of {sum(slow.values())}\n")
    power(max(10, runs // 20))
    for factor in (1.0, 3.0, 9.0):
        spread(max(10, runs // 10), factor)
    for rate in (0.0, 0.01, 0.05, 0.2, 1.0):
        errors(runs, rate)
    record(max(10, runs // 20))
    wrong = cases()
    print(f"\nwrong: {wrong or 'none'}")
    return int(alarms > 0.01 or found < 0.99 or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
