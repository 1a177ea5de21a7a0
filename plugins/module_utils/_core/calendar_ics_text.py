# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The components of an iCalendar file (RFC 5545) as plain values, and the times that its lines hold."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .calendar_wall import place, wall_clock, wall_seconds

UTC = dt.timezone.utc
_TIME = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")


@dataclass(frozen=True)
class Line:
    """One unfolded line: ``DTSTART;TZID=Europe/Brussels:20261205T200000``."""

    name: str
    params: Mapping[str, str]
    value: str

    def __str__(self) -> str:
        return self.name + "".join(f";{key}={value}" for key, value in self.params.items()) + f":{self.value}"


@dataclass
class Component:
    """What stands between ``BEGIN`` and ``END``."""

    name: str
    lines: list[Line] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def all(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.name == name]

    def one(self, name: str) -> Line | None:
        """ValueError when it is there twice."""
        found = self.all(name)
        if len(found) > 1:
            raise ValueError(f"{name} is there {len(found)} times in a {self.name}. Keep one")
        return found[0] if found else None

    def need(self, name: str) -> Line:
        found = self.one(name)
        if found is None:
            raise ValueError(f"a {self.name} has no {name}. Export the file again, or write the line")
        return found


@dataclass(frozen=True)
class Moment:
    """A time on the wall of a zone, or a whole day of it."""

    wall: int
    zone: dt.tzinfo
    whole_day: bool

    def instant(self) -> int:
        """The earlier one in a fold, as RFC 5545 has it."""
        return place(self.wall, self.zone, later=False)

    def on(self, zone: dt.tzinfo) -> int:
        """What the wall of another zone shows then."""
        return self.wall if zone is self.zone or self.whole_day else wall_clock(self.instant(), zone)


def components(lines: Iterable[Line]) -> list[Component]:
    """The outermost components; ValueError when they do not nest."""
    root = Component("the file")
    stack = [root]
    for line in lines:
        word = line.value.strip().upper()
        if line.name == "BEGIN":
            child = Component(word)
            stack[-1].children.append(child)
            stack.append(child)
        elif line.name == "END":
            if len(stack) == 1 or stack.pop().name != word:
                raise ValueError(f"END:{word} ends nothing. The file is damaged; export it again")
        else:
            stack[-1].lines.append(line)
    if len(stack) > 1:
        raise ValueError(f"{stack[-1].name} has no end. The file was cut off; fetch it again")
    if root.lines:
        raise ValueError(f"the line {str(root.lines[0])!r} stands in no component. The file is damaged; export it again")
    return root.children


def moment(text: str, params: Mapping[str, str], own_zone: dt.tzinfo, zones: Callable[[str], dt.tzinfo]) -> Moment:
    """The time of one value; without zone it is on the wall of ``own_zone``."""
    found = _TIME.fullmatch(text.strip())
    if not found or (params.get("VALUE", "").upper() == "DATE" and found[2]):
        raise ValueError(f"the time {text!r} is not understood. Write it as 20261205, 20261205T200000 or 20261205T190000Z")
    try:
        wall = dt.datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone stands beside it
    except ValueError as exc:
        raise ValueError(f"the time {text!r} does not exist ({exc}). Write one that does") from exc
    if not 1 < wall.year < 3000:
        raise ValueError(f"the time {text!r} is not before the year 3000. Write the year that is meant")
    zone = UTC if found[3] else zones(params["TZID"]) if "TZID" in params and found[2] else own_zone
    return Moment(wall_seconds(wall), zone, not found[2])
