# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts that charts are made of: a panel with two axes, lines, bands and marks in it, as SVG text.

What lies outside of a panel's axes is cut off by an ``svg`` inside the ``svg``, so that nothing has to refer to anything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
TICKS = 5  # about so many on an axis


def text(value: object) -> str:
    return escape(str(value), quote=True)


def short(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"


@dataclass(frozen=True)
class Axis:
    """From the lowest to the highest value; ``log`` for a logarithmic one, whose ends must be positive."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one."""
        low, high, seen = (math.log(max(v, 1e-300)) if self.log else v for v in (self.low, self.high, value))
        return (seen - low) / (high - low) if high > low else 0.5

    def ticks(self) -> list[float]:
        return self._decades() if self.log else self._even()

    def _even(self) -> list[float]:
        rough = (self.high - self.low) / TICKS
        if not rough > 0:
            return [self.low]
        unit = 10 ** math.floor(math.log10(rough))
        step = next(k * unit for k in (1, 2, 5, 10) if k * unit >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]

    def _decades(self) -> list[float]:
        """1, 2 and 5 times the powers of ten; less of them when that is too much, evenly spread ones when too little."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for of in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1,)):
            found = [m * 10.0**p for p in powers for m in of if self.low <= m * 10.0**p <= self.high]
            if len(found) <= TICKS + 1:
                break
        return found if len(found) > 1 else self._even()


@dataclass(frozen=True)
class Panel:
    """A rectangle of the chart with an axis each way."""

    x: float
    y: float
    width: float
    height: float
    across: Axis
    up: Axis

    def place(self, point: Point) -> Point:
        """Inside the panel, from its upper left corner; far outside is far enough."""
        x, y = (min(9.0, max(-9.0, axis.at(value))) for axis, value in zip((self.across, self.up), point, strict=True))
        return x * self.width, (1 - y) * self.height

    def _points(self, points: Sequence[Point]) -> str:
        return " ".join(f"{short(x)},{short(y)}" for x, y in map(self.place, points))

    def line(self, points: Sequence[Point], style: str) -> str:
        return f'<polyline class="{style}" points="{self._points(points)}"/>'

    def band(self, points: Sequence[tuple[float, float, float]], style: str) -> str:
        """(across, from, to) of each point."""
        outline = [(x, low) for x, low, _high in points] + [(x, high) for x, _low, high in reversed(points)]
        return f'<polygon class="{style}" points="{self._points(outline)}"/>'

    def level(self, value: float, style: str) -> str:
        """A line across the panel."""
        return self.line([(self.across.low, value), (self.across.high, value)], style)

    def dot(self, point: Point, style: str) -> str:
        x, y = self.place(point)
        return f'<circle class="{style}" cx="{short(x)}" cy="{short(y)}" r="3.5"/>'

    def diamond(self, point: Point, style: str) -> str:
        x, y = self.place(point)
        corners = " ".join(f"{short(x + dx)},{short(y + dy)}" for dx, dy in ((0, -4.5), (4.5, 0), (0, 4.5), (-4.5, 0)))
        return f'<polygon class="{style}" points="{corners}"/>'

    def word(self, point: Point, said: str, style: str = "cc-note", *, dx: float = 0, dy: float = 0, anchor: str = "start") -> str:
        x, y = self.place(point)
        return f'<text class="{style}" x="{short(x + dx)}" y="{short(y + dy)}" text-anchor="{anchor}">{text(said)}</text>'

    def drawn(
        self, title: str, across: tuple[str, Sequence[tuple[float, str]]], up: Sequence[tuple[float, str]], inner: Sequence[str]
    ) -> str:
        """The panel with its title, the ticks of both axes (value, words) and what is in it."""
        name, ticks = across
        parts = [f'<text class="cc-head" x="0" y="-9">{text(title)}</text>']
        for value, said in ticks:
            x = short(self.across.at(value) * self.width)
            parts.append(f'<line class="cc-grid" x1="{x}" x2="{x}" y1="0" y2="{short(self.height)}"/>')
            parts.append(f'<text class="cc-tick" x="{x}" y="{short(self.height + 15)}" text-anchor="middle">{text(said)}</text>')
        for value, said in up:
            y = (1 - self.up.at(value)) * self.height
            parts.append(f'<line class="cc-grid" x1="0" x2="{short(self.width)}" y1="{short(y)}" y2="{short(y)}"/>')
            parts.append(f'<text class="cc-tick" x="-6" y="{short(y + 4)}" text-anchor="end">{text(said)}</text>')
        parts.append(f'<svg x="0" y="0" width="{short(self.width)}" height="{short(self.height)}">{"".join(inner)}</svg>')
        parts.append(f'<rect class="cc-frame" x="0" y="0" width="{short(self.width)}" height="{short(self.height)}"/>')
        middle, below = short(self.width / 2), short(self.height + 32)
        parts.append(f'<text class="cc-tick" x="{middle}" y="{below}" text-anchor="middle">{text(name)}</text>')
        return f'<g transform="translate({short(self.x)} {short(self.y)})">{"".join(parts)}</g>'
