# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Within what time a cluster has to be back, and how much work it may lack then: by the tiers of its tenants.

RTO and RPO as in ISO 22300: the time within which a service is restored, and the point to which its data are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration

KEYS = ("rto", "rpo", "drill")


@dataclass(frozen=True)
class Drilled:
    """What the last drill of a cluster measured: seconds, and the bytes of the backup that it restored. None: not told."""

    rto_s: float | None = None
    rpo_s: float | None = None
    size: int | None = None


def strictest(objectives: Mapping[str, Mapping[str, str]], tiers: Iterable[str]) -> dict[str, str]:
    """The shortest of each duration over the tiers; a tier without objectives asks for none."""
    found = [objectives[tier] for tier in sorted(set(tiers)) if tier in objectives]
    return {key: min((one[key] for one in found), key=parse_duration) for key in KEYS} if found else {}


def judge_objectives(last: Drilled, *, size: int | None, max_rto_s: int | None, max_rpo_s: int | None) -> list[Check]:
    """Did the last drill keep them, and would one of today? ``size``: bytes of the newest backup."""
    checks = []
    if max_rto_s is not None:
        hint = "Restore from nearer or faster storage, or take a full backup: a long chain restores slowly. Then drill again."
        checks.append(_within("restore_drill_rto_s", last.rto_s, max_rto_s, hint=hint, code="RTO"))
        if last.rto_s is not None and last.size and size and size > last.size:
            checks.append(_grown("restore_drill_estimate_s", "The newest backup is", last.rto_s, size / last.size, max_rto_s))
    if max_rpo_s is not None:
        hint = "Archive more often (archive_timeout), and look whether archiving keeps up. Then drill again."
        checks.append(_within("restore_drill_rpo_s", last.rpo_s, max_rpo_s, hint=hint, code="RPO"))
    return checks


def judge_growth(rto_s: float | None, drilled: int | None, size: int, *, max_rto_s: int) -> Check:
    """Would a restore of databases of ``size`` bytes keep it, when one of ``drilled`` bytes took ``rto_s``?"""
    if rto_s is None or not drilled:
        why = "no drill told how long a restore takes, and of how many bytes"
        return unknown("recovery_estimate_s", why, hint="Run the playbook restore_drill.", code="RTO")
    return _grown("recovery_estimate_s", "Its databases are", rto_s, size / drilled, max_rto_s)


def _grown(check_id: str, what: str, rto_s: float, times: float, limit: int) -> Check:
    """A restore is taken to last as long per byte as it did; one of fewer bytes is not taken to be faster."""
    hint = f"{what} {times:.1f} times as large as what was drilled. Drill again, and have it restore faster."
    return _within(check_id, rto_s * max(times, 1), limit, hint=hint, code="RTO_GROWN")


def _within(check_id: str, seen: float | None, limit: int, *, hint: str, code: str) -> Check:
    if seen is None:
        return unknown(check_id, "the last drill did not tell it", hint="Run the playbook restore_drill.", code=code)
    return Check(check_id, seen <= limit, round(seen, 1), f"<= {limit}", hint, code)
