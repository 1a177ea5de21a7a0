"""A small cluster that a real Barman backs up."""

from __future__ import annotations

import getpass
import gzip
import subprocess
import tempfile
from pathlib import Path

from tests.support.small_cluster import USER, SmallCluster

CONFIG = """[barman]
barman_user = {user}
barman_home = {home}/barman
log_file = {home}/barman.log
configuration_files_directory = {home}/barman.d

[main]
description = main
conninfo = host={home} user=postgres dbname=postgres
streaming_conninfo = host={home} user=postgres dbname=postgres
backup_method = postgres
archiver = on
compression = {compression}
path_prefix = {bin}
"""
SETTINGS = """
archive_mode = on
archive_command = 'cp %p {home}/barman/main/incoming/%f'
"""


class Barman(SmallCluster):
    """Its one server is ``main``. Barman needs no daemon: archived segments are taken in when it is told to."""

    @property
    def location(self) -> Path:
        return self.home / "barman" / "main"

    def make(self, compression: str = "gzip") -> None:
        """Two backups, with some WAL before, between and after them."""
        (self.location / "incoming").mkdir(parents=True)
        (self.home / "barman.d").mkdir()
        (self.home / "barman.conf").write_text(
            CONFIG.format(home=self.home, bin=self.bin, compression=compression, user=USER or getpass.getuser())
        )
        self.initdb(SETTINGS.format(home=self.home))
        self.start()
        self.segments(1)
        self.barman("check", "main", "--nagios")
        for _number in range(2):
            self.barman("backup", "main")
            self.sql("INSERT INTO notes SELECT g, repeat('x', 9000) FROM generate_series(1, 200) g")
            self.segments(2)

    def segments(self, count: int) -> None:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id int, body text)")
        for number in range(count):
            self.sql(f"INSERT INTO notes SELECT {number}, 'x'")
            self.sql("SELECT pg_switch_wal()")
        self.barman("archive-wal", "main")

    def barman(self, *args: str) -> str:
        return self.run("barman", "-c", self.home / "barman.conf", *args)

    def archived(self) -> list[str]:
        return sorted(path.name for path in self.location.glob("wals/*/*") if len(path.name) == 24)

    def replays(self, path: Path, data: bytes) -> bool:
        """Whether PostgreSQL's own tool still reads every record that it read in this segment before."""
        return self._records(path, path.read_bytes()) == self._records(path, data)

    def _records(self, path: Path, data: bytes) -> str:
        with tempfile.TemporaryDirectory() as folder:
            for name in self.archived():  # the last record may go on in the next one
                segment = self.location / "wals" / path.parent.name / name
                (Path(folder) / name).write_bytes(gzip.decompress(data if segment == path else segment.read_bytes()))
            command = [self.bin / "pg_waldump", "--path", folder, path.name, path.name]
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout
