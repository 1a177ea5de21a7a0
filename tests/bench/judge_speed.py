"""P8: how long judging 50 metrics of 1,440 points takes, imports included: python -m tests.bench.judge_speed

Ours beside a Mann-Whitney judge as Kayenta describes it (its interval sorts all differences, so one metric of it is timed and
multiplied), and beside scipy's ``mannwhitneyu`` where scipy is installed: it tells "different" from "same", and knows neither
tolerance nor bounds.
"""

from __future__ import annotations

import importlib.util
import json
import math
import random
import subprocess
import sys
import time

from tests import conftest
from tests.bench import kayenta

METRICS, POINTS, TIMES = 50, 1440, 5
OURS = """
import json, sys, time
series = json.load(sys.stdin)
began, cpu = time.perf_counter(), time.process_time()
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Rules, judge_speeds
found = judge_speeds({m: list(zip(old, new)) for m, (old, new) in series.items()}, Rules(), one_look=True)
print(time.perf_counter() - began, time.process_time() - cpu, *sorted({f.decision for f in found.values()}))
"""


def series() -> dict[str, tuple[list[float], list[float]]]:
    rng = random.Random(8)

    def one() -> list[float]:
        return [0.1 * math.exp(rng.gauss(0, 0.25)) for _dummy in range(POINTS)]

    return {f"m{k}": (one(), one()) for k in range(METRICS)}


def ours(given: str) -> tuple[float, float, str]:
    """Wall and CPU seconds in a process of its own, from the first import on, and what was decided."""
    path = {"PYTHONPATH": str(conftest.COLLECTIONS)}
    said = subprocess.run([sys.executable, "-c", OURS], input=given, capture_output=True, text=True, check=True, env=path, timeout=60)
    wall, cpu, *decisions = said.stdout.split()
    return float(wall), float(cpu), " ".join(decisions)


def main() -> int:
    given = series()
    found = [ours(json.dumps(given)) for _dummy in range(TIMES)]
    print(f"judge, {METRICS} metrics x {POINTS} points, imports included: the best of {TIMES}")
    wall, cpu = (min(f[k] for f in found) * 1000 for k in (0, 1))
    print(f"  ours                      {wall:8.0f} ms, CPU {cpu:.0f} ms ({found[0][2]})")
    old, new = given["m0"]
    began = time.perf_counter()
    kayenta.mann_whitney(old, new)
    print(f"  Mann-Whitney with bounds  {(time.perf_counter() - began) * METRICS * 1000:8.0f} ms (one metric, times {METRICS})")
    if importlib.util.find_spec("scipy") is None:
        print("  scipy is not installed here")
        return 0
    began = time.perf_counter()
    from scipy.stats import mannwhitneyu

    for before, after in given.values():
        mannwhitneyu(before, after)
    print(f"  scipy's mannwhitneyu      {(time.perf_counter() - began) * 1000:8.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
