# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do the sync windows of an Argo CD project say what the calendars say?

Compared is when a sync may run, and not how that is written: windows that were rendered a week ago are right as long as they still
hold. Only windows of the rendered form are understood; any other one was made by somebody else, and is a difference of its own.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.kinds import kind_of

from .calendar_decide import instant
from .calendar_model import Calendar
from .calendar_spans import Span, complement, merged
from .calendar_windows import Range, free, whole_minutes
from .checks import Check, rfc3339

_MINUTE = 60
_ONCE_A_YEAR = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) ([0-9]{1,2}) ([0-9]{1,2}) \*")
_MINUTES = re.compile(r"([0-9]{1,6})m")
# What a window of the rendered form may have, and which values of it change nothing.
_INERT: Mapping[str, tuple[Any, ...]] = {
    "manualSync": (None, False),
    "syncOverrun": (None, False),
    "andOperator": (None, False),
    "namespaces": (None, []),
    "clusters": (None, []),
    "timeZone": (None, "", "UTC"),
    "applications": (["*"],),
}
_READ = ("kind", "schedule", "duration", "description")


def drift_checks(found: Any, calendars: Sequence[Calendar], asked: Range) -> list[Check]:
    """``found`` is ``spec.syncWindows`` as it is; None when there is none. Looked at are the whole minutes of the range."""
    hint = "Run the playbook argocd_sync_windows: it renders the windows from the calendars."
    within = asked.span[0] + -asked.span[0] % _MINUTE, asked.span[1] // _MINUTE * _MINUTE
    windows = found if isinstance(found, list) else []
    strange = [str(reason) for one in windows if (reason := _strange(one))]
    if found is not None and not isinstance(found, list):
        strange.append(f"syncWindows is {kind_of(found)}")
    wanted = whole_minutes(free(calendars, asked))
    allowed = _allowed([one for one in windows if not _strange(one)], within)
    beyond, short = complement(wanted, within), complement(allowed, within)
    return [
        _check("foreign", "; ".join(strange), "windows of the calendars only", hint, "FOREIGN_WINDOW"),
        _check("open", _spans(_both(allowed, beyond)), "no sync outside of the calendars", hint, "OPEN_BEYOND"),
        _check("shut", _spans(_both(merged(wanted), short)), "syncs whenever the calendars let work through", hint, "SHUT_WITHIN"),
    ]


def _check(name: str, seen: str, wanted: str, hint: str, code: str) -> Check:
    return Check(f"sync_windows_{name}", not seen, seen or "none", wanted, hint if seen else "", code if seen else "")


def _strange(one: Any) -> str:
    """Why a window is not of the rendered form; empty when it is."""
    if not isinstance(one, Mapping):
        return f"a window is {one!r}"
    told = f"{one.get('kind')} {one.get('schedule')!r} for {one.get('duration')}"
    if odd := [key for key in one if key not in (*_READ, *_INERT)] + [key for key, fine in _INERT.items() if one.get(key) not in fine]:
        return f"{told} with {', '.join(f'{key} {one.get(key)!r}' for key in odd)}"
    if one.get("kind") == "deny":
        return "" if (one.get("schedule"), one.get("duration")) == ("0 0 * * *", f"{24 * 60}m") else told
    fine = one.get("kind") == "allow" and _ONCE_A_YEAR.fullmatch(str(one.get("schedule"))) and _MINUTES.fullmatch(str(one.get("duration")))
    return "" if fine else told


def _allowed(windows: Sequence[Mapping[str, Any]], within: Span) -> list[Span]:
    """When Argo CD lets syncs through. Without any window that is always."""
    if any(one["kind"] == "deny" for one in windows):
        return []
    if not windows:
        return [within]
    years = range(instant(within[0]).year - 1, instant(within[1]).year + 1)
    spans = [span for one in windows for year in years if (span := _in_year(one, year))]
    return _both(merged(spans), [within])


def _in_year(one: Mapping[str, Any], year: int) -> Span | None:
    form, length = _ONCE_A_YEAR.fullmatch(one["schedule"]), _MINUTES.fullmatch(one["duration"])
    if not form or not length:
        return None
    minute, hour, day, month = map(int, form.groups())
    try:
        start = int(dt.datetime(year, month, day, hour, minute, tzinfo=dt.timezone.utc).timestamp())
    except ValueError:  # 29 February, in a year without one
        return None
    return start, start + int(length[1]) * _MINUTE


def _both(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """What lies in both."""
    found = [(max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other if a[0] < b[1] and b[0] < a[1]]
    return merged(found)


def _spans(spans: Sequence[Span]) -> str:
    """The first difference, and how many more there are."""
    if not spans:
        return ""
    more = f" and {len(spans) - 1} more" if spans[1:] else ""
    return f"{rfc3339(instant(spans[0][0]))} to {rfc3339(instant(spans[0][1]))}{more}"
