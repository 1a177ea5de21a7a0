# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tenant's earlier releases took, as the baseline of a new one where the old cannot run beside it any more.

Samples of other days differ from today's by more than their own noise: by what else the machine had to do on those days. No number of
pairs says how much, only a number of days does. So the question is put in two parts:

* Each earlier run is shifted to the centre of all of them, and pairs are drawn: a sample of the record with a new one. They are judged as
  pairs of a canary are, which says how far today's run lies from the centre.
* How far a run lies there by chance is learned from how the earlier ones differ: with a probability of ``alpha`` one more run of the same
  kind is further up than ``t * s * sqrt(1 + 1/k)`` (a prediction limit: k runs, s the standard deviation of the logarithms of
  their medians, t that of Student). That is the ``allowance``: a "fail" must lie above the tolerance by so much, a "pass" below.

Where the runs differ so much that hardly anything is left of the tolerance, nothing can be judged, and a wider one is asked for.

*Assumption: today is a day as those were.* A machine that was changed, or data that have doubled since, look as a release does.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .checks import Check
from .instants import parse_instant
from .judge import Pair
from .student import quantile

SCHEMA = 1
RUNS, SAMPLES = 12, 120  # kept of a tenant, and of each step of a run
FEWEST_RUNS, FEWEST_SAMPLES = 3, 8  # that a baseline can be made of
APART = dt.timedelta(hours=12)  # runs closer together say little about how days differ
ROOM = 0.6  # the allowance may take this share of the tolerance's logarithm: then a pass needs about six times the pairs
HOW = (
    "Give the option record to the canary of each change; three runs that passed, on different days, are enough. "
    "A canary that compares the release that runs with itself makes one as well."
)
NO_RECORD, SCATTERS = "NO_RECORD", "RECORD_SCATTERS"


@dataclass(frozen=True)
class Run:
    """What one release took on one day: seconds of each step, in the order of measurement."""

    change: str
    release: str
    measured_at: str
    steps: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Record:
    """A tenant's runs, oldest first."""

    tenant: str
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """What a canary is compared with: samples of each step in the order in which they are drawn, and what they may be off by chance."""

    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    allowances: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


# -- the document --------------------------------------------------------------------------------------------------------
def encode(record: Record) -> bytes:
    document = {"schema": SCHEMA, "tenant": record.tenant, "runs": [asdict(run) for run in record.runs]}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def decode(data: bytes, tenant: str) -> Record:
    """ValueError, with the reason, for what is not the record of this tenant."""
    try:
        document = json.loads(data)
        if document["schema"] != SCHEMA or document["tenant"] != tenant:
            raise ValueError(f"it is of schema {document['schema']!r} and of {document['tenant']!r}, wanted {SCHEMA} and {tenant!r}")
        runs = [_run(one) for one in document["runs"]]
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise ValueError(f"it is not what a canary writes ({type(exc).__name__})") from exc
    return Record(tenant, tuple(sorted(runs, key=lambda run: parse_instant(run.measured_at))))


def _run(one: Mapping[str, Any]) -> Run:
    parse_instant(one["measured_at"])
    steps = {str(step): [float(s) for s in samples] for step, samples in one["steps"].items()}
    if not all(0 < s < math.inf for samples in steps.values() for s in samples):
        raise ValueError("it holds durations that are not positive finite numbers")
    return Run(str(one["change"]), str(one["release"]), one["measured_at"], steps)


def measured(records: Mapping[str, Sequence[Pair]], *, canary: bool, change: str, release: str, at: str) -> Run:
    """One side of what a canary has measured; the samples are thinned evenly where there are too many."""
    steps = {}
    for step, pairs in records.items():
        sides = [pair.canary if canary else pair.baseline for pair in pairs]
        took = [o.seconds for o in sides if o is not None and not o.error and o.seconds is not None and 0 < o.seconds < math.inf]
        if took:
            count = min(SAMPLES, len(took))
            steps[step] = [float(f"{took[k * len(took) // count]:.4g}") for k in range(count)]
    return Run(change, release, at, steps)


def added(record: Record, run: Run) -> Record:
    """With this run; without what an earlier attempt of the same change has measured of the same release, and without the oldest."""
    kept = [one for one in record.runs if (one.change, one.release) != (run.change, run.release)]
    return Record(record.tenant, tuple([*kept, run][-RUNS:])) if run.steps else record


# -- the baseline --------------------------------------------------------------------------------------------------------
def usable(record: Record, step: str, change: str) -> list[tuple[Run, Sequence[float]]]:
    """The runs that say something of a step: of other changes, with enough samples, and not two of the same half day."""
    found: list[tuple[Run, Sequence[float]]] = []
    for run in reversed(record.runs):
        samples = run.steps.get(step, ())
        at = parse_instant(run.measured_at)
        apart = not found or parse_instant(found[-1][0].measured_at) - at >= APART
        if run.change != change and len(samples) >= FEWEST_SAMPLES and apart:
            found.append((run, samples))
    return found[::-1]


def middle(samples: Sequence[float]) -> float:
    """The mean of the middle three fifths of the logarithms: as good as deaf to outliers, and steadier from run to run than the median."""
    ordered = sorted(math.log(s) for s in samples)
    cut = len(ordered) // 5
    kept = ordered[cut : len(ordered) - cut]
    return sum(kept) / len(kept)


def allowance(middles: Sequence[float], alpha: float) -> float:
    """How far above their centre the next of these logarithms lies with a probability of ``alpha``."""
    k, centre = len(middles), sum(middles) / len(middles)
    sd = math.sqrt(sum((m - centre) ** 2 for m in middles) / (k - 1))
    return quantile(1 - alpha, k - 1) * sd * math.sqrt(1 + 1 / k)


def drawn(samples: Sequence[Sequence[float]], seed: str) -> list[float]:
    """All samples in random order, each run's shifted to the centre of all runs. The same seed draws the same order."""
    middles = [middle(one) for one in samples]
    centre = sum(middles) / len(middles)
    found = [s * math.exp(centre - own) for one, own in zip(samples, middles, strict=True) for s in one]
    random.Random(seed).shuffle(found)  # noqa: S311  nothing is secret about the order
    return found


def baseline(record: Record, steps: Sequence[str], *, change: str, tolerance: float, alpha: float) -> tuple[Baseline, list[Check]]:
    """The baseline of these steps, or why there is none: a check of each step that cannot be compared."""
    samples, allowances, wrong, runs = {}, {}, [], {}
    for step in steps:
        found = usable(record, step, change)
        if len(found) < FEWEST_RUNS:
            wrong.append(_too_few(step, len(found)))
            continue
        allowed = allowance([middle(one) for _run, one in found], alpha)
        if allowed > ROOM * math.log(tolerance):
            wrong.append(_scatters(step, len(found), allowed, tolerance))
        runs.update({run.measured_at: run for run, _one in found})
        allowances[step] = allowed
        samples[step] = drawn([one for _run, one in found], f"odoo_canary {change} {step}")
    about = {
        "kind": "record",
        "release": ", ".join(dict.fromkeys(run.release or run.change for run in runs.values())),
        "measured_at": max(runs, key=parse_instant, default=None),
        "samples": min(map(len, samples.values()), default=0),
        "runs": len(runs),
    }
    return Baseline(samples, allowances, about), wrong


def _too_few(step: str, runs: int) -> Check:
    seen = f"{runs} earlier runs of other days with {FEWEST_SAMPLES} samples or more" if runs else "no earlier run is recorded"
    return Check(f"latency:{step}", None, seen, f"at least {FEWEST_RUNS} runs", HOW, NO_RECORD)


def _scatters(step: str, runs: int, allowed: float, tolerance: float) -> Check:
    wanted = math.ceil(math.exp(allowed / ROOM) * 20) / 20
    return Check(
        f"latency:{step}",
        None,
        f"the {runs} recorded runs differ so much that {math.exp(allowed):.2f} times could be chance",
        f"chance of less than {tolerance**ROOM:.2f} times, which a tolerance of {tolerance:g} leaves room for",
        f"Give a tolerance of {wanted:g} or more, or record more runs on quieter days.",
        SCATTERS,
    )
