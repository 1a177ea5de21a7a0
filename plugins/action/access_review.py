# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""access_review: the rights that there are against those that should be. Documented in the module of the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.access import Right, review
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import access_rights
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_access
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._break_glass_world import Place, places_of

Read = Callable[[], list[Right]]


def _kubernetes_rights(kubeconfig: str | None, context: str | None) -> list[Right]:
    return access_rights.kubernetes_rights(Kube.connect(kubeconfig, context))


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **GATE_SPEC,
        "access": {"type": "path", "required": True},
        "tenants": {"type": "str"},
        "systems": {
            "type": "list",
            "elements": "str",
            "choices": ["kubernetes", "postgresql", "ledger", "approvals"],
            "default": ["kubernetes", "postgresql", "ledger", "approvals"],
        },
        "ledger_trusted": {"type": "path"},
        "allowed_signers": {"type": "path"},
        "approver_groups": {"type": "raw"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, document = utc_now(), read_access(args["access"])
        rights: list[Right] = []
        untold: list[Check] = []
        for system, read in self._readers(args, task_vars):
            try:
                rights += read()
            except ChangeError as exc:
                untold.append(unknown(f"access_{system}", str(exc).rstrip("."), hint="Mend it, then review again.", code="NOT_READ"))
        checks = [*review(rights, document, args["systems"], now=now), *untold]
        listed = [right.listed() for right in sorted(set(rights))]
        return gate_result("access", checks, at=now, enforce=args["enforce"], rights=listed, version=document["version"])

    def _readers(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Iterator[tuple[str, Read]]:
        """One for each place that rights are read from."""
        places = self._places(args, task_vars)
        if "kubernetes" in args["systems"]:
            for key in dict.fromkeys((place.kubeconfig, place.context) for place in places):
                yield "kubernetes", partial(_kubernetes_rights, *key)
        if "postgresql" in args["systems"]:
            for server in {place.cluster: place.server for place in places}.values():
                yield "postgresql", partial(access_rights.postgresql_rights, server)
        if "ledger" in args["systems"]:
            yield "ledger", lambda: access_rights.ledger_rights(args["ledger_trusted"])
        if "approvals" in args["systems"]:
            yield "approvals", lambda: access_rights.approval_rights(args["allowed_signers"], args["approver_groups"])

    def _places(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> list[Place]:
        """Where the tenants live; ChangeError when a system is to be read and an option that it needs is not given."""
        needs = {"kubernetes": "tenants", "postgresql": "tenants", "ledger": "ledger_trusted", "approvals": "allowed_signers"}
        lacking = [f"{needs[system]} (for {system})" for system in args["systems"] if not args[needs[system]]]
        if lacking:
            raise ChangeError(f"these options are not given: {', '.join(lacking)}. Give them, or leave the systems out.")
        if not args["tenants"] or not {"kubernetes", "postgresql"} & set(args["systems"]):
            return []
        return list(places_of(self.tenants(args["tenants"], task_vars), task_vars["hostvars"]).values())
