"""Backups of every engine that a program may damage: how they are made, judged, and when a damage is none."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from ansible_collections.odoo_ops.change_control.plugins.module_utils._backup_gate import Limits
from ansible_collections.odoo_ops.change_control.plugins.module_utils._barman import judge_barman
from ansible_collections.odoo_ops.change_control.plugins.module_utils._basebackups import judge_basebackups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import judge
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal import parse_listing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_window import judge_wal
from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import Order, judge_dumps, take
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Folder as DumpFolder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest_repository import Folder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server
from ansible_collections.odoo_ops.change_control.plugins.module_utils._repository import Reading, read_repository

from tests.support import basebackups
from tests.support.barman import Barman
from tests.support.basebackups import BaseBackups
from tests.support.codecs_of_backups import DAMAGED, decoded
from tests.support.pgbackrest import Repository

Judged = tuple[list[Check], Proved]
DAY_S, ROUNDS = 86_400, 50
LATER = dt.timedelta(hours=2)  # what was not finished by then will not be
WITHOUT_CHECKSUM = {
    "pgbackrest *.history": "where a timeline left its parent: read, and held against the backup, when the path of recovery leads over it",
    "pgbackrest *.backup": "a label of a backup that PostgreSQL archives and no restore reads",
    "pgbackrest backup.history/*": "manifests of expired backups, for people",
    "barman backup.info": "what Barman tells of a backup: its beginning is held against the manifest, which has a checksum",
    "barman xlog.db": "Barman's list of WAL: only that it is there, and names what is there, can be asked",
    "basebackup postgresql.auto.conf": "written by pg_basebackup after the server has told what there is",
    "basebackup pg_wal/archive_status": "notes of the archiver, which a restore does not read",
}


class Scene(ABC):
    """``files`` are what may be damaged."""

    files: list[Path]

    @abstractmethod
    def judge(self, memory: Proved) -> Judged: ...

    @abstractmethod
    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """Whether a restore is the same with this content of a file, or without the file."""

    def proved(self) -> Proved:
        checks, memory = self.judge(Proved("F6"))
        assert all(check.ok for check in checks), [check for check in checks if not check.ok]
        return memory


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def files_below(folder: Path, *but: str) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_size)
    return [path for path in found if not any(path.match(pattern) for pattern in but)]


class RepositoryScene(Scene):
    def __init__(self, made: Repository) -> None:
        self.made, self.folder = made, Folder(made.repo)
        self.catalogue = Pgbackrest(["pgbackrest", f"--config={made.config}"]).info(made.stanza)
        self.files = files_below(made.repo, "*.history", "*.backup", "backup.history/*/*")

    def judge(self, memory: Proved) -> Judged:
        reading = Reading(memory, rounds=ROUNDS)
        read_repository(self.folder, self.catalogue, 1, reading)
        archive = self.folder.listing(f"archive/{self.made.stanza}/{self.catalogue.archive_id(self.catalogue.backups[-1])}")
        listing = {path: {"type": "file", "size": file.size, "time": 0} for path, file in archive.items()}
        wal = judge_wal(self.catalogue, parse_listing(listing), None, now=now())
        return [*judge(reading.parts), *wal.checks], memory.turned(reading.facts)

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """Segments that no retained backup needs may go, and of the newest one nothing else tells that it was there."""
        if data is None:
            needed = min(backup.wal_start for backup in self.catalogue.backups), self.made.archived()[-1]
            return path.parent.name in path.name and not needed[0] <= path.name[:24] < needed[1]
        try:
            return decoded(path, data) == decoded(path)
        except DAMAGED:
            return False


@contextmanager
def of_pgbackrest(home: Path, codec: str, bundle: bool) -> Iterator[Scene]:
    made = Repository(home, codec=codec, bundle=bundle)
    try:
        made.make()
    finally:
        made.stop()
    yield RepositoryScene(made)


def limits(memory: Proved) -> Limits:
    return Limits(max_age_s=DAY_S, checksums_s=600, memory=memory, rounds=ROUNDS)


class BasebackupScene(Scene):
    def __init__(self, made: BaseBackups) -> None:
        self.made = made
        self.files = files_below(made.location, "postgresql.auto.conf", "archive_status/*")

    def judge(self, memory: Proved) -> Judged:
        checks, found = judge_basebackups(self.made.location, limits(memory), now=now() + LATER)
        return checks, found["proved"]

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        from tests.faults.repository_damage import damaged

        with damaged(path, data):
            return self.made.verified(self.made.location / path.relative_to(self.made.location).parts[0])


@contextmanager
def of_pg_basebackup(home: Path, way: str) -> Iterator[Scene]:
    made = BaseBackups(home)
    try:
        made.make()
        for label in ("first", "second"):
            made.take(label, *basebackups.WAYS[way])
    finally:
        made.stop()
    yield BasebackupScene(made)


class BarmanScene(Scene):
    def __init__(self, made: Barman) -> None:
        self.made = made
        self.files = files_below(made.location, "backup.info", "identity.json", "*.backup", "postgresql.auto.conf", ".barman*", ".*")

    def judge(self, memory: Proved) -> Judged:
        checks, found = judge_barman(self.made.location, limits(memory), now=now() + LATER)
        return checks, found["proved"]

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """As :class:`RepositoryScene`; in Barman's list of WAL only names count, and behind the newest segment's last record nothing."""
        if path.name == "xlog.db":
            names = {line.split("\t")[0] for line in (data or b"").decode(errors="replace").splitlines()}
            return data is not None and {name for name in self.made.archived() if name not in names} == set()
        if path.parent.parent.name != "wals":
            return False
        if data is None:
            return path.name == self.made.archived()[-1] or path.name < min(self.needed())
        kept = path.read_bytes()
        try:
            return decoded(path.with_suffix(".gz"), data) == decoded(path.with_suffix(".gz"), kept) or self.made.replays(path, data)
        except DAMAGED:
            return False

    def needed(self) -> list[str]:
        texts = [path.read_text() for path in self.made.location.glob("base/*/backup.info")]
        return [line.partition("=")[2] for text in texts for line in text.splitlines() if line.startswith("begin_wal=")]


@contextmanager
def of_barman(home: Path) -> Iterator[Scene]:
    made = Barman(home)
    try:
        made.make()
    finally:
        made.stop()
    yield BarmanScene(made)


class DumpScene(Scene):
    """Nothing in a dump or its manifest may be another."""

    def __init__(self, store: DumpFolder) -> None:
        self.store, self.files = store, files_below(store.path)

    def judge(self, memory: Proved) -> Judged:
        checks, found = judge_dumps(self.store, "postgres", limits(memory), now=now() + LATER)
        return checks, found["proved"]

    def is_harmless(self, _path: Path, _data: bytes | None) -> bool:
        """Without its manifest and its dump there was none; one of both is left here."""
        return False


@contextmanager
def of_tenant_dump(home: Path, jobs: int | None) -> Iterator[Scene]:
    made = BaseBackups(home)
    try:
        made.make()
        store = DumpFolder(made.location)
        began = now()
        for second in range(3):
            at = began - dt.timedelta(seconds=10 - second)
            take(Order(Server(str(home), 5432, "postgres", None), "postgres", store, jobs=jobs), now=lambda at=at: at, check=False)
    finally:
        made.stop()
    yield DumpScene(store)


SCENES: dict[str, Callable[[Path], AbstractContextManager[Scene]]] = {
    "pgbackrest lz4 bundled": partial(of_pgbackrest, codec="lz4", bundle=True),
    "pgbackrest gz": partial(of_pgbackrest, codec="gz", bundle=False),
    "pgbackrest zst bundled": partial(of_pgbackrest, codec="zst", bundle=True),
    "pgbackrest bz2 bundled": partial(of_pgbackrest, codec="bz2", bundle=True),
    "pgbackrest none": partial(of_pgbackrest, codec="none", bundle=False),
    **{f"basebackup {way}": partial(of_pg_basebackup, way=way) for way in basebackups.WAYS},
    "barman": of_barman,
    "dump": partial(of_tenant_dump, jobs=None),
    "dump directory": partial(of_tenant_dump, jobs=2),
}
