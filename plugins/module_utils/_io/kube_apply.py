# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a tenant's objects to their desired state, or reads or removes them, with as few requests as can be.

An object is read once and compared here. Only what differs is applied, and the server's answer then says whether it
really changed: so a desired field that the server writes in another way costs a request and never a false "changed".
A dry-run apply of everything would cost the server several times as much as these reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import (
    Difference,
    Ref,
    desired_form,
    diff_entry,
    drift,
    in_apply_order,
    in_delete_order,
    ref_of,
    without_bookkeeping,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.rollout import FAILED, job, namespace
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import CONFLICT, NOT_FOUND, Kube, KubeError

# Their pods use the tenant's data: the object may only be gone when its pods are.
WITH_PODS = ("Deployment", "StatefulSet", "Job", "CronJob")
CREATED, CHANGED, UNCHANGED, DELETED = "created", "changed", "unchanged", "deleted"


@dataclass
class Outcome:
    """What became of one tenant's objects."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    diff: list[dict[str, Any]] = field(default_factory=list)

    @property
    def any_change(self) -> bool:
        return bool(self.created or self.changed or self.deleted)

    def listed(self) -> dict[str, list[str]]:
        return {CREATED: self.created, CHANGED: self.changed, UNCHANGED: self.unchanged, DELETED: self.deleted}

    def note(self, what: str, ref: Ref, differences: Sequence[Difference], salt: str) -> None:
        self.listed()[what].append(str(ref))
        if what != UNCHANGED:
            self.diff.append(diff_entry(ref, differences, salt=salt))


@dataclass(frozen=True)
class Options:
    """How to write. ``salt`` hides Secret values in diffs."""

    manager: str
    force: bool
    check: bool
    salt: str
    replace_failed_jobs: bool = False


def apply_all(kube: Kube, objects: Sequence[Mapping[str, Any]], outcome: Outcome, options: Options) -> None:
    """Applies the objects in order. ``outcome`` is filled as it goes, so that it is right when an error ends the way."""
    absent: set[str] = set()  # namespaces that are not there (yet): nothing can live in them, so nothing is asked
    for raw in in_apply_order(objects):
        desired = desired_form(raw)
        ref = ref_of(desired)
        live = None if ref.namespace in absent else kube.get(ref)
        if ref.kind == "Namespace" and live is None and options.check:
            absent.add(ref.name)
        if ref.kind == "Namespace" and live is not None and (ended := namespace(live)).state == FAILED:
            raise KubeError(f"{ref}: {ended.message}. {ended.hint}", code="TERMINATING")
        if live is None:
            _create(kube, desired, outcome, options, absent)
        elif ref.kind == "Job":
            _existing_job(kube, desired, live, outcome, options)
        else:
            _converge(kube, desired, live, outcome, options)


def _create(kube: Kube, desired: Mapping[str, Any], outcome: Outcome, options: Options, absent: set[str]) -> None:
    ref = ref_of(desired)
    if ref.namespace not in absent:
        try:
            kube.apply(desired, manager=options.manager, force=options.force, dry_run=options.check)
        except KubeError as exc:
            # in check mode the namespace may be one that an earlier task would have made
            if not (options.check and exc.status == NOT_FOUND and exc.code == "NOT_FOUND"):
                raise
    outcome.note(CREATED, ref, [Difference("", None, _summary(desired))], options.salt)


def _converge(kube: Kube, desired: Mapping[str, Any], live: Mapping[str, Any], outcome: Outcome, options: Options) -> None:
    ref, differences = ref_of(desired), drift(desired, live, manager=options.manager)
    if differences:
        after = kube.apply(desired, manager=options.manager, force=options.force, dry_run=options.check)
        same = without_bookkeeping(after) == without_bookkeeping(live)
        if not same or (not options.check and after["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]):
            outcome.note(CHANGED, ref, differences, options.salt)
            return
    outcome.note(UNCHANGED, ref, [], options.salt)


def _existing_job(kube: Kube, desired: Mapping[str, Any], live: Mapping[str, Any], outcome: Outcome, options: Options) -> None:
    """A Job's work is done once. One of the same spec is left alone, whatever became of it; another spec is an error."""
    ref = ref_of(desired)
    if job(live).state == FAILED and options.replace_failed_jobs:
        if not options.check:
            kube.delete(ref, propagation="Foreground")
            wait_gone(kube, [ref], timeout_s=60)
            kube.apply(desired, manager=options.manager, force=options.force)
        outcome.note(CHANGED, ref, [Difference("status", "Failed", "run again")], options.salt)
        return
    differs = [d for d in drift({"spec": desired["spec"]}, live, manager=options.manager) if d.path.startswith("spec")]
    if differs:
        raise KubeError(
            f"{ref}: a Job of this name is there with another spec (differs in {', '.join(sorted({d.path for d in differs})[:5])}). "
            "A Job cannot be changed: give the new work a new name, or delete the old Job when its work is not needed.",
            status=CONFLICT,
            code="JOB_DIFFERS",
        )
    outcome.note(UNCHANGED, ref, [], options.salt)


def _summary(desired: Mapping[str, Any]) -> dict[str, Any]:
    """What a diff says of a new object: a Secret's names only."""
    if desired["kind"] == "Secret":
        return {"data": sorted(desired.get("data") or {})}
    return {key: value for key, value in desired.items() if key not in ("apiVersion", "kind")}


def remove_all(kube: Kube, refs: Sequence[Ref], outcome: Outcome, options: Options) -> None:
    """Deletes what is there, in the reverse order of applying."""
    wanted = [{"kind": ref.kind, "ref": ref} for ref in refs]
    for item in in_delete_order(wanted):
        ref: Ref = item["ref"]
        there = kube.get(ref) is not None if options.check else kube.delete(ref, propagation=propagation(ref))
        outcome.note(DELETED if there else UNCHANGED, ref, [Difference("exists", True, False)], options.salt)


def propagation(ref: Ref) -> str:
    return "Foreground" if ref.kind in WITH_PODS else "Background"


def read_all(kube: Kube, refs: Sequence[Ref]) -> list[dict[str, Any] | None]:
    return [kube.get(ref) for ref in refs]


def wait_gone(kube: Kube, refs: Sequence[Ref], *, timeout_s: float) -> list[Ref]:
    """Waits until none of the objects is there; returns those that still are at the end of the time."""
    import time

    end, left = time.monotonic() + timeout_s, list(refs)
    while True:
        left = [ref for ref in left if kube.get(ref) is not None]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)
