# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWX refuses in a schedule's rrule, told before anything is sent (AWX 24.6.1, SchedulePreviewSerializer)."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_START = re.compile(r"(?:^|\s)(DTSTART[^:\s]*:\S*)", re.IGNORECASE)
_RULE = re.compile(r"(EXRULE|RRULE):(\S+)", re.IGNORECASE)
_GOOD_START = re.compile(r"DTSTART(?:;TZID=(?P<zone>[^:;]+):\d{8}T\d{6}|:\d{8}T\d{6}Z)")
_FREQUENCIES = {"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"}
_WHOLE = {"INTERVAL": 1, "COUNT": 1}
_MOST = 999
_EXAMPLE = "DTSTART;TZID=Europe/Brussels:20260104T030000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SU"


def rrule_problems(text: str) -> list[str]:
    """Reasons, empty when AWX takes the text."""
    found = _start_problems(_START.findall(text))
    rules = _RULE.findall(text)
    if not any(name.upper() == "RRULE" for name, _rule in rules):
        found.append("it has no RRULE")
    found += [f"{word} is not allowed; write an EXRULE or a second RRULE" for word in ("EXDATE", "RDATE") if f"{word}:" in text.upper()]
    for _name, rule in rules:
        found += _rule_problems(rule)
    return found


def rrule_example() -> str:
    return _EXAMPLE


def _start_problems(starts: list[str]) -> list[str]:
    if len(starts) != 1:
        return [f"it has {len(starts)} DTSTART, wanted one"]
    good = _GOOD_START.fullmatch(starts[0])
    if not good:
        return [f"{starts[0]} has neither a time zone (DTSTART;TZID=Europe/Brussels:20260104T030000) nor a Z at its end"]
    return _zone_problems(good["zone"]) if good["zone"] else []


def _zone_problems(zone: str) -> list[str]:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [f"TZID={zone} is no time zone"]
    return []


def _rule_problems(rule: str) -> list[str]:
    parts = dict(part.upper().partition("=")[::2] for part in rule.rstrip(";").split(";"))
    found = []
    if parts.get("FREQ") not in _FREQUENCIES:
        found.append(f"FREQ={parts.get('FREQ', '')} is none of {', '.join(sorted(_FREQUENCIES))}")
    if "INTERVAL" not in parts:
        found.append("INTERVAL is missing; write INTERVAL=1")
    for name in _WHOLE.keys() & parts.keys():
        if not parts[name].isdecimal() or int(parts[name]) < _WHOLE[name]:
            found.append(f"{name}={parts[name]} is no whole number from 1")
    if parts.get("COUNT", "").isdecimal() and int(parts["COUNT"]) > _MOST:
        found.append(f"COUNT={parts['COUNT']} is more than {_MOST}")
    if "COUNT" in parts and "UNTIL" in parts:
        found.append("COUNT and UNTIL stand in one rule")
    if re.search(r"\d", parts.get("BYDAY", "")):
        found.append(f"BYDAY={parts['BYDAY']} has a number before a day; write BYSETPOS instead")
    return [f"{text} ({rule})" for text in found]
