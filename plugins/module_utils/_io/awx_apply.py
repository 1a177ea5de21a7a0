# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes an AWX look as wanted: object by object, in the order in which they need each other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import awx_objects
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_kinds import KINDS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_objects import Live, Wanted
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_steps import Step, node_steps
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Difference
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_api import Awx, AwxError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_read import NODES, Names, find, read, wanted

SYNCING = ("new", "pending", "waiting", "running")
EVERY_S = 1.0


@dataclass
class Outcome:
    """What became of each object, by ``endpoint 'name'``, and what ``--diff`` shows."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    diff: list[dict[str, Any]] = field(default_factory=list)

    def listed(self) -> dict[str, list[str]]:
        return {"created": self.created, "changed": self.changed, "unchanged": self.unchanged}


@dataclass(frozen=True)
class Options:
    """``check``: nothing is written. ``renew``: secrets that AWX has are sent again. ``sync_timeout_s``: for a project."""

    check: bool
    renew: bool
    sync_timeout_s: float
    salt: str


class Apply:
    """One run over all objects."""

    def __init__(self, awx: Awx, options: Options) -> None:
        self.awx = awx
        self.options = options
        self.names = Names(awx)
        self.outcome = Outcome()

    def bring_to(self, objects: Mapping[str, Any]) -> None:
        """AwxError, with the object that it is about, ends it; ``outcome`` tells how far it went."""
        for kind in KINDS.values():
            for obj in objects.get(kind.endpoint) or []:
                at = f"{kind.endpoint} '{obj['name'].strip()}'"
                try:
                    self._one(at, wanted(kind, obj, self.names))
                except AwxError as exc:
                    raise AwxError(f"{at}: {exc}", status=exc.status, code=exc.code) from None

    def _one(self, at: str, want: Wanted) -> None:
        self.awx.hidden = [self.awx.token, *awx_objects.secrets_of(want)]
        live = read(self.awx, want)
        found = awx_objects.differences(want, live, renew=self.options.renew)
        made = live.id if live else None
        if not self.options.check:
            made = write(self.awx, want, live, found) if found else made
            if want.kind.endpoint == "projects":
                wait_for_project(self.awx, int(made or 0), written=bool(found), timeout_s=self.options.sync_timeout_s)
        self.names.own[want.kind.endpoint, want.name] = made
        if found:
            (self.outcome.changed if live else self.outcome.created).append(at)
            self.outcome.diff.append(awx_objects.shown(want, found, salt=self.options.salt))
        else:
            self.outcome.unchanged.append(at)


def write(awx: Awx, want: Wanted, live: Live | None, found: list[Difference]) -> int:
    """Makes or changes one object; its id. A new workflow of which a part is refused is taken back as a whole."""
    body = awx_objects.body(want, live, found)
    if live is not None:
        if body:
            awx.patch(f"{want.kind.endpoint}/{live.id}/", body)
        _write_parts(awx, want, live)
        return live.id
    document = awx.create(f"{want.kind.endpoint}/", body, made=lambda: find(awx, want))
    new = Live(int(document["id"]), document)
    try:
        _write_parts(awx, want, new)
    except AwxError:
        if want.kind.nodes:
            awx.delete(f"{want.kind.endpoint}/{new.id}/")
        raise
    return new.id


def _write_parts(awx: Awx, want: Wanted, live: Live) -> None:
    at = f"{want.kind.endpoint}/{live.id}/"
    if want.survey is not None and not awx_objects.same_survey(want.survey, live.survey):
        if want.survey:
            awx.post(f"{at}survey_spec/", want.survey)
        else:
            awx.delete(f"{at}survey_spec/")
    for name, targets in want.links.items():
        add, remove = awx_objects.link_changes(targets, live.links.get(name, ()))
        for target in remove:
            awx.post(f"{at}{name}/", {"id": target.id, "disassociate": True})
        for target in add:
            awx.post(f"{at}{name}/", {"id": target.id})
    if want.nodes is not None:
        Nodes(awx, live).bring_to(node_steps(want.nodes, live.nodes, want.listed))


class Nodes:
    """The nodes of one workflow while they are changed."""

    def __init__(self, awx: Awx, live: Live) -> None:
        self.awx = awx
        self.workflow = live.id
        self.ids = {node.identifier: int(node.id or 0) for node in live.nodes}
        self.approvals = {node.identifier: node.approval_id for node in live.nodes}

    def bring_to(self, steps: list[Step]) -> None:
        for step in steps:
            getattr(self, f"_{step.do}")(step)

    def _make(self, step: Step) -> None:
        under = f"{NODES}{self.ids[step.parent]}/{step.way}/" if step.parent else f"workflow_job_templates/{self.workflow}/workflow_nodes/"
        body = {"identifier": step.identifier, "workflow_job_template": self.workflow, **step.body}
        self.ids[step.identifier] = int(self.awx.create(under, body, made=lambda: self._made(step))["id"])

    def _made(self, step: Step) -> dict[str, Any] | None:
        """The node, when a request without an answer has made it, with its edge."""
        found = self.awx.all(NODES, {"workflow_job_template": self.workflow, "identifier": step.identifier})
        if not found:
            return None
        self.ids[step.identifier] = int(found[0]["id"])
        if step.parent:
            self._link(step)
        return found[0]

    def _update(self, step: Step) -> None:
        self.awx.patch(f"{NODES}{self.ids[step.identifier]}/", step.body)

    def _approve(self, step: Step) -> None:
        if known := self.approvals.get(step.identifier):
            self.awx.patch(f"workflow_approval_templates/{known}/", step.body)
            return
        node = f"{NODES}{self.ids[step.identifier]}/"

        def made() -> dict[str, Any] | None:
            document = self.awx.get(node)
            return document if document.get("unified_job_template") else None

        self.awx.create(f"{node}create_approval_template/", step.body, made=made)

    def _link(self, step: Step) -> None:
        self.awx.post(f"{NODES}{self.ids[step.parent]}/{step.way}/", {"id": self.ids[step.identifier]})

    def _unlink(self, step: Step) -> None:
        self.awx.post(f"{NODES}{self.ids[step.parent]}/{step.way}/", {"id": self.ids[step.identifier], "disassociate": True})

    def _remove(self, step: Step) -> None:
        self.awx.delete(f"{NODES}{self.ids[step.identifier]}/")


def wait_for_project(awx: Awx, project: int, *, written: bool, timeout_s: float) -> None:
    """Until AWX has fetched the project: it takes no job template whose playbook it has not seen."""
    began = time.monotonic()
    status = str(awx.get(f"projects/{project}/").get("status"))
    if not written and status not in SYNCING:
        return
    while status in (*SYNCING, "never updated"):
        if time.monotonic() - began > timeout_s:
            told = f"it is {status} since {timeout_s:g} s, wanted successful. Look at its last job in AWX, then run again."
            raise AwxError(told, code="PROJECT_SYNC")
        time.sleep(EVERY_S)
        status = str(awx.get(f"projects/{project}/").get("status"))
    if status != "successful":
        raise AwxError(
            f"its synchronisation is {status}, wanted successful. Look at its last job in AWX; correct scm_url, scm_branch or credential, "
            "then run again.",
            code="PROJECT_SYNC",
        )
