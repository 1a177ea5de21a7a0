"""Done, waiting or failed: by table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import rollout as r


def deployment(generation: int = 2, wanted: int | None = 2, **status: Any) -> dict[str, Any]:
    spec = {} if wanted is None else {"replicas": wanted}
    metadata = {"name": "web", "generation": generation, "uid": "d", "annotations": {"deployment.kubernetes.io/revision": "3"}}
    return {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": {"observedGeneration": 2, **status}}


def pod(
    *, waiting: str = "", message: str = "", last: dict[str, Any] | None = None, deleted: bool = False, init: bool = False
) -> dict[str, Any]:
    state = {"waiting": {"reason": waiting, "message": message}} if waiting else {"running": {}}
    status = {"state": state, **({"lastState": {"terminated": last}} if last else {})}
    metadata = {"deletionTimestamp": "now"} if deleted else {}
    return {"metadata": metadata, "status": {"initContainerStatuses" if init else "containerStatuses": [status]}}


def counts(updated: int, available: int, total: int) -> dict[str, int]:
    return {"updatedReplicas": updated, "availableReplicas": available, "replicas": total}


LATE = {
    "conditions": [
        {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "took too long",
            "lastUpdateTime": "2026-01-01T00:00:10Z",
        }
    ]
}


def written(obj: dict[str, Any], time: str, subresource: str = "") -> dict[str, Any]:
    """As somebody wrote it last."""
    entries = [{"time": "2026-01-01T00:00:01Z", "operation": "Apply"}, {"time": f"2026-01-01T{time}Z", "subresource": subresource}]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}


FULL = {
    "conditions": [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": "exceeded quota",
            "lastUpdateTime": "2026-01-01T00:00:10Z",
        }
    ]
}
CRASHED = {"exitCode": 1, "message": "INFO start\nTraceback\nImportError: no module x\n"}


@pytest.mark.parametrize(
    ("obj", "pods", "state", "reason", "message"),
    [
        pytest.param(deployment(**counts(2, 2, 2)), [], "done", "", "", id="all-there"),
        pytest.param(deployment(wanted=0), [], "done", "", "", id="scaled-to-nothing"),
        pytest.param(deployment(wanted=0), [pod(deleted=True)], "waiting", "Terminating", "1 pods", id="a-pod-still-ends"),
        pytest.param(
            deployment(wanted=0), [{"metadata": {}, "status": {"phase": "Failed"}}], "done", "", "", id="an-evicted-pod-is-no-work"
        ),
        pytest.param(deployment(wanted=None, **counts(1, 1, 1)), [], "done", "", "", id="default-replicas"),
        pytest.param(deployment(generation=3, **counts(2, 2, 2)), [], "waiting", "NotObserved", "", id="not-seen-by-the-controller"),
        pytest.param(deployment(**counts(1, 2, 3)), [], "waiting", "Progressing", "1 of 2 updated", id="under-way"),
        pytest.param(deployment(**counts(2, 2, 3)), [], "waiting", "Progressing", "3 in all", id="an-old-pod-is-left"),
        pytest.param(deployment(**counts(2, 1, 2)), [], "waiting", "Progressing", "1 available", id="not-yet-available"),
        pytest.param(deployment(), [], "waiting", "Progressing", "", id="no-status-yet"),
        pytest.param(deployment(**counts(1, 1, 2)), [pod(waiting="ContainerCreating")], "waiting", "Progressing", "", id="starting"),
        pytest.param(
            deployment(**counts(1, 1, 2)),
            [pod(waiting="CrashLoopBackOff", last=CRASHED)],
            "failed",
            "CrashLoopBackOff",
            "ImportError: no module x",
            id="crash-with-last-words",
        ),
        pytest.param(
            deployment(**counts(1, 1, 2)),
            [pod(waiting="CrashLoopBackOff", last={"exitCode": 3})],
            "failed",
            "CrashLoopBackOff",
            "exit code 3",
            id="crash-without-words",
        ),
        pytest.param(
            deployment(), [pod(waiting="CrashLoopBackOff", init=True, last=CRASHED)], "failed", "CrashLoopBackOff", "", id="init-crash"
        ),
        pytest.param(
            deployment(), [pod(waiting="CrashLoopBackOff", deleted=True)], "waiting", "Progressing", "", id="crash-of-a-leaving-pod"
        ),
        pytest.param(
            deployment(), [pod(waiting="ImagePullBackOff", message="not found")], "failed", "ImagePullBackOff", "not found", id="no-image"
        ),
        pytest.param(deployment(), [pod(waiting="ErrImagePull", message="404")], "failed", "ErrImagePull", "404", id="pull-error"),
        pytest.param(
            deployment(),
            [pod(waiting="CreateContainerConfigError", message='secret "odoo" not found')],
            "failed",
            "CreateContainerConfigError",
            'secret "odoo"',
            id="no-secret",
        ),
        pytest.param(deployment(**LATE), [], "failed", "ProgressDeadlineExceeded", "took too long", id="deadline"),
        pytest.param(written(deployment(**LATE), "00:00:09"), [], "failed", "ProgressDeadlineExceeded", "", id="deadline-after-the-write"),
        pytest.param(written(deployment(**LATE), "00:00:10"), [], "waiting", "Progressing", "", id="deadline-of-the-rollout-before"),
        pytest.param(
            written(deployment(**LATE), "00:00:10", "status"), [], "failed", "ProgressDeadlineExceeded", "", id="status-is-no-write"
        ),
        pytest.param(deployment(wanted=0, **LATE, replicas=1), [], "waiting", "Terminating", "", id="nothing-to-be-late-with"),
        pytest.param(deployment(wanted=0, **FULL, replicas=1), [], "waiting", "Terminating", "", id="nothing-to-make-room-for"),
        pytest.param(
            deployment(wanted=0, replicas=1),
            [pod(waiting="CrashLoopBackOff")],
            "waiting",
            "Terminating",
            "",
            id="nothing-that-has-to-start",
        ),
        pytest.param(written(deployment(**FULL), "00:00:10"), [], "failed", "FailedCreate", "", id="quota-in-the-second-of-the-write"),
        pytest.param(written(deployment(**FULL), "00:00:11"), [], "waiting", "Progressing", "", id="quota-of-the-rollout-before"),
        pytest.param(deployment(**FULL), [], "failed", "FailedCreate", "exceeded quota", id="quota"),
        pytest.param({"kind": "Service", "metadata": {}}, [], "done", "", "", id="nothing-to-wait-for"),
        pytest.param({"kind": "Namespace", "metadata": {}, "status": {"phase": "Active"}}, [], "done", "", "", id="namespace"),
        pytest.param(
            {"kind": "Namespace", "metadata": {}, "status": {"phase": "Terminating"}}, [], "failed", "Terminating", "", id="leaving"
        ),
    ],
)
def test_readiness(obj: dict[str, Any], pods: list[dict[str, Any]], state: str, reason: str, message: str) -> None:
    seen = r.readiness(obj, pods)
    assert (seen.state, seen.reason) == (state, reason)
    assert message in seen.message
    assert seen.hint or state != "failed"


def job(kind: str = "", *, status: str = "True", **rest: Any) -> dict[str, Any]:
    conditions = [{"type": kind, "status": status, **rest}] if kind else []
    return {"kind": "Job", "metadata": {"name": "u"}, "status": {"conditions": conditions, "active": 0 if kind else 1}}


ENDED = {
    "metadata": {},
    "status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 1, "message": "psycopg2.errors.LockNotAvailable"}}}]},
}


@pytest.mark.parametrize(
    ("obj", "pods", "state", "reason", "message"),
    [
        pytest.param(job("Complete"), [], "done", "", "", id="complete"),
        pytest.param(job(), [], "waiting", "Running", "1 pods active", id="running"),
        pytest.param({"kind": "Job", "metadata": {}}, [], "waiting", "NotStarted", "", id="no-status"),
        pytest.param(job("Failed", status="False"), [], "waiting", "NotStarted", "", id="condition-that-is-not-true"),
        pytest.param(job("Failed", reason="BackoffLimitExceeded", message="x"), [], "failed", "BackoffLimitExceeded", "x", id="failed"),
        pytest.param(
            job("Failed", reason="BackoffLimitExceeded"), [ENDED], "failed", "BackoffLimitExceeded", "LockNot", id="failed-with-log"
        ),
        pytest.param(job(), [pod(waiting="ImagePullBackOff", message="gone")], "failed", "ImagePullBackOff", "gone", id="no-image"),
    ],
)
def test_job(obj: dict[str, Any], pods: list[dict[str, Any]], state: str, reason: str, message: str) -> None:
    seen = r.readiness(obj, pods)
    assert (seen.state, seen.reason) == (state, reason)
    assert message in seen.message


def replica_set(revision: str, owner: str) -> dict[str, Any]:
    return {
        "metadata": {
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": owner}],
            "name": f"{owner}{revision}",
        }
    }


def test_only_the_present_revision_of_this_deployment_counts() -> None:
    sets = [replica_set("2", "d"), replica_set("3", "other"), replica_set("3", "d")]
    found = r.newest_replica_set(deployment(), sets)
    assert found is not None and found["metadata"]["name"] == "d3"
    assert r.newest_replica_set(deployment(), sets[:2]) is None


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ({"generation": 1, "updatedReplicas": 2, "readyReplicas": 2}, "done"),
        ({"updatedReplicas": 1, "readyReplicas": 2}, "waiting"),
        ({"updatedReplicas": 2, "readyReplicas": 1}, "waiting"),
    ],
)
def test_stateful_set(status: dict[str, Any], wanted: str) -> None:
    obj = {"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1, **status}}
    assert r.readiness(obj).state == wanted
