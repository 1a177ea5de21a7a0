"""A change whose plan, gates, approvals and steps are in a real ledger, as the guard finds it: real keys, the shipped policy."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import approval, plan, policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only

CHANGE = "CHG-2026-0142"
BEFORE, AFTER = ("registry.example.org/odoo@sha256:" + digit * 64 for digit in "ab")


def tenant(name: str, cohort: int, tier: str = "multi_tenant", stanza: str = "shared") -> plan.Tenant:
    return plan.Tenant(name, tier, cohort, f"odoo-{name}", name, stanza, BEFORE)


class RecordedChange:
    """Planned, gated and approved at ``at``; ``demands`` are changed in what the plan keeps of the policy."""

    def __init__(self, root: Path, tenants: Sequence[plan.Tenant], *, at: dt.datetime, window: Mapping[str, str], **demands: Any) -> None:
        self.root, self.at = root, at
        self.change = change_file(window)
        tiers = {one.name: one.tier for one in tenants}
        shipped = policy.for_plan(
            read_policy(), change=self.change, change_class="normal", bundled=False, groups=["release-managers"], tiers=tiers
        )
        self.plan = plan.build_plan(self.change, tenants, policy={**shipped, **demands})
        self.digest = plan.plan_digest(self.plan)
        self.signer = create_key(root / "ledger.pem")
        self.ledger = Ledger(DirectoryStore(root / "ledger"), trust=trust_only(self.signer), signer=self.signer)
        self.groups = {one["group"]: [f"of-{one['group']}".replace(":", "-")] for one in self.plan["policy"]["groups"]}
        self.record("planned", evidence={"plan": self.plan, "digest": self.digest})
        self.record("gated", evidence={"verdict": "pass", "gates": []}, plan_digest=self.digest)
        self._approve()

    def record(self, event: str, tenant: str | None = None, **more: Any) -> None:
        self.ledger.append(CHANGE, event, **{"actor": "ops-2", "at": self.at, "tenant": tenant, "once": False, **more})

    def release(self, name: str, *, at: dt.datetime) -> None:
        """All steps of a tenant."""
        for step in self.plan["steps"]:
            self.record(step, name, at=at, evidence={"image": AFTER, "verdict": "pass", "sentence": "as fast as before"})

    def guard(self, tenant: str, **more: Any) -> dict[str, Any]:
        """The options of change_guard."""
        paths = {"ledger": "ledger", "ledger_key": "ledger.pem", "ledger_trusted": "ledger.pem.pub", "allowed_signers": "allowed_signers"}
        given = {option: str(self.root / name) for option, name in paths.items()}
        asked = {"change": self.change, "tenant": tenant, "approver_groups": self.groups, "executor": "ops-2"}
        return {**given, **asked, **more}

    def _approve(self) -> None:
        people = [name for names in self.groups.values() for name in names]
        signed = [self._signed(name) for name in people]
        self.record("approved", evidence={"schema": 1, "plan": self.digest, "approvals": signed})

    def _signed(self, name: str) -> dict[str, str]:
        key = self.root / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        with (self.root / "allowed_signers").open("a") as out:
            out.write(f"{name} {' '.join(key.with_name(f'{name}.pub').read_text().split()[:2])}\n")
        document = approval.approval_document(CHANGE, self.digest, name, self.at, policy=self.plan["policy"]["version"])
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", approval.NAMESPACE, "-f", str(key)]
        signature = subprocess.run(command, input=document, capture_output=True, check=True).stdout
        return {"name": name, "approver": name, "key": "", "document": document.decode(), "signature": signature.decode()}


def change_file(window: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": CHANGE,
        "title": "Billing module 19.0.2",
        "class": "normal",
        "domain": "application",
        "streams": ["code"],
        "environment": "production",
        "requester": "ops-1",
        "owner": "ops-1",
        "tenants": "tenants",
        "impact": "Invoice posting of all tenants",
        "release": {"image": AFTER, "modules": ["acme_billing"]},
        "rollback": {"strategy": "previous_image", "point_of_no_return": "the release of each tenant to its users"},
        "verification": {"transactions": ["login", "invoice", "timesheet"], "soak_s": 0},
        "window": dict(window),
        "waivers": [],
    }
