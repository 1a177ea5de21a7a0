from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.filter.change import impact
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.impact import Placed, by_setting, shared

TENANTS = [
    Placed("acme", "multi_tenant", "odoo-acme", "shared", ("all", "multi_tenant")),
    Placed("bravo", "multi_tenant", "odoo-shared", "shared", ("all", "multi_tenant")),
    Placed("cedar", "multi_tenant", "odoo-shared", "shared", ("all", "multi_tenant")),
    Placed("delta", "dedicated", "odoo-delta", "dedicated", ("all", "dedicated")),
]
ALL = ["acme", "bravo", "cedar", "delta"]


def obj(kind: str, name: str = "x", namespace: str | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}


@pytest.mark.parametrize(
    ("objects", "wanted", "is_shared"),
    [
        pytest.param([obj("Deployment", "web", "odoo-acme")], ["acme"], False, id="own"),
        pytest.param([obj("Deployment", "web", "odoo-shared")], ["bravo", "cedar"], True, id="a-namespace-of-two"),
        pytest.param([obj("Namespace", "odoo-delta")], ["delta"], False, id="the-namespace-itself"),
        pytest.param([obj("Middleware", "limit", "traefik")], ALL, True, id="shared-middleware"),
        pytest.param([obj("Middleware", "limit", "odoo-acme")], ["acme"], False, id="middleware-of-one"),
        pytest.param([obj("Middleware", "limit", "odoo-shared")], ["bravo", "cedar"], True, id="middleware-of-a-namespace-of-two"),
        pytest.param([obj("TLSOption", "default", "traefik")], ALL, True, id="tls-options-of-the-ingress"),
        pytest.param([obj("IngressRoute", "all", "traefik")], ALL, True, id="route-in-the-ingress-namespace"),
        pytest.param([obj("IngressRoute", "web", "odoo-acme"), obj("Middleware", "limit", "traefik")], ALL, True, id="own-and-shared"),
        pytest.param([obj("Node", "n1")], ALL, True, id="node"),
        pytest.param([obj("PostgresCluster", "dedicated", "postgres")], ["delta"], True, id="cluster-of-one"),
        pytest.param([obj("PostgresCluster", "shared", "postgres")], ["acme", "bravo", "cedar"], True, id="cluster-of-three"),
        pytest.param([obj("PostgresCluster", "nosuch", "postgres")], ALL, True, id="cluster-that-nobody-knows"),
        pytest.param([obj("Service", "a", "odoo-acme"), obj("Service", "d", "odoo-delta")], ["acme", "delta"], False, id="two"),
    ],
)
def test_who_is_behind_an_object(objects: list[dict[str, Any]], wanted: list[str], is_shared: bool) -> None:
    assert impact(objects, {t.name: {"namespace": t.namespace, "stanza": t.stanza} for t in TENANTS}) == wanted
    assert any(shared(one, TENANTS) for one in objects) is is_shared


def test_nothing_has_no_effect() -> None:
    assert impact([], {"acme": {"namespace": "odoo-acme"}}) == []
    assert impact([obj("Node")], {}) == []


def test_a_tenant_without_a_namespace_is_behind_what_is_shared_only() -> None:
    tenants = {"acme": {"namespace": ""}, "bravo": {"namespace": "odoo-bravo"}}
    assert impact([obj("Node")], tenants) == ["acme", "bravo"]
    assert impact([obj("Service", "x", "odoo-bravo")], tenants) == ["bravo"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("inventory/host_vars/acme.yml", ["acme"]),
        ("host_vars/acme/vault.yml", ["acme"]),
        ("host_vars/acme", ["acme"]),
        ("host_vars/nosuch.yml", []),
        ("group_vars/all.yml", ALL),
        ("group_vars/all/main.yml", ALL),
        ("group_vars/dedicated.yml", ["delta"]),
        ("postgresql/shared.conf", ["acme", "bravo", "cedar"]),
        ("postgresql/common.conf", ALL),
        ("addons/acme/models/x.py", []),
        ("", []),
    ],
)
def test_who_a_setting_is_for(path: str, wanted: list[str]) -> None:
    assert by_setting(path, TENANTS) == wanted
