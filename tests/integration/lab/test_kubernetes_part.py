"""The lab's Kubernetes behaves as a cluster does, as far as changes to hosting can tell."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.__main__ import part
from tests.lab.kubernetes.api import Api
from tests.lab.kubernetes.control_plane import Cluster
from tests.lab.site import Site, wait_for

pytestmark = pytest.mark.lab

PARTS = ["kubernetes", "traefik"]
Json = dict[str, Any]
Image = Callable[[str], str]

SERVER = """#!/usr/bin/python3
import http.server, os, signal, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        held = self.path == "/ready" and os.path.exists(os.environ["POD_DIR"] + "/unready")
        body = (os.environ.get("GREETING", "hello") + " " + RELEASE).encode()
        self.send_response(503 if held or (self.path == "/probe" and self.headers.get("X-Probe") != "yes") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
print("serving", sys.argv[1:], flush=True)
if sys.argv[1:2] == ["fail"]:
    print("migration of acme failed: column exists", flush=True)
    sys.exit(3)
if sys.argv[1:2] == ["once"]:
    sys.exit(0)
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8069), Answer).serve_forever()
"""


#: Time for the news that a pod ends to reach Traefik; a controller that was outdated tries again after a second.
LINGER = {"preStop": {"exec": {"command": ["sleep", "2"]}}}


@pytest.fixture(scope="module")
def image(site: Site) -> Image:
    """Makes an image in the release store; its answer names the release."""

    def make(release: str) -> str:
        program = SERVER.replace("RELEASE", repr(release))
        digest = hashlib.sha256(program.encode()).hexdigest()
        final = site.folder("store", "sha256") / digest
        if not final.exists():  # a release never changes: a program that is being written cannot be started
            draft = Path(tempfile.mkdtemp(dir=final.parent))
            draft.chmod(0o755)
            (draft / "bin").mkdir()
            (draft / "bin" / "serve").write_text(program)
            (draft / "bin" / "serve").chmod(0o755)
            (draft / "image.json").write_text(json.dumps({"entrypoint": ["serve"]}))
            draft.rename(final)
        return f"registry.lab/test@sha256:{digest}"

    return make


GROUPS = {
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "cronjobs": "/apis/batch/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "ingressroutes": "/apis/traefik.io/v1alpha1",
}


class Namespace:
    """One namespace and what the tests do in it, through the proxy, as the operator."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name

    def path(self, plural: str, name: str = "") -> str:
        return f"{GROUPS.get(plural, '/api/v1')}/namespaces/{self.name}/{plural}" + (f"/{name}" if name else "")

    def apply(self, plural: str, manifest: Json) -> Json:
        return dict(self.api.apply(self.path(plural), manifest, manager="test"))

    def get(self, plural: str, name: str = "") -> Json:
        return dict(self.api.get(self.path(plural, name)))

    def pods(self, app: str) -> list[Json]:
        return list(self.api.get(f"{self.path('pods')}?labelSelector=app%3D{app}")["items"])


@pytest.fixture(scope="module")
def namespace(site: Site) -> Iterator[Namespace]:
    cluster = Cluster.of(site)
    api = Api(cluster.proxy, cluster.tokens["odoo-ops"])
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.expect("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield Namespace(api, name)
    api.expect("DELETE", f"/api/v1/namespaces/{name}")


def container(image: str, **more: Any) -> Json:
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1}
    return {"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8069}], "readinessProbe": probe, **more}


def deployment(app: str, image: str, *, replicas: int = 2, **more: Any) -> Json:
    labels = {"app": app}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [container(image, **more)]},
            },
        },
    }


def service(app: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": app}, "spec": {"selector": {"app": app}, "ports": ports}}


def route(app: str, match: str) -> Json:
    routes = [{"kind": "Rule", "match": match, "services": [{"name": app, "port": "http"}]}]
    spec = {"entryPoints": ["web"], "routes": routes}
    return {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": app}, "spec": spec}


def rolled_out(namespace: Namespace, app: str) -> bool:
    found = namespace.get("deployments", app)
    status, wanted = found.get("status", {}), found["spec"]["replicas"]
    numbers = {status.get(key, 0) for key in ("updatedReplicas", "replicas", "readyReplicas", "availableReplicas")}
    return status.get("observedGeneration") == found["metadata"]["generation"] and numbers == {wanted}


def ask(site: Site, host: str, path: str = "/", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(site.facts("traefik")["url"] + path, headers={"Host": host, **headers})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def waiting_reason(pods: list[Json]) -> set[str]:
    return {s["state"].get("waiting", {}).get("reason", "") for pod in pods for s in pod["status"].get("containerStatuses", [])}


def test_a_deployment_serves_through_traefik_and_rolls_to_a_new_digest(site: Site, namespace: Namespace, image: Image) -> None:
    host = f"web.{namespace.name}.lab.example"
    namespace.apply("services", service("web"))
    namespace.apply("ingressroutes", route("web", f"Host(`{host}`)"))
    namespace.apply("deployments", deployment("web", image("one"), lifecycle=LINGER))
    wait_for(lambda: rolled_out(namespace, "web"), what="first rollout", timeout_s=30)
    wait_for(lambda: ask(site, host)[0] == 200, what="traffic", timeout_s=10)
    assert ask(site, host) == (200, "hello one")
    addresses = {a for s in namespace.get("endpointslices")["items"] for e in s["endpoints"] for a in e["addresses"]}
    assert len(addresses) == 2 and all(a.startswith("127.244.") for a in addresses)
    assert {p["status"]["podIP"][:7] for p in namespace.pods("web")} == {"10.244."}

    namespace.apply("deployments", deployment("web", image("two"), lifecycle=LINGER))
    seen: list[tuple[int, str]] = []
    while not rolled_out(namespace, "web") or ask(site, host)[1] != "hello two":
        seen.append(ask(site, host))
        assert len(seen) < 3000
    assert {status for status, _dummy in seen} <= {200}, [s for s in seen if s[0] != 200][:5]
    assert namespace.get("deployments", "web")["status"]["readyReplicas"] == 2


def containers(namespace: Namespace, app: str) -> list[Json]:
    return [s for pod in namespace.pods(app) for s in pod["status"].get("containerStatuses", [])]


def test_traffic_follows_readiness(site: Site, namespace: Namespace, image: Image) -> None:
    host = f"ready.{namespace.name}.lab.example"
    namespace.apply("services", service("ready"))
    namespace.apply("ingressroutes", route("ready", f"Host(`{host}`) && Header(`X-Canary`, `yes`)"))
    namespace.apply("deployments", deployment("ready", image("one"), replicas=1))
    wait_for(lambda: ask(site, host, **{"X-Canary": "yes"})[0] == 200, what="traffic", timeout_s=20)
    assert ask(site, host)[0] == 404, "the route asks for a header"

    data = next(Path(site.facts("kubernetes")["pods"]).glob(f"{namespace.name}_ready-*")) / "data"
    (data / "unready").touch()
    wait_for(lambda: ask(site, host, **{"X-Canary": "yes"})[0] == 503, what="503 without a ready endpoint", timeout_s=20)
    (data / "unready").unlink()
    began = time.monotonic()
    wait_for(lambda: ask(site, host, **{"X-Canary": "yes"})[0] == 200, what="traffic again", timeout_s=20)
    print(f"ready to traffic: {time.monotonic() - began:.2f} s")


def test_a_release_that_cannot_start_ends_in_crash_loop_back_off(namespace: Namespace, image: Image) -> None:
    more = {"args": ["fail"], "terminationMessagePolicy": "FallbackToLogsOnError"}
    namespace.apply("deployments", deployment("crash", image("one"), replicas=1, **more))
    wait_for(lambda: "CrashLoopBackOff" in waiting_reason(namespace.pods("crash")), what="CrashLoopBackOff", timeout_s=20)
    wait_for(lambda: containers(namespace, "crash")[0]["restartCount"] >= 2, what="a second restart", timeout_s=20)
    status = containers(namespace, "crash")[0]
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], status["ready"]) == (3, "Error", False)
    assert "migration of acme failed" in ended["message"]
    assert namespace.pods("crash")[0]["status"]["phase"] == "Running"


def test_a_program_that_is_not_there_is_a_start_error(namespace: Namespace, image: Image) -> None:
    namespace.apply("deployments", deployment("missing", image("one"), replicas=1, command=["no-such-program"]))
    wait_for(lambda: "CrashLoopBackOff" in waiting_reason(namespace.pods("missing")), what="CrashLoopBackOff", timeout_s=20)
    assert containers(namespace, "missing")[0]["lastState"]["terminated"]["reason"] == "StartError"


NOWHERE = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(f"registry.lab/test@{NOWHERE}", id="digest-that-is-not-there"),
        pytest.param("registry.lab/test:latest", id="tag"),
        pytest.param(f"elsewhere.example/test@{NOWHERE}", id="another-registry"),
    ],
)
def test_an_image_that_is_not_there_ends_in_image_pull_back_off(namespace: Namespace, reference: str) -> None:
    app = f"pull-{uuid.uuid4().hex[:6]}"
    namespace.apply("deployments", deployment(app, reference, replicas=1))
    wait_for(lambda: "ImagePullBackOff" in waiting_reason(namespace.pods(app)), what="ImagePullBackOff", timeout_s=20)
    assert namespace.pods(app)[0]["status"]["phase"] == "Pending"
    assert namespace.api.call("DELETE", namespace.path("deployments", app))[0] == 200
    wait_for(lambda: not namespace.pods(app), what="the pod to go", timeout_s=20)


def job(name: str, image: str, *args: str) -> Json:
    spec = {**container(image), "args": list(args), "terminationMessagePolicy": "FallbackToLogsOnError"}
    spec.pop("readinessProbe")
    template = {"metadata": {"labels": {"app": name}}, "spec": {"restartPolicy": "Never", "containers": [spec]}}
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"backoffLimit": 0, "template": template}}


def ended(namespace: Namespace, name: str) -> str | None:
    conditions = namespace.get("jobs", name)["status"].get("conditions", [])
    return next((c["type"] for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None)


def test_a_job_completes_and_another_fails_with_its_last_words(namespace: Namespace, image: Image) -> None:
    namespace.apply("jobs", job("good", image("one"), "once"))
    namespace.apply("jobs", job("bad", image("one"), "fail"))
    assert wait_for(lambda: ended(namespace, "good"), what="the good job", timeout_s=20) == "Complete"
    assert wait_for(lambda: ended(namespace, "bad"), what="the bad job", timeout_s=20) == "Failed"
    assert [p["status"]["phase"] for p in namespace.pods("good")] == ["Succeeded"]
    (pod,) = namespace.pods("bad")
    end = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (pod["status"]["phase"], end["exitCode"], end["reason"]) == ("Failed", 3, "Error")
    assert end["message"].endswith("migration of acme failed: column exists")


def test_a_disruption_budget_of_the_current_api_holds_an_eviction_back(namespace: Namespace, image: Image) -> None:
    selector = {"matchLabels": {"app": "budget"}}
    metadata, spec = {"name": "budget"}, {"minAvailable": 2, "selector": selector}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}
    assert namespace.apply("poddisruptionbudgets", budget)["apiVersion"] == "policy/v1"
    namespace.apply("deployments", deployment("budget", image("one"), replicas=2))

    def status() -> Json:
        return dict(namespace.get("poddisruptionbudgets", "budget").get("status", {}))

    wait_for(lambda: status().get("currentHealthy") == 2, what="two healthy pods", timeout_s=20)

    def evict(name: str) -> int:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace.name}}
        return namespace.api.call("POST", namespace.path("pods", f"{name}/eviction"), body)[0]

    first = namespace.pods("budget")[0]["metadata"]["name"]
    assert evict(first) == 429
    namespace.apply("poddisruptionbudgets", {**budget, "spec": {"minAvailable": 1, "selector": selector}})
    wait_for(lambda: status()["disruptionsAllowed"] == 1, what="room", timeout_s=20)
    assert evict(first) == 201
    wait_for(lambda: first not in [p["metadata"]["name"] for p in namespace.pods("budget")], what="the pod to go", timeout_s=20)


def test_a_cron_job_of_the_current_api_is_taken_and_unchanged_when_applied_again(namespace: Namespace, image: Image) -> None:
    template = {"spec": {"template": job("x", image("one"), "once")["spec"]["template"]}}
    spec = {"schedule": "0 3 * * *", "suspend": True, "timeZone": "Europe/Berlin", "jobTemplate": template}
    manifest = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "spec": spec}
    first, second = (namespace.apply("cronjobs", manifest) for _dummy in range(2))
    assert (first["apiVersion"], first["kind"]) == ("batch/v1", "CronJob")
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert [i["metadata"]["name"] for i in namespace.get("cronjobs")["items"]] == ["nightly"]


def test_writes_are_counted_by_caller_and_a_dry_run_is_none(namespace: Namespace, site: Site) -> None:
    def written() -> int:
        callers = namespace.api.get("/lab/writes")["callers"]
        return int(callers["odoo-ops"]["total"])

    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "counted"}, "data": {"a": "1"}}
    path = f"{namespace.path('configmaps', 'counted')}?fieldManager=test"
    before = written()
    namespace.api.expect("PATCH", f"{path}&dryRun=All", manifest, content_type="application/apply-patch+yaml")
    namespace.api.call("GET", path)
    question = {"resourceAttributes": {"verb": "get", "resource": "pods"}}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": question}
    namespace.api.expect("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert written() == before
    namespace.api.expect("PATCH", path, manifest, content_type="application/apply-patch+yaml")
    assert written() == before + 1
    namespace.api.expect("DELETE", namespace.path("configmaps", "counted"), {"dryRun": ["All"]})
    assert written() == before + 1
    namespace.api.expect("DELETE", namespace.path("configmaps", "counted"))
    assert written() == before + 2


def test_callers_have_their_own_rights(site: Site, namespace: Namespace) -> None:
    cluster = Cluster.of(site)
    assert namespace.api.call("GET", "/api/v1/nodes")[0] == 403
    assert namespace.api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "mine"}})[0] == 403
    assert Api(cluster.proxy, "").call("GET", namespace.path("pods"))[0] == 403
    assert Api(cluster.proxy, "wrong").call("GET", namespace.path("pods"))[0] == 401
    traefik = Api(cluster.proxy, cluster.tokens["traefik"])
    assert traefik.call("GET", namespace.path("ingressroutes"))[0] == 200
    assert traefik.call("DELETE", namespace.path("ingressroutes", "web"))[0] == 403


def test_environment_probes_and_init_containers(site: Site, namespace: Namespace, image: Image) -> None:
    secret = {"metadata": {"name": "env"}, "stringData": {"WORD": "secret word", "OTHER": "x"}}
    namespace.api.expect("POST", namespace.path("secrets"), secret)
    namespace.api.expect("POST", namespace.path("configmaps"), {"metadata": {"name": "env"}, "data": {"COLOUR": "green"}})
    env = [
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "env", "key": "WORD"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "GREETING", "value": "$(WORD) $(COLOUR) $(ADDRESS) $(NOTHING) $$(WORD)"},
    ]
    probe = {"httpGet": {"path": "/probe", "port": 8069, "httpHeaders": [{"name": "X-Probe", "value": "yes"}]}, "periodSeconds": 1}
    execute = {"exec": {"command": ["sh", "-c", 'test "$COLOUR" = green && test -e "$POD_DIR/made"']}, "periodSeconds": 1}
    more = {"env": env, "envFrom": [{"configMapRef": {"name": "env"}}], "startupProbe": probe, "readinessProbe": execute}
    manifest = deployment("env", image("one"), replicas=1, livenessProbe={"tcpSocket": {"port": "http"}, "periodSeconds": 1}, **more)
    init = {"name": "prepare", "image": image("one"), "command": ["sh", "-c", 'echo yes > "$POD_DIR/made"']}
    manifest["spec"]["template"]["spec"]["initContainers"] = [init]
    namespace.apply("deployments", manifest)
    wait_for(lambda: rolled_out(namespace, "env"), what="the rollout", timeout_s=20)
    (pod,) = namespace.pods("env")
    address = f"127.{pod['status']['podIP'][3:]}"
    with urllib.request.urlopen(f"http://{address}:8069/", timeout=5) as answer:
        assert answer.read().decode() == f"secret word green {address} $(NOTHING) $(WORD) one"
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_a_failed_liveness_probe_restarts_the_container(site: Site, namespace: Namespace, image: Image) -> None:
    command = ["sh", "-c", 'test ! -e "$POD_DIR/stuck" || { rm "$POD_DIR/stuck"; false; }']
    probe = {"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 1}
    namespace.apply("deployments", deployment("live", image("one"), replicas=1, livenessProbe=probe))
    wait_for(lambda: rolled_out(namespace, "live"), what="the rollout", timeout_s=20)
    data = next(Path(site.facts("kubernetes")["pods"]).glob(f"{namespace.name}_live-*")) / "data"
    (data / "stuck").touch()
    wait_for(lambda: containers(namespace, "live")[0]["restartCount"] == 1, what="the restart", timeout_s=20)
    wait_for(lambda: rolled_out(namespace, "live"), what="readiness again", timeout_s=20)


def test_pods_come_back_when_the_kubelet_was_killed_but_jobs_never_run_twice(site: Site, namespace: Namespace, image: Image) -> None:
    namespace.apply("deployments", deployment("back", image("one"), replicas=1))
    long = job("long", image("one"))
    long["spec"]["template"]["spec"]["containers"][0]["command"] = ["sleep", "600"]
    namespace.apply("jobs", long)
    wait_for(lambda: rolled_out(namespace, "back"), what="the rollout", timeout_s=20)
    wait_for(lambda: [p["status"]["phase"] for p in namespace.pods("long")] == ["Running"], what="the job to run", timeout_s=20)
    (before,) = namespace.pods("back")
    pid = site.pid("kubelet")
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.pid("kubelet") is None, what="the end of what was killed")
    part("kubernetes").up(site)
    wait_for(lambda: containers(namespace, "back")[0]["restartCount"] == 1, what="the restart", timeout_s=30)
    wait_for(lambda: rolled_out(namespace, "back"), what="readiness again", timeout_s=20)
    assert [p["status"]["podIP"] for p in namespace.pods("back")] == [before["status"]["podIP"]]
    assert wait_for(lambda: ended(namespace, "long"), what="the job to have failed", timeout_s=20) == "Failed"
    assert [p["status"]["phase"] for p in namespace.pods("long")] == ["Failed"]


def test_deletion_ends_every_process_of_a_pod(site: Site, namespace: Namespace, image: Image) -> None:
    program = "import signal, subprocess, time; signal.signal(15, signal.SIG_IGN); subprocess.Popen(['sleep', '601']); time.sleep(601)"
    stubborn = ["python3", "-c", program]
    manifest = deployment("stubborn", image("one"), replicas=1, command=stubborn)
    manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 2
    manifest["spec"]["template"]["spec"]["containers"][0].pop("readinessProbe")
    namespace.apply("deployments", manifest)
    wait_for(lambda: rolled_out(namespace, "stubborn"), what="the rollout", timeout_s=20)
    uid = namespace.pods("stubborn")[0]["metadata"]["uid"].encode()

    def left() -> list[int]:
        return [pid for pid in site.processes() if b"POD_UID=" + uid in Path(f"/proc/{pid}/environ").read_bytes()]

    wait_for(lambda: len(left()) == 2, what="both processes", timeout_s=10)
    namespace.api.expect("DELETE", f"{namespace.path('deployments', 'stubborn')}?propagationPolicy=Background")
    began = time.monotonic()
    wait_for(lambda: not namespace.pods("stubborn"), what="the pod to go", timeout_s=20)
    assert time.monotonic() - began > 1.5
    assert left() == []
