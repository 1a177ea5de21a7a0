"""A container's environment and command line, resolved as the kubelet does it. Pure: values are looked up by the caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
REFERENCE = re.compile(r"\$(\$|\((?P<name>[^()]*)\))")
#: (kind, name) of a Secret or ConfigMap and its data in text; None when it does not exist.
Sources = Mapping[tuple[str, str], Mapping[str, str] | None]


class ConfigError(Exception):
    """A container that cannot be made yet: CreateContainerConfigError."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``$(NAME)`` becomes its value when there is one; ``$$`` is a literal dollar."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else variables.get(match["name"], match[0])

    return REFERENCE.sub(value, text)


def wanted_sources(container: Json) -> set[tuple[str, str]]:
    """Every Secret and ConfigMap that the container's environment names."""
    found = set()
    for entry in [*(container.get("envFrom") or []), *((v.get("valueFrom") or {}) for v in container.get("env") or [])]:
        for field, kind in (
            ("secretRef", "secret"),
            ("secretKeyRef", "secret"),
            ("configMapRef", "configmap"),
            ("configMapKeyRef", "configmap"),
        ):
            if field in entry:
                found.add((kind, entry[field]["name"]))
    return found


def environment(container: Json, sources: Sources, fields: Mapping[str, str]) -> dict[str, str]:
    """``envFrom`` first, then ``env`` in order; a value may refer to those before it."""
    variables: dict[str, str] = {}
    for entry in container.get("envFrom") or []:
        field, kind = ("secretRef", "secret") if "secretRef" in entry else ("configMapRef", "configmap")
        reference = entry[field]
        data = sources.get((kind, reference["name"]))
        if data is None and not reference.get("optional"):
            raise ConfigError(f'{kind} "{reference["name"]}" not found')
        variables.update({entry.get("prefix", "") + key: value for key, value in (data or {}).items()})
    for entry in container.get("env") or []:
        value = one(entry, sources, fields, variables)
        if value is not None:
            variables[entry["name"]] = value
    return variables


def one(entry: Json, sources: Sources, fields: Mapping[str, str], variables: Mapping[str, str]) -> str | None:
    given = entry.get("valueFrom")
    if not given:
        return expand(entry.get("value") or "", variables)
    if "fieldRef" in given:
        path = given["fieldRef"]["fieldPath"]
        if path not in fields and not path.startswith("metadata."):
            raise ConfigError(f"unsupported fieldPath: {path}")
        return fields.get(path, "")
    for field, kind in (("secretKeyRef", "secret"), ("configMapKeyRef", "configmap")):
        if field in given:
            return from_key(given[field], kind, sources)
    raise ConfigError(f"env {entry['name']}: the lab's kubelet does not know valueFrom {sorted(given)}")


def from_key(reference: Json, kind: str, sources: Sources) -> str | None:
    data = sources.get((kind, reference["name"]))
    if data is not None and reference["key"] in data:
        return data[reference["key"]]
    if reference.get("optional"):
        return None
    if data is None:
        raise ConfigError(f'{kind} "{reference["name"]}" not found')
    raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")


def pod_fields(pod: Json, *, address: str, host: str) -> dict[str, str]:
    """What ``fieldRef`` can name. The pod's address is the one on which it really answers."""
    metadata, spec = pod["metadata"], pod["spec"]
    return {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": host,
        **{f"metadata.labels['{k}']": v for k, v in (metadata.get("labels") or {}).items()},
        **{f"metadata.annotations['{k}']": v for k, v in (metadata.get("annotations") or {}).items()},
    }


def command_line(container: Json, entrypoint: list[str], variables: Mapping[str, str]) -> list[str]:
    """``command`` replaces the image's entrypoint, ``args`` follow; both are expanded."""
    return [expand(word, variables) for word in [*(container.get("command") or entrypoint), *(container.get("args") or [])]]
