# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Points in time as RFC 3339 writes them. The offset is mandatory: a time without one means another instant on each machine."""

from __future__ import annotations

import datetime as dt
import re

_FORM = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_EXAMPLE = "write it as RFC 3339 with an offset, such as 2026-12-05T20:00:00+01:00 or 2026-12-05T19:00:00Z"


def parse_instant(text: str) -> dt.datetime:
    """A datetime with its offset. Digits below a microsecond are cut off."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"time {text!r} is not understood: {_EXAMPLE}")
    if not found["offset"]:
        raise ValueError(f"time {text!r} has no offset: {_EXAMPLE}")
    offset = "+00:00" if found["offset"] in "Zz" else found["offset"]
    fraction = (found["fraction"] or "0")[:6].ljust(6, "0")
    try:
        return dt.datetime.fromisoformat(f"{found['date']}T{found['time']}.{fraction}{offset}")
    except ValueError as exc:
        raise ValueError(f"time {text!r} does not exist ({exc}): {_EXAMPLE}") from exc
