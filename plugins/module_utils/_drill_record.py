# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill has seen so far: its checks, how long each phase took, and what the module returns besides."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_text import advice_of

_STEPS = {
    "restores": "RESTORE",
    "opens": "OPEN",
    "brings_back": "EXPORT",
    "looks": "OPEN",
    "neutralised": "NEUTRAL",
    "odoo_works": "ODOO_START",
    "updates": "UPDATE",
    "cleanup": "CLEANUP",
}
"""Steps at which an error is the backup's fault, with the code of one that has none of its own."""
_FAULTS = ("CHECKSUM", "NO_BACKUP", "PITR", "DATABASE", "RESTORE", "NOT_ODOO")
_OURS = ("PITR_END", "ISOLATION", "TOOL", "S3", "S3_REFUSED", "S3_UNREACHABLE")


def _nothing() -> dict[str, Any]:
    names = ("backup", "database_bytes", "rto_s", "rpo_s", "instant", "odoo", "rehearsal")
    return {**dict.fromkeys(names), "databases": [], "phases": {}, "cleaned": []}


@dataclass
class DrillRecord:
    """Filled step by step."""

    checks: list[Check] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=_nothing)

    @property
    def good(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @contextlib.contextmanager
    def told(self, check_id: str) -> Iterator[None]:
        """A step's error becomes a check: the backup's fault fails the drill, our inability leaves it unknown."""
        try:
            yield
        except ChangeError as exc:
            code = exc.facts.get("code") or _STEPS.get(check_id, "TOOL")
            seen, advice = advice_of(str(exc))
            if (check_id in _STEPS and code not in _OURS) or code in _FAULTS:
                self.checks.append(Check(check_id, False, seen, "done", advice, code))
            else:
                self.checks.append(unknown(check_id, seen, hint=advice, code=code))

    @contextlib.contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.found["phases"][phase] = round(time.monotonic() - began, 2)
