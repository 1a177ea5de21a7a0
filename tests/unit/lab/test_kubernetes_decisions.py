"""What the lab's Kubernetes decides by itself: translation, environment, probes, statuses, addresses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.kubernetes.kubelet.addresses import Addresses, in_api
from tests.lab.kubernetes.kubelet.environment import ConfigError, command_line, environment, expand
from tests.lab.kubernetes.kubelet.probes import Judge
from tests.lab.kubernetes.kubelet.status import ContainerState, phase, pod_status, terminated
from tests.lab.kubernetes.translation import Translator, with_protocols

OLD, NEW = Translator(20), Translator(33)
SLICE = "/apis/discovery.k8s.io/v1/namespaces/n/endpointslices"


@pytest.mark.parametrize(
    ("translator", "path", "expected", "kind"),
    [
        pytest.param(OLD, f"{SLICE}/x", SLICE.replace("/v1/", "/v1beta1/") + "/x", "EndpointSlice", id="namespaced"),
        pytest.param(OLD, "/apis/batch/v1/cronjobs", "/apis/batch/v1beta1/cronjobs", "CronJob", id="all-namespaces"),
        pytest.param(
            OLD, "/apis/batch/v1/namespaces/n/cronjobs/x/status", "/apis/batch/v1beta1/namespaces/n/cronjobs/x/status", "CronJob", id="sub"
        ),
        pytest.param(OLD, "/apis/batch/v1/namespaces/n/jobs", "/apis/batch/v1/namespaces/n/jobs", None, id="served-already"),
        pytest.param(OLD, "/api/v1/namespaces/n/pods/x/eviction", "/api/v1/namespaces/n/pods/x/eviction", "Eviction", id="eviction"),
        pytest.param(OLD, "/api/v1/namespaces/cronjobs", "/api/v1/namespaces/cronjobs", None, id="a-namespace-of-that-name"),
        pytest.param(NEW, SLICE, SLICE, "EndpointSlice", id="new-server-only-addresses"),
        pytest.param(NEW, "/apis/policy/v1/poddisruptionbudgets", "/apis/policy/v1/poddisruptionbudgets", None, id="new-server-nothing"),
    ],
)
def test_route(translator: Translator, path: str, expected: str, kind: str | None) -> None:
    route = translator.route(path)
    assert (route.path, route.kind) == (expected, kind)


def test_an_endpoint_slice_goes_up_and_down_again() -> None:
    route = OLD.route(SLICE)
    old = {
        "apiVersion": "discovery.k8s.io/v1beta1",
        "kind": "EndpointSlice",
        "metadata": {"managedFields": [{"apiVersion": "discovery.k8s.io/v1beta1"}]},
        "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": True}, "topology": {"kubernetes.io/hostname": "node-1"}}],
    }
    new = OLD.body(old, route, up=True)
    assert (new["apiVersion"], new["metadata"]["managedFields"][0]["apiVersion"]) == ("discovery.k8s.io/v1",) * 2
    (endpoint,) = new["endpoints"]
    assert endpoint == {
        "addresses": ["127.244.1.2"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": "node-1",
    }
    (back,) = OLD.body(new, route, up=False)["endpoints"]
    assert back == {"addresses": ["10.244.1.2"], "conditions": {"ready": True}, "topology": {"kubernetes.io/hostname": "node-1"}}


def test_lists_and_statuses() -> None:
    route = OLD.route("/apis/batch/v1/namespaces/n/cronjobs")
    listed = {"apiVersion": "batch/v1beta1", "kind": "CronJobList", "items": [{"metadata": {}, "spec": {}}]}
    assert OLD.body(listed, route, up=True)["apiVersion"] == "batch/v1"
    status = {"apiVersion": "v1", "kind": "Status", "code": 404}
    assert OLD.body(dict(status), route, up=True) == status


def test_protocols_are_filled_in_where_old_servers_want_them() -> None:
    service = {"kind": "Service", "spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}}
    assert [p["protocol"] for p in with_protocols(service)["spec"]["ports"]] == ["TCP", "UDP"]
    containers = [{"ports": [{"containerPort": 8069}]}]
    workload: dict[str, Any] = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}}
    with_protocols(workload)
    assert containers[0]["ports"] == [{"containerPort": 8069, "protocol": "TCP"}]
    policy = {"kind": "NetworkPolicy", "spec": {"ports": [{"port": 80}]}}
    assert with_protocols(policy) == {"kind": "NetworkPolicy", "spec": {"ports": [{"port": 80}]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$(A)-$(B)", "1-2", id="both"),
        pytest.param("$(C)", "$(C)", id="unknown-stays"),
        pytest.param("$$(A)", "$(A)", id="escaped"),
        pytest.param("$$$(A)", "$1", id="dollar-and-value"),
        pytest.param("$A ${A} $(", "$A ${A} $(", id="no-reference"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_environment_in_order_and_from_sources() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "P_"}, {"secretRef": {"name": "none", "optional": True}}],
        "env": [
            {"name": "A", "value": "$(P_X)"},
            {"name": "B", "value": "$(A)$(LATER)"},
            {"name": "LATER", "value": "x"},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['none']"}}},
        ],
    }
    sources = {("configmap", "c"): {"X": "1"}, ("secret", "s"): {"k": "v"}, ("secret", "none"): None}
    found = environment(container, sources, {})
    assert found == {"P_X": "1", "A": "1", "B": "1$(LATER)", "LATER": "x", "S": "v", "L": ""}
    assert command_line({"args": ["$(A)"]}, ["odoo"], found) == ["odoo", "1"]
    assert command_line({"command": ["sh"], "args": ["$(A)"]}, ["odoo"], found) == ["sh", "1"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param({"secretKeyRef": {"name": "s", "key": "k"}}, 'secret "s" not found', id="no-secret"),
        pytest.param({"configMapKeyRef": {"name": "c", "key": "k"}}, "couldn't find key k", id="no-key"),
        pytest.param({"fieldRef": {"fieldPath": "spec.nothing"}}, "unsupported fieldPath", id="no-field"),
        pytest.param({"resourceFieldRef": {"resource": "limits.cpu"}}, "does not know", id="resource"),
    ],
)
def test_environment_that_cannot_be_made(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        environment({"env": [{"name": "A", "valueFrom": entry}]}, {("configmap", "c"): {}}, {})


@pytest.mark.parametrize(
    ("looks", "verdict"),
    [
        pytest.param([(0, True)], True, id="first-success"),
        pytest.param([(0, False)], None, id="one-failure-is-no-verdict"),
        pytest.param([(0, False), (0.2, False), (0.4, False), (0.6, False)], None, id="eager-failures-count-once"),
        pytest.param([(0, False), (1, False), (2, False)], False, id="three-periods"),
        pytest.param([(0, False), (0.2, False), (0.4, True)], True, id="eager-success"),
        pytest.param([(0, True), (1, False), (2, False)], None, id="two-failures-after-success"),
        pytest.param([(0, True), (1, False), (2, False), (3, False)], False, id="down"),
    ],
)
def test_judge(looks: list[tuple[float, bool]], verdict: bool | None) -> None:
    judge = Judge.of({"periodSeconds": 1})
    assert [judge.look(ok, at) for at, ok in looks][-1] is verdict


def container(**state: Any) -> ContainerState:
    return ContainerState("c", "i", state=state)


def end(code: int) -> ContainerState:
    return ContainerState("c", "i", state=terminated(code, started="t", finished="t", container_id=""))


@pytest.mark.parametrize(
    ("containers", "init", "policy", "expected"),
    [
        pytest.param([container(waiting={})], [], "Always", "Pending", id="creating"),
        pytest.param([container(running={})], [], "Always", "Running", id="running"),
        pytest.param([container(waiting={})], [container(running={})], "Always", "Pending", id="initializing"),
        pytest.param([end(0)], [], "Always", "Running", id="about-to-restart"),
        pytest.param([end(0)], [end(0)], "Never", "Succeeded", id="done"),
        pytest.param([end(0), end(1)], [], "Never", "Failed", id="one-failed"),
        pytest.param([end(1)], [], "OnFailure", "Running", id="tries-again"),
        pytest.param([end(0), container(running={})], [], "Never", "Running", id="one-still-runs"),
        pytest.param([container(waiting={})], [end(1)], "Never", "Failed", id="init-failed"),
    ],
)
def test_phase(containers: list[ContainerState], init: list[ContainerState], policy: str, expected: str) -> None:
    assert phase(containers, init, policy) == expected


def test_conditions_keep_the_time_of_their_last_change() -> None:
    since: dict[str, Any] = {}
    one = container(running={})
    fixed = {"policy": "Always", "started": "s", "address": "10.244.0.2", "host": "h", "since": since}
    pod_status([one], [], now="1", **fixed)
    one.ready = True
    ready = {c["type"]: c for c in pod_status([one], [], now="2", **fixed)["conditions"]}
    assert (ready["Ready"]["status"], ready["Ready"]["lastTransitionTime"], ready["Initialized"]["lastTransitionTime"]) == (
        "True",
        "2",
        "1",
    )


def test_a_signal_ends_with_128_and_its_number() -> None:
    assert end(-15).terminated == {"exitCode": 143, "reason": "Error", "startedAt": "t", "finishedAt": "t", "containerID": ""}


def test_two_labs_get_different_addresses_and_freed_ones_come_last() -> None:
    one, two = Addresses(), Addresses()
    first, other = one.take(), two.take()
    assert first.split(".")[2] != other.split(".")[2]
    assert two.keep(in_api(first)) is None
    one.give_back(first)
    assert one.take() != first
    assert one.keep(in_api(first)) == first
    assert one.keep(in_api(first)) is None
    assert one.keep("") is None
