# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits for the objects of many tenants in one loop, and stops waiting for what cannot come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.rollout import (
    DONE,
    FAILED,
    WAITING,
    Readiness,
    newest_replica_set,
    owned_by,
    readiness,
    stopped,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube

WITH_PODS = ("Deployment", "StatefulSet", "Job")
FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 2.0


@dataclass(frozen=True)
class Waited:
    """How waiting for one object ended: ``state`` is done, failed, or waiting when the time ran out."""

    tenant: str
    ref: Ref
    state: str
    reason: str
    message: str
    hint: str
    seconds: float

    def listed(self) -> dict[str, Any]:
        return {
            "object": str(self.ref),
            "outcome": self.state,
            "reason": self.reason,
            "message": self.message,
            "seconds": round(self.seconds, 1),
        }

    def sentence(self, timeout_s: float) -> str:
        if self.state == WAITING:
            seen = f"still not ready after {timeout_s:.0f} s ({self.reason}: {self.message})"
            told = f"{seen}. Look at its pods, or give wait_timeout_s more time."
        else:
            told = f"{self.reason}: {self.message.rstrip('.')}. {self.hint}"
        return f"tenant {self.tenant}: {self.ref}: {told}".strip()


def wait_all(kube: Kube, wanted: Sequence[tuple[str, Ref]], *, timeout_s: float) -> list[Waited]:
    """Waits until each of (tenant, object) is done or failed, at most ``timeout_s`` in all."""
    began, pause, open_ = time.monotonic(), FIRST_PAUSE_S, list(wanted)
    ended: dict[tuple[str, Ref], Waited] = {}
    while True:
        still = []
        for tenant, ref in open_:
            seen = look(kube, ref)
            seconds = time.monotonic() - began
            ended[(tenant, ref)] = Waited(tenant, ref, seen.state, seen.reason, seen.message, seen.hint, seconds)
            if seen.state == WAITING:
                still.append((tenant, ref))
        open_ = still
        if not open_ or time.monotonic() - began > timeout_s:
            return [ended[key] for key in wanted]
        time.sleep(pause)
        pause = min(pause * 1.3, LAST_PAUSE_S)


def look(kube: Kube, ref: Ref) -> Readiness:
    """One look at one object. Its pods are read when the object alone does not say that it is done, or when none may be left."""
    live = kube.get(ref)
    if live is None:
        return Readiness(FAILED, "NotFound", "it is not there", "Somebody deleted it while it was waited for; run again.")
    alone = readiness(live)
    if alone.state == DONE and not stopped(live):
        return alone
    return readiness(live, pods_of(kube, live, ref)) if ref.kind in WITH_PODS else alone


def pods_of(kube: Kube, live: Mapping[str, Any], ref: Ref) -> list[dict[str, Any]]:
    """The pods of the object's present revision."""
    selector = (live.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") or {}
    owner: Mapping[str, Any] | None = live
    if stopped(live):
        return kube.list("v1", "Pod", namespace=ref.namespace, labels=labels)
    if ref.kind == "Deployment":
        owner = newest_replica_set(live, kube.list("apps/v1", "ReplicaSet", namespace=ref.namespace, labels=labels))
    if owner is None or not labels:
        return []
    uid = owner["metadata"].get("uid")
    return [pod for pod in kube.list("v1", "Pod", namespace=ref.namespace, labels=labels) if owned_by(pod, uid)]
