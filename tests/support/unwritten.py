"""Proves that nothing was written while something ran."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.counters import moved, write_counters
from tests.lab.site import Site

# PostgreSQL's sessions report what they wrote that late at most
STATISTICS_LATE_S = 11


def settled_counters(site: Site) -> dict[str, int]:
    time.sleep(STATISTICS_LATE_S)
    return write_counters(site)


@contextlib.contextmanager
def nothing_written(site: Site) -> Iterator[None]:
    """No object store, Kubernetes object, or row may have moved at the end."""
    before = settled_counters(site)
    yield
    assert moved(before, settled_counters(site)) == {}


def files(folder: Path) -> dict[str, str]:
    """Every file of a folder with the hash of its content; folders count by their name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }
