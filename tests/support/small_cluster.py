"""A small PostgreSQL cluster on a socket, for tests that break something that the lab's clusters need."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.lab.distribution import postgres_bin
from tests.lab.site import as_user, wait_for

USER = "postgres" if os.geteuid() == 0 else ""
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{home}'
fsync = off
shared_buffers = 16MB
"""


class SmallCluster:
    """Its directory is ``data`` below ``home``, which also has its socket."""

    def __init__(self, home: Path) -> None:
        self.home, self.bin = home, postgres_bin()
        self.postmaster: subprocess.Popen[bytes] | None = None

    def initdb(self, settings: str = "") -> None:
        if USER:
            for path in (self.home, *self.home.rglob("*")):
                shutil.chown(path, USER, USER)
        self.run(self.bin / "initdb", "-D", self.home / "data", "-A", "trust", "-U", "postgres", "-k", "--no-sync")
        with (self.home / "data" / "postgresql.conf").open("a") as conf:
            conf.write(SETTINGS.format(home=self.home) + settings)

    def start(self) -> None:
        log = (self.home / "postgres.log").open("ab")
        argv = [*as_user(USER), str(self.bin / "postgres"), "-D", str(self.home / "data")]
        self.postmaster = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.home, start_new_session=True)
        wait_for(lambda: self.sql("SELECT 1"), what="the cluster")

    def stop(self) -> None:
        if self.postmaster:
            self.postmaster.send_signal(signal.SIGINT)
            self.postmaster.wait(30)

    def sql(self, query: str, database: str = "postgres") -> str:
        return self.run(self.bin / "psql", "-XAtq", "-h", self.home, "-U", "postgres", "-d", database, "-c", query).strip()

    def run(self, *argv: str | Path) -> str:
        command = [*as_user(USER), *map(str, argv)]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout
