# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The public holidays of a country, from the library ``holidays``."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from functools import cache
from typing import Any

from .._core.calendar_model import CalendarError, Holidays


def preload() -> None:
    """Loads all countries. For a process that forks one for each task, as Ansible does: each of them would load them again."""
    with suppress(ImportError):
        import holidays.countries  # noqa: F401


@cache
def country_holidays(country: str, subdivision: str | None) -> Holidays:
    """A function from a year to the days off; ValueError when the library does not know the country.

    Outside of the years that it knows, the library tells of no holidays at all, so there the function raises CalendarError.
    """
    try:
        import holidays
    except ImportError as exc:
        raise CalendarError(
            f"holidays of {country}: need the Python package holidays on the controller. Run pip install holidays."
        ) from exc
    try:
        known: Any = holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as exc:
        raise ValueError(str(exc)) from exc

    @cache
    def of(year: int) -> frozenset[dt.date]:
        if not known.start_year <= year <= known.end_year:
            raise CalendarError(
                f"holidays of {country}: {year} is asked for, known are {known.start_year} to {known.end_year}. "
                "Look less far ahead, or write the holidays as dates."
            )
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year, expand=False))

    return of
