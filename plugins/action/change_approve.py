# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""change_approve: verifies the approvals of a plan and records them. Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import Judged, Vote
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS, rfc3339, verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ssh_signature import read_approvals
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils import _awx
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import (
    EVENT,
    WITHDRAWN,
    approval_evidence,
    demanded,
    judge,
    recorded_seq,
)
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, Ledger, open_ledger, os_user


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        **_awx.AWX_SPEC,
        "change": {"type": "str", "required": True},
        "digest": {"type": "str", "required": True},
        "requester": {"type": "str", "required": True},
        "executor": {"type": "str"},
        "approvals": {"type": "list", "elements": "path", "required": True},
        "allowed_signers": {"type": "path", "required": True},
        "revoked": {"type": "path"},
        "required": {"type": "int", "default": 1},
        "groups": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"group": {"type": "str", "required": True}, "count": {"type": "int", "default": 1}},
        },
        "approver_groups": {"type": "raw"},
        "policy": {"type": "dict"},
        "max_age_s": {"type": "int"},
        "record": {"type": "bool", "default": True},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now = utc_now()
        args = {**args, "executor": args["executor"] or os_user()}
        ledger, setup = open_ledger(args), _awx.setup_of(args["awx"])
        reading = _awx.read_approvals(args["awx"])
        judged = judge(
            read_approvals(args["approvals"]),
            now=now,
            members=args["approver_groups"],
            readings=[] if reading is None else [reading],
            awx=setup,
            **{**{key: args[key] for key in JUDGED}, **(demanded(args["policy"]) if args["policy"] else {})},
        )
        seq, changed = self._record(ledger, args, judged, reading and {**reading, "read_at": rfc3339(now)}, now)
        return gate_result(
            f"the plan of {args['change']}",
            judged.checks,
            at=now,
            enforce=args["enforce"],
            changed=changed,
            seq=seq,
            approvers=[vote.approver for vote in judged.accepted],
            withdrawn=[vote.approver for vote in judged.withdrawn],
            rejected=list(judged.rejected),
        )

    def _record(
        self, ledger: Ledger, args: dict[str, Any], judged: Judged, reading: dict[str, Any] | None, now: dt.datetime
    ) -> tuple[int | None, bool]:
        """Keeps approvals that are enough, and whatever takes one back: a guard must learn of that at once."""
        seq, changed = None, False
        if args["record"] and judged.withdrawn:
            changed = self._append(ledger, args, WITHDRAWN, judged.withdrawn, now=now)[1]
        if args["record"] and judged.accepted and verdict(judged.checks) == PASS:
            seq, added = self._append(ledger, args, EVENT, judged.accepted, now=now, reading=reading)
            changed = changed or added
        return seq, changed

    def _append(
        self, ledger: Ledger, args: dict[str, Any], name: str, votes: tuple[Vote, ...], *, now: dt.datetime, reading: Any = None
    ) -> tuple[int | None, bool]:
        """The entry that keeps these, and whether it is new. Check mode only tells that it would be."""
        evidence = approval_evidence(votes, reading=reading, **{key: args[key] for key in ("digest", "requester", "executor")})
        seq = recorded_seq(ledger.events(args["change"]), name, evidence)
        if seq is not None or self._task.check_mode:
            return seq, seq is None
        what = {"actor": args["executor"], "at": now, "evidence": evidence, "plan_digest": args["digest"]}
        return ledger.append(args["change"], name, once=False, **what)[0].seq, True


JUDGED = ("change", "digest", "requester", "executor", "allowed_signers", "revoked", "required", "groups", "max_age_s")
"""Options that the judge takes by their own names."""
