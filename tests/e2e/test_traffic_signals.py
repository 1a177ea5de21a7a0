"""Real traffic of the lab's tenants in a release: what Traefik saw of both sides, and of the time before and after."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.site import wait_for
from tests.support.ansible import run_module
from tests.support.estate import QUICK, Estate
from tests.support.starting import new_release

pytestmark = pytest.mark.lab


def service(estate: Estate, tenant: str) -> str:
    """What Traefik calls the service of the tenant's users, as the role odoo_release reckons it."""
    rule = f"Host(`{estate.tenants[tenant]['host']}`)"
    return f"{estate.tenants[tenant]['namespace']}-web-{hashlib.sha256(rule.encode()).hexdigest()[:20]}@kubernetescrd"


@contextmanager
def users(estate: Estate, tenant: str) -> Iterator[None]:
    """Somebody asks for the login page all the time."""
    done = threading.Event()

    def use() -> None:
        while not done.wait(0.1):
            estate.answers(tenant)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def reached(estate: Estate, tenant: str) -> bool:
    assert estate.answers(tenant) == 200
    server = {"url": estate.site.facts("prometheus")["url"]}
    given = {"state": "reachable", "prometheus": server, "selectors": {"service": service(estate, tenant)}, "enforce": False}
    return bool(run_module("traffic_check", given)["verdict"] == "pass")


def test_the_required_queries_find_the_tenants(estate: Estate) -> None:
    for tenant in estate.tenants:
        wait_for(functools.partial(reached, estate, tenant), what=f"the queries of {tenant}", timeout_s=60, every_s=2)


def test_a_release_is_held_against_the_time_before(estate: Estate, change_id: str) -> None:
    change = estate.change(change_id, new_release(estate, change_id, tenants="acme"), tenants="acme", **QUICK)
    change["verification"] = {**change["verification"], "soak_s": 70}
    traffic = {"odoo_release_traffic_prometheus": {"url": estate.site.facts("prometheus")["url"]}, "odoo_release_traffic_scrape_s": 5}
    advice = {"odoo_release_traffic_strict": False}
    told = estate.root / "own" / change_id / "textfiles"
    told.mkdir(parents=True)
    whom = {"change_annotations": {"textfile": str(told), "grafana": {"url": "http://127.0.0.1:9"}}}
    with users(estate, "acme"):
        time.sleep(70)
        code, out = estate.run_change(change, "-e", json.dumps({**traffic, **advice, **whom}))
    assert code == 0, out[-6000:]
    proved = next(e["evidence"] for e in estate.events(change_id) if e["event"] == "proved")
    found = {c["id"]: c["ok"] for c in proved["traffic"]["evidence"]["checks"]}
    # a fast machine has compared before Prometheus has looked twice; then that is told, and advice stops nothing
    assert found in ({"traffic_error_ratio": True}, {"traffic_period": None}), proved["traffic"]
    verified = next(e["evidence"] for e in estate.events(change_id) if e["event"] == "verified")["tenants"]["acme"]["traffic"]
    assert verified["periods"].keys() == {"the time since", "the time before", "the week before"}
    errors = next(c for c in verified["evidence"]["checks"] if c["id"] == "traffic_error_ratio")
    assert errors["ok"] is True, verified
    (file,) = told.iterdir()
    assert f'odoo_change_verdict{{change="{change_id}",verdict="pass"}} 1' in file.read_text(), "and a Grafana that is down stopped nothing"
