"""P7, a restore drill: ours beside its floor, the least that has to be done on this machine to know that a backup comes back.

python -m tests.bench.drill

The floor is the better one of ``pgbackrest restore``, start and pg_amcheck by hand, and of pg_restore of a dump in the directory format,
tuned for it, and pg_amcheck; each with as many processes as there are processors and no fsync. A table of random text with an index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.lab.site import wait_for
from tests.support.pgbackrest import Repository

ROWS = 3_000_000
FILL = (
    f"CREATE TABLE invoices AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS body FROM generate_series(1, {ROWS}) g; "
    "CREATE INDEX ON invoices (id)"
)
RUNS = 3
PROCESSES = len(os.sched_getaffinity(0))
UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "archive_mode": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@contextmanager
def filled() -> Iterator[Repository]:
    home = Path(tempfile.mkdtemp(prefix="p7-"))  # short: a socket lies in it
    home.chmod(0o755)
    made = Repository(home)
    try:
        try:
            made.make()
            made.sql("CREATE DATABASE acme")
            made.sql(FILL, "acme")
            made.run(made.bin / "pg_dump", "-h", home, "-U", "postgres", "-Fd", f"-j{PROCESSES}", "-f", home / "dump", "acme")
            made.pgbackrest("backup", "--type=full")
            made.segments(2)
        finally:
            made.stop()
        yield made
    finally:
        shutil.rmtree(home)


@contextmanager
def started(made: Repository, data: Path, **settings: str) -> Iterator[None]:
    own = {"unix_socket_directories": str(data.parent), "listen_addresses": "", **UNSAFE, **settings}
    argv = [made.bin / "pg_ctl", "-D", data, "-w", "-s", "-l", data.parent / "log", "-t", "600"]
    made.run(*argv, "-o", " ".join(f"-c {name}={value!r}" for name, value in own.items()), "start")
    try:
        yield
    finally:
        made.run(made.bin / "pg_ctl", "-D", data, "-m", "immediate", "-s", "stop")


def amcheck(made: Repository, home: Path, databases: list[str]) -> None:
    for name in databases:
        made.run(made.bin / "pg_amcheck", "-h", home, "-U", "postgres", "--install-missing", name)


def by_hand(made: Repository, home: Path) -> None:
    """Physical: what pgBackRest and PostgreSQL need by themselves."""
    restore = [f"--pg1-path={home}/data", f"--process-max={PROCESSES}", "--archive-mode=off", "restore"]
    made.pgbackrest(*restore)
    with started(made, home / "data", wal_level="replica", max_wal_senders="10"):
        recovered = [made.bin / "psql", "-XAtq", "-h", home, "-U", "postgres", "-c", "SELECT NOT pg_is_in_recovery()"]
        wait_for(lambda: made.run(*recovered).strip() == "t", what="the end of recovery", every_s=0.05)
        amcheck(made, home, ["postgres", "acme"])


def by_dump(made: Repository, home: Path) -> None:
    """Logical, into a cluster that is made for it."""
    made.run(made.bin / "initdb", "-D", home / "data", "-A", "trust", "-U", "postgres", "--no-sync")
    with started(made, home / "data", maintenance_work_mem="512MB", max_wal_size="8GB"):
        made.run(made.bin / "createdb", "-h", home, "-U", "postgres", "acme")
        made.run(made.bin / "pg_restore", "-h", home, "-U", "postgres", "-d", "acme", f"-j{PROCESSES}", made.home / "dump")
        amcheck(made, home, ["acme"])


def ours(made: Repository, home: Path) -> dict[str, Any]:
    from ansible_collections.odoo_ops.change_control.plugins.modules import restore_drill

    given = {name: option.get("default") for name, option in restore_drill.SPEC.items()}
    given |= {"stanza": made.stanza, "config": str(made.config), "scratch": str(home / "scratch")}
    (home / "scratch").mkdir()
    shutil.chown(home / "scratch", os.geteuid())
    found = restore_drill.perform(given, False)
    assert found["verdict"] == "pass", found["msg"]
    return dict(found["phases"])


def cost(made: Repository, work: Callable[[Repository, Path], object]) -> tuple[float, object]:
    """The least wall time of some runs, in seconds, and what that run returned."""
    best: tuple[float, object] = (float("inf"), None)
    for _run in range(RUNS):
        home = Path(tempfile.mkdtemp(prefix="p7-"))
        home.chmod(0o755)
        shutil.chown(home, made.home.owner(), made.home.group())
        try:
            began = time.perf_counter()
            told = work(made, home)
            best = min(best, (time.perf_counter() - began, told), key=lambda one: one[0])
        finally:
            shutil.rmtree(home)
    return best


def main() -> int:
    print("P7 a restore drill (wanted: <= 1.10 times the floor)")
    with filled() as made:
        size = int(
            subprocess.run(["du", "-sb", str(made.home / "data" / "base")], capture_output=True, text=True, check=True).stdout.split()[0]
        )
        works = {"pgbackrest restore, start, pg_amcheck": by_hand, "pg_restore, pg_amcheck": by_dump}
        floor = float("inf")
        for name, work in works.items():
            wall, _told = cost(made, work)
            floor = min(floor, wall)
            print(f"   {size / 1e6:6.0f} MB  {name:<40} {wall:8.2f} s")
        wall, phases = cost(made, ours)
        print(f"   {size / 1e6:6.0f} MB  {'restore_drill':<40} {wall:8.2f} s = {wall / floor:.2f} times the floor; {phases}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
