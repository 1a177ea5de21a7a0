"""One line for every long step: what it does, and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    began = time.monotonic()
    _say(f"  … {what}")
    try:
        yield
    except BaseException:
        _say(f"  ✗ {what} ({time.monotonic() - began:.1f} s)")
        raise
    _say(f"  ✓ {what} ({time.monotonic() - began:.1f} s)")


def _say(line: str) -> None:
    """In one write: parts start side by side, and their lines must not mix."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
