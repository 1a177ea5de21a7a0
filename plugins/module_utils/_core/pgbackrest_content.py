# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to read of a repository, in order to know whether every file is what pgBackRest stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .pgbackrest_info import Piece
from .proved import fact_of
from .stored_files import Found, Stored


class Wanted(NamedTuple):
    """An object of the repository, how its pieces are encoded, and what they have to be."""

    path: str
    codec: str
    pieces: tuple[Piece, ...]

    def fact(self, stored: Stored) -> int:
        """What is remembered once it was proved: this file, and these pieces of it."""
        return fact_of(self.path, *stored, self.codec, *self.pieces)


def fits(wanted: Wanted, stored: Stored) -> bool:
    """Whether the listing's size is possible: nothing is cut off, and what is one piece has nothing behind it."""
    ends = [piece.offset + piece.length for piece in wanted.pieces if piece.length is not None]
    return stored.size == max(ends) if ends else stored.size > 0


def to_read(found: Found, wanted: Iterable[Wanted], stored: Mapping[str, Stored]) -> list[tuple[Wanted, int]]:
    """Those whose content decides, each with its fact. Notes those of which the listing already shows that they are not right."""
    chosen = []
    for one in wanted:
        found.files += 1
        file = stored.get(one.path)
        if file is None:
            found.missing.append(one.path)
        elif not fits(one, file):
            found.short.append(one.path)
        else:
            chosen.append((one, one.fact(file)))
    return chosen
