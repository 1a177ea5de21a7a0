# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a gate that remembers what it has proved; their texts are the doc fragment ``memory``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._core.proved import Proved
from ._io.proved_store import Place, place_of
from ._io.s3 import OPTIONS as S3_OPTIONS

MEMORY_SPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str"},
    "state_s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
    "sample": {"type": "float", "default": 2},
}


@dataclass(frozen=True)
class Memory:
    """What was proved before, and, as warnings, why that begins anew. Without a place nothing is remembered."""

    proved: Proved
    warnings: tuple[str, ...] = ()
    place: Place | None = None
    name: str = ""

    def keep(self, proved: Proved | None, *, at: dt.datetime) -> list[str]:
        """Writes it, and returns, as a warning, why it could not. Without it the verdict is as good, and the next run reads more."""
        if proved is None or self.place is None:
            return []
        why = self.place.save(proved, at=at)
        return [f"what was proved cannot be remembered in {self.name}: {why}"] if why else []


def remembered(given: Mapping[str, Any], subject: str) -> Memory:
    """The memory that the options name; ChangeError when there is no place for it."""
    state = given["state"]
    if not state:
        return Memory(Proved(subject))
    place = place_of(state, given["state_s3"])
    proved, anew = place.load(subject)
    return Memory(proved, (anew,) if anew else (), place, state)
