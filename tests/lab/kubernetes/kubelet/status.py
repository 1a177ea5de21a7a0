"""What a kubelet reports: container statuses, conditions and the phase of a pod. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


NOT_BEGUN: Json = {"waiting": {"reason": "PodInitializing"}}


@dataclass
class ContainerState:
    """One container as the outside sees it. ``state`` has one key: waiting, running or terminated."""

    name: str
    image: str
    image_id: str = ""
    container_id: str = ""
    state: Json = field(default_factory=lambda: dict(NOT_BEGUN))
    last: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False

    @property
    def terminated(self) -> Json | None:
        return self.state.get("terminated")

    def status(self) -> Json:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "containerID": self.container_id,
            "state": self.state,
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }


def terminated(code: int, *, started: str, finished: str, container_id: str, message: str = "") -> Json:
    """``code`` as the operating system gives it: negative for a signal."""
    code = code if code >= 0 else 128 - code
    reason = "Completed" if code == 0 else "Error"
    end = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": finished, "containerID": container_id}
    return {"terminated": {**end, **({"message": message} if message else {})}}


def phase(containers: Sequence[ContainerState], init: Sequence[ContainerState], policy: str) -> str:
    if policy == "Never" and any(c.terminated and c.terminated["exitCode"] for c in init):
        return "Failed"
    if not all(c.terminated and c.terminated["exitCode"] == 0 for c in init):
        return "Pending"
    if policy != "Always" and all(c.terminated for c in containers):
        codes = [c.terminated["exitCode"] for c in containers if c.terminated]
        if not any(codes):
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    began = any("running" in c.state or c.terminated or c.last for c in containers)
    return "Running" if began else "Pending"


def pod_status(
    containers: Sequence[ContainerState],
    init: Sequence[ContainerState],
    *,
    policy: str,
    started: str,
    address: str,
    host: str,
    since: Json,
    now: str,
) -> Json:
    """The status to report. ``since`` remembers when each condition last changed; it is brought up to date."""
    now_phase = phase(containers, init, policy)
    initialized = all(c.terminated and c.terminated["exitCode"] == 0 for c in init)
    unready = [c.name for c in containers if not c.ready]
    why: Json = {}
    if now_phase == "Succeeded":
        why = {"reason": "PodCompleted"}
    elif unready:
        why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    conditions = [
        condition("Initialized", initialized, {} if initialized else {"reason": "ContainersNotInitialized"}, since, now),
        condition("Ready", not unready, why, since, now),
        condition("ContainersReady", not unready, why, since, now),
        condition("PodScheduled", True, {}, since, now),
    ]
    return {
        "phase": now_phase,
        "conditions": conditions,
        "hostIP": host,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
        "containerStatuses": [c.status() for c in containers],
        **({"initContainerStatuses": [c.status() for c in init]} if init else {}),
    }


def condition(kind: str, holds: bool, why: Json, since: Json, now: str) -> Json:
    value = "True" if holds else "False"
    if since.get(kind, ("", ""))[0] != value:
        since[kind] = (value, now)
    return {"type": kind, "status": value, "lastProbeTime": None, "lastTransitionTime": since[kind][1], **why}
