# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Opens the ledger of a task. The options are documented in the doc fragment of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Holder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.bundle_store import open_export
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import LeaseHeld, Ledger, LedgerError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore, ObjectStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.processes import os_user, this_process
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import OPTIONS as S3_OPTIONS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import load_signer, load_trust, trust_only

__all__ = ["LEDGER_SPEC", "LeaseHeld", "Ledger", "LedgerError", "newest", "open_ledger", "os_user", "this_holder"]

LEDGER_SPEC: dict[str, dict[str, Any]] = {
    "ledger": {"type": "str", "required": True},
    "ledger_key": {"type": "path", "no_log": False},
    "ledger_trusted": {"type": "path"},
    "ledger_s3": {
        "type": "dict",
        "options": {**S3_OPTIONS, "retention_days": {"type": "int"}},
    },
}


def open_ledger(args: Mapping[str, Any]) -> Ledger:
    """The ledger that the options of LEDGER_SPEC name. Nothing is read or written yet, except the keys and an exported record."""
    signer = load_signer(args["ledger_key"]) if args.get("ledger_key") else None
    trusted = args.get("ledger_trusted")
    trust = load_trust(trusted) if trusted else trust_only(signer) if signer else None
    file = Path(args["ledger"]).expanduser()
    if trust is not None and file.is_file():
        store, vouched = open_export(file, trust, now=utc_now())
        return Ledger(store, trust=vouched, signer=signer)
    return Ledger(_store(args["ledger"], args.get("ledger_s3") or {}), trust=trust, signer=signer)


def newest(ledger: Ledger, series: str, event: str) -> Iterator[Event]:
    """Such events over all records of a series, such as DRILL, the newest first. A record is read when the newer ones are used up."""

    def number(change: str) -> tuple[int, ...]:
        return tuple(int(part) for part in change.split("-")[1:])

    for change in sorted((c for c in ledger.changes() if c.startswith(f"{series}-")), key=number, reverse=True):
        yield from (found for found in reversed(ledger.events(change)) if found.event == event)


def this_holder(change: str, executor: str | None = None) -> Holder:
    """This run as a holder of leases."""
    return Holder(change, executor or os_user(), this_process())


def _store(location: str, s3: Mapping[str, Any]) -> ObjectStore:
    if not location.startswith("s3://"):
        return DirectoryStore(Path(location).expanduser())
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store_s3 import open_bucket

    return open_bucket(location, s3)
