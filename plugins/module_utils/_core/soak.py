# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long a cohort is watched after its release before anything builds on it: the next cohort, or the proof of the change.

The times are those of the ledger, so a run that was killed while it waited goes on with what is left.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import RELEASED, Recorded


class Timed(Recorded, Protocol):
    """A recorded event with its time in RFC 3339."""

    @property
    def at(self) -> str: ...


def released_at(events: Iterable[Timed]) -> dict[str, dt.datetime]:
    """When each tenant was released."""
    return {e.tenant: parse_instant(e.at) for e in events if e.event == RELEASED and e.tenant}


def soaks_until(tenant: str, plan: Mapping[str, Any], released: Mapping[str, dt.datetime]) -> dt.datetime | None:
    """When the releases before this tenant's turn have soaked, and its own cohort's once it is released. None: there is none."""
    soak_s = plan["policy"].get("soak_s", 0)
    before: list[str] = []
    for names in plan["cohorts"]:
        if tenant in names and tenant not in released:
            break
        before += names
        if tenant in names:
            break
    times = [released[name] for name in before if name in released]
    return max(times) + dt.timedelta(seconds=soak_s) if times and soak_s else None


def soak_check(until: dt.datetime | None, *, now: dt.datetime, window_end: dt.datetime) -> Check:
    """Whether the next cohort may start, as far as the soak of those before goes."""
    if until is None or until <= now:
        return Check("soak", True, "over" if until else "nothing to watch", "earlier cohorts have soaked")
    hint = f"Run it again after {rfc3339(until)}."
    if until >= window_end:
        hint = "The window ends before that. Close this change with change_close, and give what is left a new one with a longer window."
    return Check("soak", False, f"a release is watched until {rfc3339(until)}", "earlier cohorts have soaked", hint, "SOAKING")


def window_errors(plan: Mapping[str, Any]) -> list[str]:
    """Why the change can never get through its window: what is watched between its cohorts fills it."""
    window, soak_s, watched = plan["change"]["window"], plan["policy"].get("soak_s", 0), len(plan["cohorts"]) - 1
    needed_s = watched * soak_s
    if not needed_s or needed_s < parse_duration(window["duration"]):
        return []
    why = f"{watched} of the {watched + 1} cohorts are watched for {soak_s} s each before the next one starts"
    then = "Give a longer window, or a change to fewer cohorts."
    return [f"window.duration is {window['duration']}, wanted more than PT{needed_s}S: {why}. {then}"]


def left_s(until: dt.datetime | None, *, now: dt.datetime, ends: dt.datetime | None = None) -> int:
    """How many seconds to wait; 0 when there is nothing to wait for, or nothing can begin after it (``ends``)."""
    if until is None or until <= now or (ends is not None and until >= ends):
        return 0
    return math.ceil((until - now).total_seconds())
