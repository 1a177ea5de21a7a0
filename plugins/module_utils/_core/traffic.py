# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is real traffic no worse off than before? Durations by the canary's judge, shares and counts by exact tests, levels by their limits.

Of ``alpha``, the chance of any false "fail", half goes to the durations and half to shares and counts, in equal parts. A "pass" is a proof
as well: that the tolerance is kept, each signal at ``alpha`` by itself. A signal that is held against two earlier times fails when it is
worse than both, and is unknown when they disagree: then it may be the time of the day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .checks import FAIL, PASS, UNKNOWN, Check
from .exact import rate_ratio_at_most, rates_differ, share_at_least, share_at_most, shares_differ
from .judge import Rules, judge_speeds
from .judge_latency import at_quantile
from .signals import Period, Query, asks, missing
from .traffic_data import Finding, Side, Trouble, counted, pairs_of, undecided, values_of

FEWEST = 3  # events before they alone fail a release
NOTABLE = 1.5  # a share or a rate that is proved higher, but by less than this factor, is not what a release is stopped for
FIGURES = ("n", "baseline_median_s", "canary_median_s", "ratio", "p95_ratio", "e_fail", "e_pass", "power", "more")

HINTS = {
    "SLOWER": "Look for what became slow; do not roll it out further.",
    "SPREAD": "Look for what is slow only sometimes (locks, a cold cache); do not roll it out further.",
    "ERROR_SHARE": "Read the new release's log; do not roll it out further.",
    "MORE": "See what happens more often than before; do not roll it out further.",
    "OVER_LIMIT": "See what has filled it since the release.",
    "WAS_SO_BEFORE": "It was over its limit before the release as well: mend that first.",
    "MIXED": "It is worse than at one earlier time and not than at the other: look at the hours in between.",
    "TOO_FEW": "Look again when there was more traffic, or over a longer time.",
    "CONSTANT": "See whether this is measured at all.",
    "COARSE": "Give Traefik finer buckets (metrics.prometheus.buckets) around the durations of your pages.",
    "NO_DATA": "Ask with state reachable which exporter or selector is missing.",
    "NO_SELECTOR": "Give it in selectors, or leave the query out.",
    "NO_TRAFFIC": "Without requests nothing is known: look again when there was traffic.",
    "NOT_A_NUMBER": "Use longer steps where there is little traffic; see what the query divides by.",
    "LATE": "See since when this is scraped; give the beginning as it was.",
    "STALE": "See why it is not scraped any more.",
    "GAPS": "See why it is not scraped all the time; use longer steps where there is little traffic.",
    "DUPLICATE_SERIES": "Put sum(...) around the query, or ask one Prometheus of a pair.",
    "DUPLICATE": "See why the same number comes again and again.",
    "SAME_SERIES": "Give baseline and canary selectors that differ, or take side_by_side from the query.",
    "NOT_ASKED": "Do what the message says, and ask again.",
    "MISSING": "See what the query gives: durations are positive numbers.",
}
TOLD = ("NO_DATA", "NO_SELECTOR", "NO_TRAFFIC", "SAME_SERIES", "COARSE", "TOO_FEW", "SPREAD", "MIXED")
"""Why an optional signal may be left open: nothing is wrong with what came, it only does not suffice."""


@dataclass(frozen=True)
class Settings:
    """How strictly, and whether both sides were measured at the same time."""

    tolerance: float = 1.2
    alpha: float = 0.01
    together: bool = False


@dataclass(frozen=True)
class Judged:
    """The checks, what is only told, and the figures of every signal and comparison."""

    checks: list[Check]
    told: list[dict[str, str]]
    figures: dict[str, dict[str, Any]]


def judge(
    queries: Mapping[str, Query], new: Side, references: Sequence[Side], settings: Settings, *, unasked: Mapping[str, Trouble]
) -> Judged:
    """``unasked``: why a query was not asked."""
    asked = {name: query for name, query in queries.items() if name not in unasked}
    by_reference = {old.name: compared(asked, old, new, settings) for old in references}
    checks, told, figures = [], [], {}
    for name, query in queries.items():
        if name in unasked:
            found = undecided(unasked[name])
        else:
            each = {reference: findings[name] for reference, findings in by_reference.items()}
            found = together(each)
            figures[name] = {reference: {"decision": one.decision, **one.figures} for reference, one in each.items() if one.figures}
        if found.decision == UNKNOWN and not query.required and found.code in TOLD:
            told.append({"query": name, "code": found.code, "why": found.said, "exporter": query.exporter})
        else:
            checks.append(check_of(query, found, settings))
    return Judged(checks, told, figures)


def unasked(
    queries: Mapping[str, Query], new: Mapping[str, str], old: Mapping[str, str], period: Period, *, together: bool
) -> dict[str, Trouble]:
    """Why some queries cannot be asked with the selectors of both sides."""
    found = {}
    for name, query in queries.items():
        if lack := missing(query, new) or missing(query, old):
            found[name] = Trouble("NO_SELECTOR", f"the selector {', '.join(lack)} is not given")
        elif together and asks(query, new, period) == asks(query, old, period):
            found[name] = Trouble("SAME_SERIES", "it asks for the same on both sides")
    return found


def together(each: Mapping[str, Finding]) -> Finding:
    """One finding of those against each earlier time."""
    usable = [found for found in each.values() if found.usable] or list(each.values())[:1]
    by = {decision: [found for found in usable if found.decision == decision] for decision in (FAIL, PASS, UNKNOWN)}
    if by[FAIL] and len(by[FAIL]) < len(usable):
        other = "not worse" if by[PASS] else "undecided"
        return replace(by[FAIL][0], decision=UNKNOWN, code="MIXED", said=f"{by[FAIL][0].said}; against the other time {other}")
    return (by[FAIL] or by[PASS] or by[UNKNOWN])[0]


def check_of(query: Query, found: Finding, settings: Settings) -> Check:
    return Check(f"traffic_{query.name}", found.ok, found.said, wanted(query, settings), HINTS.get(found.code, ""), found.code)


def wanted(query: Query, settings: Settings) -> str:
    rule = query.rule
    return {
        "latency": lambda: f"<= {settings.tolerance:g} times as long",
        "ratio": lambda: f"at most {rule['allowed']:g} more of all {query.unit}",
        "count": lambda: f"at most {rule['allowed']:g} {query.unit}, or at most {rule['tolerance']:g} times as often",
        "level": lambda: f"<= {rule['limit']:g} ({query.unit}, {rule['statistic']})",
    }[query.kind]()


def compared(queries: Mapping[str, Query], old: Side, new: Side, settings: Settings) -> dict[str, Finding]:
    """Every signal of one comparison."""
    counting = sum(query.kind in ("ratio", "count") for query in queries.values())
    share = settings.alpha / 2 / max(1, counting)
    judges = {"ratio": ratio, "count": count, "level": level}
    found = {n: judges[q.kind](q, old, new, share, settings.alpha) for n, q in queries.items() if q.kind != "latency"}
    return {**latencies({n: q for n, q in queries.items() if q.kind == "latency"}, old, new, settings), **found}


# -- durations -----------------------------------------------------------------------------------------------------------
def latencies(queries: Mapping[str, Query], old: Side, new: Side, settings: Settings) -> dict[str, Finding]:
    paired = {name: pairs_of(old, new, name, together=settings.together) for name in queries}
    rules = Rules(tolerance=settings.tolerance, alpha=settings.alpha / 2)
    speeds = judge_speeds({name: pairs for name, (pairs, trouble) in paired.items() if trouble is None}, rules, one_look=True)
    found = {name: undecided(trouble) for name, (_pairs, trouble) in paired.items() if trouble}
    for name, speed in speeds.items():
        coarse = speed.code in ("CONSTANT", "DUPLICATE") and "histogram_quantile" in queries[name].texts["query"]
        said = speed.reason or f"{speed.ratio or 0:.2f} times as long as {old.name}, over {speed.n} steps"
        figures = {key: rounded(value) for key, value in asdict(speed).items() if key in FIGURES}
        code = "COARSE" if coarse else speed.code
        found[name] = Finding(speed.decision, code, f"{said} (against {old.name})" if speed.reason else said, figures)
    return found


def rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) and math.isfinite(value) else value


# -- shares and counts ---------------------------------------------------------------------------------------------------
def scraped(old: Side, new: Side, name: str) -> Trouble | None:
    """Why the counters of either side were not watched all the time."""
    for side, reference in ((new, False), (old, True)):
        trouble = values_of(side, name, "alive")[1]
        if trouble:
            return replace(trouble, reference=reference)
    return None


def ratio(query: Query, old: Side, new: Side, alpha_fail: float, alpha: float) -> Finding:
    """The share of what is bad, by Fisher's test; fine when it is proved that at most ``allowed`` more of all are."""
    sides = []
    for side, reference in ((new, False), (old, True)):
        every, trouble = counted(side, query.name, "total")
        if trouble is None and not every:
            trouble = Trouble("NO_TRAFFIC", f"no {query.unit} in {side.name}")
        bad, other = counted(side, query.name, "bad", absent=0)
        if trouble := trouble or other:
            return undecided(replace(trouble, reference=reference))
        sides.append((min(bad, every), every))
    if trouble := scraped(old, new, query.name):
        return undecided(trouble)
    after, before = sides
    p, allowed = shares_differ(before, after), query.rule["allowed"]
    most, least = share_at_most(*after, alpha / 2), share_at_least(*before, alpha / 2)
    if not before[0]:
        most = share_at_most(*after, alpha)  # that a share is at least 0 needs no proof
    figures = {"baseline": list(before), "canary": list(after), "p": rounded(p), "share_at_most": rounded(most)}
    said = f"{after[0]} of {after[1]} {query.unit}, in {old.name} {before[0]} of {before[1]}"
    higher = after[0] / after[1] >= NOTABLE * before[0] / before[1]
    if p <= alpha_fail and after[0] >= FEWEST and higher:
        return Finding(FAIL, "ERROR_SHARE", said, figures)
    if most <= least + allowed:
        return Finding(PASS, "", said, figures)
    needed = math.ceil(math.log(alpha) / math.log1p(-min(allowed, 0.5))) if allowed else 0
    more = f", at least {needed} are needed" if after[1] < needed else ""
    return Finding(UNKNOWN, "TOO_FEW", f"{said}: that does not prove it{more}", figures)


def count(query: Query, old: Side, new: Side, alpha_fail: float, alpha: float) -> Finding:
    """Events in a time, by the conditional binomial test; fine when there are few, or proof that they do not come more often."""
    sides = []
    for side, reference in ((new, False), (old, True)):
        events, trouble = counted(side, query.name, "count")
        if trouble:
            return undecided(replace(trouble, reference=reference))
        sides.append((events, float(side.period.length)))
    if trouble := scraped(old, new, query.name):
        return undecided(trouble)
    after, before = sides
    p, most = rates_differ(before, after), rate_ratio_at_most(before, after, alpha)
    figures = {"baseline": before[0], "canary": after[0], "p": rounded(p), "ratio_at_most": rounded(most) if most < math.inf else None}
    said = f"{after[0]} {query.unit} in {after[1]:.0f} s, in {old.name} {before[0]} in {before[1]:.0f} s"
    more_often = after[0] / after[1] >= NOTABLE * before[0] / before[1]
    if p <= alpha_fail and after[0] >= FEWEST and after[0] > query.rule["allowed"] and more_often:
        return Finding(FAIL, "MORE", said, figures)
    if after[0] <= query.rule["allowed"] or most <= query.rule["tolerance"]:
        return Finding(PASS, "", said, figures)
    return Finding(UNKNOWN, "TOO_FEW", f"{said}: that proves nothing", figures)


# -- levels --------------------------------------------------------------------------------------------------------------
def level(query: Query, old: Side, new: Side, _alpha_fail: float, _alpha: float) -> Finding:
    """A level over its limit, unless it was so before: then the release is not to blame, and nothing is proved."""
    values, trouble = values_of(new, query.name)
    if trouble:
        return undecided(trouble)
    statistic, limit = query.rule["statistic"], query.rule["limit"]
    after = worst(list(values.values()), statistic)
    earlier, trouble = values_of(old, query.name)
    before = None if trouble else worst(list(earlier.values()), statistic)
    figures = {"baseline": rounded(before), "canary": rounded(after)}
    said = f"{after:.4g}" + ("" if before is None else f", in {old.name} {before:.4g}")
    if after <= limit:
        return Finding(PASS, "", said, figures)
    if before is None or before <= limit:
        return Finding(FAIL, "OVER_LIMIT", said, figures, usable=before is not None)
    return Finding(UNKNOWN, "WAS_SO_BEFORE", said, figures)


def worst(values: Sequence[float], statistic: str) -> float:
    return max(values) if statistic == "max" else at_quantile(sorted(values), 0.95)


# -- can it be asked? ----------------------------------------------------------------------------------------------------
def judge_reachable(
    queries: Mapping[str, Query], found: Mapping[str, str], present: Sequence[str], *, unasked: Mapping[str, Trouble]
) -> Judged:
    """Whether every query gives a number now. ``found``: why it gave none, empty when it did; ``present``: the metrics that are there."""
    checks, told = [], []
    for name, query in queries.items():
        code, said, hint = unreached(query, found.get(name, ""), present, unasked.get(name))
        if code and not query.required and code != "NOT_ASKED":
            told.append({"query": name, "code": code, "why": f"{said}. {hint}", "exporter": query.exporter})
        else:
            ok = None if code == "NOT_ASKED" else not code
            checks.append(Check(f"reachable_{name}", ok, said, f"a number, from {query.exporter}", hint, code))
    return Judged(checks, told, {})


def unreached(query: Query, problem: str, present: Sequence[str], trouble: Trouble | None) -> tuple[str, str, str]:
    """Code, what was seen and what to do; no code when it gives a number."""
    if trouble:
        return trouble.code, trouble.why, HINTS[trouble.code]
    if absent := [metric for metric in query.metrics if metric not in present]:
        return "NO_EXPORTER", f"no metric {', '.join(absent)}", f"Have Prometheus scrape {query.exporter}; docs/signals.md tells how."
    if problem == "NO_DATA":
        return "NO_MATCH", "the metric is there, and nothing fits the selectors", "Correct the selectors, or wait for the first requests."
    if problem:
        return "NOT_ASKED", problem.rstrip("."), HINTS["NOT_ASKED"]
    return "", "it gives a number", ""
