# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the rights that there are: in Kubernetes, in PostgreSQL, in the files of those who sign and approve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.access import Right, of_binding, of_postgresql, of_role
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ssh_format import signers_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.approver_groups import read_groups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server, connect
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import load_trust

RBAC = "rbac.authorization.k8s.io/v1"
# The roles of PostgreSQL itself are the same everywhere; who is a member of them is read.
ROLES = """
SELECT r.rolname, array_remove(ARRAY[
    CASE WHEN r.rolcanlogin THEN 'login' END, CASE WHEN r.rolsuper THEN 'superuser' END,
    CASE WHEN r.rolcreaterole THEN 'createrole' END, CASE WHEN r.rolcreatedb THEN 'createdb' END,
    CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END], NULL),
  coalesce((SELECT jsonb_agg(jsonb_build_array(g.rolname, m.admin_option) ORDER BY g.rolname)
     FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '[]')
FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1
"""


class AccessError(ChangeError):
    """A file of those who may sign or approve cannot be read."""


def kubernetes_rights(kube: Kube) -> list[Right]:
    """What every binding gives, and what every bound role lets its people do."""
    bindings = [live for kind in ("RoleBinding", "ClusterRoleBinding") for live in kube.list(RBAC, kind)]
    roles = [live for kind in ("Role", "ClusterRole") for live in kube.list(RBAC, kind)]
    bound = {_role_of(live) for live in bindings}
    rights = [right for live in bindings for right in of_binding(live)]
    return rights + [right for live in roles if _named(live) in bound for right in of_role(live)]


def _role_of(binding: dict[str, Any]) -> tuple[str, str, str]:
    ref = binding["roleRef"]
    return ref["kind"], str(binding["metadata"].get("namespace") or "") if ref["kind"] == "Role" else "", ref["name"]


def _named(role: dict[str, Any]) -> tuple[str, str, str]:
    return role["kind"], str(role["metadata"].get("namespace") or ""), role["metadata"]["name"]


def postgresql_rights(server: Server) -> list[Right]:
    where = f"{server.host}:{server.port}"
    with connect(server, read_only=True) as admin:
        rows = admin.execute(ROLES).fetchall()
    return [right for role, attributes, groups in rows for right in of_postgresql(where, role, attributes, groups)]


def ledger_rights(trusted: str) -> list[Right]:
    """The keys whose signatures on the ledger are believed."""
    return [Right("ledger", "trusted", keyid, "sign") for keyid in load_trust(trusted).keys]


def approval_rights(allowed_signers: str, groups: Any) -> list[Right]:
    """Who may sign approvals with which key, and who is in which group."""
    try:
        named = signers_of(Path(allowed_signers).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise AccessError(f"{allowed_signers} cannot be read ({exc}). Name a readable allowed_signers file.") from exc
    signers = [Right("approvals", "allowed_signers", name, f"sign with {key}") for name, key in named]
    members = [Right("approvals", "groups", name, group) for group, names in read_groups(groups).items() for name in names]
    return [*signers, *members]
