"""tenant_apply against a real API server, run by Ansible as a playbook runs it."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.kubernetes.api import Api
from tests.lab.kubernetes.control_plane import Cluster
from tests.lab.site import Site
from tests.support.ansible import command, environment, run_module

pytestmark = pytest.mark.lab

PARTS = ["kubernetes"]
Json = dict[str, Any]
MISSING = "registry.lab/odoo@sha256:" + "0" * 64
PASSWORD = "correct-horse-battery"

SERVER = """#!/usr/bin/python3
import sys, time
if sys.argv[1:2] == ["fail"]:
    print("migration of acme failed: column exists", flush=True)
    sys.exit(3)
if sys.argv[1:2] != ["once"]:
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def kubeconfig(site: Site) -> str:
    return str(site.facts("kubernetes")["kubeconfig"])


@pytest.fixture(scope="module")
def image(site: Site) -> str:
    """An image that sleeps, ends or fails, as its first argument says."""
    digest = hashlib.sha256(SERVER.encode()).hexdigest()
    folder = Path(site.facts("kubernetes")["store"]) / "sha256" / digest
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin" / "odoo").write_text(SERVER)
    (folder / "bin" / "odoo").chmod(0o755)
    (folder / "image.json").write_text(json.dumps({"entrypoint": ["odoo"]}))
    return f"registry.lab/odoo@sha256:{digest}"


@pytest.fixture
def namespace(site: Site) -> Iterator[str]:
    name = f"apply-{uuid.uuid4().hex[:8]}"
    yield name
    cluster = Cluster.of(site)
    Api(cluster.server, cluster.tokens["lab-admin"], str(cluster.ca)).call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def apply(kubeconfig: str) -> Callable[..., Json]:
    def run(objects: list[Json] | None, *, check: bool = False, **args: Any) -> Json:
        given = {"objects": objects} if objects is not None else {}
        return run_module("tenant_apply", {"kubeconfig": kubeconfig, "wait_timeout_s": 60, **given, **args}, check)

    return run


def writes(site: Site) -> Json:
    with urllib.request.urlopen(site.facts("kubernetes")["writes"], timeout=10) as answer:
        return dict(json.load(answer))


def workload(kind: str, name: str, namespace: str, image: str, *, args: list[str] | None = None, **spec: Any) -> Json:
    labels = {"app": name}
    container = {"name": "odoo", "image": image, "args": args or [], "terminationMessagePolicy": "FallbackToLogsOnError"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    if kind == "Job":
        pod["spec"]["restartPolicy"] = "Never"
        return obj("batch/v1", kind, name, namespace, spec={"backoffLimit": 0, "template": pod, **spec})
    return obj("apps/v1", kind, name, namespace, spec={"replicas": 1, "selector": {"matchLabels": labels}, "template": pod, **spec})


def obj(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **rest}


def tenant(namespace: str, image: str) -> list[Json]:
    """One of each kind that a tenant has; given in the wrong order."""
    route = {"routes": [{"kind": "Rule", "match": "Host(`a.example`)", "services": [{"name": "web", "port": 8069}]}]}
    return [
        obj("traefik.io/v1alpha1", "IngressRoute", "web", namespace, spec=route),
        workload("Deployment", "web", namespace, image),
        obj("policy/v1", "PodDisruptionBudget", "web", namespace, spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}),
        obj("v1", "Service", "web", namespace, spec={"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8069}]}),
        obj("v1", "Secret", "odoo", namespace, stringData={"PGPASSWORD": PASSWORD, "EMPTY": ""}),
        obj("v1", "ResourceQuota", "tenant", namespace, spec={"hard": {"pods": "20", "requests.cpu": "4000m"}}),
        obj("networking.k8s.io/v1", "NetworkPolicy", "tenant", namespace, spec={"podSelector": {}, "policyTypes": ["Ingress"]}),
        obj("v1", "ServiceAccount", "odoo", namespace, automountServiceAccountToken=False),
        obj("v1", "Namespace", namespace),
    ]


def test_check_then_apply_then_nothing(site: Site, namespace: str, image: str, apply: Callable[..., Json]) -> None:
    objects = tenant(namespace, image)
    for one in objects:  # a quota on cpu asks every container for its requests
        if one["kind"] == "Deployment":
            one["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "10m"}}
    before = writes(site)
    planned = apply(objects, check=True)
    assert writes(site) == before, "check mode wrote"
    assert planned["changed"]
    done = apply(objects, wait=True)
    assert done["results"] == planned["results"]
    assert len(done["results"]["localhost"]["created"]) == len(objects)
    assert [w["outcome"] for w in done["waited"]["localhost"]] == ["done"]
    before = writes(site)
    again = apply(objects, wait=True)
    assert not again["changed"], again["results"]
    assert len(again["results"]["localhost"]["unchanged"]) == len(objects)
    assert writes(site) == before, "an unchanged object was written"
    discovery_and_wait = 6 + 1
    assert again["requests"] <= len(objects) + discovery_and_wait


def test_drift_is_seen_and_put_right(namespace: str, image: str, apply: Callable[..., Json]) -> None:
    space, web = obj("v1", "Namespace", namespace), workload("Deployment", "web", namespace, image)
    with_env = json.loads(json.dumps(web))
    with_env["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    apply([space, with_env])
    planned = apply([space, web], check=True)
    assert planned["results"]["localhost"]["changed"] == [f"Deployment {namespace}/web"]
    assert apply([space, web])["changed"]
    live = apply([web], state="read")["live"]["localhost"][0]
    assert "env" not in live["spec"]["template"]["spec"]["containers"][0]
    assert not apply([space, web])["changed"]


def test_a_field_of_another_manager_is_a_conflict_that_can_be_taken_over(namespace: str, image: str, apply: Callable[..., Json]) -> None:
    space, web = obj("v1", "Namespace", namespace), workload("Deployment", "web", namespace, image)
    apply([space, web])
    apply([{**web, "spec": {**web["spec"], "replicas": 2}}], field_manager="somebody", force_conflicts=True)
    refused = apply([web])
    assert refused["failed"]
    assert "somebody" in refused["msg"] and "409" in refused["msg"] and "force_conflicts" in refused["msg"]
    assert apply([web], force_conflicts=True)["changed"]


@pytest.mark.parametrize(
    ("picture", "args", "wanted"),
    [
        pytest.param("", ["fail"], "CrashLoopBackOff: migration of acme failed: column exists", id="crash"),
        pytest.param(MISSING, [], "The image cannot be had", id="no-image"),
    ],
)
def test_waiting_ends_early_with_the_reason(
    namespace: str, image: str, apply: Callable[..., Json], picture: str, args: list[str], wanted: str
) -> None:
    # without a probe a container is ready from its start to its end, and one that is about to fail takes a while on a busy machine
    web = workload("Deployment", "web", namespace, picture or image, args=args, minReadySeconds=20)
    done = apply([obj("v1", "Namespace", namespace), web], wait=True, wait_timeout_s=90)
    assert done["failed"] and done["changed"]
    assert done["msg"].startswith(f"tenant localhost: Deployment {namespace}/web: ")
    assert wanted in done["msg"]
    assert done["waited"]["localhost"][0]["seconds"] < 60


def test_the_late_rollout_before_is_no_verdict_on_the_next(namespace: str, image: str, apply: Callable[..., Json]) -> None:
    """The controller's word on it stands in the status until the next one has come on."""
    web = workload("Deployment", "web", namespace, image, progressDeadlineSeconds=2)
    apply([obj("v1", "Namespace", namespace), web], wait=True)
    for number in range(2):
        late = copy.deepcopy(web)
        late["spec"]["template"]["spec"]["nodeSelector"] = {"none": f"{number}"}
        done = apply([late], wait=True)
        assert "ProgressDeadlineExceeded" in done["msg"]
        again = apply([late], wait=True)
        assert not again["changed"] and "ProgressDeadlineExceeded" in again["msg"], "it is still this rollout"
        late["spec"]["replicas"] = 0
        done = apply([late], wait=True)
        assert not done["failed"], done["msg"]


def test_a_job_is_done_once(namespace: str, image: str, apply: Callable[..., Json]) -> None:
    objects = [obj("v1", "Namespace", namespace), workload("Job", "update", namespace, image, args=["once"])]
    assert apply(objects, wait=True)["changed"]
    first = apply(objects[1:], state="read")["live"]["localhost"][0]["metadata"]["uid"]
    again = apply(objects, wait=True)
    assert not again["changed"] and not again["failed"]
    assert apply(objects[1:], state="read")["live"]["localhost"][0]["metadata"]["uid"] == first
    other = apply([workload("Job", "update", namespace, image, args=["twice"])])
    assert other["failed"] and "another spec" in other["msg"] and "new name" in other["msg"]


def test_a_failed_job_stays_failed_unless_it_may_be_repeated(namespace: str, image: str, apply: Callable[..., Json]) -> None:
    objects = [obj("v1", "Namespace", namespace), workload("Job", "update", namespace, image, args=["fail"])]
    for _run in range(2):
        done = apply(objects, wait=True)
        assert done["failed"] and "column exists" in done["msg"]
    assert not done["changed"]
    repeated = apply(objects, wait=True, replace_failed_jobs=True)
    assert repeated["changed"] and repeated["failed"]


def test_stopped_means_that_no_pod_is_left(site: Site, namespace: str, image: str, apply: Callable[..., Json]) -> None:
    web = workload("Deployment", "web", namespace, image)
    web["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "2"]}}}
    web["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 10
    apply([obj("v1", "Namespace", namespace), web], wait=True)
    stopped = apply([{**web, "spec": {**web["spec"], "replicas": 0}}], wait=True)
    assert not stopped["failed"]
    cluster = Cluster.of(site)
    api = Api(cluster.server, cluster.tokens["lab-admin"], str(cluster.ca))
    assert api.get(f"/api/v1/namespaces/{namespace}/pods")["items"] == []


def test_absent_is_gone_and_then_nothing(site: Site, namespace: str, image: str, apply: Callable[..., Json]) -> None:
    web = workload("Deployment", "web", namespace, image)
    apply([obj("v1", "Namespace", namespace), web], wait=True)
    before = writes(site)
    assert apply([web], state="absent", check=True)["results"]["localhost"]["deleted"] == [f"Deployment {namespace}/web"]
    assert writes(site) == before
    assert apply([web], state="absent", wait=True)["changed"]
    assert apply([web], state="read")["live"]["localhost"] == [None]
    assert not apply([web], state="absent", wait=True)["changed"]


def test_many_tenants_in_one_task(namespace: str, image: str, apply: Callable[..., Json]) -> None:
    """One that is refused stops neither the others nor their report."""
    good = [obj("v1", "Namespace", namespace), obj("v1", "ConfigMap", "one", namespace, data={"a": "1"})]
    bad = [obj("v1", "Service", "Bad_Name", namespace, spec={"ports": [{"port": 1}]})]
    done = apply(None, tenants={"bad": [good[0], *bad], "good": good})
    assert done["failed"] and done["changed"]
    assert "tenant bad" in done["msg"] and "422" in done["msg"]
    assert done["results"]["good"]["created"] == [f"ConfigMap {namespace}/one"]


def test_no_secret_in_the_most_talkative_output(kubeconfig: str, namespace: str) -> None:
    objects = [obj("v1", "Namespace", namespace), obj("v1", "Secret", "odoo", namespace, stringData={"PGPASSWORD": PASSWORD})]
    token = str(yaml.safe_load(Path(kubeconfig).read_text())["users"][0]["user"]["token"])
    said = ""
    for value in (PASSWORD, PASSWORD + "2"):
        objects[1]["stringData"] = {"PGPASSWORD": value}
        variables = {"objects": objects}
        argv = [*command("tenant_apply", {"kubeconfig": kubeconfig, "objects": "{{ objects }}"}, variables=variables), "--diff", "-vvv"]
        done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, timeout=120)
        said += done.stdout + done.stderr
    assert "secret:" in said
    assert not [word for word in (PASSWORD, "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", token) if word in said]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({"server": "http://127.0.0.1:9"}, "refuses connections", id="server-down"),
        pytest.param({"token": "wrong"}, "401", id="wrong-token"),
    ],
)
def test_a_cluster_that_cannot_be_used(kubeconfig: str, tmp_path: Path, change: dict[str, str], wanted: str) -> None:
    config = yaml.safe_load(Path(kubeconfig).read_text())
    if "server" in change:
        config["clusters"][0]["cluster"]["server"] = change["server"]
    else:
        config["users"][0]["user"]["token"] = change["token"]
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    done = run_module("tenant_apply", {"kubeconfig": str(tmp_path / "config"), "objects": [obj("v1", "Namespace", "x")]})
    assert done["failed"] and wanted in done["msg"]


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        pytest.param([obj("v9", "Nothing", "x")], "no kind Nothing in v9", id="no-such-kind"),
        pytest.param([obj("v1", "ConfigMap", "x")], "none is given", id="no-namespace"),
        pytest.param([{"kind": "Secret"}], "no Kubernetes object", id="no-object"),
        pytest.param([obj("v1", "Node", "x")], "403", id="not-allowed"),
    ],
)
def test_bad_objects(apply: Callable[..., Json], objects: list[Json], wanted: str) -> None:
    done = apply(objects)
    assert done["failed"] and not done["changed"] and wanted in done["msg"]


def test_a_kubeconfig_that_is_not_there() -> None:
    done = run_module("tenant_apply", {"kubeconfig": "/none", "objects": [obj("v1", "Namespace", "x")]})
    assert done["failed"] and done["code"] == "KUBECONFIG" and "/none" in done["msg"]
