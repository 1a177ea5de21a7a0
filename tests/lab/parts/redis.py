"""Redis: where Odoo keeps its sessions. With a password, in memory only, as sessions may be lost."""

from __future__ import annotations

import shutil
import socket
from typing import Any

from tests.lab.private import free_ports, password, publish_private, remembered, write_private
from tests.lab.site import LabError, Site, wait_for

NEEDS: tuple[str, ...] = ()

# A new process title would overwrite the environment by which the lab finds its processes.
SETTINGS = """
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
set-proc-title no
save ""
appendonly no
maxmemory 128mb
maxmemory-policy volatile-lru
dir {folder}
"""


def up(site: Site) -> None:
    folder = site.folder("redis", mode=0o700)
    state = remembered(folder / "state.json", lambda: {"port": free_ports("redis")["redis"], "password": password()})
    facts = {"host": "127.0.0.1", **state}
    if site.pid("redis") is None:
        if not shutil.which("redis-server"):
            raise LabError("redis-server is not installed: apt-get install redis-server")
        write_private(folder / "redis.conf", SETTINGS.format(folder=folder, **state))
        site.spawn("redis", ["redis-server", folder / "redis.conf"])
    wait_for(
        lambda: ask(facts, "PING") == "+PONG", what=f"Redis at 127.0.0.1:{state['port']} (see {site.root}/log/redis.log)", timeout_s=20
    )
    publish_private(site, "redis", facts)


def health(site: Site) -> str:
    facts = site.facts("redis")
    where = f"{facts['host']}:{facts['port']}"
    try:
        answer = ask(facts, "PING")
    except OSError as exc:
        raise LabError(f"Redis at {where} does not answer: {exc}; run ./dev lab up") from exc
    if answer != "+PONG":
        raise LabError(f"Redis at {where} says {answer!r}, wanted '+PONG'; take the lab down and up again")
    return where


def ask(facts: dict[str, Any], *words: str) -> str:
    """The first line of Redis's answer to one command (RESP, no client library needed)."""

    def encode(*parts: str) -> bytes:
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p.encode()), p.encode()) for p in parts)

    with socket.create_connection((facts["host"], facts["port"]), timeout=5) as s, s.makefile("rb") as answers:
        s.sendall(encode("AUTH", facts["password"]) + encode(*words))
        authenticated = answers.readline().decode().strip()
        return answers.readline().decode().strip() if authenticated == "+OK" else authenticated
