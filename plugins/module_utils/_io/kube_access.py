# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Break-glass in a Kubernetes cluster: what bears the mark of a grant, and its removal."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass import MARK, RBAC, Found, found_object, object_name
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref, ref_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube, KubeError

KINDS = ("RoleBinding", "Role")  # the binding first: it is what gives access


def found_objects(kube: Kube) -> list[tuple[Found, Ref]]:
    """Everything with the mark of break-glass, in all namespaces."""
    listed = [live for kind in KINDS for live in kube.list(f"{RBAC}/v1", kind, labels=MARK)]
    return [(found_object(live), ref_of(live)) for live in listed]


def objects_of(kube: Kube, grant: str, namespaces: Iterable[str]) -> list[tuple[Found, Ref]]:
    """What one grant has: by its mark anywhere, and by its name in these namespaces, should somebody have taken the mark off."""
    found = {ref: one for one, ref in found_objects(kube) if one.id == grant}
    for kind in KINDS:
        for namespace in namespaces:
            ref = Ref(f"{RBAC}/v1", kind, namespace, object_name(grant))
            if ref not in found and kube.get(ref) is not None:
                found[ref] = Found(grant, str(ref), None)
    return [(one, ref) for ref, one in found.items()]


def remove_objects(kube: Kube, refs: Iterable[Ref]) -> list[str]:
    """Removes the objects and looks whether they are gone; what was removed, in words."""
    refs = list(refs)
    removed = [str(ref) for ref in refs if kube.delete(ref)]
    if left := [str(ref) for ref in refs if kube.get(ref) is not None]:
        raise KubeError(f"{', '.join(left)} is still there after it was deleted. Look at its finalizers, then run again.", code="NOT_GONE")
    return removed
