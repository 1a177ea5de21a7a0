"""Base backups of a small cluster, in the ways that pg_basebackup can write them."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.support.codecs_of_backups import DAMAGED, decoded
from tests.support.small_cluster import SmallCluster

PLAIN, TAR = ("--format=plain",), ("--format=tar",)
WAYS = {
    "plain": PLAIN,
    "sha": (*PLAIN, "--manifest-checksums=sha256", "--wal-method=fetch"),
    "tar": TAR,
    "gz": (*TAR, "--compress=client-gzip:1", "--manifest-checksums=sha512"),
    "lz4": (*TAR, "--compress=client-lz4"),
    "zst": (*TAR, "--compress=client-zstd:1", "--wal-method=fetch"),
}


class BaseBackups(SmallCluster):
    """Below ``home``: the cluster, with a table, a tablespace and some WAL, and a directory ``backups``."""

    def make(self) -> None:
        for name in ("backups", "space", "mapped"):
            (self.home / name).mkdir()
        self.initdb("wal_keep_size = 64MB\n")
        self.start()
        self.sql("CREATE TABLE notes AS SELECT g AS id, md5(g::text) AS body FROM generate_series(1, 5000) g")
        self.sql(f"CREATE TABLESPACE extra LOCATION '{self.home}/space'")
        self.sql("CREATE TABLE aside TABLESPACE extra AS SELECT g AS id FROM generate_series(1, 1000) g")

    def clear(self) -> None:
        """Takes all backups away."""
        for path in (*self.location.iterdir(), *(self.home / "mapped").iterdir()):
            shutil.rmtree(path)

    def system_id(self) -> str:
        return self.sql("SELECT system_identifier FROM pg_control_system()")

    @property
    def location(self) -> Path:
        return self.home / "backups"

    def take(self, label: str, *how: str) -> Path:
        """A backup, during which the server does not rest."""
        where, mapped = self.location / label, self.home / "mapped" / label
        mapping = [] if "--format=tar" in how else [f"--tablespace-mapping={self.home}/space={mapped}"]
        login = ("-h", self.home, "-U", "postgres", "--no-sync", "--checkpoint=fast", "--no-password")
        self.sql(f"INSERT INTO notes SELECT g, repeat('x', 9000) FROM generate_series(1, 40) g, (SELECT '{label}') s")
        self.run(self.bin / "pg_basebackup", "-D", where, *login, *mapping, *how)
        return where

    def verified(self, where: Path) -> bool:
        """What PostgreSQL's own tool says of a backup; one in archives is unpacked for it."""
        if not (where / "base.tar").exists() and not list(where.glob("base.tar.*")):
            return self._verified(where)
        with tempfile.TemporaryDirectory() as folder:
            try:
                for archive in sorted(where.glob("*.tar*"), key=lambda path: (path.name[:4] != "base", path.name)):
                    stem = archive.name.partition(".")[0]
                    into = Path(folder) / {"base": ".", "pg_wal": "pg_wal"}.get(stem, f"pg_tblspc/{stem}")
                    if into.is_symlink():
                        into.unlink()
                    into.mkdir(exist_ok=True)
                    with tarfile.open(fileobj=io.BytesIO(decoded(archive))) as opened:
                        opened.extractall(into, filter="fully_trusted")
                shutil.copy(where / "backup_manifest", folder)
            except (*DAMAGED, tarfile.TarError):
                return False
            return self._verified(Path(folder))

    def _verified(self, where: Path) -> bool:
        command = [self.bin / "pg_verifybackup", "--quiet", where]
        return subprocess.run(command, cwd=self.home, capture_output=True, check=False, timeout=120).returncode == 0
