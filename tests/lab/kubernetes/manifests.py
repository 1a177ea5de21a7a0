"""What the lab puts into the cluster itself: rights of its users and Traefik's resource definitions."""

from __future__ import annotations

from typing import Any

OPERATOR, TRAEFIK = "odoo-ops", "traefik"
ALL = ["get", "list", "watch", "create", "update", "patch", "delete"]
READ = ["get", "list", "watch"]

#: What hosting needs, and no more: group, resources, verbs.
OPERATOR_RULES: list[tuple[str, list[str], list[str]]] = [
    ("", ["namespaces", "secrets", "configmaps", "services", "serviceaccounts", "resourcequotas", "limitranges"], ALL),
    ("", ["pods"], [*READ, "delete"]),
    ("", ["pods/eviction"], ["create"]),
    ("", ["pods/log", "events"], READ),
    ("apps", ["deployments"], ALL),
    ("apps", ["replicasets"], READ),
    ("batch", ["jobs", "cronjobs"], ALL),
    ("policy", ["poddisruptionbudgets"], ALL),
    ("networking.k8s.io", ["networkpolicies"], ALL),
    ("traefik.io", ["ingressroutes", "traefikservices", "middlewares"], ALL),
    ("rbac.authorization.k8s.io", ["roles", "rolebindings"], ALL),
    ("discovery.k8s.io", ["endpointslices"], READ),
]

TRAEFIK_RULES: list[tuple[str, list[str], list[str]]] = [
    ("", ["services", "secrets", "configmaps", "nodes", "namespaces"], READ),
    ("discovery.k8s.io", ["endpointslices"], READ),
    ("networking.k8s.io", ["ingressclasses"], READ),
    ("traefik.io", ["*"], READ),
]

TRAEFIK_KINDS = {
    "IngressRoute": "ingressroutes",
    "IngressRouteTCP": "ingressroutetcps",
    "IngressRouteUDP": "ingressrouteudps",
    "Middleware": "middlewares",
    "MiddlewareTCP": "middlewaretcps",
    "TraefikService": "traefikservices",
    "TLSOption": "tlsoptions",
    "TLSStore": "tlsstores",
    "ServersTransport": "serverstransports",
    "ServersTransportTCP": "serverstransporttcps",
}


def rights(user: str, rules: list[tuple[str, list[str], list[str]]]) -> list[dict[str, Any]]:
    """A ClusterRole of these rules, bound to the user of the same name."""
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": user}}
    binding = {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user}}
    return [
        {**role, "rules": [{"apiGroups": [g], "resources": resources, "verbs": verbs} for g, resources, verbs in rules]},
        {
            **binding,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    ]


def definition(kind: str, plural: str) -> dict[str, Any]:
    """A definition that takes any spec: the real ones are in no package, and it is Traefik that reads them."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": free}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.traefik.io"},
        "spec": {
            "group": "traefik.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }


def everything() -> list[dict[str, Any]]:
    definitions = [definition(kind, plural) for kind, plural in TRAEFIK_KINDS.items()]
    return [*rights(OPERATOR, OPERATOR_RULES), *rights(TRAEFIK, TRAEFIK_RULES), *definitions]
