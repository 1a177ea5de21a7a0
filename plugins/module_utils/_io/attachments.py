# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that an Odoo database names. Its rows are read as a stream: a large tenant has a million of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._core.errors import ChangeError
from .._core.filestore import Named

if TYPE_CHECKING:
    import psycopg

# Several attachments may name one file. Where they do not agree on its size or hash, neither is believed.
NAMED = """
SELECT store_fname,
       CASE WHEN min(file_size) = max(file_size) THEN min(file_size) END,
       CASE WHEN min(checksum) = max(checksum) THEN min(checksum) END
  FROM ir_attachment WHERE store_fname IS NOT NULL GROUP BY store_fname
"""


def named_files(connection: psycopg.Connection[Any]) -> dict[str, Named]:
    with connection.transaction():
        if connection.execute("SELECT to_regclass('ir_attachment')").fetchone() == (None,):
            raise ChangeError("the database has no table ir_attachment, wanted that of an Odoo. Check its name.", code="NOT_ODOO")
        with connection.cursor("odoo_ops_attachments") as rows:
            rows.itersize = 10_000
            rows.execute(NAMED)
            return {name: Named(size, sha1) for name, size, sha1 in rows}


def still_named(connection: psycopg.Connection[Any], names: Sequence[str]) -> set[str]:
    """Those of the names that the database names now."""
    found = connection.execute("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname = ANY(%s)", [list(names)])
    return {name for (name,) in found}
