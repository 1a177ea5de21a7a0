"""Objects as data: order, faults, drift, and what may be shown of a Secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import objects as o

ME = "odoo-ops"


def live(obj: dict[str, Any], *, owned: dict[str, Any] | None = None, manager: str = ME) -> dict[str, Any]:
    """The object as the server shows it, applied by ``manager``."""
    fields = {"manager": manager, "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": owned or {}}
    metadata = {**obj.get("metadata", {}), "uid": "u", "resourceVersion": "7", "generation": 3, "managedFields": [fields]}
    return {**obj, "metadata": metadata}


def deployment(**container: Any) -> dict[str, Any]:
    spec = {"replicas": 1, "template": {"spec": {"containers": [{"name": "odoo", "image": "r@sha256:1", **container}]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "acme"}, "spec": spec}


def paths(desired: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    return [d.path for d in o.drift(desired, seen, manager=ME)]


CONTAINER = "spec.template.spec.containers[odoo]"


@pytest.mark.parametrize(
    ("desired", "seen", "wanted"),
    [
        pytest.param(deployment(), deployment(), [], id="same"),
        pytest.param(deployment(), deployment(terminationMessagePath="/dev/x"), [], id="defaults-of-the-server"),
        pytest.param(deployment(image="r@sha256:2"), deployment(), [f"{CONTAINER}.image"], id="another-image"),
        pytest.param(
            deployment(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}}),
            deployment(resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
            [],
            id="same-quantities",
        ),
        pytest.param(
            deployment(resources={"limits": {"cpu": "500m"}}),
            deployment(resources={"limits": {"cpu": "5"}}),
            [f"{CONTAINER}.resources.limits.cpu"],
            id="other-quantity",
        ),
        pytest.param(deployment(env=[{"name": "A", "value": ""}]), deployment(env=[{"name": "A"}]), [], id="empty-value-left-out"),
        pytest.param(
            deployment(env=[{"name": "A", "value": "1"}]),
            deployment(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
            [],
            id="env-of-another-manager",
        ),
        pytest.param(deployment(args=["a"]), deployment(args=["a", "b"]), [f"{CONTAINER}.args"], id="longer-list"),
        pytest.param(deployment(args=["a", "c"]), deployment(args=["a", "b"]), [f"{CONTAINER}.args[1]"], id="other-item"),
        pytest.param(
            deployment(ports=[{"containerPort": 8069}]),
            deployment(ports=[{"containerPort": 8069, "protocol": "TCP"}]),
            [],
            id="port-with-default-protocol",
        ),
        pytest.param(deployment(env=[{"name": "A", "value": "1"}]), deployment(), [f"{CONTAINER}.env"], id="env-missing"),
    ],
)
def test_drift_of_desired_fields(desired: dict[str, Any], seen: dict[str, Any], wanted: list[str]) -> None:
    assert paths(desired, live(seen)) == wanted


ROUTE = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": "web"}}


def test_a_list_of_a_custom_resource_is_taken_as_a_whole() -> None:
    one = {**ROUTE, "spec": {"routes": [{"services": [{"name": "web"}]}]}}
    two = {**ROUTE, "spec": {"routes": [{"services": [{"name": "web"}, {"name": "other"}]}]}}
    assert paths(one, live(two)) == ["spec.routes[0].services"]


OWNED_ENV = {
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {'k:{"name":"odoo"}': {".": {}, "f:image": {}, "f:env": {'k:{"name":"OLD"}': {".": {}, "f:value": {}}}}}
            }
        }
    }
}


def test_a_field_that_was_ours_and_is_no_longer_wanted_is_drift() -> None:
    seen = live(deployment(env=[{"name": "OLD", "value": "1"}]), owned=OWNED_ENV)
    assert paths(deployment(), seen) == [f"{CONTAINER}.env"]
    assert paths(deployment(env=[{"name": "NEW", "value": "1"}]), seen) == [f"{CONTAINER}.env[NEW]", f"{CONTAINER}.env[OLD]"]
    assert paths(deployment(env=[{"name": "OLD", "value": "1"}]), seen) == []


def test_an_owned_set_value_that_is_no_longer_wanted_is_drift() -> None:
    owned = {"f:metadata": {"f:finalizers": {'v:"a/b"': {}}}}
    seen = live({**ROUTE, "metadata": {"name": "web", "finalizers": ["a/b"]}}, owned=owned)
    assert paths({**ROUTE, "metadata": {"name": "web", "finalizers": []}}, seen) == ["metadata.finalizers", "metadata.finalizers[a/b]"]
    assert paths({**ROUTE, "metadata": {"name": "web", "finalizers": ["a/b"]}}, seen) == []


def test_a_default_that_identifies_an_item_is_not_drift() -> None:
    identity = 'k:{"port":8069,"protocol":"TCP"}'
    owned = {"f:spec": {"f:ports": {identity: {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}}}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    seen = live({**service, "spec": {"ports": [{"name": "http", "port": 8069, "protocol": "TCP"}]}}, owned=owned)
    assert paths({**service, "spec": {"ports": [{"name": "http", "port": 8069}]}}, seen) == []
    assert paths({**service, "spec": {"ports": [{"port": 8069}]}}, seen) == ["spec.ports[8069/TCP].name"]


def test_an_object_of_a_name_alone_has_no_owner() -> None:
    bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}}
    assert paths(bare, bare) == []


def test_an_object_that_we_never_applied_is_drift() -> None:
    assert paths(deployment(), live(deployment(), manager="kubectl")) == ["metadata.managedFields"]


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        pytest.param([deployment()], [], id="good"),
        pytest.param(["text"], ["object 1 is no Kubernetes object"], id="no-object"),
        pytest.param([{"kind": "Service", "metadata": {}}], ["lacks apiVersion, metadata.name"], id="lacking"),
        pytest.param([deployment(), deployment()], ["Deployment acme/web is given twice"], id="twice"),
    ],
)
def test_problems(objects: list[Any], wanted: list[str]) -> None:
    found = o.problems(objects)
    assert len(found) == len(wanted)
    assert all(want in have for want, have in zip(wanted, found, strict=True))


def test_order_and_its_reverse() -> None:
    kinds = [{"kind": kind} for kind in ("IngressRoute", "Deployment", "Unheard", "Secret", "Namespace", "Service")]
    assert [k["kind"] for k in o.in_apply_order(kinds)] == ["Namespace", "Secret", "Service", "Deployment", "Unheard", "IngressRoute"]
    assert [k["kind"] for k in o.in_delete_order(kinds)] == ["IngressRoute", "Unheard", "Deployment", "Service", "Secret", "Namespace"]


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "odoo", "namespace": "acme"}, "stringData": {"PGPASSWORD": "hunter2"}}


def test_string_data_is_sent_as_it_will_be_read_back() -> None:
    assert o.desired_form(SECRET)["data"] == {"PGPASSWORD": "aHVudGVyMg=="}
    assert "stringData" not in o.desired_form(SECRET)


@pytest.mark.parametrize(
    "seen", [SECRET, o.desired_form(SECRET), {**o.desired_form(SECRET), "data": {"PGPASSWORD": "b2xk"}}], ids=["text", "data", "other"]
)
def test_no_value_of_a_secret_is_ever_shown(seen: dict[str, Any]) -> None:
    notes = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(SECRET)}}
    with_notes = {**seen, "metadata": {**seen["metadata"], **notes}}
    differences = o.drift(o.desired_form(SECRET), live({**seen, "data": {"PGPASSWORD": "b2xk"}}), manager=ME)
    shown = json.dumps([o.masked(with_notes, salt="s"), o.diff_entry(o.ref_of(seen), differences, salt="s")])
    assert "secret:" in shown
    assert not any(word in shown for word in ("hunter2", "aHVudGVyMg==", "b2xk"))


def test_fingerprints_are_equal_for_equal_values_under_one_salt_only() -> None:
    assert o.fingerprint("x", salt="1") == o.fingerprint("x", salt="1") != o.fingerprint("x", salt="2")
    assert o.fingerprint("x", salt="1") != o.fingerprint("y", salt="1")


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", "0.25"), ("1", "1"), ("1.5Gi", "1610612736"), ("2k", "2000"), (3, "3"), ("1Ki", "1024"), ("5E", "5e18"), ("100n", "1e-7")],
)
def test_quantity(text: Any, number: str) -> None:
    assert o.quantity(text) == o.Decimal(number)


def test_a_quantity_that_is_none_differs_and_does_not_raise() -> None:
    assert paths(deployment(resources={"limits": {"cpu": "lots"}}), live(deployment(resources={"limits": {"cpu": "1"}})))


def test_bookkeeping_of_a_write_does_not_count() -> None:
    first, second = live(deployment()), live(deployment())
    second["metadata"]["resourceVersion"], second["metadata"]["managedFields"][0]["time"] = "8", "2026-02-02T00:00:00Z"
    assert o.without_bookkeeping(first) == o.without_bookkeeping(second)
    assert o.without_bookkeeping(first) != o.without_bookkeeping(live(deployment(image="r@sha256:2")))
