"""Kubernetes: a real control plane with RBAC; nodes are a process that runs each pod as local processes.

Clients talk to a proxy in front of the API server. It offers the current versions of the APIs when the control plane is
older, shows the addresses on which pods really answer, and counts what each caller writes (``<server>/lab/writes``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.lab.kubernetes import manifests
from tests.lab.kubernetes.api import Api
from tests.lab.kubernetes.binaries import Binaries, binaries
from tests.lab.kubernetes.control_plane import COMPONENTS, Cluster
from tests.lab.site import LabError, Site, wait_for

NEEDS: tuple[str, ...] = ()

PROCESSES = ("etcd", "kube-apiserver", *COMPONENTS, "api-proxy", "kubelet")
REPOSITORY = Path(__file__).resolve().parents[3]
REGISTRY = "registry.lab/odoo"
NODES = ("node-1", "node-2")
COLLECTIONS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


def up(site: Site) -> None:
    if site.has("kubernetes") and healthy(site):
        return
    kit = binaries()
    cluster = Cluster.of(site)
    cluster.write_files()
    for name in ("etcd", "kube-apiserver"):
        cluster.start(name, kit)
    start_proxy(cluster, kit)
    api = Api(cluster.server, cluster.tokens["lab-admin"], str(cluster.ca))
    wait_for(lambda: api.call("GET", "/readyz")[0] == 200, what=f"kube-apiserver, see {site.root}/log/kube-apiserver.log")
    for name in COMPONENTS:
        cluster.start(name, kit)
    start_kubelet(cluster)
    for manifest in manifests.everything():
        api.apply(COLLECTIONS[manifest["kind"]], manifest)
    wait_for(lambda: serves(cluster, api), what=f"nodes, controllers and proxy, see {site.root}/log")
    site.publish("kubernetes", facts(cluster, kit))


def facts(cluster: Cluster, kit: Binaries) -> dict[str, object]:
    return {
        "server": cluster.proxy,
        "api": cluster.server,
        "ca": str(cluster.ca),
        "version": f"1.{kit.minor}",
        "kubeconfig": str(cluster.kubeconfig(manifests.OPERATOR)),
        "admin_kubeconfig": str(cluster.kubeconfig("lab-admin")),
        "operator": manifests.OPERATOR,
        "registry": REGISTRY,
        "store": str(cluster.site.folder("store")),
        "pods": str(cluster.site.folder("pods")),
        "writes": f"{cluster.proxy}/lab/writes",
    }


def start_proxy(cluster: Cluster, kit: Binaries) -> None:
    """The proxy has no rights of its own: it hands each caller's token on."""
    if cluster.site.pid("api-proxy") is None:
        module = [sys.executable, "-m", "tests.lab.kubernetes.api_translator"]
        settings = [f"--server={cluster.server}", f"--ca={cluster.ca}", f"--port={cluster.ports['proxy']}", f"--minor={kit.minor}"]
        cluster.site.spawn("api-proxy", [*module, *settings, f"--users={cluster.folder / 'tokens.json'}"], cwd=REPOSITORY)


def start_kubelet(cluster: Cluster) -> None:
    site = cluster.site
    if site.pid("kubelet") is None:
        folders = [f"--store={site.folder('store')}", f"--pods={site.folder('pods')}"]
        module = [sys.executable, "-m", "tests.lab.kubernetes.kubelet"]
        site.spawn("kubelet", [*module, f"--kubeconfig={cluster.kubeconfig('lab-kubelet')}", *folders, *NODES], cwd=REPOSITORY)


def serves(cluster: Cluster, api: Api) -> bool:
    """Pods can be placed now: the namespace has its account, the nodes are ready, and the proxy answers. Raises with what is missing."""
    api.get("/api/v1/namespaces/default/serviceaccounts/default")
    ready = {n["metadata"]["name"] for n in api.get("/api/v1/nodes")["items"] if is_ready(n) and not n["spec"].get("taints")}
    if missing := set(NODES) - ready:
        raise LabError(f"nodes {', '.join(sorted(missing))} are not ready: see {cluster.site.root}/log/kubelet.log")
    Api(cluster.proxy, cluster.tokens["lab-admin"]).get("/apis/discovery.k8s.io/v1")
    return True


def is_ready(node: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", []))


def healthy(site: Site) -> bool:
    try:
        health(site)
    except (LabError, OSError):
        return False
    return True


def health(site: Site) -> str:
    running = site.facts("kubernetes")
    if dead := [name for name in PROCESSES if site.pid(name) is None]:
        raise LabError(f"{', '.join(dead)} of Kubernetes does not run: see {site.root}/log, then ./dev lab up")
    cluster = Cluster.of(site)
    api = Api(cluster.server, cluster.tokens["lab-admin"], str(cluster.ca))
    serves(cluster, api)
    pods = api.get("/api/v1/pods?fieldSelector=status.phase=Running")["items"]
    return f"{running['server']} ({running['version']}, RBAC), {len(NODES)} nodes, {len(pods)} pods running"
