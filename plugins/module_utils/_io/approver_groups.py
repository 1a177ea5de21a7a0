# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads who is in which group of approvers: a mapping, or the path of a YAML file that holds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.quorum import Names, parse_members
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.strict_yaml import load_strictly


class GroupsError(ChangeError):
    """Groups of approvers that cannot be read."""


def read_groups(given: Any) -> dict[str, Names]:
    """The members of each group; nothing given, no groups."""
    if not given:
        return {}
    where = f"approver groups {given}" if isinstance(given, str) else "approver_groups"
    try:
        return parse_members(_from_file(given) if isinstance(given, str) else given)
    except (OSError, ValueError) as exc:
        raise GroupsError(f"{where}: {exc}") from exc


def _from_file(name: str) -> Any:
    text = Path(name).expanduser().read_text(encoding="utf-8")
    try:
        return load_strictly(text)
    except ValueError as exc:
        raise GroupsError(f"approver groups {name}: is not valid YAML ({exc}). Correct it.") from exc
