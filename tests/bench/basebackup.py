"""P4, base backups: the first and the second reading, beside PostgreSQL's ``pg_verifybackup``, which reads directories only.

python -m tests.bench.basebackup

Backups of a cluster with a table of random text, which the cache of the machine holds. The limit is one process that does nothing but the
checksum over the same bytes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.bench.repository import FILL, cost
from tests.support.basebackups import WAYS, BaseBackups


@contextmanager
def filled() -> Iterator[BaseBackups]:
    home = Path(tempfile.mkdtemp(prefix="p4-"))  # short: a socket lies in it
    home.chmod(0o755)
    made = BaseBackups(home)
    try:
        made.make()
        made.sql(FILL)
        yield made
    finally:
        made.stop()
        shutil.rmtree(home)


def reader(location: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    """The first and the second reading, the memory's decoding included."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._backup_gate import Limits
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._basebackups import judge_basebackups
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved, decode, encode
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now

    kept = [b""]

    def read(memory: Proved) -> None:
        limits = Limits(max_age_s=86_400, checksums_s=600, memory=memory, rounds=50)
        checks, found = judge_basebackups(location, limits, now=utc_now())
        assert all(check.ok for check in checks), checks
        kept[0] = encode(found["proved"], at=utc_now())

    return lambda: read(Proved("P4")), lambda: read(decode(kept[0], "P4"))


def limit(location: Path) -> None:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.basebackup_files import chunks_of
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.checksums import checksum

    for path in location.rglob("*"):
        if path.is_file():
            seen = checksum("CRC32C")
            for chunk in chunks_of(path):
                seen.update(chunk)


def main() -> int:
    print("P4 reading a base backup (wanted: second >= 100 times less CPU than the peer)")
    with filled() as made:
        for way in ("plain", "tar", "lz4"):
            where = made.take(way, *WAYS[way])
            size = sum(path.stat().st_size for path in where.rglob("*") if path.is_file())
            first, second = reader(where)
            works: dict[str, Callable[[], object]] = {"pg_backup_verify, first": first, "pg_backup_verify, second": second}
            if way == "plain":
                works["pg_verifybackup"] = lambda where=where: made.verified(where)
            works["CRC-32C, one process"] = lambda where=where: limit(where)
            for name, work in works.items():
                cpu, wall = cost(work)
                print(f"   {way:<5} {size / 1e6:6.0f} MB  {name:<26} {cpu:8.3f} s CPU {wall:8.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
