"""What it costs to remember a million objects: time, and memory at its peak, for what a gate does with its memory in one run.

python -m tests.bench.memory [OBJECTS]

In a process of its own, so that the peak is that of this work alone. What a gate knows of each object besides, such as its name, is not
in it. The state lies in a file; in a bucket the same bytes are sent.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

OBJECTS = 1_000_000
AT = dt.datetime(2026, 12, 5, 19, tzinfo=dt.UTC)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def step(name: str, work: Callable[[], Any]) -> Any:
    began, before = time.perf_counter(), peak_mib()
    done = work()
    print(f"   {name:<44} {time.perf_counter() - began:7.2f} s   peak {peak_mib():6.1f} MiB ({peak_mib() - before:+.1f})", flush=True)
    return done


def run(objects: int, folder: str) -> None:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.facts import Gathered
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved, fact_of
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.proved_store import place_of

    place = place_of(str(Path(folder) / "memory"), {})

    def seen() -> Gathered:
        gathered = Gathered()
        for number in range(objects):
            gathered.add(fact_of("pg_data/base/5", number, 8192, "1764396058"))
        return gathered

    def asked(proved: Proved) -> int:
        return sum(proved.is_due(fact_of("pg_data/base/5", number, 8192, "1764396058"), rounds=50) for number in range(objects))

    print(f"   {'before':<44} {'':>7}     peak {peak_mib():6.1f} MiB", flush=True)
    facts = step("each object is noted, the first run", seen)
    proved = step("put in order", lambda: Proved("bench").turned(facts))
    step("written", lambda: place.save(proved, at=AT))
    found, why = step("read, and its hash compared", lambda: place.load("bench"))
    assert found == proved
    assert not why
    due = step("each object is asked for, the second run", lambda: asked(found))
    size = (Path(folder) / "memory").stat().st_size
    print(f"   {size / 1e6:.1f} MB for {len(found.facts):,} objects; {due:,} have their turn in the second run")


def main(argv: list[str] | None = None) -> int:
    objects = int(argv[0]) if argv else OBJECTS
    print(f"The memory of a gate, {objects:,} objects")
    with tempfile.TemporaryDirectory() as folder:
        child = multiprocessing.get_context("spawn").Process(target=run, args=(objects, folder))
        child.start()
        child.join()
    return child.exitcode or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
