# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tenants a difference has an effect on: its own tenant's, or everyone's behind an object that tenants share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

# Objects that stand for a PostgreSQL cluster: their name is the cluster's, which is the tenant's backup stanza.
CLUSTERS = ("Cluster", "PostgresCluster", "PostgresqlCluster", "postgresql")


@dataclass(frozen=True)
class Placed:
    """Where a tenant lives: its tier, its namespace, its PostgreSQL cluster, its inventory groups."""

    name: str
    tier: str
    namespace: str
    stanza: str
    groups: Sequence[str] = ()


def behind(obj: Mapping[str, Any], tenants: Sequence[Placed]) -> list[str]:
    """The tenants that one Kubernetes object serves. An object that is no tenant's own is behind all of them."""
    name, namespace = obj["metadata"].get("name"), obj["metadata"].get("namespace")
    place = name if obj["kind"] == "Namespace" else namespace
    own = [t.name for t in tenants if t.namespace and t.namespace == place]
    if own:
        return sorted(own)
    cluster = [t.name for t in tenants if obj["kind"] in CLUSTERS and t.stanza == name]
    return sorted(cluster or [t.name for t in tenants])


def shared(obj: Mapping[str, Any], tenants: Sequence[Placed]) -> bool:
    """Whether the object is no single tenant's own."""
    place = obj["metadata"].get("name") if obj["kind"] == "Namespace" else obj["metadata"].get("namespace")
    return sum(1 for t in tenants if t.namespace and t.namespace == place) != 1


def by_objects(objects: Iterable[Mapping[str, Any]], tenants: Sequence[Placed]) -> list[str]:
    """The tenants that a set of differing objects has an effect on, by name."""
    return sorted({name for obj in objects for name in behind(obj, tenants)})


def by_setting(path: str, tenants: Sequence[Placed]) -> list[str]:
    """The tenants that a file sets something for: ``host_vars/NAME…``, ``group_vars/GROUP…``, ``postgresql/STANZA…``.

    A file of ``postgresql/`` that bears no cluster's name is everyone's; one outside of these folders nobody's.
    """
    folders = path.split("/")
    found: set[str] = set()
    for folder, following in pairwise(folders):
        name = following.partition(".")[0]
        if folder == "host_vars":
            found |= {t.name for t in tenants if t.name in (name, following)}
        elif folder == "group_vars":
            found |= {t.name for t in tenants if name == "all" or {name, following} & set(t.groups)}
        elif folder == "postgresql":
            found |= {t.name for t in tenants if t.stanza == name} or {t.name for t in tenants}
    return sorted(found)
