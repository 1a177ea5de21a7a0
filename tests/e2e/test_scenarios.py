"""What providers told of their estates, played through the real site. The numbers are those of the requirements."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest

from tests.lab.parts import s3
from tests.lab.site import wait_for
from tests.support.estate import QUICK, Estate, freeze, message
from tests.support.starting import new_release

pytestmark = pytest.mark.lab


def stage(estate: Estate, change: dict[str, Any], name: str, *args: str) -> tuple[int, str]:
    return estate.run(estate.change_command(change, *args, playbook=f"change_{name}"), f"{change['id']}-{name}")


def another(change: dict[str, Any], number: int, **other: Any) -> dict[str, Any]:
    """A change beside it, whose id no other test makes."""
    return {**change, "id": f"{change['id']}{number}", **other}


def blocking(estate: Estate, change_id: str) -> set[str]:
    """The tenants that the latest gates name as closed."""
    gates = [e["evidence"]["gates"] for e in estate.events(change_id) if e["event"] == "gated"][-1]
    return {c["id"].removeprefix("window_") for g in gates for c in g["checks"] if c["id"].startswith("window_") and not c["ok"]}


# -- S02: staging first, then cohort by cohort, on a shared platform ---------------------------------------------------------
def staging_first(policy: dict[str, Any]) -> None:
    policy["profiles"]["reviewed_with_customers"]["gates"].append("staging")


def test_s02_production_follows_staging_and_goes_by_cohort(estate: Estate, change_id: str) -> None:
    release = new_release(estate, change_id, tenants="acme:bravo:cedar")
    policy = estate.policy(change_id, staging_first)
    early = estate.change(change_id, release, tenants="acme:bravo", **QUICK)
    code, out = stage(estate, early, "plan", *policy)
    assert code != 0
    assert "this image was never in staging" in message(out)

    rehearsed = another(early, 1, tenants="cedar", environment="staging")
    code, out = estate.run_change(rehearsed, *policy)
    assert code == 0, out[-6000:]
    assert estate.planned(rehearsed["id"])["plan"]["policy"]["cell"] == "normal/application/staging"
    image = early["release"]["image"]
    assert not any(image in estate.images(name).values() for name in ("acme", "bravo")), "staging's change is staging's alone"

    change = another(early, 2)
    code, out = estate.run_change(change, *policy)
    assert code == 0, out[-6000:]
    steps = estate.steps(change["id"])
    assert steps.index("acme:released") < steps.index("bravo:started")
    assert all(set(estate.images(name).values()) == {change["release"]["image"]} for name in ("acme", "bravo"))


def test_s02_tenants_of_the_shared_platform_do_not_reach_each_other(estate: Estate) -> None:
    """In Kubernetes by its own word, in PostgreSQL by trying."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("patch", "deployments"), ("create", "pods")):
        asked = {"namespace": "odoo-bravo", "verb": verb, "resource": resource, "group": "apps" if resource == "deployments" else ""}
        spec = {"user": "system:serviceaccount:odoo-acme:default", "resourceAttributes": asked}
        answer = administrator(estate).post(
            api(estate, "/apis/authorization.k8s.io/v1/subjectaccessreviews"), json={**review, "spec": spec}
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"]["allowed"] is False, f"acme may {verb} {resource} of bravo"
    acme = yaml.safe_load((estate.inventory / "host_vars" / "acme.yml").read_text())
    where = {"host": acme["tenant_database_host"], "port": acme["tenant_database_port"], "user": "odoo_acme"}
    where["password"] = acme["tenant_database_password"]
    psycopg.connect(dbname="acme", **where).close()
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(dbname="bravo", **where)


# -- S04: subsidiaries with closes of their own ----------------------------------------------------------------------------
def test_s04_subsidiaries_with_different_closes(estate: Estate, change_id: str) -> None:
    """A change of all is stopped by those who are in their close, by name; the others need not wait for them."""
    release = new_release(estate, change_id, tenants="bravo")
    closes = estate.calendars(
        change_id,
        freeze("close of acme", tenants=["acme"]),
        freeze("close of bravo", tenants=["bravo"], hours=(24, 48)),
        freeze("close of cedar", tenants=["cedar"], hours=(1, 3)),
        freeze("tax filing of delta", tenants=["delta"], hours=(-48, -24)),
    )
    change = estate.change(change_id, release, **QUICK)
    code, out = stage(estate, change, "plan", *closes)
    assert code != 0
    assert blocking(estate, change_id) == {"acme", "cedar"}, "cedar's begins within the window"
    assert "close of acme" in message(out) and "close of cedar" in message(out)
    assert "bravo" not in message(out) and "delta" not in message(out)

    free = another(change, 1, tenants="bravo")
    code, out = estate.run_change(free, *closes)
    assert code == 0, out[-6000:]
    assert set(estate.images("bravo").values()) == {change["release"]["image"]}
    assert json.loads(estate.report(free["id"]).read_text())["result"] == "succeeded"


# -- S19: a backup that was due was never taken ---------------------------------------------------------------------------
def test_s19_a_missed_backup_stops_a_change_until_it_is_made_up_for(estate: Estate, change_id: str) -> None:
    """The newest backup is minutes old: its age alone would let the change through."""
    cluster = estate.site.facts("postgres")["clusters"][estate.tenants["delta"]["cluster"]]
    tool = Pgbackrest([cluster["pgbackrest"]])
    due = max(b.start for b in tool.info(cluster["stanza"]).backups) + dt.timedelta(seconds=61)  # a clock may be early by a minute
    wait_for(lambda: time.time() > due.timestamp() + 2, what="a backup to be late", timeout_s=90)
    rule = f"FREQ=DAILY;BYHOUR={due.hour};BYMINUTE={due.minute};BYSECOND={due.second}"
    scheduled = json.dumps({"backup_gate_schedule": {"rrule": rule, "tolerance": "PT1S"}})
    change = estate.change(change_id, "2", tenants="delta", **QUICK)
    code, out = stage(estate, change, "plan", "-e", scheduled)
    assert code != 0
    assert "backup_schedule" in message(out)
    assert due.strftime("%Y-%m-%dT%H:%M:%SZ") in message(out), "which one"

    tool.backup(cluster["stanza"])
    code, out = stage(estate, another(change, 1), "plan", "-e", scheduled)
    assert code == 0, out[-4000:]


# -- R087, R090: database and attachments that do not fit together --------------------------------------------------------
def test_a_lost_attachment_stops_a_change_until_it_is_back(estate: Estate, change_id: str) -> None:
    """Nothing else shows it: the backups are good, and Odoo serves."""
    facts, database = estate.site.facts("s3"), estate.tenants["delta"]["database"]
    ((name,),) = estate.sql("delta", "SELECT min(store_fname) FROM ir_attachment WHERE store_fname IS NOT NULL")
    bucket, place = s3.client(facts, "admin"), {"Bucket": facts["buckets"]["filestore"], "Key": f"{database}/{name}"}
    change = estate.change(change_id, "2", tenants="delta", **QUICK)
    marker = bucket.delete_object(**place)["VersionId"]
    try:
        code, out = stage(estate, change, "plan")
        assert code != 0
        assert "attachments_present" in message(out)
        assert name in message(out)
    finally:
        bucket.delete_object(**place, VersionId=marker)
    code, out = stage(estate, change, "plan")
    assert code == 0, out[-4000:]


# -- S21: one object, many tenants ---------------------------------------------------------------------------------------
def test_s21_a_shared_proxy_rule_is_everybodys_change(estate: Estate, change_id: str) -> None:
    """Named for one tenant, it is felt by all: their calendars, their customers and the ingress people have a say."""
    change = estate.change(change_id, "2", tenants="acme", domain="infrastructure", streams=["config"])
    change["release"]["content"] = shared_rule(estate.root / "own" / change_id)
    change["release"]["modules"] = []
    code, out = stage(estate, change, "plan", *estate.calendars(change_id, freeze("payroll of bravo", tenants=["bravo"])))
    assert code != 0
    assert blocking(estate, change_id) == {"bravo"}, "a tenant that the change does not name, behind the same proxy"
    plan = estate.planned(change_id)["plan"]
    assert list(plan["impact"]) == sorted(estate.tenants)
    assert list(plan["tenants"]) == ["acme"]
    assert {group["group"] for group in plan["policy"]["groups"]} >= {"ingress"}
    assert "felt by others than the tenants below: bravo, cedar, delta" in out

    free = another(change, 1)
    assert stage(estate, free, "plan")[0] == 0
    groups = json.dumps({"change_approver_groups": {"customer:delta": ["approver-1"], "ingress": ["approver-2"]}})
    estate.sign(free["id"])
    code, out = stage(estate, free, "approve", "-e", groups)
    assert code != 0
    assert "ingress" in message(out), "one person of the ingress group has to look"
    estate.sign(free["id"], by="approver-2")
    assert stage(estate, free, "approve", "-e", groups)[0] == 0
    assert not [step for step in estate.steps(free["id"]) if ":" in step]


def shared_rule(folder: Path) -> dict[str, str]:
    """A middleware of the ingress, as it is and as it will be."""
    places = {}
    for when, average in (("before", 100), ("after", 20)):
        rule = {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "Middleware",
            "metadata": {"name": "rate-limit", "namespace": "ingress"},
            "spec": {"rateLimit": {"average": average}},
        }
        (folder / when).mkdir(parents=True, exist_ok=True)
        (folder / when / "rate-limit.yml").write_text(yaml.safe_dump(rule))
        places[when] = str(folder / when)
    return places


# -- S24: two tiers, two strategies ----------------------------------------------------------------------------------------
def test_s24_each_tier_is_held_to_what_it_was_promised(estate: Estate, change_id: str) -> None:
    """The treasury was promised to be back in a second, which no restore keeps: only a standby would. Reporting can wait."""

    def promised(policy: dict[str, Any]) -> None:
        policy["objectives"]["dedicated"]["rto"] = "PT1S"

    treasury, policy = estate.change(change_id, "2", tenants="delta", **QUICK), estate.policy(change_id, promised)
    code, out = stage(estate, treasury, "plan", *policy)
    assert code != 0
    assert "restore_drill_rto_s" in message(out)
    assert estate.planned(change_id)["plan"]["objectives"]["dedicated"]["rto"] == "PT1S"
    code, out = stage(estate, another(treasury, 1, tenants="bravo"), "plan", *policy)
    assert code == 0, out[-4000:]


# -- S25: it works, and it went past the gates ---------------------------------------------------------------------------
def test_s25_a_deployment_that_went_past_the_gates_is_a_failed_release(estate: Estate, change_id: str) -> None:
    release = new_release(estate, change_id, tenants="delta")
    before = estate.images("delta")
    change = estate.change(change_id, release, tenants="delta")
    assert stage(estate, change, "plan", *estate.calendars(change_id, freeze("month end")))[0] != 0, "its gates said no"
    try:
        deploy_by_hand(estate, "delta", dict.fromkeys(before, change["release"]["image"]))
        assert estate.answers("delta") == 200, "technically it is fine"
        code, out = stage(estate, change, "prove")
        assert code != 0
        assert "did not bring it" in message(out)
        code, out = stage(estate, change, "close")
        assert code != 0
        assert "delta runs the planned release, and this change did not bring it" in message(out)
        report = json.loads(estate.report(change_id).read_text())
        assert (report["result"], report["ledger"]["verdict"], report["tenants"]["delta"]["result"]) == ("failed", "pass", "untouched")
        assert [e["evidence"]["result"] for e in estate.events(change_id) if e["event"] == "closed"] == ["failed"]
    finally:
        deploy_by_hand(estate, "delta", before)


def administrator(estate: Estate) -> requests.Session:
    """The cluster's administrator: who could do anything, past every playbook."""
    config = yaml.safe_load(Path(estate.site.facts("kubernetes")["admin_kubeconfig"]).read_text())
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"
    return session


def api(estate: Estate, path: str) -> str:
    return str(estate.site.facts("kubernetes")["server"]) + path


def deploy_by_hand(estate: Estate, tenant: str, images: dict[str, str]) -> None:
    namespace = estate.tenants[tenant]["namespace"]
    for name, image in images.items():
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        url = api(estate, f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
        json_patch = {"Content-Type": "application/json-patch+json"}
        administrator(estate).patch(url, json=patch, headers=json_patch, timeout=30).raise_for_status()
    wait_for(lambda: rolled_out(estate, namespace), what=f"{tenant} by hand", timeout_s=180)


def rolled_out(estate: Estate, namespace: str) -> bool:
    found = estate.objects(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    return all(
        d["status"].get("observedGeneration") == d["metadata"]["generation"]
        and d["status"].get("updatedReplicas", 0) == d["status"].get("replicas", 0) == d["spec"]["replicas"]
        and d["status"].get("readyReplicas", 0) == d["spec"]["replicas"]
        for d in found
    )
