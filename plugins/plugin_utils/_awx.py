# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option awx of change_approve and change_guard. Documented in the doc fragment of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_approval import AwxSetup, parse_users
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import awx

AWX_SPEC: dict[str, dict[str, Any]] = {
    "awx": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "token": {"type": "str", "required": True, "no_log": True},
            "ca_file": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "timeout_s": {"type": "int", "default": 10},
            "workflow_job": {"type": "int"},
            "workflow_templates": {"type": "list", "elements": "str", "required": True},
            "plan_node": {"type": "str", "default": "plan"},
            "approval_nodes": {"type": "list", "elements": "str", "default": ["approve"]},
            "users": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "id": {"type": "int", "required": True},
                    "username": {"type": "str", "required": True},
                    "person": {"type": "str", "required": True},
                },
            },
        },
    },
}


def setup_of(given: Mapping[str, Any] | None) -> AwxSetup | None:
    """Which workflows, nodes and users count; None when AWX is not given."""
    if not given:
        return None
    try:
        users = parse_users(given["users"])
    except ValueError as exc:
        raise ChangeError(f"awx.users: {exc}") from exc
    nodes = tuple(dict.fromkeys(given["approval_nodes"]))
    return AwxSetup(tuple(given["workflow_templates"]), given["plan_node"], nodes, users)


def read_approvals(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What AWX says of the workflow job; None when there is none to ask about."""
    job = awx.running_job()
    if not given or (job is None and given["workflow_job"] is None):
        return None
    asked = {"plan_node": given["plan_node"], "approval_nodes": given["approval_nodes"]}
    return awx.read_workflow(_client(given), workflow_job=given["workflow_job"], job=job, **asked)


def read_launchers(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Only who launched what runs now; None outside of AWX."""
    job = awx.running_job()
    if not given or job is None:
        return None
    client = _client(given)
    try:
        return {"launchers": awx.read_launchers(client, job)}
    except awx.AwxError as exc:
        return {"launchers": None, "problem": {"code": exc.code, "seen": str(exc)}}


def _client(given: Mapping[str, Any]) -> awx.AwxClient:
    to = {key: given[key] for key in ("url", "token", "ca_file", "validate_certs", "timeout_s")}
    return awx.AwxClient(awx.Connection(**to))
