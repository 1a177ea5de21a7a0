# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubernetes objects as data: which is which, in what order they are written, and how live ones differ from desired ones."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

# What others need comes first. Routes come last, so that traffic never meets a Service that is not there yet.
ORDER = (
    "CustomResourceDefinition",
    "Namespace",
    "PriorityClass",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
    "PodDisruptionBudget",
    "Job",
    "CronJob",
    "StatefulSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Middleware",
    "ServersTransport",
    "TraefikService",
    "Ingress",
    "IngressRoute",
)
# Lists that the API server merges item by item, so items of other managers may stand in them, and what identifies an item.
MERGED = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port", "protocol"),
}
QUANTITIES = {"limits", "requests", "hard", "capacity"}
SUFFIXES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SERVER_OWNED = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


@dataclass(frozen=True, order=True)
class Ref:
    """Names one object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Difference:
    """One field that is not as desired. ``before`` is what lives, ``after`` what is wanted; None where there is nothing."""

    path: str
    before: Any
    after: Any


def ref_of(obj: Mapping[str, Any]) -> Ref:
    metadata = obj["metadata"]
    return Ref(obj["apiVersion"], obj["kind"], metadata.get("namespace") or "", metadata["name"])


def problems(objects: Sequence[Any]) -> list[str]:
    """What is wrong with a list of objects, before anything is sent."""
    found, seen = [], set()
    for number, obj in enumerate(objects, start=1):
        if not isinstance(obj, Mapping) or not isinstance(obj.get("metadata"), Mapping):
            found.append(f"object {number} is no Kubernetes object: it needs apiVersion, kind and metadata.name")
            continue
        lacking = [key for key, value in (("apiVersion", obj.get("apiVersion")), ("kind", obj.get("kind"))) if not value]
        lacking += [] if obj["metadata"].get("name") else ["metadata.name"]
        if lacking:
            found.append(f"object {number} ({obj.get('kind') or 'no kind'} {obj['metadata'].get('name') or ''}) lacks {', '.join(lacking)}")
            continue
        if (ref := ref_of(obj)) in seen:
            found.append(f"{ref} is given twice")
        seen.add(ref)
    return found


def rank(kind: str) -> int:
    """The place of a kind in the order of writing; unknown kinds come after workloads and before routes."""
    return ORDER.index(kind) if kind in ORDER else ORDER.index("Middleware")


def in_apply_order(objects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(objects, key=lambda obj: rank(obj["kind"]))


def in_delete_order(objects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(objects, key=lambda obj: -rank(obj["kind"]))


def desired_form(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is sent: without what only the server writes, and a Secret's ``stringData`` as ``data``, as it will be read back."""
    out = {key: value for key, value in obj.items() if key != "status"}
    out["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in SERVER_OWNED}
    if obj["kind"] == "Secret" and obj.get("stringData"):
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in out.pop("stringData").items()}
        out["data"] = {**(out.get("data") or {}), **encoded}
    return out


def drift(desired: Mapping[str, Any], live: Mapping[str, Any], *, manager: str) -> list[Difference]:
    """Where the live object differs from the desired one, in the desired fields and in those that ``manager`` had set and no longer wants.

    A false alarm costs one request (the server then finds nothing to change); a miss would be drift that nobody sees.
    """
    found = _compare("", desired, live)
    owned = owned_fields(live, manager)
    if owned is None and _has_content(desired):
        return [*found, Difference("metadata.managedFields", f"not applied by {manager}", f"applied by {manager}")]
    return [*found, *_abandoned("", owned or {}, desired, live)]


def _has_content(desired: Mapping[str, Any]) -> bool:
    """Whether there is a field to own besides the object's name. The server keeps no owner of an empty set."""
    return bool(desired.keys() - {"apiVersion", "kind", "metadata"} or desired.get("metadata", {}).keys() - {"name", "namespace"})


def owned_fields(live: Mapping[str, Any], manager: str) -> Mapping[str, Any] | None:
    """The field set that ``manager`` has applied, or None when it never has."""
    for entry in live.get("metadata", {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            return dict(entry.get("fieldsV1") or {})
    return None


def _compare(path: str, desired: Any, live: Any) -> list[Difference]:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        return [found for key, value in desired.items() for found in _compare(_join(path, key), value, live.get(key))]
    if isinstance(desired, list) and isinstance(live, list):
        return _compare_lists(path, desired, live)
    if _same(path, desired, live):
        return []
    return [Difference(path, live, desired)]


def _compare_lists(path: str, desired: list[Any], live: list[Any]) -> list[Difference]:
    keys = MERGED.get(path.rpartition(".")[2])
    if not keys or not all(isinstance(item, Mapping) for item in (*desired, *live)):
        if len(desired) != len(live):
            return [Difference(path, live, desired)]
        pairs = [(f"{path}[{n}]", want, have) for n, (want, have) in enumerate(zip(desired, live, strict=True))]
    else:
        pairs = [(f"{path}[{_label(item, keys)}]", item, _item(live, item, keys)) for item in desired]
    return [found for where, want, have in pairs for found in _compare(where, want, have)]


def _item(items: Iterable[Any], like: Mapping[str, Any], keys: Iterable[str]) -> Mapping[str, Any] | None:
    """The item with the same identity. A key that ``like`` leaves out is one that the server fills in."""
    wanted = {key: like[key] for key in keys if key in like}
    return next((item for item in items if all(item.get(key) == value for key, value in wanted.items())), None)


def _label(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    return "/".join(str(item[key]) for key in keys if key in item)


def _same(path: str, desired: Any, live: Any) -> bool:
    if desired == live:
        return True
    if live is None:  # the server leaves zero values out
        return not desired
    if any(part in QUANTITIES for part in path.split(".")):
        try:
            return quantity(desired) == quantity(live)
        except (InvalidOperation, KeyError):
            return False
    return False


def quantity(text: Any) -> Decimal:
    """A Kubernetes quantity as a number: 250m, 1.5Gi, 2. Raises InvalidOperation or KeyError for what is none."""
    value = str(text)
    if value.endswith("i"):
        return Decimal(value[:-2]) * Decimal(1024) ** ("KMGTPE".index(value[-2]) + 1)
    if value[-1:].isalpha():
        return Decimal(value[:-1]) * Decimal(10) ** SUFFIXES[value[-1]]
    return Decimal(value)


def _abandoned(path: str, owned: Mapping[str, Any], desired: Any, live: Any) -> list[Difference]:
    """Fields of the managed set that are no longer desired; the server removes them at the next apply."""
    found: list[Difference] = []
    for key, inner in owned.items():
        if key == ".":
            continue
        where, want, have = _step(path, key, desired, live)
        if want is None and have is not None and have not in ("", [], {}):
            found.append(Difference(where, have, None))
        elif want is not None and inner:
            # what identifies an item of a list is the server's to fill in
            named = {f"f:{name}" for name in json.loads(key[2:])} if key.startswith("k:") else set()
            found += _abandoned(where, {k: v for k, v in inner.items() if k not in named}, want, have)
    return found


def _step(path: str, key: str, desired: Any, live: Any) -> tuple[str, Any, Any]:
    """One step of a managed field set: ``f:name``, ``k:{identity}``, ``v:value``; the path, the desired and the live value there."""
    form, _colon, rest = key.partition(":")
    if form == "f":
        return _join(path, rest), _get(desired, rest), _get(live, rest)
    identity = json.loads(rest)
    if form == "k":
        where = f"{path}[{'/'.join(str(v) for v in identity.values())}]"
        return where, _identified(desired, identity), _identified(live, identity)
    both = [identity if isinstance(side, list) and identity in side else None for side in (desired, live)]
    return f"{path}[{identity}]", both[0], both[1]


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _identified(items: Any, identity: Mapping[str, Any]) -> Any:
    if not isinstance(items, list):
        return None
    return next((i for i in items if isinstance(i, Mapping) and all(i.get(k, v) == v for k, v in identity.items())), None)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def without_bookkeeping(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what every write renews, so that two answers of the server can be compared."""
    metadata = {k: v for k, v in obj.get("metadata", {}).items() if k not in ("resourceVersion", "generation", "managedFields")}
    fields = [{k: v for k, v in entry.items() if k != "time"} for entry in obj.get("metadata", {}).get("managedFields") or []]
    return {**obj, "metadata": {**metadata, "managedFields": sorted(fields, key=str)}}


def masked(obj: Mapping[str, Any], *, salt: str) -> dict[str, Any]:
    """The object with a Secret's values as fingerprints, and without the server's bookkeeping.

    The salt is drawn anew in every run: equal values look equal within one answer, and no value can be looked up from it.
    """
    out = dict(obj)
    out["metadata"] = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    if obj.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if isinstance(obj.get(key), Mapping):
                out[key] = {name: fingerprint(value, salt=salt) for name, value in obj[key].items()}
        notes = out["metadata"].get("annotations") or {}
        out["metadata"]["annotations"] = {k: v for k, v in notes.items() if k != "kubectl.kubernetes.io/last-applied-configuration"}
    return out


def fingerprint(value: Any, *, salt: str) -> str:
    return f"secret:{hashlib.sha256(f'{salt}{value}'.encode()).hexdigest()[:12]}"


def diff_entry(ref: Ref, differences: Sequence[Difference], *, salt: str) -> dict[str, Any]:
    """What ``--diff`` shows of one changed object: its differing fields before and after."""

    def side(which: str) -> dict[str, Any]:
        values = {d.path: getattr(d, which) for d in differences if getattr(d, which) is not None}
        return {path: _hide(ref, path, value, salt=salt) for path, value in values.items()}

    return {"before_header": str(ref), "after_header": str(ref), "before": side("before"), "after": side("after")}


def _hide(ref: Ref, path: str, value: Any, *, salt: str) -> Any:
    if ref.kind != "Secret" or not path.startswith(("data", "stringData")):
        return value
    if isinstance(value, Mapping):
        return {key: fingerprint(inner, salt=salt) for key, inner in value.items()}
    return fingerprint(value, salt=salt)
