# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""change_record: one event into the ledger, or the ledger's events out of it, proved. Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import timeline
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.chain import chain_checks
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import lost
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event, draft, sha256
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.report import report
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.report_page import page
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.bundle_store import (
    BundleStore,
    export_bytes,
    make_folder,
    write_changed,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.task_file import read_evidence
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import (
    LEDGER_SPEC,
    Ledger,
    LedgerError,
    newest,
    open_ledger,
    os_user,
    this_holder,
)


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "change": {"type": "str"},
        "state": {"type": "str", "choices": ["recorded", "read", "verified", "latest", "shown", "exported"], "default": "recorded"},
        "event": {"type": "str"},
        "tenant": {"type": "str"},
        "actor": {"type": "str"},
        "evidence": {"type": "dict", "default": {}},
        "digest": {"type": "str"},
        "once": {"type": "bool", "default": True},
        "leased": {"type": "bool", "default": False},
        "token": {"type": "int", "no_log": False},
        "series": {"type": "str"},
        "where": {"type": "dict", "default": {}},
        "dest": {"type": "path"},
        "report": {"type": "bool", "default": False},
        "tasks_file": {"type": "path"},
    }
    # it may quote what another program said, and a failure must be recorded whatever that was
    MASKED = ("evidence",)
    RULES: ClassVar[dict[str, Any]] = {
        "required_if": [
            ("state", "recorded", ("change", "event")),
            ("state", "read", ("change",)),
            ("state", "verified", ("change",)),
            ("state", "latest", ("series", "event")),
            ("leased", True, ("tenant",)),
            ("state", "shown", ("change",)),
            ("state", "exported", ("change", "dest")),
        ]
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        ledger, now = open_ledger(args), utc_now()
        if args["state"] == "read":
            events = [event.as_dict() for event in ledger.events(args["change"])]
            return {"changed": False, "events": events, "msg": f"{args['change']}: {len(events)} events, all signed and linked."}
        if args["state"] == "latest":
            return _latest_result(args, ledger)
        if args["state"] == "recorded":
            return self._record(args, ledger, now)
        return self._prove(args, ledger, now)

    def _prove(self, args: dict[str, Any], ledger: Ledger, now: dt.datetime) -> dict[str, Any]:
        """The states that are gates over the whole record: verified, shown, exported."""
        change, record = args["change"], ledger.record(args["change"])
        extra: dict[str, Any] = {}
        if args["state"] == "shown":
            extra = {"timeline": timeline.rows(record.chain.events), "lines": timeline.lines(change, record.chain)}
        result = gate_result(f"the record of {change}", chain_checks(change, record.chain), at=now, enforce=args["enforce"], **extra)
        if args["state"] != "exported" or result.get("failed"):
            return result
        reported = self._report(Path(args["dest"]), change, record.chain.events, result) if args["report"] else {"changed": False}
        data = export_bytes(change, record, trust=ledger.trusted(), signer=ledger.signing_key(now))
        exported = write_changed(Path(args["dest"]), f"{change}.bundle.json", data, check_mode=self._task.check_mode)
        return {**result, **reported, **exported, "changed": reported["changed"] or exported["changed"], "sha256": sha256(data)}

    def _report(self, folder: Path, change: str, events: Sequence[Event], verified: Mapping[str, Any]) -> dict[str, Any]:
        """The report and its page, in the folder, which is made."""
        check_mode = self._task.check_mode
        if not check_mode:
            make_folder(folder)
        document = report([SimpleNamespace(**event.as_dict()) for event in events], verified=verified)
        texts = {"json": json.dumps(document, indent=4, sort_keys=True) + "\n", "html": page(document)}
        written = [
            write_changed(folder / f"{change}.{kind}", "", text.encode(), check_mode=check_mode)["changed"] for kind, text in texts.items()
        ]
        return {"changed": any(written), "report": document, "lines": document["lines"]}

    def _record(self, args: dict[str, Any], ledger: Ledger, now: dt.datetime) -> dict[str, Any]:
        kept = read_evidence(Path(args["tasks_file"])) if args["tasks_file"] else {}
        what = {
            "tenant": args["tenant"] or None,
            "actor": args["actor"] or os_user(),
            "evidence": {**args["evidence"], **kept},
            "plan_digest": args["digest"],
        }
        about = f"{args['change']}: {args['event']}{' of ' + args['tenant'] if args['tenant'] else ''}"
        if self._task.check_mode:
            return self._predict(args, ledger, now, what, about)
        if args["leased"]:
            _refuse_without_lease(ledger, args["change"], args["tenant"], args["token"])
        event, written = ledger.append(args["change"], args["event"], at=now, once=args["once"], **what)
        told = "is recorded" if written else "was recorded already"
        return {
            "changed": written,
            "msg": f"{about} {told} as entry {event.seq}.",
            "seq": event.seq,
            "sha256": event.digest,
            "event": event.as_dict(),
        }

    def _predict(self, args: dict[str, Any], ledger: Ledger, now: dt.datetime, what: dict[str, Any], about: str) -> dict[str, Any]:
        if isinstance(ledger.store, BundleStore):
            raise ledger.store.read_only(args["change"])
        ledger.signing_key(now)
        try:
            draft(args["change"], args["event"], at=now, **what)
        except ValueError as exc:
            raise LedgerError(f"ledger {ledger.store.name}: {exc}.") from exc
        found = ledger.recorded(args["change"], args["event"], what["tenant"]) if args["once"] else None
        if found is None:
            return {"changed": True, "msg": f"{about} would be recorded at {rfc3339(now)}.", "seq": None, "sha256": None}
        msg = f"{about} was recorded already as entry {found.seq}."
        return {"changed": False, "msg": msg, "seq": found.seq, "sha256": found.digest, "event": found.as_dict()}


def _refuse_without_lease(ledger: Ledger, change: str, tenant: str, token: int | None) -> None:
    """Who lost the tenant meanwhile must not say that its step is done: the one who has it now decides."""
    if why := lost(ledger.lease(tenant), this_holder(change), token):
        raise LedgerError(
            f"{change}: {why}. This run took longer than its lease and lost the tenant: look at the tenant, then run the change again.",
            code="LEASE_LOST",
        )


def _latest_result(args: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    found = _latest(ledger, args["series"], args["event"], args["where"])
    told = f"{args['event']} was last recorded at {found.at}." if found else f"no {args['event']} is recorded."
    return {"changed": False, "latest": found.as_dict() if found else None, "msg": f"{args['series']}: {told}"}


def _latest(ledger: Ledger, series: str, event: str, where: dict[str, Any]) -> Event | None:
    matching = (e for e in newest(ledger, series, event) if all(e.evidence.get(key) == value for key, value in where.items()))
    return next(matching, None)
