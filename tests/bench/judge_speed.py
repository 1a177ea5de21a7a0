"""P8: how long judging 50 metrics of 1,440 points takes, imports included: python -m tests.bench.judge_speed

Three judges on the same points, each in a process of its own, from its first import on; the best of several runs:

* ours: verdict about the tolerance, spread, false discovery rate;
* scipy's ``mannwhitneyu``: whether the sides differ; it knows neither a tolerance nor bounds;
* Kayenta's algorithm (tests/bench/kayenta.py) on numpy and scipy: the shift with its confidence interval, from the roots of the rank sum.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys

from tests import conftest

METRICS, POINTS, TIMES, TARGET_MS = 50, 1440, 5, 100
CLOCK = """
import json, sys, time
series = json.load(sys.stdin)
began, cpu = time.perf_counter(), time.process_time()
{work}
print(time.perf_counter() - began, time.process_time() - cpu, *sorted(found))
"""
JUDGES = {
    "ours": """
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Rules, judge_speeds
judged = judge_speeds({m: list(zip(old, new)) for m, (old, new) in series.items()}, Rules(), one_look=True)
found = {f.decision for f in judged.values()}
""",
    "scipy's mannwhitneyu": """
from scipy.stats import mannwhitneyu
found = {"different" if mannwhitneyu(old, new).pvalue < 0.01 else "the same" for old, new in series.values()}
""",
    "Kayenta's algorithm": """
from tests.bench.kayenta import TOLERANCE, by_ranks
judged = [by_ranks(old, new) for old, new in series.values()]
found = {"high" if low > TOLERANCE * abs(shift) else "pass" for shift, low, _high in judged}
""",
}


def series() -> dict[str, tuple[list[float], list[float]]]:
    rng = random.Random(8)

    def one() -> list[float]:
        return [0.1 * math.exp(rng.gauss(0, 0.25)) for _dummy in range(POINTS)]

    return {f"m{k}": (one(), one()) for k in range(METRICS)}


def timed(work: str, given: str) -> tuple[float, float, str]:
    """Wall and CPU seconds in a process of its own, from the first import on, and what was decided."""
    env = {"PYTHONPATH": f"{conftest.COLLECTIONS}:{conftest.ROOT}", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CLOCK.format(work=work)]
    said = subprocess.run(command, input=given, capture_output=True, text=True, check=True, env=env, timeout=300)
    wall, cpu, decisions = said.stdout.strip().split(" ", 2)
    return float(wall), float(cpu), decisions


def main() -> int:
    given = json.dumps(series())
    print(f"judge, {METRICS} metrics x {POINTS} points, imports included: the best of {TIMES}")
    for name, work in JUDGES.items():
        found = [timed(work, given) for _dummy in range(TIMES)]
        wall, cpu = (min(f[k] for f in found) * 1000 for k in (0, 1))
        target = f", wanted <= {TARGET_MS}" if name == "ours" else ""
        print(f"  {name:<24}{wall:8.0f} ms, CPU {cpu:6.0f} ms{target} ({found[0][2]})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
