# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many numbers of 64 bits in 8 bytes each. A set of Python takes ten times as much, and a repository may have a million objects."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

BYTES = 8


class Facts:
    """Each number once, in their order. They cannot be changed."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = _in_order(numbers)

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._numbers, number)
        return at < len(self._numbers) and self._numbers[at] == number

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self._numbers == other._numbers

    __hash__ = None  # type: ignore[assignment] # nobody looks them up

    def stored(self) -> array[int]:
        """A copy whose bytes are big-endian, whatever the machine."""
        return _swapped(self._numbers[:])

    @classmethod
    def of(cls, stored: memoryview) -> Facts:
        """From the bytes of :meth:`stored`."""
        found = cls()
        found._numbers.frombytes(stored)
        _swapped(found._numbers)
        return found


class Gathered:
    """Numbers as they come, to be put in order later."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = array("Q")

    def add(self, number: int) -> None:
        self._numbers.append(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)


def _in_order(numbers: Iterable[int]) -> array[int]:
    """In 256 parts, so that only one of them is a list of Python at a time."""
    parts = [array("Q") for _part in range(256)]
    for number in numbers:
        parts[number >> 56].append(number)
    done = array("Q")
    for part in parts:
        done.extend(sorted(set(part)))
    return done


def _swapped(numbers: array[int]) -> array[int]:
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
