"""P4, the content of a repository: the first and the second reading, beside ``pgbackrest verify`` and the hash's limit.

python -m tests.bench.repository

A real repository of a cluster with a table of random text, in a folder, which the cache of the machine holds. The limit is what two
processes need for nothing but the SHA-1 of the same stored bytes.
"""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.bench.gates import spent_s
from tests.support.pgbackrest import Repository

ROWS = 3_000_000
FILL = f"CREATE TABLE invoices AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS body FROM generate_series(1, {ROWS}) g"
RUNS = 3


@contextmanager
def filled(codec: str) -> Iterator[Repository]:
    home = Path(tempfile.mkdtemp(prefix="p4-"))  # short: a socket lies in it
    home.chmod(0o755)
    made = Repository(home, codec=codec)
    try:
        try:
            made.make()
            made.sql(FILL)
            made.pgbackrest("backup", "--type=full")
        finally:
            made.stop()
        yield made
    finally:
        shutil.rmtree(home)


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """The least CPU and the least wall time of some runs, in seconds."""
    spent, took = [], []
    for _run in range(RUNS):
        cpu, began = spent_s(), time.perf_counter()
        work()
        spent.append(spent_s() - cpu)
        took.append(time.perf_counter() - began)
    return min(spent), min(took)


def reader(made: Repository) -> tuple[Callable[[], None], Callable[[], None]]:
    """The first and the second reading, each as the module does it, catalogue and memory included."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved, decode, encode
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest_repository import repository
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._repository import Reading, read_repository

    tool = Pgbackrest(["pgbackrest", f"--config={made.config}"])
    kept = [b""]

    def read(memory: Proved) -> None:
        catalogue, reading = tool.info(made.stanza), Reading(memory, rounds=50)
        read_repository(repository(tool, made.stanza, 1, str(made.config)), catalogue, 1, reading)
        assert not any(part.missing or part.short or part.corrupt or part.unreadable for part in reading.parts)
        kept[0] = encode(memory.turned(reading.facts), at=utc_now())

    return lambda: read(Proved("P4")), lambda: read(decode(kept[0], "P4"))


def hash_all(paths: list[str]) -> None:
    subprocess.run(["sha1sum", *paths], stdout=subprocess.DEVNULL, check=True)


def limit(made: Repository) -> None:
    files = sorted((path for path in made.repo.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    shares = [[str(path) for path in files[start::2]] for start in range(2)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        list(pool.map(hash_all, shares))


def main() -> int:
    print("P4 reading a repository (wanted: first within 10 % of the hash's limit, second >= 100 times less CPU than pgbackrest verify)")
    for codec in ("lz4", "none"):
        with filled(codec) as made:
            size = sum(path.stat().st_size for path in made.repo.rglob("*") if path.is_file())
            first, second = reader(made)
            peer = ["pgbackrest", f"--config={made.config}", f"--stanza={made.stanza}", "--process-max=2", "verify"]
            works: dict[str, Callable[[], object]] = {
                "pg_backup_verify, first": first,
                "pg_backup_verify, second": second,
                "pgbackrest verify": lambda peer=peer: subprocess.run(peer, check=True, capture_output=True),
                "sha1sum, two processes": lambda made=made: limit(made),
            }
            for name, work in works.items():
                cpu, wall = cost(work)
                print(f"   {codec:<5} {size / 1e6:6.0f} MB  {name:<26} {cpu:8.3f} s CPU {wall:8.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
