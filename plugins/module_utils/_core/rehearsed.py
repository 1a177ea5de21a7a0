# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a plan was carried out on a copy of each of its tenants before, lately, and went well there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS, Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.report import Timed

EVENT = "rehearsed"
HINT = "Run the playbook change_rehearse with this change file."


class Rehearsed(NamedTuple):
    """One rehearsal of a tenant's copy."""

    tenant: str
    digest: str
    verdict: str
    at: dt.datetime


def rehearsals(events: Iterable[Timed]) -> list[Rehearsed]:
    """Those in a change's record. An entry that somebody wrote by hand without what it needs is none."""
    found = []
    for event in events:
        seen = event.evidence
        if event.event == EVENT and {"tenant", "verdict", "plan_digest"} <= seen.keys():
            found.append(Rehearsed(str(seen["tenant"]), str(seen["plan_digest"]), str(seen["verdict"]), parse_instant(event.at)))
    return found


def due(found: Sequence[Rehearsed], *, digest: str, tenants: Sequence[str], max_age_s: int, now: dt.datetime) -> dict[str, str]:
    """The tenants that have no rehearsal of this plan that counts, each with the code of why. The newest one of a tenant counts."""
    newest = {one.tenant: one for one in sorted(found, key=lambda one: one.at) if one.digest == digest}
    codes = {}
    for tenant in tenants:
        one = newest.get(tenant)
        if one is None:
            codes[tenant] = "NOT_REHEARSED"
        elif one.verdict != PASS:
            codes[tenant] = "REHEARSAL_FAILED"
        elif not dt.timedelta() <= now - one.at <= dt.timedelta(seconds=max_age_s):
            codes[tenant] = "REHEARSAL_STALE"
    return codes


def judge_rehearsed(codes: dict[str, str], *, tenants: Sequence[str], max_age_s: int) -> Check:
    """The gate's check."""
    wanted = f"each tenant's newest rehearsal of this plan passed, at most {max_age_s} s ago"
    if not codes:
        return Check("rehearsal_age_s", True, f"{len(tenants)} tenants rehearsed", wanted)
    worst = min(codes.values(), key=("REHEARSAL_FAILED", "NOT_REHEARSED", "REHEARSAL_STALE").index)
    hint = "Mend what failed there, which makes another plan, and rehearse that." if worst == "REHEARSAL_FAILED" else HINT
    return Check("rehearsal_age_s", False, dict(list(codes.items())[:20]), wanted, hint, worst)
