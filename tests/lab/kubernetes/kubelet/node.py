"""The nodes: registered, kept alive, and given their pods."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.lab.kubernetes.kubelet.addresses import Addresses
from tests.lab.kubernetes.kubelet.api import NodeApi, say
from tests.lab.kubernetes.kubelet.container import now
from tests.lab.kubernetes.kubelet.pod import Pod
from tests.lab.site import MARK, Site

Json = dict[str, Any]
CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1000Gi"}
HEARTBEAT_S = 10.0
PODS = "/api/v1/pods"


class Kubelet:
    """All nodes of a lab in one process."""

    def __init__(self, api: NodeApi, *, nodes: list[str], store: Path, pods: Path) -> None:
        self.api, self.nodes, self.store, self.pods = api, nodes, store, pods
        self.addresses = Addresses()
        self.running: dict[str, Pod] = {}
        self.mark = {MARK: os.environ[MARK]}
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self.session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        self.background: set[asyncio.Task[Any]] = set()

    def host(self, node: str) -> str:
        return f"10.1.0.{self.nodes.index(node) + 1}"

    async def serve(self) -> None:
        end_leftovers(self.mark[MARK])
        for stop in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(stop, self.leave)
        self.spawn(self.beat())
        selector = "fieldSelector=spec.nodeName%21%3D"  # pods that have a node
        async for kind, found in self.api.watch(PODS, selector):
            if kind == "LIST":
                self.reconcile(found)
            else:
                self.handle(kind, found)

    def leave(self) -> None:
        """A node that goes down takes its containers along."""
        for pod in self.running.values():
            for container in [*pod.init, *pod.containers]:
                container.kill_group()
        os._exit(0)

    def spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    # -- pods ----------------------------------------------------------------------------------------------------------
    def reconcile(self, found: list[Json]) -> None:
        here = {pod["metadata"]["uid"] for pod in found}
        for uid in set(self.running) - here:
            self.handle("DELETED", self.running[uid].manifest)
        for pod in sorted(found, key=lambda p: "podIP" not in p.get("status", {})):  # those that have an address keep it
            self.handle("ADDED", pod)

    def handle(self, kind: str, pod: Json) -> None:
        metadata, uid = pod["metadata"], pod["metadata"]["uid"]
        if pod["spec"].get("nodeName") not in self.nodes:
            return
        mine = self.running.get(uid)
        if kind == "DELETED":
            if mine:
                mine.terminate(0)
            return
        if "deletionTimestamp" in metadata:
            if mine:
                mine.terminate(float(metadata.get("deletionGracePeriodSeconds") or 0))
            else:
                self.spawn(self.delete(pod))
        elif not mine and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            self.running[uid] = Pod(self, pod)

    async def gone(self, pod: Pod) -> None:
        """The pod's processes have ended: its object may go."""
        pod.forget()
        await self.delete(pod.manifest)
        self.running.pop(pod.uid, None)

    async def delete(self, pod: Json) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        for _dummy in range(60):
            try:
                status, _dummy = await self.api.call("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
                if status < 500:
                    return
            except (aiohttp.ClientError, OSError, TimeoutError) as exc:
                say("delete", path, repr(exc))
            await asyncio.sleep(0.5)

    def event(self, pod: Json, kind: str, reason: str, message: str) -> None:
        metadata = pod["metadata"]
        reference = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        }
        body = {
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": reference,
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": "kubelet", "host": pod["spec"]["nodeName"]},
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
        }
        self.spawn(self.send_event(f"/api/v1/namespaces/{metadata['namespace']}/events", body))

    async def send_event(self, path: str, body: Json) -> None:
        try:
            await self.api.call("POST", path, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            say("event", repr(exc))  # events are best effort, here as everywhere

    # -- nodes ---------------------------------------------------------------------------------------------------------
    async def beat(self) -> None:
        """Registers the nodes, then says again and again that they live."""
        known: set[str] = set()
        while True:
            try:
                for node in self.nodes:
                    if node not in known:
                        await self.register(node)
                        known.add(node)
                    await self.renew(node)
                await asyncio.sleep(HEARTBEAT_S)
            except (aiohttp.ClientError, OSError, TimeoutError) as exc:
                say("heartbeat:", repr(exc))
                await asyncio.sleep(0.5)

    async def register(self, node: str) -> None:
        labels = {"kubernetes.io/hostname": node, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        await self.api.call("POST", "/api/v1/nodes", {"metadata": {"name": node, "labels": labels}})
        spec = {"holderIdentity": node, "leaseDurationSeconds": 40}
        await self.api.call(
            "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {"metadata": {"name": node}, "spec": spec}
        )
        await self.renew(node)
        await self.api.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": None}})  # "not ready", from before the first heartbeat

    async def renew(self, node: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        await self.api.patch(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}", {"spec": {"renewTime": stamp}})
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
            "lastHeartbeatTime": now(),
        }
        addresses = [{"type": "InternalIP", "address": self.host(node)}, {"type": "Hostname", "address": node}]
        status = {
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "addresses": addresses,
            "conditions": [{**ready, "lastTransitionTime": now()}],
        }
        if await self.api.patch(f"/api/v1/nodes/{node}/status", {"status": status}) == 404:
            raise aiohttp.ClientError(f"node {node} is not registered")


def end_leftovers(root: str) -> None:
    """Ends what a kubelet that was killed left running: the lab's processes that carry a pod's mark."""
    for pid in Site(Path(root)).processes():
        try:
            if b"\0POD_UID=" in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(pid, signal.SIGKILL)
        except (OSError, ProcessLookupError):
            continue
