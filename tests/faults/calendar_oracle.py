"""Holds the calendars' decisions against an independent minute-by-minute oracle, on any number of cases.

python -m tests.faults.calendar_oracle --cases 1000000 [--jobs 2] [--seed 0]

Every change of the clock in 32 zones from 2020 to 2035 gets its share of the cases. A disagreement is printed whole.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support.calendar_cases import Cases, plain
from tests.support.calendar_walk import Walk, anchors, answer

QUESTIONS = 12  # for each set of calendars


def ours(calendars: list[dict[str, Any]], walk: Walk, questions: list[tuple[int, int, int, str]]) -> Iterator[dict[str, Any]]:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_decide import Question, decide
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import Scope
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars

    read = read_calendars(plain(calendars))
    denies = {(c["name"], r["name"]) for c in calendars for r in c["rules"] if r["effect"] == "deny"}
    for at, length, horizon, change_class in questions:
        start = walk.start + dt.timedelta(minutes=at)
        found = decide(read, Question(start, length * 60, ("acme",), Scope(change_class=change_class), horizon))
        minute = None if found.next_start is None else (found.next_start - walk.start) / dt.timedelta(minutes=1)
        denied = {(b.calendar, b.rule) for _tenant, b in found.blocking} & denies
        yield {"allowed": found.allowed, "denied": denied, "next": minute}


def around(number: int, cases: int, seed: int) -> tuple[int, list[str]]:
    """How many cases around one anchor were held against the oracle, and the disagreements."""
    zone, day = anchors()[number]
    walk, rng = Walk(zone, day), random.Random(f"{seed} {zone} {day}")
    done, wrong = 0, []
    with tempfile.TemporaryDirectory() as folder:
        source = Cases(rng, walk, Path(folder))
        while done < cases:
            calendars = source.calendars()
            questions = [source.question() for _n in range(min(QUESTIONS, cases - done))]
            for question, found in zip(questions, ours(calendars, walk, questions), strict=True):
                at, length, horizon, change_class = question
                wanted = answer(walk, calendars, at, length, horizon * 1440, change_class)
                if found != wanted:
                    wrong.append(f"{zone} {day} {question}: {found}, the oracle: {wanted}\n  {plain(calendars)}")
            done += len(questions)
    return done, wrong


def run(cases: int, *, seed: int = 0, jobs: int = 1) -> tuple[int, list[str]]:
    """Spreads the cases evenly over all anchors."""
    share, rest = divmod(cases, len(anchors()))
    tasks = [(number, share + (number < rest), seed) for number in range(len(anchors()))]
    if jobs == 1:
        results = [around(*task) for task in tasks]
    else:
        with get_context("fork").Pool(jobs) as pool:
            results = pool.starmap(around, tasks, chunksize=4)
    return sum(done for done, _wrong in results), [line for _done, wrong in results for line in wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    done, wrong = run(args.cases, seed=args.seed, jobs=args.jobs)
    print("\n".join(wrong[:20]))
    zones = len({zone for zone, _day in anchors()})
    print(f"{done} cases, {len(anchors())} nights in {zones} zones, {len(wrong)} disagreements, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
