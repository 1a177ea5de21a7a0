# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""sync_windows_check: an Argo CD project against the calendars. Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import CLASSES, DOMAINS, ENVIRONMENTS, Scope
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_sync import drift_checks
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_windows import MAX_SYNC_DAYS, Range, sync_windows
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import CalendarError, read_calendars
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube, KubeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.strict_yaml import load_strictly
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

API, KIND = "argoproj.io/v1alpha1", "AppProject"


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **GATE_SPEC,
        "project": {"type": "str", "required": True},
        "namespace": {"type": "str", "default": "argocd"},
        "file": {"type": "path"},
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "calendars": {"type": "list", "elements": "raw", "required": True},
        "tenants": {"type": "list", "elements": "str", "default": []},
        "scope": {
            "type": "dict",
            "default": {},
            "options": {
                "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
                "domain": {"type": "str", "choices": list(DOMAINS)},
                "class": {"type": "str", "choices": list(CLASSES)},
            },
        },
        "at": {"type": "str"},
        "lead": {"type": "str", "default": "P14D"},
        "horizon": {"type": "str", "default": "P60D"},
    }
    RULES: ClassVar[dict[str, Any]] = {"mutually_exclusive": [["file", "kubeconfig"]], "required_one_of": [["file", "kubeconfig"]]}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now = utc_now()
        lead, horizon = _ranges(args, now)
        subject = f"the sync windows of {args['project']}"
        try:
            calendars = read_calendars(args["calendars"])
            wanted = sync_windows(calendars, horizon)
            found = _project(args)
            checks = [_there(args)] if found is None else drift_checks((found.get("spec") or {}).get("syncWindows"), calendars, lead)
        except (CalendarError, KubeError, ProjectError) as exc:
            blind = unknown("sync_windows_read", str(exc).rstrip("."), hint="What cannot be read says nothing.", code="NOT_READ")
            return gate_result(subject, [blind], at=now, enforce=args["enforce"], document=None)
        document = _document(args, found if args["file"] else None, wanted)
        return gate_result(subject, checks, at=now, enforce=args["enforce"], document=document)


class ProjectError(ChangeError):
    """A file that holds no such AppProject."""


def _ranges(args: Mapping[str, Any], now: dt.datetime) -> tuple[Range, Range]:
    """What is compared, and what is rendered: that begins with the day, so that it is the same all day long."""
    scope = args["scope"]
    of = tuple(args["tenants"]), Scope(scope.get("environment"), scope.get("domain"), scope.get("class"))
    try:
        at = parse_instant(args["at"]) if args["at"] else now
        lead, horizon = (dt.timedelta(seconds=parse_duration(args[key])) for key in ("lead", "horizon"))
        day = at.astimezone(dt.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        if lead + dt.timedelta(days=1) > horizon:
            raise ChangeError(f"lead is {args['lead']} and horizon {args['horizon']}. Write a horizon that is at least a day longer.")
        return (
            Range(at, at + lead, *of, max_days=MAX_SYNC_DAYS),
            Range(day, day + horizon, *of, max_days=MAX_SYNC_DAYS),
        )
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc


def _there(args: Mapping[str, Any]) -> Check:
    where = args["file"] or f"the cluster, namespace {args['namespace']}"
    hint = "Run the playbook argocd_sync_windows: it renders the windows from the calendars."
    return Check("sync_windows_project", False, f"not in {where}", f"an AppProject {args['project']}", hint, "NO_PROJECT")


def _document(args: Mapping[str, Any], found: Mapping[str, Any] | None, wanted: list[dict[str, Any]]) -> dict[str, Any]:
    """The AppProject with these windows: of a file all the rest as it is, for a cluster only what is ours."""
    known = found or {"apiVersion": API, "kind": KIND, "metadata": {"name": args["project"], "namespace": args["namespace"]}}
    return {**known, "spec": {**(known.get("spec") or {}), "syncWindows": wanted}}


def _project(args: Mapping[str, Any]) -> dict[str, Any] | None:
    """The AppProject as it is; None when there is none."""
    if args["kubeconfig"]:
        return Kube.connect(args["kubeconfig"], args["context"]).get(Ref(API, KIND, args["namespace"], args["project"]))
    file = Path(args["file"]).expanduser()
    try:
        document = load_strictly(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise ProjectError(f"the file {file} cannot be read: {exc}. Correct it.") from exc
    meta = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(meta, dict) or document.get("kind") != KIND or meta.get("name") != args["project"]:
        raise ProjectError(f"the file {file} holds no AppProject {args['project']}. Name another file, or correct it.")
    return dict(document)
