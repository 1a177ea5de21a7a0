# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a break-glass grant takes effect: the clusters of the tenants, looked at, granted on, cleared."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import break_glass as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass import Found
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass_role import WantedRole
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import kube_access, passfile, postgres_access
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import MANAGER, Kube, KubeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube_apply import Options, Outcome, apply_all
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import PostgresError, Server

Where = Union[Server, tuple[Kube, Ref]]  # noqa: UP007 - an alias is evaluated, and hosts may have Python 3.9
"""Where something was found: the cluster of a role; an object of Kubernetes."""

NEEDED = (
    "tenant_database_host",
    "tenant_database_name",
    "tenant_database_owner",
    "tenant_database_admin_user",
    "tenant_namespace",
    "tenant_kubeconfig",
)


@dataclass(frozen=True)
class Place:
    """Where one tenant lives, as its inventory says."""

    server: Server
    database: str
    owner: str
    kubeconfig: str
    context: str | None
    namespace: str

    @property
    def cluster(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    def asked(self) -> dict[str, str]:
        """What of it belongs into a request: nothing secret, and nothing that differs between controllers."""
        return {"cluster": self.cluster, "database": self.database, "owner": self.owner, "namespace": self.namespace}


@dataclass
class Taken:
    """What was taken away."""

    removed: list[str] = field(default_factory=list)
    sessions: int = 0
    given: list[str] = field(default_factory=list)


def places_of(names: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Place]:
    """The tenants' places; ChangeError with everything that the inventory lacks."""
    found, errors = {}, []
    for name in names:
        variables = hostvars[name] if name in hostvars else {}  # noqa: SIM401 - Ansible's hostvars answer get() for anybody
        lacking = [key for key in NEEDED if not variables.get(key)]
        if lacking:
            errors.append(f"tenant {name}: the inventory does not set {', '.join(lacking)}")
            continue
        server = Server(
            str(variables["tenant_database_host"]),
            int(variables.get("tenant_database_port") or 5432),
            str(variables["tenant_database_admin_user"]),
            variables.get("tenant_database_admin_password"),
        )
        rest = [str(variables[key]) for key in ("tenant_database_name", "tenant_database_owner", "tenant_kubeconfig")]
        found[name] = Place(server, *rest, variables.get("tenant_context") or None, str(variables["tenant_namespace"]))
    if errors:
        raise ChangeError(f"{'; '.join(errors)}. Set them in host_vars or group_vars; nothing was changed.")
    return found


class World:
    """The clusters of some tenants. Connections to Kubernetes are kept for the task."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.places = places
        self.servers = {place.cluster: place.server for place in places.values()}
        self._kubes: dict[tuple[str, str | None], Kube] = {}

    def kube(self, place: Place) -> Kube:
        key = place.kubeconfig, place.context
        if key not in self._kubes:
            self._kubes[key] = Kube.connect(*key)
        return self._kubes[key]

    # -- granting --------------------------------------------------------------------------------------------------------
    def wanted_roles(self, grant: str, request: Mapping[str, Any], until: dt.datetime) -> list[tuple[Server, WantedRole]]:
        """One role for each cluster; none when no rights in PostgreSQL are asked for."""
        if request["postgresql"] == "none":
            return []
        name, rights, limit = core.role_name(grant), request["postgresql"], int(request["connections"])
        return [
            (server, WantedRole(name, grant, until, owners_of(request, cluster), rights, limit)) for cluster, server in self.servers.items()
        ]

    def apply_objects(self, grant: str, request: Mapping[str, Any], until: dt.datetime, *, check: bool) -> list[str]:
        """The Roles and RoleBindings; with ``check`` the server is asked and nothing is written. What differs, in words."""
        if not request["kubernetes"]:
            return []
        outcome, options = Outcome(), Options(MANAGER, force=True, check=check, salt=secrets.token_hex(8))
        for place in self.places.values():
            objects = core.rbac_objects(grant, place.namespace, request["kubernetes"], request["kubernetes_user"], until)
            apply_all(self.kube(place), objects, outcome, options)
        return [*outcome.created, *outcome.changed]

    def differences(self, grant: str, request: Mapping[str, Any], until: dt.datetime, password_file: Path) -> list[str]:
        """What would be made or put right. Asks every cluster, so that one that refuses stops the run before anything is granted."""
        roles = self.wanted_roles(grant, request, until)
        password = passfile.read_password(password_file, core.role_name(grant)) if roles else None
        found = [text for server, wanted in roles for text in postgres_access.role_differences(server, wanted, password)]
        return [*found, *self.apply_objects(grant, request, until, check=True)]

    def give(self, grant: str, request: Mapping[str, Any], until: dt.datetime, password_file: Path) -> None:
        """Makes the grant what it is wanted to be. The password is in its file before a role has it."""
        roles = self.wanted_roles(grant, request, until)
        if roles:
            name = core.role_name(grant)
            password = passfile.read_password(password_file, name) or secrets.token_urlsafe(32)
            logins = [passfile.Login(s.host, s.port, database, name) for s, wanted in roles for database in wanted.databases]
            passfile.write_password(password_file, logins, password)
            for server, wanted in roles:
                postgres_access.grant_role(server, wanted, password)
        self.apply_objects(grant, request, until, check=False)

    def statement_logs(self) -> list[dict[str, Any]]:
        return [postgres_access.statement_log(server) for server in self.servers.values()]

    # -- looking and taking away -----------------------------------------------------------------------------------------
    def found(self, grant: str | None = None) -> tuple[list[tuple[Found, Where]], list[Check]]:
        """What bears the mark of break-glass (or of one grant), and a check for every cluster that gave no answer."""
        seen: list[tuple[Found, Where]] = []
        untold: list[Check] = []
        for cluster, server in self.servers.items():
            try:
                seen += [(found, server) for found in postgres_access.found_roles(server) if grant in (None, found.id)]
            except PostgresError as exc:
                untold.append(_untold(cluster, exc))
        for place in {(p.kubeconfig, p.context): p for p in self.places.values()}.values():
            try:
                kube = self.kube(place)
                spaces = [p.namespace for p in self.places.values() if (p.kubeconfig, p.context) == (place.kubeconfig, place.context)]
                objects = kube_access.objects_of(kube, grant, spaces) if grant else kube_access.found_objects(kube)
                seen += [(found, (kube, ref)) for found, ref in objects]
            except KubeError as exc:
                untold.append(_untold(place.kubeconfig, exc))
        return seen, untold

    def take_away(self, seen: Iterable[tuple[Found, Where]], request: Mapping[str, Any] | None) -> Taken:
        """Ends all that was found: objects of Kubernetes first, then roles with their sessions."""
        taken, roles = Taken(), []
        for found, where in seen:
            if isinstance(where, Server):
                roles.append((found, where))
            else:
                taken.removed += kube_access.remove_objects(where[0], [where[1]])
        for found, server in roles:
            owners = owners_of(request, f"{server.host}:{server.port}") if request else {}
            done = postgres_access.remove_role(server, found.what.split()[1], owners)
            taken.removed += [found.what] if done.role else []
            taken.sessions += done.sessions
            taken.given += done.given
        return taken


def owners_of(request: Mapping[str, Any], cluster: str) -> dict[str, str]:
    """Database -> owner, of the request's tenants on one cluster."""
    return {t["database"]: t["owner"] for t in request["tenants"].values() if t["cluster"] == cluster}


def _untold(where: str, exc: ChangeError) -> Check:
    return unknown(f"break_glass_{where}", str(exc), hint="Look at that cluster; run this again when it answers.", code="NOT_ASKED")
