"""P5, the SHA-1 of a filestore: ours beside ``sha1sum -c`` over the same files, which the cache of the machine holds.

python -m tests.bench.filestore
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

SHAPES = {"8,000 small files": (8000, 8 << 10), "24 large files": (24, 32 << 20)}
RUNS = 3


def made(root: Path, count: int, size: int) -> list[str]:
    """So many files of that size, named as Odoo names them."""
    names = []
    for _number in range(count):
        body = os.urandom(size)
        sha1 = hashlib.sha1(body).hexdigest()
        (root / sha1[:2]).mkdir(exist_ok=True)
        (root / sha1[:2] / sha1).write_bytes(body)
        names.append(f"{sha1[:2]}/{sha1}")
    return names


def best_s(work: Callable[[], object]) -> float:
    """The least wall time of some runs."""
    found = []
    for _run in range(RUNS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def ours(root: Path, names: list[str]) -> None:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_folder import Folder

    assert all(name[3:] == sha1 for name, sha1 in Folder(root).digests(names))


def peer(root: Path) -> None:
    subprocess.run(["sha1sum", "--quiet", "-c", "sums"], cwd=root, check=True)


def main() -> int:
    print("P5 SHA-1 of a filestore, wall time (wanted: >= 1.2 GB/s or 20,000 files/s)")
    for what, (count, size) in SHAPES.items():
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            names = made(root, count, size)
            (root / "sums").write_text("".join(f"{name[3:]}  {name}\n" for name in names))

            for name, work in (("filestore_verify", partial(ours, root, names)), ("sha1sum -c", partial(peer, root))):
                took = best_s(work)
                print(f"   {what:<20} {name:<18} {count * size / took / 1e9:6.2f} GB/s {count / took:10,.0f} files/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
