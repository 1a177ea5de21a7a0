"""The canary on real Odoo, counted: ./dev python -m tests.faults.canary_on_odoo [--slow 50] [--same 50] [--kills 20] [--lab NAME]

Release 3 (40 % slower at posting) against release 2, release 2 against itself, release 4 (raises at posting), and canaries that are killed
in mid transaction. It ends with an error when fewer than 49 of 50 are judged right, when a row outside the canary company changed, or when
a row is left inside.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests import conftest  # its import makes the checkout a collection
from tests.lab.__main__ import part, with_needs
from tests.lab.customers import seed
from tests.lab.site import Site, wait_for
from tests.support.odoo_tenant import ADMIN, UNOWNED, OdooTenant

DATABASE = "canary_counted"
TRANSACTIONS = ("login", "invoice", "timesheet")
RIGHT = 0.98  # 49 of 50
KILLED = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.faults.canary_on_odoo import OdooTenant, Site, canary_run, TRANSACTIONS
tenant = OdooTenant(Site(Path(sys.argv[2])), int(sys.argv[3]), sys.argv[4])
every = (*TRANSACTIONS, "journal_entry", "bank_statement", "payment_batch")
canary_run(tenant, "same", 0, transactions=every, began=lambda: print("began", flush=True))
"""


def canary_run(
    tenant: OdooTenant, side: str, number: int, *, transactions: tuple[str, ...] = TRANSACTIONS, began: Callable[[], Any] = int
) -> Any:
    """One canary of ``side`` against the old release, as the module carries it out."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Rules
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import transactions_of
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import canary
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import read_all

    known = transactions_of(read_all().values())
    plan = canary.Plan(f"CHG-2026-{1000 + number}", Rules(), budget_s=600.0, known=known, transactions=transactions)
    baseline, new = tenant.client("old"), tenant.client(side)
    baseline.name, new.name = "baseline", "canary"
    began()
    return canary.carry_out(canary.Sides(new, baseline), plan)


def counted(tenant: OdooTenant, what: str, side: str, runs: int, wanted: str) -> float:
    """A line for each run, and the share that was judged as wanted."""
    right, took, rounds = 0, [], []
    for number in range(runs):
        found = canary_run(tenant, side, number)
        right += found.judgement.verdict == wanted
        took.append(found.elapsed_s)
        rounds.append(found.rounds)
        clean = all(one.ok for one in found.extra)
        told = f"{found.judgement.verdict:<8}{found.rounds:>4} rounds {found.elapsed_s:>7.1f} s  {found.judgement.sentence}"
        print(f"{what:<12}{number + 1:>4}  {told}", flush=True)
        if not clean:
            raise SystemExit(f"not clean: {found.extra}")
    if runs:
        print(
            f"{what}: {right} of {runs} {wanted}; median {statistics.median(took):.1f} s, {statistics.median(rounds):.0f} rounds",
            flush=True,
        )
    return right / runs if runs else 1.0


def killed(tenant: OdooTenant, kills: int) -> None:
    """Canaries that are killed at a random moment of their transactions."""
    chance = random.Random("canary kills")
    command = [sys.executable, "-c", KILLED, str(conftest.ROOT), str(tenant.site.root), str(tenant.net), DATABASE]
    for number in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=conftest.ROOT) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(0.5 + chance.random() * 6)
            ended = running.poll()
            running.kill()
        if ended is not None:
            raise SystemExit(f"the canary ended by itself with {ended} before kill {number + 1}")
    time.sleep(2)  # Odoo finishes the requests that nobody waits for any more


def inside(tenant: OdooTenant) -> int:
    """Rows that the canaries left, as a run of all transactions sees it."""
    worker = tenant.worker("old", "CHG-2026-0001")
    return len(worker.leftovers(tenant.transactions(worker.client))) + tenant.leftovers(worker.ground.company)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=50, help="runs of release 3 against release 2")
    parser.add_argument("--same", type=int, default=50, help="runs of release 2 against itself")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--lab", default=os.environ.get("LAB_NAME"))
    given = parser.parse_args()
    site = Site.named(given.lab or f"canary-{os.getpid()}")
    for name in with_needs(["releases"]):
        part(name).up(site)
    tenant = OdooTenant.made(site, DATABASE)
    try:
        return measured(tenant, given.slow, given.same, given.kills)
    finally:
        tenant.gone()
        if not given.lab:
            site.destroy()


def measured(tenant: OdooTenant, slow: int, same: int, kills: int) -> int:
    for side, release in (("old", "2"), ("same", "2"), ("bad", "3")):
        tenant.serve(side, release)
        wait_for(lambda side=side: tenant.client(side).ready() == "", what=f"release {release}", timeout_s=120)
    seed(tenant.url("old"), "canary.lab.example", DATABASE, "admin", ADMIN, n=3)
    own = int(tenant.setup()["ids"]["company"])
    before = tenant.others(own)
    shares = [counted(tenant, "release 3", "bad", slow, "fail"), counted(tenant, "A/A", "same", same, "pass")]
    killed(tenant, kills)
    shares.append(counted(tenant, "after kills", "same", 1, "pass"))
    tenant.stop("bad")
    tenant.serve("bad", "4")
    wait_for(lambda: tenant.client("bad").ready() == "", what="release 4", timeout_s=120)
    shares.append(counted(tenant, "release 4", "bad", 3, "fail"))
    after = tenant.others(own)
    changed = {table for table in after if after[table] != before[table]} - UNOWNED
    left = inside(tenant)
    told = f"tables changed outside the canary company: {sorted(changed) or 'none'}; rows left inside: {left}"
    print(f"{slow + same + 4} canaries, {kills} killed: {told}")
    return int(min(shares[0], shares[1]) < RIGHT or shares[3] < 1 or bool(changed) or left > 0)


if __name__ == "__main__":
    sys.exit(main())
