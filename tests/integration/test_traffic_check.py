"""traffic_check on a real Traefik with real requests through it, and a real Prometheus that scrapes it."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import signals
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_signals

from tests.lab.parts import prometheus, traefik
from tests.lab.site import wait_for
from tests.support.ansible import run_module

MEASURED_S = 60
QUICK = {"latency_mean", "error_ratio"}
SERVICES = {"old": (0.03, 0.0), "same": (0.03, 0.0), "slow": (0.06, 0.0), "sick": (0.03, 0.1)}
"""Mean duration and share of errors of each backend."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def backend(mean_s: float, errors: float) -> ThreadingHTTPServer:
    chance = random.Random(5)

    class Backend(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(mean_s * chance.lognormvariate(0, 0.2))
            self.send_response(500 if chance.random() < errors else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@dataclass
class Site:
    """A Traefik in front of four backends, and a Prometheus; ``began``: since when requests went through."""

    url: str
    entrance: str
    began: float = 0.0
    ended: float = 0.0

    def request(self, service: str) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(self.entrance, headers={"Host": f"{service}.localhost"}), timeout=10).read()
        except urllib.error.HTTPError as exc:
            exc.read()

    def use(self, service: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.request(service)

    def check(self, **args: Any) -> dict[str, Any]:
        given = {"prometheus": {"url": self.url}, "subject": "tenant acme", "enforce": False, "step": "PT2S", **args}
        return run_module("traffic_check", given)

    def beside(self, service: str, **args: Any) -> dict[str, Any]:
        sides = {"baseline": {"service": "odoo-acme-old@file"}, "canary": {"service": f"odoo-acme-{service}@file"}}
        times = {"compare": "side_by_side", "since": at(self.began), "until": at(self.ended)}
        return self.check(**{**times, **sides, **args})


def at(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Traffic goes to all four at the same time for a minute, which takes the fixture as long."""
    folder = tmp_path_factory.mktemp("traffic")
    backends = {name: backend(*how) for name, how in SERVICES.items()}
    ports = {name: free_port() for name in ("web", "api", "prometheus")}
    routed = {f"odoo-acme-{name}": server.server_address[1] for name, server in backends.items()}
    dynamic = {
        "routers": {name: {"rule": f"Host(`{name[10:]}.localhost`)", "service": name, "entryPoints": ["web"]} for name in routed},
        "services": {name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}} for name, port in routed.items()},
    }
    (folder / "dynamic.yml").write_text(json.dumps({"http": dynamic}))
    static = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {name: {"address": f"127.0.0.1:{ports[port]}"} for name, port in (("web", "web"), ("traefik", "api"))},
        "api": {"insecure": True},
        "metrics": {"prometheus": {"addServicesLabels": True}},
        "providers": {"file": {"filename": str(folder / "dynamic.yml")}},
    }
    (folder / "traefik.yml").write_text(json.dumps(static))
    scraped = {"job_name": "traefik", "static_configs": [{"targets": [f"127.0.0.1:{ports['api']}"]}]}
    (folder / "prometheus.yml").write_text(
        json.dumps({"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"}, "scrape_configs": [scraped]})
    )
    options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    commands = [
        [traefik.binary(), f"--configfile={folder / 'traefik.yml'}"],
        [str(prometheus._binary()), *options, f"--web.listen-address=127.0.0.1:{ports['prometheus']}"],
    ]
    found = Site(f"http://127.0.0.1:{ports['prometheus']}", f"http://127.0.0.1:{ports['web']}")
    with (folder / "log").open("wb") as log:
        processes = [subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder, env={"HOME": str(folder)}) for argv in commands]
    try:
        wait_for(lambda: served(found), what=f"Traefik and Prometheus, see {folder / 'log'}", timeout_s=60)
        found.began = time.time()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: found.use(name, MEASURED_S), backends))
        found.ended = time.time() - 1
        yield found
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
        for server in backends.values():
            server.shutdown()


def served(site: Site) -> bool:
    """Whether both answer. A request to a host that there is not counts for no service."""
    with urllib.request.urlopen(f"{site.url}/-/ready", timeout=5) as answer:
        ready = answer.status == 200
    site.request("nobody")
    return bool(ready)


def codes(result: dict[str, Any]) -> dict[str, tuple[bool | None, str]]:
    return {check["id"].removeprefix("traffic_"): (check["ok"], check["code"]) for check in result["evidence"]["checks"]}


def test_equal_services_pass(site: Site) -> None:
    result = site.beside("same")
    assert result["verdict"] == "pass", result
    found = codes(result)
    assert found.items() >= {name: (True, "") for name in QUICK}.items()
    assert result["figures"]["error_ratio"]["the baseline"]["canary"][0] == 0
    assert {one["code"] for one in result["told"]} <= {"NO_SELECTOR", "COARSE", "TOO_FEW", "SAME_SERIES"}


def test_a_slow_service_is_found(site: Site) -> None:
    result = site.beside("slow", enforce=True)
    assert result["failed"]
    assert (result["verdict"], codes(result)["latency_mean"], codes(result)["error_ratio"]) == ("fail", (False, "SLOWER"), (True, ""))
    assert result["figures"]["latency_mean"]["the baseline"]["ratio"] == pytest.approx(2.0, abs=0.3)


def test_an_erring_service_is_found(site: Site) -> None:
    result = site.beside("sick")
    assert (result["verdict"], codes(result)["error_ratio"]) == ("fail", (False, "ERROR_SHARE")), result
    bad, every = result["figures"]["error_ratio"]["the baseline"]["canary"]
    assert bad / every == pytest.approx(0.1, abs=0.05)


def test_what_is_counted_is_what_was_asked_for(site: Site) -> None:
    """Births of counters included: the errors' counter began with the first error."""
    count = signals.counting('traefik_service_requests_total{service="odoo-acme-sick@file"}', int(site.ended - site.began) + 5)
    errors = signals.counting('traefik_service_requests_total{service="odoo-acme-sick@file",code="500"}', int(site.ended - site.began) + 5)
    seen = {name: value(site, text) for name, text in (("all", count), ("bad", errors))}
    assert seen == {"all": exposed(site, "sick", ""), "bad": exposed(site, "sick", 'code="500"')}


def value(site: Site, promql: str) -> float:
    address = f"{site.url}/api/v1/query?query={urllib.request.quote(promql)}"  # type: ignore[attr-defined]
    with urllib.request.urlopen(address, timeout=5) as answer:
        (one,) = json.load(answer)["data"]["result"]
    return float(one["value"][1])


def exposed(site: Site, service: str, with_label: str) -> float:
    """What Traefik itself has counted."""
    metrics = value(
        site, f'sum(traefik_service_requests_total{{service="odoo-acme-{service}@file"{"," + with_label if with_label else ""}}})'
    )
    assert metrics > 0
    return metrics


def test_before_and_after(site: Site) -> None:
    """The last part of the minute against what lay before it; a week before nothing was kept.

    What else this machine did in one part and not in the other is in the durations, so that their verdict is nothing to rely on here.
    """
    middle = site.began + 0.55 * (site.ended - site.began)
    times = {"compare": "before_after", "since": at(middle), "until": at(site.ended), "step": "PT1S"}
    result = site.check(**times, selectors={"service": "odoo-acme-old@file"})
    found = codes(result)
    assert found["error_ratio"] == (True, ""), result
    assert found["latency_mean"][1] in ("", "SPREAD", "TOO_FEW", "SLOWER"), result
    durations = result["figures"]["latency_mean"]
    assert durations.keys() == {"the time before"}
    assert durations["the time before"]["n"] >= 20
    assert result["periods"].keys() == {"the time since", "the time before", "the week before"}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        pytest.param({"canary": {"service": "odoo-acme-gone@file"}}, "NO_DATA", id="no-such-service"),
        pytest.param({"canary": {"service": "odoo-acme-old@file"}}, "SAME_SERIES", id="same"),
        pytest.param({"canary": {}, "baseline": {}}, "NO_SELECTOR", id="no-selector"),
        pytest.param({"prometheus": {"url": "http://127.0.0.1:9"}}, "NOT_ASKED", id="nobody-there"),
        pytest.param({"prometheus": {"url": "x"}}, "NOT_ASKED", id="no-address"),
    ],
)
def test_what_cannot_be_told_does_not_pass(site: Site, args: dict[str, Any], code: str) -> None:
    result = site.beside("same", **args)
    assert result["verdict"] == "unknown", result
    found = codes(result)
    assert {found[name] for name in (QUICK if "traffic" not in found else ["traffic"])} == {(None, code)}


def test_late_and_stale(site: Site) -> None:
    selectors = {"service": "odoo-acme-old@file"}
    late = site.check(compare="before_after", since=at(site.began - 30), until=at(site.ended - 10), selectors=selectors)
    assert (late["verdict"], codes(late)["latency_mean"]) == ("unknown", (None, "LATE")), late
    too_short = site.beside("same", since=at(site.ended - 3))
    assert (too_short["verdict"], codes(too_short)) == ("unknown", {"period": (None, "TOO_SHORT")})


def test_every_query_is_asked_whether_it_gives_a_number(site: Site, tmp_path: Path) -> None:
    reached = site.check(state="reachable", selectors={"service": "odoo-acme-old@file"}, until=at(site.ended))
    assert reached["verdict"] == "pass", reached
    assert {c["id"] for c in reached["evidence"]["checks"]} == {f"reachable_latency_{n}" for n in ("mean", "p50", "p95", "p99")} | {
        "reachable_error_ratio"
    }
    assert {one["code"] for one in reached["told"]} == {"NO_SELECTOR"}
    wrong = site.check(state="reachable", selectors={"service": "odoo-gone"}, until=at(site.ended))
    assert (wrong["verdict"], {c["code"] for c in wrong["evidence"]["checks"]}) == ("fail", {"NO_MATCH"}), wrong
    own = read_signals()["queries"]["queue_depth"]
    mine = {"schema": 1, "version": "mine", "queries": {"queue_depth": {**own, "required": True}}}
    (tmp_path / "signals.yml").write_text(yaml.safe_dump(mine))
    missing = site.check(state="reachable", selectors={"database": "acme"}, catalogue=str(tmp_path / "signals.yml"), only=["queue_depth"])
    assert (missing["verdict"], missing["evidence"]["checks"][0]["code"]) == ("fail", "NO_EXPORTER")
    assert "sql_exporter" in missing["msg"]


def test_a_catalogue_of_the_sites_own(site: Site, tmp_path: Path) -> None:
    own = {
        "title": "Answers with 200", "kind": "level", "unit": "requests", "direction": "higher_is_worse", "required": True,
        "compare": ["side_by_side"], "exporter": "Traefik", "metrics": ["traefik_service_requests_total"],
        "query": 'sum(rate(traefik_service_requests_total{service="<service>",code="200"}[<window>]))', "statistic": "p95", "limit": 1,
    }  # fmt: skip
    file = tmp_path / "signals.yml"
    file.write_text(yaml.safe_dump({"schema": 1, "version": "mine", "queries": {"busy": own}}))
    result = site.beside("same", catalogue=str(file), only=["busy"])
    assert codes(result) == {"busy": (None, "WAS_SO_BEFORE")}
    file.write_text(yaml.safe_dump({"schema": 1, "version": "mine", "queries": {"busy": {**own, "limit": 1000}}}))
    assert site.beside("same", catalogue=str(file), only=["busy"])["verdict"] == "pass"
    file.write_text(yaml.safe_dump({"schema": 1, "version": "mine", "queries": {"busy": {**own, "qurey": "x"}}}))
    refused = site.beside("same", catalogue=str(file))
    assert refused["failed"]
    assert "signals.queries.busy.qurey is not a known key. Did you mean query?" in refused["msg"]
    file.write_text(yaml.safe_dump({"schema": 1, "version": "mine", "queries": {"busy": {**own, "query": "sum((<service>"}}}))
    assert codes(site.beside("same", catalogue=str(file), only=["busy"])) == {"busy": (None, "NOT_ASKED")}


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ({"since": "soon"}, "time 'soon' is not understood"),
        ({"since": "2126-01-01T00:00:00Z"}, "before <= since <= until <= now"),
        ({"tolerance": 1.0}, "Write more than 1"),
        ({"selectors": {"service": 'a"b'}}, "without quotes and backslashes"),
        ({"only": ["latency"]}, "there is no query named latency"),
        ({"catalogue": "/nonexistent"}, "cannot be read"),
    ],
)
def test_bad_options(site: Site, args: dict[str, Any], wanted: str) -> None:
    result = site.beside("same", **args)
    assert result["failed"]
    assert wanted in result["msg"]


def test_promtool_reads_every_shipped_query(tmp_path: Path) -> None:
    rules = []
    for query in signals.queries_of(read_signals()).values():
        selectors = dict.fromkeys(query.slots(), "x")
        for part, ask in signals.asks(query, selectors, signals.Period(0, 3600, 60)).items():
            rules.append({"record": f"{query.name}:{part}", "expr": ask.promql})
        rules.append({"record": f"{query.name}:reachable", "expr": signals.reachable(query, selectors, 60)})
    rules.append({"record": "names:all", "expr": signals.names(signals.queries_of(read_signals()).values())})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "signals", "rules": rules}]}))
    promtool = shutil.which("promtool") or str(prometheus._binary().with_name("promtool"))
    done = subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"{len(rules)} rules found", done.stdout)
