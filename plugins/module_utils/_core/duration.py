# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ISO 8601 durations of a fixed length: days, hours, minutes, seconds; or weeks alone."""

from __future__ import annotations

import re

_FORM = re.compile(r"P(?:(?P<w>[0-9]+)W|(?:(?P<d>[0-9]+)D)?(?:T(?=[0-9])(?:(?P<h>[0-9]+)H)?(?:(?P<m>[0-9]+)M)?(?:(?P<s>[0-9]+)S)?)?)")
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_EXAMPLE = "write days, hours, minutes and seconds, such as PT2H, PT1H30M or P1DT12H, or weeks alone, such as P2W"


def parse_duration(text: str) -> int:
    """The seconds of a duration such as ``PT2H``. Years and months have no fixed length and are refused, fractions too."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    parts = {unit: int(value) for unit, value in found.groupdict().items() if value} if found else {}
    if not parts:
        raise ValueError(f"duration {text!r} is not understood: {_EXAMPLE}")
    return sum(_SECONDS[unit] * value for unit, value in parts.items())
