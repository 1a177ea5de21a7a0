# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters over business calendars; each is documented in the file of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import calendar_windows
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import (
    CLASSES,
    DOMAINS,
    ENVIRONMENTS,
    CalendarError,
    Scope,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars

_SCOPE = {"environment": ENVIRONMENTS, "domain": DOMAINS, "class": CLASSES}


def blackout_windows(
    calendars: Sequence[Any], since: str, until: str, tenants: Sequence[str] = (), scope: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    with _named("blackout_windows"):
        return calendar_windows.windows(read_calendars(calendars), _range(since, until, tenants, scope or {}))


def argocd_sync_windows(
    calendars: Sequence[Any], since: str, until: str, tenants: Sequence[str] = (), scope: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    with _named("argocd_sync_windows"):
        asked = _range(since, until, tenants, scope or {}, max_days=calendar_windows.MAX_SYNC_DAYS)
        return calendar_windows.sync_windows(read_calendars(calendars), asked)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except (CalendarError, ValueError) as exc:
        raise AnsibleFilterError(f"{name}: {exc}") from exc


def _range(since: str, until: str, tenants: Sequence[str], scope: Mapping[str, str], **limits: int) -> calendar_windows.Range:
    return calendar_windows.Range(parse_instant(since), parse_instant(until), _names(tenants), _scope(scope), **limits)


def _names(tenants: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tenants, str):
        raise ValueError(  # noqa: TRY004 - a wrong value of an option, told as all others are
            f"tenants is {tenants!r}, wanted a list of names. Write [{tenants}]."
        )
    return tuple(tenants)


def _scope(scope: Mapping[str, str]) -> Scope:
    for key, value in scope.items():
        if value not in _SCOPE.get(key, ()):
            wanted = "; ".join(f"{name}: {', '.join(values)}" for name, values in _SCOPE.items())
            raise ValueError(f"scope has {key}: {value}, wanted of {wanted}. Correct it.")
    return Scope(scope.get("environment"), scope.get("domain"), scope.get("class"))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"blackout_windows": blackout_windows, "argocd_sync_windows": argocd_sync_windows}
