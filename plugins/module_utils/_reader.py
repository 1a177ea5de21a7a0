# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options by which a module that only reads finds a PostgreSQL cluster; their texts are the doc fragment ``reader``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server

READER_SPEC: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "login_user": {"type": "str", "default": "postgres"},
    "login_password": {"type": "str", "no_log": True},
    "sslmode": {"type": "str", "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"], "default": "prefer"},
}


def reader(given: Mapping[str, Any], **more: Any) -> Server:
    """The cluster that a module's options name."""
    return Server(given["host"], given["port"], given["login_user"], given["login_password"], sslmode=given["sslmode"], **more)
