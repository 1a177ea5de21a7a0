# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""System parameters of Odoo, read from a tenant's database. They are written by Odoo itself, which tells its servers."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server, connect


def read(server: Server, database: str, names: Sequence[str]) -> dict[str, str | None]:
    """The value of each parameter; None for one that is not there."""
    with connect(server, database, read_only=True) as db:
        rows = db.execute("SELECT key, value FROM ir_config_parameter WHERE key = ANY(%s)", [list(names)]).fetchall()
    return {**dict.fromkeys(names), **{str(key): str(value) for key, value in rows}}
