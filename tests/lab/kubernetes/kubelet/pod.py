"""One pod: its address, its folder, its containers in order, and the status that it reports."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.lab.kubernetes.kubelet.addresses import in_api
from tests.lab.kubernetes.kubelet.api import say
from tests.lab.kubernetes.kubelet.container import Container, now
from tests.lab.kubernetes.kubelet.environment import pod_fields
from tests.lab.kubernetes.kubelet.status import pod_status, terminated

if TYPE_CHECKING:
    from tests.lab.kubernetes.kubelet.node import Kubelet

Json = dict[str, Any]


class Pod:
    def __init__(self, kubelet: Kubelet, manifest: Json) -> None:
        self.kubelet, self.manifest = kubelet, manifest
        self.api, self.session, self.store = kubelet.api, kubelet.session, kubelet.store
        metadata, self.spec = manifest["metadata"], manifest["spec"]
        self.name, self.namespace, self.uid = metadata["name"], metadata["namespace"], metadata["uid"]
        self.policy = self.spec.get("restartPolicy", "Always")
        self.grace_s = float(self.spec.get("terminationGracePeriodSeconds", 30))
        before = manifest.get("status") or {}
        self.address = kubelet.addresses.keep(before.get("podIP", "")) or kubelet.addresses.take()
        self.host = kubelet.host(self.spec["nodeName"])
        self.folder = kubelet.pods / f"{self.namespace}_{self.name}_{self.uid}"
        self.scratch = self.folder / "data"
        self.started_at = before.get("startTime") or now()
        self.fields = pod_fields(manifest, address=self.address, host=self.host)
        self.given = {"POD_IP": self.address, "POD_DIR": str(self.scratch), "POD_UID": self.uid, **kubelet.mark}
        self.since: Json = {}
        self.dirty = asyncio.Event()
        init_policy = "Never" if self.policy == "Never" else "OnFailure"
        self.init = [self.container(spec, init_policy) for spec in self.spec.get("initContainers") or []]
        self.containers = [self.container(spec, self.policy) for spec in self.spec["containers"]]
        self.recall(before)
        self.task = asyncio.create_task(self.run())
        self.reporter = asyncio.create_task(self.report())
        self.terminator: asyncio.Task[None] | None = None
        self.grace_left = float("inf")

    def container(self, spec: Json, policy: str) -> Container:
        return Container(self, spec, policy=policy, changed=self.dirty.set)

    # -- life ----------------------------------------------------------------------------------------------------------
    def recall(self, before: Json) -> None:
        """What an earlier kubelet reported: restarts go on counting; conditions keep their times."""
        self.since = {c["type"]: (c["status"], c["lastTransitionTime"]) for c in before.get("conditions") or []}
        reported = {s["name"]: s for s in [*(before.get("containerStatuses") or []), *(before.get("initContainerStatuses") or [])]}
        for container in [*self.init, *self.containers]:
            status = reported.get(container.seen.name, {})
            container.seen.restarts = status.get("restartCount", 0)
            container.seen.last = status.get("lastState") or {}
            if (status.get("state") or {}).get("terminated"):
                container.seen.state = status["state"]
            elif container.marker.exists():
                container.seen.state = terminated(137, started=self.started_at, finished=now(), container_id=status.get("containerID", ""))

    async def run(self) -> None:
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.dirty.set()
        for container in self.init:
            if not await self.play(container):
                return
        await asyncio.gather(*(self.play(container) for container in self.containers))

    async def play(self, container: Container) -> bool:
        """Runs a container to its end; whether that end was good. One that must not run twice is not started twice."""
        end = container.seen.terminated
        if end and (container.policy == "Never" or (container.policy == "OnFailure" and end["exitCode"] == 0)):
            return bool(end["exitCode"] == 0)
        if end:
            container.seen.restarts += 1
        try:
            await container.run()
        except (aiohttp.ClientError, OSError) as exc:
            say("pod", self.namespace, self.name, container.seen.name, repr(exc))
            container.wait_because("CreateContainerError", str(exc))
        end = container.seen.terminated
        return bool(end and end["exitCode"] == 0)

    # -- report --------------------------------------------------------------------------------------------------------
    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def status(self) -> Json:
        seen = ([c.seen for c in self.containers], [c.seen for c in self.init])
        return pod_status(
            *seen, policy=self.policy, started=self.started_at, address=in_api(self.address), host=self.host, since=self.since, now=now()
        )

    async def report(self) -> None:
        """Writes the status after each change; changes that come while one is written go together."""
        while True:
            await self.dirty.wait()
            self.dirty.clear()
            if not await self.write_status():
                return

    async def write_status(self) -> bool:
        """False when there is nothing left to report to."""
        for attempt in range(20):
            try:
                return await self.api.patch(f"{self.path}/status", {"metadata": {"uid": self.uid}, "status": self.status()}) < 400
            except (aiohttp.ClientError, OSError, TimeoutError) as exc:
                say("status", self.namespace, self.name, repr(exc))
                await asyncio.sleep(min(0.2 * 2**attempt, 5))
        return False

    def event(self, kind: str, reason: str, message: str) -> None:
        self.kubelet.event(self.manifest, kind, reason, message)

    # -- end -----------------------------------------------------------------------------------------------------------
    def terminate(self, grace_s: float) -> None:
        """Begins to end the pod; a shorter grace than the one running now replaces it."""
        if grace_s >= self.grace_left:
            return
        self.grace_left = grace_s
        if self.terminator:
            self.terminator.cancel()
        self.terminator = asyncio.create_task(self.end(grace_s))

    async def end(self, grace_s: float) -> None:
        everything = [*self.init, *self.containers]
        await asyncio.gather(*(container.stop(grace_s) for container in everything))
        self.task.cancel()
        self.reporter.cancel()
        for container in everything:
            container.kill_group()
        if grace_s > 0:
            await self.write_status()
        await self.kubelet.gone(self)

    def forget(self) -> None:
        """Lets go of all that the pod holds; its logs stay."""
        self.task.cancel()
        self.reporter.cancel()
        for container in [*self.init, *self.containers]:
            container.kill_group()
        self.kubelet.addresses.give_back(self.address)
        shutil.rmtree(self.scratch, ignore_errors=True)
