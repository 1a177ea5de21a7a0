"""What can be done to a repository of pgBackRest without pgBackRest saying so: it ends with 0 over each of these."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.pgbackrest import Repository


def in_mid_chain(repository: Repository) -> None:
    repository.wal(repository.archived()[-3])[0].unlink()


def between_backups(repository: Repository) -> None:
    repository.wal(repository.archived()[3])[0].unlink()


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 0x10
    file.write_bytes(content)


def largest(folder: Path) -> Path:
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def flip_in_a_backup(repository: Repository) -> None:
    flip(largest(repository.repo / "backup" / repository.stanza / repository.label("F")), 500)


def flip_in_wal(repository: Repository) -> None:
    flip(repository.wal(repository.archived()[-2])[0], 600)


def delete_a_file(repository: Repository) -> None:
    largest(repository.repo / "backup" / repository.stanza / repository.label("F")).unlink()


def delete_the_full(repository: Repository) -> None:
    shutil.rmtree(repository.repo / "backup" / repository.stanza / repository.label("F"))


def delete_its_manifests(repository: Repository) -> None:
    for file in (repository.repo / "backup" / repository.stanza / repository.label("I")).glob("backup.manifest*"):
        file.unlink()


def a_second_server(repository: Repository) -> None:
    segment = repository.wal(repository.archived()[-2])[0]
    shutil.copy(segment, segment.with_name(f"{segment.name[:25]}{'0' * 40}.lz4"))


# name: what is done, the depth that shows it, and its code
DAMAGES: dict[str, tuple[Callable[[Repository], None], str, str]] = {
    "deleted-segment-in-mid-chain": (in_mid_chain, "catalogue", "WAL_GAP"),
    "deleted-segment-between-backups": (between_backups, "catalogue", "WAL_GAP"),
    "full-backup-gone": (delete_the_full, "catalogue", "REFERENCE_MISSING"),
    "manifest-gone": (delete_its_manifests, "catalogue", "REFERENCE_MISSING"),
    "two-servers-in-one-archive": (a_second_server, "catalogue", "WAL_DUPLICATE"),
    "flipped-bit-in-a-backup": (flip_in_a_backup, "checksums", "CHECKSUM"),
    "flipped-bit-in-wal": (flip_in_wal, "checksums", "CHECKSUM"),
    "deleted-file-in-a-backup": (delete_a_file, "checksums", "INCOMPLETE"),
}
