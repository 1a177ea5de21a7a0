"""What people do with the lab's estate: write a change file, sign a plan, run a playbook. The demo and the tests share it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import approval_document

from tests.lab.parts.postgres import connect
from tests.lab.site import LabError, Site
from tests.support.ansible import environment

NAMESPACE = "odoo-ops-change"
ROOT = Path(__file__).resolve().parents[2]
# For tests of something else than the canary: it compares timesheet lines alone, the quickest of all, and decides in seconds.
QUICK: dict[str, Any] = {"verification": {"transactions": ["timesheet"], "soak_s": 0}}


def freeze(name: str, *, tenants: Sequence[str] = (), hours: tuple[float, float] = (-1, 3), **rule: Any) -> dict[str, Any]:
    """A calendar of these tenants (none: of all) that denies from so many hours before now until so many after."""
    now = dt.datetime.now(dt.timezone.utc)
    start, end = ((now + dt.timedelta(hours=h)).strftime("%Y-%m-%dT%H:%M") for h in hours)
    rules = [{"name": name, "effect": "deny", "once": {"from": start, "until": end}, **rule}]
    return {"name": f"calendar of {name}", "timezone": "UTC", "applies_to": {"tenants": list(tenants)}, "rules": rules}


class Estate:
    """The lab's estate as its operators see it: an inventory, a folder of change files, keys."""

    def __init__(self, site: Site) -> None:
        facts = site.facts("estate")
        self.site = site
        self.inventory = Path(facts["inventory"])
        self.root = Path(facts["root"])
        self.ledger = Path(facts["ledger"])
        self.signing_keys = {name: Path(path) for name, path in facts["ssh_keys"].items()}
        self.tenants: dict[str, dict[str, Any]] = facts["tenants"]
        self.releases: dict[str, dict[str, Any]] = site.facts("releases")["releases"]
        self.logs = site.folder("log")

    # -- change files ------------------------------------------------------------------------------------------------
    def change(self, change_id: str, release: str, **other: Any) -> dict[str, Any]:
        """A valid change of all tenants to a release, with a window that is open now."""
        start = dt.datetime.now(dt.timezone.utc) - dt.timedelta(minutes=1)
        return {
            "id": change_id,
            "title": f"acme_billing release {release}",
            "class": "normal",
            "domain": "application",
            "streams": ["code"],
            "environment": "production",
            "requester": "ops-1",
            "owner": "ops-1",
            "tenants": "tenants",
            "impact": "Invoice posting of all tenants",
            "release": {"image": self.releases[release]["image"], "modules": ["acme_billing"]},
            "rollback": {"strategy": "previous_image", "point_of_no_return": "released"},
            "verification": {"transactions": ["invoice"], "soak_s": 0},
            "window": {"start": start.isoformat(timespec="seconds"), "duration": "PT2H"},
            "waivers": [],
            "readiness": readiness(start),
            **other,
        }

    def write(self, change: Mapping[str, Any]) -> Path:
        folder = self.root / "changes"
        folder.mkdir(exist_ok=True)
        path = folder / f"{change['id']}.yml"
        path.write_text(yaml.safe_dump({"change": dict(change)}, sort_keys=False))
        return path

    def content(self, before: str, after: str) -> dict[str, str]:
        """What a release consists of, before and after: the addons of two releases."""
        return {"before": self.releases[before]["path"], "after": self.releases[after]["path"]}

    # -- what an estate has of its own ---------------------------------------------------------------------------------
    def calendars(self, change_id: str, *calendars: Mapping[str, Any]) -> list[str]:
        """Arguments that give a run the lab's calendar and these; written anew at each call."""
        path = self.write_own(change_id, "calendar.yml", list(calendars))
        return ["-e", json.dumps({"change_calendars": [str(self.root / "calendar.yml"), str(path)]})]

    def policy(self, change_id: str, edit: Callable[[dict[str, Any]], None]) -> list[str]:
        """Arguments that give a run the shipped policy with an edit."""
        policy = yaml.safe_load((ROOT / "meta" / "policy.yml").read_text())
        edit(policy)
        return ["-e", f"change_policy={self.write_own(change_id, 'policy.yml', policy)}"]

    def odoo_on_copies(self) -> list[str]:
        """Arguments that let drills and rehearsals start Odoo on a restored copy."""
        command = self.root / "odoo-of-image"
        command.write_text(f'#!/bin/sh\nexec "{self.site.folder("store")}/sha256/${{ODOO_IMAGE##*:}}/bin/odoo" "$@"\n')
        command.chmod(0o755)
        # the lab's Odoo lies in a folder of root's
        return ["-e", f"backup_gate_odoo_command={command}", "-e", "backup_gate_odoo_user=root"]

    def write_own(self, change_id: str, name: str, content: Any) -> Path:
        folder = self.root / "own" / change_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
        return folder / name

    # -- approvals ---------------------------------------------------------------------------------------------------
    def approvals(self, change_id: str) -> Path:
        folder = self.root / "approvals" / change_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def sign(self, change_id: str, *, by: str = "approver-1", digest: str | None = None, key: str | None = None) -> Path:
        """Signs the recorded plan as ``by``, with the key of ``by`` unless another one is named."""
        at = dt.datetime.now(dt.timezone.utc)
        document = self.approvals(change_id) / f"{by}.json"
        planned = self.planned(change_id)
        policy = planned["plan"]["policy"]["version"]
        document.write_bytes(approval_document(change_id, digest or planned["digest"], by, at, policy=policy))
        signature = document.with_name(document.name + ".sig")
        signature.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(self.signing_keys[key or by]), str(document)]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return signature

    # -- the ledger, read as plain files -------------------------------------------------------------------------------
    def events(self, change_id: str) -> list[dict[str, Any]]:
        """The predicates of all entries, in order. Read, not verified."""
        entries = sorted((self.ledger / change_id).glob("*.json")) if (self.ledger / change_id).is_dir() else []
        return [predicate(entry) for entry in entries]

    def planned(self, change_id: str) -> dict[str, Any]:
        return [e["evidence"] for e in self.events(change_id) if e["event"] == "planned"][-1]

    def steps(self, change_id: str) -> list[str]:
        """The events as ``tenant:event`` or ``event``."""
        return [f"{e['tenant']}:{e['event']}" if e["tenant"] else e["event"] for e in self.events(change_id)]

    # -- what the world says --------------------------------------------------------------------------------------------
    def answers(self, tenant: str, *, as_change: str = "") -> int:
        """The status of the tenant's login page for a user, or for the change that holds the tenant."""
        url = self.site.facts("traefik")["url"]
        headers = {"Host": self.tenants[tenant]["host"], **({"X-Odoo-Change": as_change} if as_change else {})}
        return requests.get(f"{url}/web/login", headers=headers, timeout=60).status_code

    def objects(self, path: str) -> list[dict[str, Any]]:
        """A list from the Kubernetes API, as its administrator."""
        facts = self.site.facts("kubernetes")
        token = yaml.safe_load(Path(facts["admin_kubeconfig"]).read_text())["users"][0]["user"]["token"]
        answer = requests.get(facts["server"] + path, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        answer.raise_for_status()
        return list(answer.json()["items"])

    def images(self, tenant: str) -> dict[str, str]:
        """The image of each Deployment of the tenant."""
        found = self.objects(f"/apis/apps/v1/namespaces/{self.tenants[tenant]['namespace']}/deployments")
        return {d["metadata"]["name"]: d["spec"]["template"]["spec"]["containers"][0]["image"] for d in found}

    def sql(self, tenant: str, query: str) -> list[tuple[Any, ...]]:
        """Rows of the tenant's database, read by its administrator."""
        cluster = self.site.facts("postgres")["clusters"][self.tenants[tenant]["cluster"]]
        with connect(cluster, self.tenants[tenant]["database"]) as db:
            return list(db.execute(query).fetchall())

    def report(self, change_id: str) -> Path:
        return self.root / "reports" / f"{change_id}.json"

    def jobs(self, tenant: str) -> list[dict[str, Any]]:
        return self.objects(f"/apis/batch/v1/namespaces/{self.tenants[tenant]['namespace']}/jobs")

    # -- playbooks ---------------------------------------------------------------------------------------------------
    def command(self, playbook: str, *args: str, variables: Mapping[str, Any] | None = None) -> list[str]:
        extra = ["-e", json.dumps(dict(variables))] if variables else []
        ansible_playbook = str(Path(sys.executable).parent / "ansible-playbook")
        return [ansible_playbook, f"odoo_ops.change_control.{playbook}", "-i", str(self.inventory), *extra, *args]

    def change_command(self, change: Mapping[str, Any], *args: str, playbook: str = "change_normal") -> list[str]:
        path = self.write(change)
        return self.command(playbook, "-e", f"@{path}", "-e", f"change_approvals={self.approvals(change['id'])}", *args)

    def start(self, command: Sequence[str], log: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Starts a playbook in its own session, its output in ``log/<log>.log``."""
        out = (self.logs / f"{log}.log").open("wb")
        # the lab's mark, so that whatever a killed run leaves behind is found by "down"
        own = {"ODOO_RUN": log, "ANSIBLE_STDOUT_CALLBACK": "default", "ODOO_LAB": str(self.site.root), **(env or {})}
        return subprocess.Popen(
            list(command), env=environment(own), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )

    def run(self, command: Sequence[str], log: str, *, env: Mapping[str, str] | None = None, timeout_s: float = 1200) -> tuple[int, str]:
        """Runs a playbook to its end: its exit code and its output."""
        code = self.start(command, log, env).wait(timeout_s)
        return code, (self.logs / f"{log}.log").read_text(errors="replace")

    def prove_backups(self) -> None:
        """A drill of each cluster and a reading of each repository, side by side: no change passes without."""
        running = {name: self.start(self.command(name), name) for name in ("restore_drill", "backup_verify")}
        ended = {name: process.wait(1200) for name, process in running.items()}
        for name, code in ended.items():
            if code:
                raise LabError(f"{name} ended with {code}:\n{(self.logs / f'{name}.log').read_text(errors='replace')[-4000:]}")

    def run_change(self, change: Mapping[str, Any], *args: str, log: str | None = None) -> tuple[int, str]:
        """The whole path: plan, stop for the approval, sign, and the same command again."""
        command = self.change_command(change, *args)
        code, out = self.run(command, f"{log or change['id']}-plan")
        if not self.events(change["id"]):
            return code, out
        self.sign(change["id"])
        return self.run(command, log or str(change["id"]))


def readiness(at: dt.datetime) -> dict[str, Any]:
    """What a change says of its readiness; only changes of data, integrations and shared parts are asked for it."""
    informed = {"at": at.isoformat(timespec="seconds"), "how": "a mail to all customers", "tenants": ["*"]}
    return {"on_call": "approver-2", "connectors": [{"name": "bank feed", "owner": "approver-2"}], "informed": informed}


def predicate(entry: Path) -> dict[str, Any]:
    envelope = json.loads(entry.read_text())
    return dict(json.loads(base64.b64decode(envelope["payload"]))["predicate"])


def message(out: str) -> str:
    """What the failed tasks said."""
    found = re.findall(r"^fatal: .*?=> (\{.*\})$", out, re.MULTILINE)
    return "\n".join(str(json.loads(text).get("msg")) for text in found)
