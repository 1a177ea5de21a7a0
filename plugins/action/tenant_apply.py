# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All objects of all tenants of a batch, in one process, by server-side apply."""

from __future__ import annotations

import secrets
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref, masked, problems, ref_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.rollout import DONE, WAITABLE
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import MANAGER, Kube, KubeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube_apply import (
    Options,
    Outcome,
    apply_all,
    read_all,
    remove_all,
    wait_gone,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube_wait import wait_all
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction


class ActionModule(ChangeAction):
    SPEC = {
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "objects": {"type": "list", "elements": "dict", "no_log": True},
        "tenants": {"type": "dict", "no_log": True},
        "state": {"type": "str", "choices": ["present", "absent", "read"], "default": "present"},
        "wait": {"type": "bool", "default": False},
        "wait_for": {"type": "list", "elements": "str", "choices": list(WAITABLE), "default": ["Deployment", "StatefulSet", "Job"]},
        "wait_timeout_s": {"type": "int", "default": 300},
        "field_manager": {"type": "str", "default": MANAGER},
        "force_conflicts": {"type": "bool", "default": False},
        "replace_failed_jobs": {"type": "bool", "default": False},
    }
    RULES = {"mutually_exclusive": [["objects", "tenants"]], "required_one_of": [["objects", "tenants"]]}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        tenants = wanted_objects(args, str(task_vars.get("inventory_hostname", "localhost")))
        kube = Kube.connect(args["kubeconfig"], args["context"])
        salt = secrets.token_hex(8)
        if args["state"] == "read":
            live = {name: [obj and masked(obj, salt=salt) for obj in read_all(kube, refs_of(objects))] for name, objects in tenants.items()}
            return {"changed": False, "live": live, "requests": kube.requests}
        options = Options(args["field_manager"], args["force_conflicts"], bool(self._task.check_mode), salt, args["replace_failed_jobs"])
        outcomes, errors = write(kube, tenants, args["state"], options)
        result = report(outcomes)
        if args["wait"] and not options.check and not errors:
            waited, errors = wait(kube, tenants, args)
            result["waited"] = waited
        result["requests"] = kube.requests
        return {**result, "failed": True, "msg": one_message(errors)} if errors else result


def wanted_objects(args: dict[str, Any], host: str) -> dict[str, list[dict[str, Any]]]:
    """The objects by tenant; every fault of the lists is named before anything is sent."""
    tenants = args["tenants"] if args["tenants"] is not None else {host: args["objects"]}
    found = []
    for name, objects in tenants.items():
        if not isinstance(objects, list):
            found.append(f"tenant {name}: its value is {type(objects).__name__}, wanted a list of objects")
            continue
        found += [f"tenant {name}: {problem}" for problem in problems(objects)]
    if found:
        raise ChangeError(f"{'; '.join(found)}. Correct the lists; nothing was sent.", code="BAD_OBJECTS")
    return tenants


def refs_of(objects: list[dict[str, Any]]) -> list[Ref]:
    return [ref_of(obj) for obj in objects]


def write(kube: Kube, tenants: dict[str, list[dict[str, Any]]], state: str, options: Options) -> tuple[dict[str, Outcome], list[str]]:
    """Applies or removes tenant by tenant. An error ends its tenant; a server that gives no answer ends all."""
    outcomes: dict[str, Outcome] = {}
    errors: list[str] = []
    for name, objects in tenants.items():
        outcomes[name] = outcome = Outcome()
        try:
            if state == "present":
                apply_all(kube, objects, outcome, options)
            else:
                remove_all(kube, refs_of(objects), outcome, options)
        except KubeError as exc:
            errors.append(f"tenant {name}: {exc}")
            if not exc.status:
                break
    return outcomes, errors


def wait(kube: Kube, tenants: dict[str, list[dict[str, Any]]], args: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Waits for what was applied to be ready, or for what was removed to be gone."""
    pairs = [(name, ref) for name, objects in tenants.items() for ref in refs_of(objects)]
    if args["state"] == "absent":
        left = wait_gone(kube, [ref for _name, ref in pairs], timeout_s=args["wait_timeout_s"])
        return {}, [f"{ref} is still there after {args['wait_timeout_s']} s. Look at its finalizers." for ref in left]
    ended = wait_all(kube, [pair for pair in pairs if pair[1].kind in args["wait_for"]], timeout_s=args["wait_timeout_s"])
    waited: dict[str, list[dict[str, Any]]] = {}
    for one in ended:
        waited.setdefault(one.tenant, []).append(one.listed())
    return waited, [one.sentence(args["wait_timeout_s"]) for one in ended if one.state != DONE]


def report(outcomes: dict[str, Outcome]) -> dict[str, Any]:
    return {
        "changed": any(outcome.any_change for outcome in outcomes.values()),
        "results": {name: outcome.listed() for name, outcome in outcomes.items()},
        "diff": [entry for outcome in outcomes.values() for entry in outcome.diff],
    }


def one_message(errors: list[str]) -> str:
    more = f" ({len(errors) - 1} more: {'; '.join(errors[1:4])})" if errors[1:] else ""
    return errors[0] + more
