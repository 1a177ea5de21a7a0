# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an object has become what was asked for: done, waiting, or failed with the reason that people need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DONE, WAITING, FAILED = "done", "waiting", "failed"
# Reasons that do not pass by waiting: somebody must change something.
STUCK = {
    "CrashLoopBackOff": "The release does not start. Read the pod's log and choose a release that starts.",
    "ImagePullBackOff": "The image cannot be had. Check that the digest is in the registry and that the pull secret is right.",
    "ErrImagePull": "The image cannot be had. Check that the digest is in the registry and that the pull secret is right.",
    "InvalidImageName": "The image reference is not valid. Write registry/name@sha256:digest.",
    "CreateContainerConfigError": "The pod names a Secret or ConfigMap key that is not there. Check its references.",
    "CreateContainerError": "The container cannot be made. Check its command and mounts.",
    "RunContainerError": "The container cannot be run. Check its command and mounts.",
}
WAITABLE = ("Deployment", "StatefulSet", "Job", "Namespace")


@dataclass(frozen=True)
class Readiness:
    """``state`` is done, waiting or failed; ``reason`` a stable word; ``message`` what was seen; ``hint`` what to do."""

    state: str
    reason: str = ""
    message: str = ""
    hint: str = ""


def readiness(obj: Mapping[str, Any], pods: Sequence[Mapping[str, Any]] = ()) -> Readiness:
    """How far a live object is. ``pods`` are those of its present revision. Kinds without a notion of ready are done when they exist."""
    decide = {"Deployment": deployment, "StatefulSet": stateful_set, "Job": job}.get(obj["kind"])
    if decide:
        return decide(obj, pods)
    return namespace(obj) if obj["kind"] == "Namespace" else Readiness(DONE)


def deployment(obj: Mapping[str, Any], pods: Sequence[Mapping[str, Any]] = ()) -> Readiness:
    status, wanted = obj.get("status") or {}, _replicas(obj)
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return Readiness(WAITING, "NotObserved", "the controller has not seen this version yet")
    counts = {key: status.get(key) or 0 for key in ("updatedReplicas", "availableReplicas", "replicas")}
    if wanted == 0:  # whatever is wrong with the pods of before: they are on their way out
        left = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
        busy = max(len(left), counts["replicas"])
        return Readiness(WAITING, "Terminating", f"{busy} pods have not ended yet") if busy else Readiness(DONE)
    if set(counts.values()) == {wanted}:
        return Readiness(DONE)
    if stuck := stuck_pod(pods):
        return stuck
    asked, progressing, failure = _last_write(obj), condition(obj, "Progressing"), condition(obj, "ReplicaFailure")
    # the controller gives each rollout at least a second, so one that was late in the second of the write is the one before
    if progressing.get("reason") == "ProgressDeadlineExceeded" and str(progressing.get("lastUpdateTime", "")) > asked:
        hint = "Look at the pods' events and probes; the old release is still in place."
        return Readiness(FAILED, "ProgressDeadlineExceeded", _last_words(pods) or str(progressing.get("message", "")), hint)
    if failure.get("status") == "True" and str(failure.get("lastUpdateTime", "")) >= asked:
        return Readiness(
            FAILED, str(failure.get("reason", "ReplicaFailure")), str(failure.get("message", "")), "Make room in the quota or fix the pod."
        )
    seen = f"{counts['updatedReplicas']} of {wanted} updated, {counts['availableReplicas']} available, {counts['replicas']} in all"
    return Readiness(WAITING, "Progressing", seen)


def stateful_set(obj: Mapping[str, Any], pods: Sequence[Mapping[str, Any]] = ()) -> Readiness:
    status, wanted = obj.get("status") or {}, _replicas(obj)
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return Readiness(WAITING, "NotObserved", "the controller has not seen this version yet")
    updated, ready = status.get("updatedReplicas") or 0, status.get("readyReplicas") or 0
    if updated == ready == wanted:
        return Readiness(DONE)
    return stuck_pod(pods) or Readiness(WAITING, "Progressing", f"{updated} of {wanted} updated, {ready} ready")


def job(obj: Mapping[str, Any], pods: Sequence[Mapping[str, Any]] = ()) -> Readiness:
    if condition(obj, "Complete").get("status") == "True":
        return Readiness(DONE)
    failed = condition(obj, "Failed")
    if failed.get("status") == "True":
        said = _last_words(pods) or str(failed.get("message", ""))
        return Readiness(
            FAILED, str(failed.get("reason") or "Failed"), said, "Read the Job's log; a failed Job is not run again under the same name."
        )
    if stuck := stuck_pod(pods):
        return stuck
    status = obj.get("status") or {}
    return Readiness(WAITING, "Running" if status.get("active") else "NotStarted", f"{status.get('active') or 0} pods active")


def namespace(obj: Mapping[str, Any]) -> Readiness:
    phase = (obj.get("status") or {}).get("phase", "Active")
    if phase == "Terminating":
        return Readiness(FAILED, "Terminating", "the namespace is being deleted", "Wait until it is gone, then run again.")
    return Readiness(DONE)


def stuck_pod(pods: Iterable[Mapping[str, Any]]) -> Readiness | None:
    """The first pod that waiting does not help, with its reason and its last words."""
    for pod in pods:
        if (pod.get("metadata") or {}).get("deletionTimestamp"):
            continue
        for status in _container_statuses(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            reason = str(waiting.get("reason", ""))
            if reason in STUCK:
                said = last_words(status) if reason == "CrashLoopBackOff" else ""
                return Readiness(FAILED, reason, said or str(waiting.get("message", "")), STUCK[reason])
    return None


def last_words(status: Mapping[str, Any], *, lines: int = 3) -> str:
    """The end of what a container said before it ended (``terminationMessagePolicy: FallbackToLogsOnError`` fills it from the log)."""
    for state in (status.get("state"), status.get("lastState")):
        terminated = (state or {}).get("terminated") or {}
        if terminated:
            said = [line.strip() for line in str(terminated.get("message") or "").splitlines() if line.strip()]
            return " | ".join(said[-lines:]) or f"exit code {terminated.get('exitCode')}"
    return ""


def _last_words(pods: Iterable[Mapping[str, Any]]) -> str:
    said = [last_words(status) for pod in pods for status in _container_statuses(pod)]
    return next((text for text in reversed(said) if text), "")


def _container_statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of the object's status; empty when it is not there."""
    found = [c for c in (obj.get("status") or {}).get("conditions") or [] if c.get("type") == kind]
    return found[-1] if found else {}


def _last_write(obj: Mapping[str, Any]) -> str:
    """When the object was last written by whoever wants something of it, as Kubernetes writes times; empty when it does not tell.

    What is older in its status is about what was wanted before: the Deployment controller leaves a condition in place until the new
    rollout has come on (``DeploymentTimedOut`` in kubernetes/pkg/controller/deployment/util).
    """
    written = [str(entry.get("time", "")) for entry in obj["metadata"].get("managedFields") or [] if entry.get("subresource") != "status"]
    return max(written, default="")


def _replicas(obj: Mapping[str, Any]) -> int:
    wanted = (obj.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def stopped(obj: Mapping[str, Any]) -> bool:
    """Whether nothing is to run. The controller does not count pods that are ending, and they still use the database."""
    return obj["kind"] == "Deployment" and _replicas(obj) == 0


def newest_replica_set(deployment_obj: Mapping[str, Any], replica_sets: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The ReplicaSet of the Deployment's present revision: only its pods tell about the present release."""
    revision = _annotation(deployment_obj)
    uid = deployment_obj["metadata"].get("uid")
    mine = [r for r in replica_sets if owned_by(r, uid)]
    return next((r for r in mine if revision and _annotation(r) == revision), None)


def owned_by(obj: Mapping[str, Any], uid: Any) -> bool:
    return any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or [])


def _annotation(obj: Mapping[str, Any]) -> str | None:
    value = (obj["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
    return None if value is None else str(value)
