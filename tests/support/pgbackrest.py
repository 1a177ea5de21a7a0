"""A small cluster with a pgBackRest repository on disk, for damages that are hard to do to a bucket."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.lab.site import wait_for
from tests.support.small_cluster import SmallCluster

CONFIG = """[global]
{more}
repo1-path={home}/repo
repo1-retention-full=4
repo1-bundle={bundle}
log-path={home}/log
lock-path={home}/lock
spool-path={home}/spool
log-level-file=off
start-fast=y
compress-type={codec}
compress-level=1

[{stanza}]
pg1-path={home}/data
pg1-socket-path={home}
pg1-port=5432
"""
SETTINGS = """
archive_mode = on
archive_command = 'pgbackrest --config={home}/pgbackrest.conf --stanza={stanza} archive-push %p'
"""


class Repository(SmallCluster):
    """Cluster and repository below ``home``. ``repo`` may be damaged; :meth:`whole` brings it back."""

    def __init__(self, home: Path, stanza: str = "main", *, codec: str = "lz4", bundle: bool = True, more: str = "") -> None:
        super().__init__(home)
        self.stanza = stanza
        self.codec, self.bundle, self.more = codec, bundle, more
        self.repo, self.config = home / "repo", home / "pgbackrest.conf"

    def make(self) -> None:
        """A full backup, an incremental one, and a chain of segments after each."""
        bundle = "y" if self.bundle else "n"
        self.config.write_text(CONFIG.format(more=self.more, home=self.home, stanza=self.stanza, codec=self.codec, bundle=bundle))
        for name in ("repo", "log", "lock", "spool"):
            (self.home / name).mkdir()
        self.initdb(SETTINGS.format(home=self.home, stanza=self.stanza))
        self.start()
        self.pgbackrest("stanza-create")
        self.pgbackrest("backup", "--type=full")
        self.sql("CREATE TABLE notes AS SELECT g AS id, md5(g::text) AS body FROM generate_series(1, 5000) g")
        self.segments(3)
        self.pgbackrest("backup", "--type=incr")
        self.segments(4)
        wait_for(lambda: not any(self.repo.rglob("*.tmp")), what="all that is on its way to the repository")
        self.run("cp", "-a", self.repo, self.home / "repo.whole")

    def whole(self) -> None:
        """The repository as it was made."""
        shutil.rmtree(self.repo, ignore_errors=True)
        self.run("cp", "-a", self.home / "repo.whole", self.repo)

    def segments(self, count: int) -> None:
        for number in range(count):
            self.sql(f"CREATE TABLE t{time.monotonic_ns()} AS SELECT {number} AS n")
            name = self.sql("SELECT pg_walfile_name(pg_switch_wal())")
            wait_for(lambda name=name: self.wal(name), what=f"{name} in the archive")

    def wal(self, name: str) -> list[Path]:
        return sorted(self.repo.glob(f"archive/{self.stanza}/*/*/{name}-*"))

    def archived(self) -> list[str]:
        return sorted(p.name[:24] for p in self.repo.glob(f"archive/{self.stanza}/*/*/*-*"))

    def label(self, kind: str) -> str:
        """The newest backup's label: ``F`` for full, ``I`` for incremental."""
        return max(p.name for p in self.repo.glob(f"backup/{self.stanza}/*{kind}"))

    def promote(self) -> None:
        """The cluster goes on as timeline 2, as after a failover, and its history file is archived."""
        self.stop()
        self.run("touch", self.home / "data" / "recovery.signal")
        with (self.home / "data" / "postgresql.conf").open("a") as conf:
            conf.write("restore_command = 'false'\n")
        self.start()
        wait_for(lambda: self.sql("SELECT NOT pg_is_in_recovery()") == "t", what="the promotion")
        wait_for(self.history.exists, what="the history file in the archive")

    @property
    def history(self) -> Path:
        return self.repo / "archive" / self.stanza / f"{self.bin.parent.name}-1" / "00000002.history"

    def pgbackrest(self, *args: str) -> str:
        return self.run("pgbackrest", f"--config={self.config}", f"--stanza={self.stanza}", *args)
