"""The query that workload_check asks by default, against the Traefik and the Prometheus of the lab: the names of its labels hold."""

from __future__ import annotations

import time

import pytest
from ansible_collections.odoo_ops.change_control.plugins.action.workload_check import QUERY
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.prometheus import Prometheus

from tests.lab.site import wait_for
from tests.support.estate import Estate

pytestmark = pytest.mark.lab


def test_the_default_query_finds_the_requests_of_each_tenant(estate: Estate) -> None:
    server = Prometheus(estate.site.facts("prometheus")["url"])

    def rate(tenant: str) -> float:
        assert estate.answers(tenant) == 200
        now = int(time.time())
        found = server.range(QUERY.replace("<namespace>", estate.tenants[tenant]["namespace"]), now - 60, now, 5)
        return max((value for _at, value in found), default=0.0)

    for name in estate.tenants:
        assert wait_for(lambda tenant=name: rate(tenant), what=f"the requests of {name} in Prometheus", timeout_s=60, every_s=2) > 0
