"""A parameter that the lab's release 8 listens to, seen and set through the tenants' running servers."""

from __future__ import annotations

from typing import Any

from tests.lab.customers import Session
from tests.lab.parts.estate import host_secrets
from tests.support.estate import QUICK, Estate
from tests.support.starting import run_it

LISTENS = "8"
STRICT = "acme_billing.strict"
TENANTS = ["acme", "bravo"]


def toggling(estate: Estate, change_id: str, value: str | None, *, release: bool = False, **other: Any) -> dict[str, Any]:
    """A change that sets the parameter, with the release that listens to it or alone."""
    change = estate.change(change_id, LISTENS, tenants=":".join(TENANTS), **other)
    change["title"] = f"Strict posting: {value}"
    change["toggles"] = [{"parameter": STRICT, "value": value}]
    if release:
        return {**change, "streams": ["code", "config"], "bundle_justification": "the code of the switch comes with it"}
    del change["release"]
    return {**change, "streams": ["config"], "rollback": {"strategy": "previous_value", "point_of_no_return": "none"}}


def admin(estate: Estate, tenant: str) -> Session:
    """A session of the tenant's administrator at its running server."""
    session = Session(estate.site.facts("traefik")["url"], estate.tenants[tenant]["host"])
    session.login(estate.tenants[tenant]["database"], "admin", host_secrets(estate.root, tenant)["tenant_admin_password"])
    return session


def seen(estate: Estate, tenant: str = "acme") -> str | None:
    """What the running server goes by: it caches parameters."""
    found = admin(estate, tenant).call("ir.config_parameter", "get_param", STRICT)
    return str(found) if found else None


def stored(estate: Estate, tenant: str = "acme") -> list[tuple[Any, ...]]:
    return estate.sql(tenant, f"SELECT value FROM ir_config_parameter WHERE key = '{STRICT}'")


def somebody_sets(estate: Estate, value: str | None, *tenants: str) -> None:
    """As an administrator does it by hand, at all tenants of these tests or at some."""
    for tenant in tenants or TENANTS:
        admin(estate, tenant).call("ir.config_parameter", "set_param", STRICT, value or False)


def with_the_switch(estate: Estate, change_id: str, value: str | None = None) -> None:
    """Every tenant of these tests runs the release that listens, and has this value."""
    if run_it(estate, TENANTS, LISTENS) != TENANTS:
        change = estate.change(change_id.replace("TST", "SET"), LISTENS, tenants=":".join(TENANTS), **QUICK)
        code, out = estate.run_change(change)
        assert code == 0, out[-4000:]
    somebody_sets(estate, value)


def servers(estate: Estate, tenant: str = "acme") -> list[str]:
    """The pods of the tenant that serve and that run scheduled jobs."""
    pods = estate.objects(f"/api/v1/namespaces/{estate.tenants[tenant]['namespace']}/pods")
    return sorted(pod["metadata"]["uid"] for pod in pods if pod["metadata"]["labels"]["component"] in ("web", "cron"))
