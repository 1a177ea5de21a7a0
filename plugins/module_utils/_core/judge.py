# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary's judge: is the new side no worse than the old one, with error rates that are known beforehand?

Both sides do the same step in interleaved pairs, in random order. The judge may look after every pair and stop as soon as it knows: every
decision is made by an e-process, so the rates hold however often it is looked at. Speed and spread: :mod:`.judge_latency`. Errors:
:mod:`.judge_errors`. docs/canary.md has the rates as counted.

A family of metrics shares ``alpha``. "Fail": eight tenths go to speed, one to spread, one to errors, equal shares among metrics
(Bonferroni), so any false "fail" has a probability of at most ``alpha``. When several metrics are slow at once, each needs less to be
named too: e-BH keeps the expected share of wrongly named ones below the same level. "Pass" needs every metric to pass, each at ``alpha`` by
itself: if one of them is as bad as the tolerance, it alone keeps a false "pass" below ``alpha`` (intersection-union).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .betting import accused, middle_of
from .checks import FAIL, PASS, UNKNOWN, Check, verdict
from .judge_errors import FEWEST, Errors, judge_errors
from .judge_latency import Latency, Levels, accuse, judge_latency

LATENCY_SHARE, SPREAD_SHARE, ERROR_SHARE = 0.8, 0.1, 0.1


@dataclass(frozen=True)
class Outcome:
    """What one side did with a step: ``seconds``, or an ``error``, or neither when the step was not reached."""

    seconds: float | None = None
    error: str = ""
    code: str = ""  # a stable reason of the error, where it has one


@dataclass(frozen=True)
class Pair:
    """One step on both sides; ``baseline`` is ``None`` when there is no baseline at all (smoke)."""

    canary: Outcome
    baseline: Outcome | None = None


def merged(repeats: Sequence[Outcome]) -> Outcome:
    """One outcome of a step that was done several times in a row: its first error, else its median time."""
    failed = next((o for o in repeats if o.error), None)
    times = [o.seconds for o in repeats if o.seconds is not None]
    return failed or (Outcome(seconds=middle_of(times)) if times else Outcome())


@dataclass(frozen=True)
class Rules:
    """The settings of a judgement. ``allowances``: logarithms of what may lie between the sides of a metric by chance."""

    tolerance: float = 1.2
    alpha: float = 0.01
    min_pairs: int = 8
    smoke: bool = False
    allowances: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """All checks, the figures of each metric, and one plain sentence."""

    checks: tuple[Check, ...]
    figures: dict[str, dict[str, Any]]
    sentence: str
    verdict: str
    hopeless: bool


# -- the family ----------------------------------------------------------------------------------------------------------
def reached(outcome: Outcome | None) -> bool:
    return outcome is not None and (bool(outcome.error) or outcome.seconds is not None)


def timed(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """The durations of the pairs where both sides got through."""
    both = [(p.baseline.seconds, p.canary.seconds) for p in pairs if p.baseline and not p.baseline.error and not p.canary.error]
    return [(b, c) for b, c in both if b is not None and c is not None]


def levels_of(rules: Rules, family: int) -> Levels:
    """The error rates of each of so many metrics."""
    share = rules.alpha / max(1, family)
    return Levels(share * LATENCY_SHARE, share * SPREAD_SHARE, rules.alpha, rules.min_pairs)


def judge_speeds(durations: Mapping[str, Sequence[tuple[float, float]]], rules: Rules, *, one_look: bool = False) -> dict[str, Latency]:
    """The speed of a whole family of metrics: pairs of (baseline, canary) durations of each."""
    levels = levels_of(rules, len(durations))
    found = {
        m: judge_latency(pairs, tolerance=rules.tolerance, levels=levels, one_look=one_look, allowance=rules.allowances.get(m, 0.0))
        for m, pairs in durations.items()
    }
    names = list(found)
    for k in accused([found[m].e_fail for m in names], rules.alpha * LATENCY_SHARE):
        found[names[k]] = accuse(found[names[k]], rules.tolerance)
    return found


def errors_of(pairs: Sequence[Pair], rules: Rules, family: int) -> Errors:
    """The errors of one metric, from the rounds where both sides reached the step."""
    rounds = [
        (None if p.baseline is None else bool(p.baseline.error), bool(p.canary.error))
        for p in pairs
        if reached(p.canary) and (p.baseline is None or reached(p.baseline))
    ]
    return judge_errors(rounds, alpha_fail=rules.alpha * ERROR_SHARE / family, min_rounds=rules.min_pairs)


HINTS = {
    "SLOWER": "Profile this step on the new release; it must not be rolled out further.",
    "ERRORS": "Read the first error; the new release must not be rolled out further.",
    "TOO_FEW": "Give the canary more rounds or a larger budget.",
    "BASELINE_SICK": "Repair the old release's side first; it cannot serve as a measure.",
    "MISSING": "See why this step was not measured.",
    "CONSTANT": "See whether this is measured at all, and with a clock that is fine enough.",
    "DUPLICATE": "See why the same measurement arrives more than once.",
    "SPREAD": "Look for what is slow only sometimes (locks, a cold cache, garbage); it must not be rolled out further.",
}
OK = {PASS: True, FAIL: False, UNKNOWN: None}


def check_of(kind: str, metric: str, found: Latency | Errors, *, observed: Any, expected: str, first_error: str = "") -> Check:
    seen = found.reason + (f"; first error: {first_error}" if first_error else "") if found.decision != PASS else observed
    return Check(f"{kind}:{metric}", OK[found.decision], seen, expected, HINTS.get(found.code, ""), found.code)


def first_error(pairs: Sequence[Pair]) -> str:
    """The first error of the canary, else of the baseline."""
    sides = [p.canary for p in pairs] + [p.baseline for p in pairs if p.baseline]
    return next((side.error for side in sides if side.error), "")


def latency_check(metric: str, found: Latency, rules: Rules) -> Check:
    return check_of("latency", metric, found, observed=found.ratio and round(found.ratio, 3), expected=f"<= {rules.tolerance:g}")


def errors_check(metric: str, found: Errors, pairs: Sequence[Pair]) -> Check:
    told = check_of("errors", metric, found, observed=f"0 of {found.rounds}", expected="no errors", first_error=first_error(pairs))
    codes = {side.code for p in pairs for side in (p.canary, p.baseline) if side and side.code}
    return replace(told, code=codes.pop()) if told.ok is not True and len(codes) == 1 else told


def judge(records: Mapping[str, Sequence[Pair]], rules: Rules) -> Judgement:
    """The verdict over all metrics. ``records``: every metric that must be proved, with its pairs in the order of measurement."""
    speeds = {} if rules.smoke else judge_speeds({m: timed(pairs) for m, pairs in records.items()}, rules)
    checks: list[Check] = []
    figures: dict[str, dict[str, Any]] = {}
    for metric, pairs in records.items():
        errors = errors_of(pairs, rules, len(records))
        if metric in speeds:
            checks.append(latency_check(metric, speeds[metric], rules))
        checks.append(errors_check(metric, errors, pairs))
        figures[metric] = {**(asdict(speeds[metric]) if metric in speeds else {}), "errors": asdict(errors)}
    decided = verdict(checks)
    return Judgement(tuple(checks), figures, sentence(checks, figures, decided, rules), decided, decided == UNKNOWN and sick(figures))


def sick(figures: Mapping[str, Mapping[str, Any]]) -> bool:
    """The baseline of a metric fails so often that more rounds cannot help."""
    return any(
        f["errors"]["baseline_errors"] >= FEWEST and 2 * f["errors"]["baseline_errors"] > f["errors"]["rounds"] for f in figures.values()
    )


def settled(metric: str, judgement: Judgement) -> bool:
    """All that is asked of this metric has passed; more rounds would only cost time."""
    return all(c.ok is True for c in judgement.checks if c.id.split(":", 1)[1] == metric)


# -- one plain sentence --------------------------------------------------------------------------------------------------
def milliseconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds * 1000:.0f} ms"


def sentence(checks: Sequence[Check], figures: Mapping[str, Mapping[str, Any]], decided: str, rules: Rules) -> str:
    """What was found, for people who do not read statistics."""
    bad = sorted((c for c in checks if c.ok is not True), key=lambda c: (c.ok is None, c.code == "MISSING"))
    if not bad:
        return all_good(figures, rules) if figures else "Nothing was measured."
    kind, metric = bad[0].id.split(":", 1)
    if decided == UNKNOWN:
        return f"It could not be told whether {metric} is as good as before: {bad[0].observed}."
    if kind == "errors":
        return f"{metric} fails on the new release: {bad[0].observed}."
    f = figures[metric]
    if f["code"] == "SPREAD":
        return f"{metric} is less steady than before: {f['reason']}."
    return (
        f"{metric} takes {f['ratio']:.2f} times as long as before ({milliseconds(f['canary_median_s'])} against "
        f"{milliseconds(f['baseline_median_s'])} over {f['n']} pairs): slower than the tolerated {rules.tolerance:g}."
    )


def all_good(figures: Mapping[str, Mapping[str, Any]], rules: Rules) -> str:
    rounds = max(f["errors"]["rounds"] for f in figures.values())
    if rules.smoke:
        return f"All {len(figures)} steps work ({rounds} rounds, no error)."
    worst = max(figures, key=lambda m: figures[m]["ratio"])
    return (
        f"All {len(figures)} steps work and take no longer than {rules.tolerance:g} times as before "
        f"(worst: {worst} at {figures[worst]['ratio']:.2f}; {rounds} rounds, no error)."
    )
