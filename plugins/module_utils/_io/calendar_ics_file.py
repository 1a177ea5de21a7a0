# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads iCalendar files into plain components.

Only the line syntax (unfolding, parameters, quoting) is the library's: its reader of whole components passes over what it
does not understand, and a freeze that was passed over denies nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._core.calendar_ics_text import Component, Line, components
from .._core.calendar_model import CalendarError


def read_components(path: str) -> list[Component]:
    """The outermost components of a file. Raises CalendarError."""
    where = f"iCalendar file {path}"
    try:
        from icalendar.parser import Contentlines
    except ImportError as exc:
        raise CalendarError(f"{where}: needs the Python package icalendar on the controller. Run pip install icalendar.") from exc
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise CalendarError(f"{where}: cannot be read ({exc}). Write the path of an iCalendar file that this user may read.") from exc
    try:
        lines: Any = Contentlines.from_ical(text)  # type: ignore[no-untyped-call,unused-ignore]
        return components(_line(*line.parts()) for line in lines if line.strip())
    except ValueError as exc:
        raise CalendarError(f"{where}: {exc}.") from exc


def _line(name: str, params: dict[str, str | list[str]], value: str) -> Line:
    plain = {key.upper(): text if isinstance(text, str) else ",".join(text) for key, text in params.items()}
    return Line(name.upper(), plain, value)
