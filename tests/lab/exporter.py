"""A blackbox exporter of the lab: asks every tenant for its login page through Traefik, as a user would.

python -m tests.lab.exporter --root <lab's folder> --port <port>
"""

from __future__ import annotations

import argparse
import http.client
import json
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TIMEOUT_S = 4.0  # below Prometheus's scrape timeout: one tenant that hangs must not hide the others
PATH = "/web/login"


def tenants(root: Path) -> dict[str, str]:
    """Tenant and host name, read anew at each scrape; no file, no tenants."""
    file = root / "tenants.json"
    if not file.exists():
        return {}
    return {name: str(tenant["host"]) for name, tenant in json.loads(file.read_text())["tenants"].items()}


def entrance(root: Path) -> str | None:
    """Traefik's address, when it is up."""
    file = root / "parts" / "traefik.json"
    return str(json.loads(file.read_text())["url"]) if file.exists() else None


def probe(url: str | None, host: str) -> tuple[bool, float]:
    """Whether the login page came with 200 (a redirect means that the database is not there), and how long it took."""
    began = time.monotonic()
    try:
        if url is None:
            return False, 0.0
        address = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", PATH, headers={"Host": host, "User-Agent": "odoo-lab-exporter"})
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200, time.monotonic() - began
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False, time.monotonic() - began


def metrics(root: Path) -> str:
    """All probes in the text format of Prometheus."""
    url, hosts = entrance(root), tenants(root)
    with ThreadPoolExecutor(8) as pool:
        results = dict(zip(hosts, pool.map(lambda host: probe(url, host), hosts.values()), strict=True))
    lines = ["# HELP odoo_probe_success 1 when the tenant's login page answered 200 through the proxy.", "# TYPE odoo_probe_success gauge"]
    lines += [f"odoo_probe_success{{tenant={json.dumps(name)}}} {int(ok)}" for name, (ok, _dummy) in results.items()]
    lines += ["# HELP odoo_probe_duration_seconds How long the answer took.", "# TYPE odoo_probe_duration_seconds gauge"]
    lines += [f"odoo_probe_duration_seconds{{tenant={json.dumps(name)}}} {seconds:.6f}" for name, (_dummy, seconds) in results.items()]
    return "\n".join(lines) + "\n"


def serve(root: Path, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                status, body = (200, metrics(root)) if self.path == "/metrics" else (404, "only /metrics is here\n")
            except (OSError, ValueError, KeyError, TypeError) as exc:  # an unreadable list of tenants is a failed scrape, not an empty one
                status, body = 500, f"the list of tenants in {root} cannot be read: {exc}\n"
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            """Says nothing: a line per scrape helps nobody."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    serve(args.root, args.port)


if __name__ == "__main__":
    main()
