# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work on many items at once, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], *, at_once: int) -> Iterator[Result]:
    """What the work returns, in the order of the items, of which at most so many are on their way."""
    rest = iter(items)
    waiting = deque(pool.submit(work, item) for item in islice(rest, at_once))
    while waiting:
        done = waiting.popleft()
        result = done.result()
        waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
        yield result
