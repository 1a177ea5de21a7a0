# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The PostgreSQL role of a break-glass grant: what it must be, and how one that is there differs from that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

STATEMENTS = "log_statement=all"
TABLE_RIGHTS = {"read": ("SELECT",), "write": ("SELECT", "INSERT", "UPDATE", "DELETE")}


@dataclass(frozen=True)
class WantedRole:
    """A role on one cluster. ``databases`` maps each database to the role that owns it; ``rights``: read, write or owner."""

    name: str
    grant: str
    until: dt.datetime
    databases: Mapping[str, str]
    rights: str
    connections: int


@dataclass(frozen=True)
class SeenRole:
    """What the catalogue says. ``until`` is None without an end; ``mighty`` when it has an attribute that no grant gives."""

    login: bool
    mighty: bool
    until: dt.datetime | None
    connections: int
    settings: tuple[str, ...]
    connects: frozenset[str]
    member_of: frozenset[str]
    comment: str


def comment_of(wanted: WantedRole) -> str:
    return f"odoo_ops break-glass {wanted.grant}"


def differences(seen: SeenRole | None, wanted: WantedRole) -> list[str]:
    """What of the role itself has to be made or put right, in words; its rights inside the databases are another matter."""
    if seen is None:
        return [f"role {wanted.name}"]
    told = {
        "login": seen.login,
        "attributes": not seen.mighty,
        "end": seen.until is not None and abs((seen.until - wanted.until).total_seconds()) < 1,
        "connection limit": seen.connections == wanted.connections,
        "logging": STATEMENTS in seen.settings,
        "databases": set(wanted.databases) <= seen.connects,
        "membership": wanted.rights != "owner" or set(wanted.databases.values()) <= seen.member_of,
        "comment": seen.comment == comment_of(wanted),
    }
    return [f"{what} of role {wanted.name}" for what, fine in told.items() if not fine]
