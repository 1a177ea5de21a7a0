"""A sample of F7, run by command in tests/faults/semantic_damage.py: each damage has its code, and none is green."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.faults.semantic_damage import rows


def test_no_semantic_damage_of_dumps_is_green() -> None:
    homes = Path(tempfile.mkdtemp(prefix="f7-"))  # short: a socket lies in it
    homes.chmod(0o755)
    try:
        found = list(rows(homes, ["dump"]))
    finally:
        shutil.rmtree(homes)
    assert len(found) >= 7
    assert [str(row) for row in found if not row.good] == []
