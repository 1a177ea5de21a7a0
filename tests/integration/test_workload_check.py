"""workload_check against a real Prometheus with five weeks of history."""

from __future__ import annotations

import datetime as dt
import json
import math
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.parts import prometheus
from tests.lab.site import wait_for
from tests.support.ansible import command, environment, parse

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
BUSY_HOURS = range(8, 18)
TENANTS = {
    "acme": {"tenant_namespace": "odoo-acme", "tenant_domain": "acme.example.org"},
    "acme2": {"tenant_namespace": "odoo-acme-2", "tenant_domain": "acme2.example.org"},
    "young": {"tenant_namespace": "odoo-young", "tenant_domain": "young.example.org"},
}
ROUTE = "0123456789abcdef0123"  # Traefik's digest of a rule


def rates(at: dt.datetime) -> dict[str, float]:
    """acme works by day, acme-2 (whose namespace begins as acme's) always, young only began a week ago."""
    busy = at.hour in BUSY_HOURS
    return {
        "odoo-acme": 10.0 if busy else 1.0,
        "odoo-acme-2": 10.0,
        "odoo-young": math.nan if at < NOW - dt.timedelta(days=7) else 1.0,
    }


def openmetrics(days: int = 36) -> str:
    """Traefik's counters every two minutes, as Traefik names them."""
    begin = int((NOW - dt.timedelta(days=days)).timestamp()) // 60 * 60
    lines = ["# TYPE traefik_service_requests counter"]
    for namespace in rates(NOW):
        total = 0.0
        for at in range(begin, int(NOW.timestamp()), 120):
            rate = rates(dt.datetime.fromtimestamp(at, dt.UTC))[namespace]
            if math.isnan(rate):
                continue
            total += 120 * rate
            service = f"{namespace}-web-{ROUTE}@kubernetescrd"
            lines.append(f'traefik_service_requests_total{{service="{service}",code="200",method="GET",protocol="http"}} {total} {at}')
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    binary = prometheus._binary()
    (folder / "history").write_text(openmetrics())
    (folder / "prometheus.yml").write_text("{}")
    fill = [binary.with_name("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "history", folder / "data"]
    subprocess.run(fill, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}", "--storage.tsdb.retention.time=90d"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: ready(address), what=f"Prometheus, see {folder / 'log'}", timeout_s=60)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def ready(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/-/ready", timeout=5) as answer:
        return bool(answer.status == 200)


def tomorrow(hour: int) -> str:
    return (NOW + dt.timedelta(days=1)).replace(hour=hour, minute=0, second=0).isoformat()


def check(
    url: str, tmp_path: Path, *, tenants: list[str] | None = None, variables: dict[str, Any] | None = None, **args: Any
) -> dict[str, Any]:
    """The result for tenants of an inventory that is made for it."""
    hosts = {name: {**TENANTS[name], **(variables or {})} for name in TENANTS}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    server = {"url": url, **args.pop("prometheus", {})}
    given = {"prometheus": server, "tenants": tenants or ["acme"], "at": tomorrow(2), "duration": "PT2H", "enforce": False, **args}
    argv = [*command("workload_check", given), "-i", str(tmp_path / "hosts.json")]
    done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    return {"failed": done.returncode != 0, **parse(done.stdout)}


def codes(result: dict[str, Any]) -> dict[str, tuple[bool | None, str]]:
    return {c["id"]: (c["ok"], c["code"]) for c in result["evidence"]["checks"]}


WELL = {"workload_acme": (True, ""), "workload_peaks_acme": (True, "")}


def test_a_quiet_window(url: str, tmp_path: Path) -> None:
    result = check(url, tmp_path)
    assert (result["verdict"], codes(result)) == ("pass", WELL), result
    (seen, _peaks) = (c["observed"] for c in result["evidence"]["checks"])
    assert seen["weeks"] == 4
    assert (seen["load"], seen["weekly_peak"]) == (pytest.approx(1.0, abs=0.05), pytest.approx(10.0, abs=0.2))


def test_a_busy_window_fails_with_a_quieter_start(url: str, tmp_path: Path) -> None:
    result = check(url, tmp_path, at=tomorrow(10), enforce=True)
    assert result["failed"]
    assert (result["verdict"], codes(result)["workload_acme"]) == ("fail", (False, "BUSY"))
    assert "The quietest start of the seven days after it is" in result["msg"]


def test_each_tenant_is_its_own_measure(url: str, tmp_path: Path) -> None:
    result = check(url, tmp_path, tenants=["acme", "acme2", "young", "nosuch"])
    assert result["verdict"] == "fail"
    wanted = {"workload_acme": True, "workload_acme2": False, "workload_young": None, "workload_nosuch": None}
    assert {name: codes(result)[name][0] for name in wanted} == wanted
    assert codes(result)["workload_young"][1] == "NO_HISTORY"


def test_a_tenants_own_threshold_zone_and_peaks(url: str, tmp_path: Path) -> None:
    assert check(url, tmp_path, at=tomorrow(10), variables={"tenant_workload_threshold": 1})["verdict"] == "pass"
    # 3 o'clock in Tokyo is the afternoon before in UTC; the wall's clock there has no summer time, so the hours stay the same
    assert check(url, tmp_path, at=tomorrow(2), variables={"tenant_timezone": "Asia/Tokyo"})["verdict"] == "pass"
    met = {"tenant_workload_peaks": [{"name": "payroll", "from": tomorrow(3), "until": tomorrow(4)}]}
    assert codes(check(url, tmp_path, variables=met))["workload_peaks_acme"] == (False, "DECLARED_PEAK")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({"variables": {"tenant_timezone": "Mars"}}, "no time zone data for 'Mars'", id="zone"),
        pytest.param({"variables": {"tenant_workload_threshold": 0}}, "Write a share of the weekly peak", id="threshold"),
        pytest.param({"prometheus": {"query": "sum(("}}, "refused the query (400)", id="query"),
        pytest.param({"prometheus": {"query": "traefik_service_requests_total"}}, "wanted one. Put sum(...) around it", id="many-series"),
        pytest.param({"prometheus": {"query": "sum(nosuch)"}}, "0 of the 4 weeks before are measured", id="no-series"),
        pytest.param({"prometheus": {"url": "http://127.0.0.1:9"}}, "gave no answer (ConnectionError)", id="nobody-there"),
        pytest.param({"prometheus": {"token_file": "/nonexistent"}}, "the token file /nonexistent cannot be read", id="no-token"),
    ],
)
def test_what_cannot_be_told_does_not_pass(url: str, tmp_path: Path, change: dict[str, Any], wanted: str) -> None:
    result = check(url, tmp_path, **change)
    assert result["verdict"] == "unknown", result
    assert wanted in result["msg"]


def test_a_query_of_the_estates_own(url: str, tmp_path: Path) -> None:
    query = 'sum(rate(traefik_service_requests_total{service=~"<namespace>-web-.*"}[10m])) * 2'
    result = check(url, tmp_path, prometheus={"query": query})
    assert result["evidence"]["checks"][0]["observed"]["load"] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("args", "wanted"), [({"at": "soon"}, "time 'soon' is not understood"), ({"weeks": 5}, "Give 1 to 4 weeks")])
def test_bad_options(url: str, tmp_path: Path, args: dict[str, Any], wanted: str) -> None:
    result = check(url, tmp_path, **args)
    assert result["failed"]
    assert wanted in result["msg"]
