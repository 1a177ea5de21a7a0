# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that come without an option: libraries look for them in the environment."""

from __future__ import annotations

import os

from .._core.secrets import holds_password

NAMES = ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def secrets_of_environment() -> list[str]:
    """Those that are set, and proxies' addresses that hold a password."""
    proxies = [value for name, value in os.environ.items() if name.lower().endswith("_proxy") and holds_password(value)]
    passwords = [address.rpartition("@")[0].rpartition(":")[2] for address in proxies]
    return [*(os.environ[name] for name in NAMES if os.environ.get(name)), *proxies, *passwords]
