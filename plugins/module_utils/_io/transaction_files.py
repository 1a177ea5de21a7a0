# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads business transactions: those that ship with the collection, and an estate's own beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import explain
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import (
    judge_transaction,
    transaction_of,
    unknown_transactions,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.change_schema import META, violations
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.strict_yaml import load_strictly

SHIPPED = META / "transactions"
SCHEMA = META / "schemas" / "transaction.schema.json"


class TransactionFileError(ChangeError):
    """A file cannot be read, or is no transaction."""


def read_all(own: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Every transaction by its name, as it stands in its file. ``own``: files, or folders of them; one of a shipped name replaces that."""
    found = {}
    for place in [SHIPPED, *(Path(path) for path in own)]:
        for file in files_of(place):
            document = read(file)
            found[str(document["transaction"])] = document
    return found


def files_of(place: Path) -> Sequence[Path]:
    if not place.is_dir():
        return [place]
    if files := sorted(file for file in place.iterdir() if file.suffix in (".yml", ".yaml")):
        return files
    raise TransactionFileError(f"{place}: holds no transaction. Write the folder of the files that end in .yml.")


def read(file: Path) -> dict[str, Any]:
    """One valid transaction."""
    try:
        document = load_strictly(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise TransactionFileError(
            f"transaction {file}: cannot be read ({exc}). Write the path of a file that this user may read."
        ) from exc
    except ValueError as exc:
        raise TransactionFileError(f"transaction {file}: is not valid YAML ({exc}). Correct it; yamllint shows the place.") from exc
    errors = [line for violation in violations(document, SCHEMA) for line in explain(violation, root="transaction")]
    errors = errors or judge_transaction(transaction_of(document))
    if errors:
        listed = errors[0] if len(errors) == 1 else f"{len(errors)} errors:\n" + "\n".join(f"- {error}" for error in errors)
        raise TransactionFileError(f"transaction {file}: {listed}", errors=errors)
    return dict(document)


def chosen(names: Sequence[str], own: Iterable[str] = ()) -> list[dict[str, Any]]:
    """All transactions, when the named ones are among them."""
    known = read_all(own)
    if found := unknown_transactions(names, known):
        raise TransactionFileError("; ".join(found))
    return list(known.values())
