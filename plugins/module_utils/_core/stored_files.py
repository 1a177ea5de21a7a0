# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that were read in order to prove them, a backup's or a dump's: what was wrong with them, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .checks import Check, unknown

KINDS = ("missing", "short", "corrupt", "extra", "unreadable")
LISTED = 20
"""So many names of each kind are returned."""


class Stored(NamedTuple):
    """A file as the listing of its place shows it: bytes, and all that changes when it is written."""

    size: int
    version: str


@dataclass
class Found:
    """What is wrong with a part of a repository: a backup, an archive, or pgBackRest's own documents.

    ``extra`` is what lies there although it does not belong to it.
    """

    name: str
    files: int = 0
    read: int = 0
    remembered: int = 0
    read_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        bad = {kind: names for kind in KINDS if (names := getattr(self, kind))}
        named = {kind: {"count": len(names), "names": sorted(names)[:LISTED]} for kind, names in bad.items()}
        return {"files": self.files, "read": self.read, "remembered": self.remembered, "read_bytes": self.read_bytes, **named}


def judge(parts: Sequence[Found]) -> list[Check]:
    """One check for each part. What is not there is incomplete, what is there and is not right has the wrong checksum."""
    return [_judged(part) for part in parts]


def _judged(part: Found) -> Check:
    seen, check_id = part.told(), f"content_{part.name}"
    bad = part.missing or part.short or part.corrupt or part.extra
    if part.unreadable and not bad:
        why = f"{len(part.unreadable)} files could not be read: {', '.join(part.unreadable[:5])}"
        return unknown(check_id, why, hint="Mend that, and run it again.", code="TOOL")
    code = "CHECKSUM" if part.corrupt or part.short or part.extra else "INCOMPLETE"
    hint = "Take a full backup now; then look for the cause in the repository's storage."
    return Check(check_id, not bad, seen, "all valid", hint if bad else "", code if bad else "")
