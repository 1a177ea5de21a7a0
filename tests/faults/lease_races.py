"""F14: of all who race for a tenant's lease one gets it. Counted and printed: ./dev python -m tests.faults.lease_races

Four processes ask for the lease of one tenant in one folder at the same moment, again and again. Before each race the tenant is in
one of the states in which it can be had: never held or released, held elsewhere and expired, held by a run that was killed. After
each race exactly one process must hold it, the record must be that process's, and its fencing token must be the highest ever.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

CHANGE, TENANT, RACERS = "CHG-2026-0142", "acme", 4
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.timezone.utc)
TTL_S = 60
FORK = multiprocessing.get_context("fork")
STATES = ("released", "expired elsewhere", "killed")


def opened(folder: Path) -> Any:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only

    signer = create_key(folder / "key.pem")
    return Ledger(DirectoryStore(folder / "ledger"), trust=trust_only(signer), signer=signer)


def race(folder: Path, barrier: Any, orders: Any, results: Any) -> None:
    """One racer: waits for a race, asks once, tells its token or None, and frees the tenant when it is told to."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import LeaseHeld

    book = opened(folder)
    while (now := orders.get()) is not None:
        barrier.wait(60)
        try:
            token = book.acquire_lease(TENANT, CHANGE, ttl_s=TTL_S, now=now).token
        except LeaseHeld:
            token = None
        results.put((os.getpid(), token))
        barrier.wait(60)
        if token is not None:
            book.release_lease(TENANT, CHANGE)
        barrier.wait(60)


def hold_elsewhere(book: Any, now: dt.datetime) -> None:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Holder, Process

    elsewhere = Holder("CHG-2026-0141", "awx", Process("pod-1", "another boot", 1, "5"))
    book.acquire_lease(TENANT, elsewhere, ttl_s=TTL_S, now=now - dt.timedelta(seconds=TTL_S))


def hold_and_die(folder: Path, now: dt.datetime) -> None:
    def hold() -> None:
        opened(folder).acquire_lease(TENANT, CHANGE, ttl_s=TTL_S, now=now)
        os.kill(os.getpid(), signal.SIGKILL)

    child = FORK.Process(target=hold)
    child.start()
    child.join(60)
    if child.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"the holder that was to be killed ended with {child.exitcode}")


def wrong(answers: list[tuple[int, int | None]], record: Any, before: int) -> str:
    """What is wrong after a race; empty when one has the lease, it is the recorded one, and its token is above all before."""
    holders = [(pid, token) for pid, token in answers if token is not None]
    if len(holders) != 1:
        return f"{len(holders)} holders"
    if (record.holder.process.pid, record.token, record.released) != (*holders[0], False):
        return f"the record is that of process {record.holder.process.pid} with token {record.token}, the holder is {holders[0]}"
    return "" if record.token > before else f"token {record.token} after {before}"


def run(folder: Path, races: int, tell: Callable[[str], None] = print) -> tuple[Counter[str], int]:
    """How many races from each state had one holder, and how many had not."""
    book, barrier = opened(folder), FORK.Barrier(RACERS + 1)
    results, orders = FORK.SimpleQueue(), [FORK.SimpleQueue() for _number in range(RACERS)]
    children = [FORK.Process(target=race, args=(folder, barrier, one, results), daemon=True) for one in orders]
    for child in children:
        child.start()
    good: Counter[str] = Counter()
    bad, token = 0, 0
    for number, state in zip(range(races), itertools.cycle(STATES), strict=False):
        now = NOW + dt.timedelta(hours=number)
        if state == "killed":
            hold_and_die(folder, now)
        elif state == "expired elsewhere":
            hold_elsewhere(book, now)
        before = max(token, current.token if (current := book.lease(TENANT)) else 0)
        for one in orders:
            one.put(now)
        barrier.wait(60)
        answers = [results.get() for _number in range(RACERS)]
        told = wrong(answers, record := book.lease(TENANT), before)
        token = max(before, record.token)
        barrier.wait(60)
        barrier.wait(60)
        good[state] += not told
        bad += bool(told)
        if told:
            tell(f"race {number} ({state}): {told}")
    for one in orders:
        one.put(None)
    for child in children:
        child.join(60)
    return good, bad


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=1000)
    races = parser.parse_args(argv).races
    folder = tempfile.mkdtemp()
    try:
        good, bad = run(Path(folder), races)
    finally:
        shutil.rmtree(folder)
    for state, count in good.items():
        print(f"  {state:18} {count:4} races, one holder each")
    print(f"F14: {good.total()} of {races} races had one holder, its token the highest ever ({RACERS} processes each)")
    return 0 if not bad and good.total() == races else 1


if __name__ == "__main__":
    sys.exit(main())
