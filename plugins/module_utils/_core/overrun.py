# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes on when the window or a calendar has closed before the change is through: the policy's ``window.overrun``.

| policy | a tenant under way | an untouched tenant of a cohort that has begun | a later cohort |
|---|---|---|---|
| ``roll_back`` | is brought back | does not start | does not start |
| ``stop_before_next_cohort`` | goes on to its release | does not start | does not start |
| ``finish_cohort`` | goes on to its release | starts after the window, not while a calendar blocks it | does not start |

Nobody's users are sent away in a time that a calendar keeps free of changes: therefore a calendar stops whoever is untouched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.policy import FINISH_COHORT, ROLL_BACK
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import TenantState

WINDOW_OVER, BLACKOUT = "WINDOW_OVER", "BLACKOUT"
GOES_ON = "OVERRUN"
"""The code of a check that did not pass and stops nothing. Its verdict stays in what was observed."""


def excuse(checks: Sequence[Check], *, tenant: str, plan: Mapping[str, Any], states: Mapping[str, TenantState]) -> list[Check]:
    """The checks of window and calendars, with those let through that the policy lets an unfinished tenant or cohort pass."""
    overrun = plan["policy"].get("overrun", ROLL_BACK)
    excused = _excused(overrun, tenant, plan, states)
    return [_goes_on(check, overrun) if check.ok is False and check.code in excused else check for check in checks]


def _excused(overrun: str, tenant: str, plan: Mapping[str, Any], states: Mapping[str, TenantState]) -> tuple[str, ...]:
    if overrun == ROLL_BACK:
        return ()
    if states[tenant].touched:
        return (WINDOW_OVER, BLACKOUT)
    fellows = next(names for names in plan["cohorts"] if tenant in names)
    return (WINDOW_OVER,) if overrun == FINISH_COHORT and any(states[name].touched for name in fellows) else ()


def _goes_on(check: Check, overrun: str) -> Check:
    return replace(check, ok=True, observed=f"{check.observed}; what has begun goes on ({overrun})", hint="", code=GOES_ON)
