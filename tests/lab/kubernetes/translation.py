"""Which API versions a newer client speaks and an older server does not know, and how one becomes the other.

Everything here is pure. "Up" is from the server to the client, "down" from the client to the server. Bodies are changed
in place: they were parsed for this and nobody else holds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """``group/new`` is served since Kubernetes 1.``since``; before, its resources are those of ``group/old``."""

    group: str
    new: str
    old: str
    since: int
    resources: dict[str, str]

    def version(self, *, up: bool) -> str:
        return f"{self.group}/{self.new if up else self.old}"

    def swap(self, version: object, *, up: bool) -> object:
        """The other name of an apiVersion when it is one of ours."""
        return self.version(up=up) if version == self.version(up=not up) else version


RULES = (
    Rule("discovery.k8s.io", "v1", "v1beta1", 21, {"endpointslices": "EndpointSlice"}),
    Rule("policy", "v1", "v1beta1", 21, {"poddisruptionbudgets": "PodDisruptionBudget"}),
    Rule("batch", "v1", "v1beta1", 21, {"cronjobs": "CronJob"}),
    Rule("autoscaling", "v2", "v2beta2", 23, {"horizontalpodautoscalers": "HorizontalPodAutoscaler"}),
)
EVICTION = Rule("policy", "v1", "v1beta1", 22, {})
PROTOCOL_DEFAULT_SINCE = 22
SLICES = "EndpointSlice"
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
#: Fields an old server refuses or forgets. They have no effect there.
UNKNOWN_BEFORE = {"CronJob": (24, "timeZone"), "PodDisruptionBudget": (26, "unhealthyPodEvictionPolicy")}


@dataclass(frozen=True)
class Route:
    """One request: the path to ask the server for, the rule when versions differ, and the kind its bodies hold."""

    path: str
    kind: str | None = None
    rule: Rule | None = None


class Translator:
    """The rules that a server of Kubernetes 1.``minor`` needs."""

    def __init__(self, minor: int) -> None:
        self.minor = minor
        self.rules = {(rule.group, rule.new): rule for rule in RULES if minor < rule.since}

    # -- paths -----------------------------------------------------------------------------------------------------------
    def route(self, path: str) -> Route:
        parts = path.split("/")
        if parts[1:2] == ["api"] and parts[-1] == "eviction" and self.minor < EVICTION.since:
            return Route(path, "Eviction", EVICTION)
        if parts[1:2] != ["apis"] or len(parts) < 5:
            return Route(path)
        group, version = parts[2:4]
        resource = parts[6] if parts[4] == "namespaces" and len(parts) > 6 else parts[4]
        rule = self.rules.get((group, version))
        if rule and resource in rule.resources:
            return Route("/".join([*parts[:3], rule.old, *parts[4:]]), rule.resources[resource], rule)
        return Route(path, SLICES) if (group, resource) == ("discovery.k8s.io", "endpointslices") else Route(path)

    # -- discovery ---------------------------------------------------------------------------------------------------------
    def in_discovery(self, path: str) -> bool:
        """Whether the answer under this path must name versions that the server does not."""
        parts = path.strip("/").split("/")
        if parts[0] != "apis" or len(parts) > 3:
            return False
        return bool(self.rules) if len(parts) == 1 else any(parts[1:] == [g, v][: len(parts) - 1] for g, v in self.rules)

    def add_versions(self, document: Json) -> Json:
        """The new versions in an APIGroupList or an APIGroup."""
        for group in document.get("groups", [document]):
            for rule in self.rules.values():
                versions = group.get("versions", [])
                if rule.group == group.get("name") and rule.new not in [v["version"] for v in versions]:
                    entry = {"groupVersion": rule.version(up=True), "version": rule.new}
                    versions.insert(0, entry)
                    group["preferredVersion"] = entry
        return document

    def add_resources(self, group: str, version: str, new: Json | None, old: Json) -> Json:
        """The APIResourceList of a version: what the server has under it, and what it has under the old name."""
        rule = self.rules[(group, version)]
        empty: Json = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": rule.version(up=True), "resources": []}
        document = new or empty
        have = {r["name"] for r in document["resources"]}
        moved = [r for r in old.get("resources", []) if r["name"].split("/")[0] in rule.resources and r["name"] not in have]
        document["resources"] = [*document["resources"], *moved]
        return document

    def completes(self, content_type: str) -> bool:
        """Whether a body of this type needs :func:`with_protocols`."""
        return self.minor < PROTOCOL_DEFAULT_SINCE and "apply-patch" in content_type

    # -- bodies ------------------------------------------------------------------------------------------------------------
    def body(self, document: Any, route: Route, *, up: bool) -> Any:
        """An object, a list of objects, or neither (a Status, a Table), as the other side wants it."""
        if not isinstance(document, dict) or route.kind is None:
            return document
        kind = document.get("kind") or route.kind
        if kind == f"{route.kind}List":
            for item in document.get("items") or []:
                self.one(item, route, up=up)
        elif kind == route.kind:
            self.one(document, route, up=up)
        if route.rule and "apiVersion" in document:
            document["apiVersion"] = route.rule.swap(document["apiVersion"], up=up)
        return document

    def one(self, item: Json, route: Route, *, up: bool) -> None:
        if route.rule:
            metadata = item.get("metadata") or {}
            for field in metadata.get("managedFields") or []:
                field["apiVersion"] = route.rule.swap(field.get("apiVersion"), up=up)
            if "apiVersion" in item:
                item["apiVersion"] = route.rule.swap(item["apiVersion"], up=up)
            since, name = UNKNOWN_BEFORE.get(str(route.kind), (0, ""))
            if not up and self.minor < since:
                (item.get("spec") or {}).pop(name, None)
        if route.kind == SLICES:
            for endpoint in item.get("endpoints") or []:
                if route.rule:
                    (newer_endpoint if up else older_endpoint)(endpoint)
                endpoint["addresses"] = [local_address(a) if up else pod_address(a) for a in endpoint.get("addresses") or []]


def with_protocols(document: Any) -> Any:
    """Server-side apply of old servers wants the protocol of every port; newer ones fill in TCP by themselves."""
    if isinstance(document, dict):
        spec = document.get("spec")
        lists = [document.get("ports"), spec.get("ports") if document.get("kind") == "Service" and isinstance(spec, dict) else None]
        for port in (port for ports in lists if isinstance(ports, list) for port in ports if isinstance(port, dict)):
            if "containerPort" in port or document.get("kind") == "Service":
                port.setdefault("protocol", "TCP")
        for value in document.values():
            with_protocols(value)
    elif isinstance(document, list):
        for value in document:
            with_protocols(value)
    return document


def newer_endpoint(endpoint: Json) -> None:
    """v1beta1 keeps node and zone in a map and knows only one condition."""
    topology = endpoint.pop("topology", None) or {}
    if HOSTNAME in topology:
        endpoint.setdefault("nodeName", topology[HOSTNAME])
    if ZONE in topology:
        endpoint["zone"] = topology[ZONE]
    conditions = endpoint.setdefault("conditions", {})
    conditions.setdefault("serving", conditions.get("ready", True))
    conditions.setdefault("terminating", False)


def older_endpoint(endpoint: Json) -> None:
    given = ((HOSTNAME, endpoint.pop("nodeName", None)), (ZONE, endpoint.pop("zone", None)))
    topology = {**(endpoint.pop("deprecatedTopology", None) or {}), **{key: value for key, value in given if value}}
    if topology:
        endpoint["topology"] = topology
    for name in ("serving", "terminating"):
        (endpoint.get("conditions") or {}).pop(name, None)


def local_address(address: str) -> str:
    """Pods answer on loopback addresses, which Kubernetes refuses in endpoints: 10.244.x.y stands for 127.244.x.y."""
    return f"127.{address[3:]}" if address.startswith("10.244.") else address


def pod_address(address: str) -> str:
    return f"10.{address[4:]}" if address.startswith("127.244.") else address
