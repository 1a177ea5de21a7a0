# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the clock can be believed. Windows, soaks, the age of gates and of approvals are only as true as it is.

A wrong clock is not told from a wrong record here, so both are ``unknown``, which lets nothing new happen. A rollback does not ask.
"""

from __future__ import annotations

import datetime as dt

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

TOLERANCE_S = 30
SYNCHRONISE = "Synchronise the clocks (chronyc tracking, timedatectl), then run it again."


def forward_check(newest: dt.datetime | None, *, now: dt.datetime) -> Check:
    """Time goes forward: nothing of this change was recorded later than now."""
    wanted = f"nothing recorded more than {TOLERANCE_S} s after now"
    ahead_s = (newest - now).total_seconds() if newest else 0
    if newest and ahead_s > TOLERANCE_S:
        why = f"it is {rfc3339(now)}, and the newest event was recorded {ahead_s:.0f} s later, at {rfc3339(newest)}"
        return unknown("clock", why, hint=SYNCHRONISE, code="CLOCK_BACKWARD")
    return Check("clock", True, rfc3339(now), wanted)


def skew_check(written: dt.datetime | None, *, asked: dt.datetime, answered: dt.datetime) -> Check:
    """The ledger's own clock says ``written`` of what was written between ``asked`` and ``answered``. None: it does not say."""
    if written is None:
        why = "the ledger does not tell when it was written to"
        return unknown("ledger_clock", why, hint=SYNCHRONISE, code="CLOCK_SKEW")
    skew_s = _skew_s(written, asked=asked, answered=answered)
    if abs(skew_s) > TOLERANCE_S:
        why = f"here it is {rfc3339(answered)}, by the ledger's clock {rfc3339(written)} ({skew_s:+.0f} s)"
        return unknown("ledger_clock", why, hint=SYNCHRONISE, code="CLOCK_SKEW")
    return Check("ledger_clock", True, f"{skew_s:+.0f} s", f"at most {TOLERANCE_S} s off")


def refuse_skew(shown: dt.datetime, *, asked: dt.datetime, answered: dt.datetime, whose: str) -> None:
    """ChangeError (``CLOCK_SKEW``) when the clock of a database, read between ``asked`` and ``answered``, cannot be right."""
    skew_s = _skew_s(shown, asked=asked, answered=answered)
    if abs(skew_s) > TOLERANCE_S:
        seen = f"its clock shows {rfc3339(shown)}, and here it is {rfc3339(answered)} ({skew_s:+.0f} s), wanted at most {TOLERANCE_S} s"
        raise ChangeError(f"{whose}: {seen}. {SYNCHRONISE}", code="CLOCK_SKEW", hint=SYNCHRONISE)


def _skew_s(shown: dt.datetime, *, asked: dt.datetime, answered: dt.datetime) -> float:
    """How far another clock is ahead (or, below zero, behind); a slow answer is no skew."""
    return min((shown - asked).total_seconds(), 0) + max((shown - answered).total_seconds(), 0)
