"""F6: whatever is done to a backup repository is found, and nothing is found in one that is whole.

python -m tests.faults.repository_damage [--damages 10000] [--clean 10000]

Real repositories of pgBackRest, one for each way to store: bundled or not, each compression. Damages come from a seed: a bit flipped,
a file cut off, emptied, lengthened, deleted, given the content of another one, or put there twice. A case is harmless when what a
restore would read is unchanged: a decoder ignores some bits, such as the time in the header of gzip. Kinds of files without any
checksum are not damaged here, and named at the end.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support.pgbackrest import Repository

Way = tuple[str, bool]
WAYS: Sequence[Way] = (("lz4", True), ("gz", False), ("zst", True), ("bz2", True), ("none", False))
WITHOUT_CHECKSUM = {
    "*.history": "where a timeline left its parent: read, and held against the backup, when the path of recovery leads over it",
    "*.backup": "a label of a backup that PostgreSQL archives and no restore reads",
    "backup.history/*": "manifests of expired backups, for people",
}
Damage = Callable[[random.Random, bytes, bytes], "bytes | None"]


def flipped(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def swapped(_chance: random.Random, data: bytes, other: bytes) -> bytes:
    return other if other != data else data[::-1]


DAMAGES: dict[str, Damage] = {
    "bit flipped": flipped,
    "cut off": lambda chance, data, _other: data[: chance.randrange(1, len(data))] if len(data) > 1 else b"",
    "emptied": lambda _chance, _data, _other: b"",
    "lengthened": lambda chance, data, _other: data + chance.randbytes(chance.randrange(1, 64)),
    "zeroed": lambda _chance, data, _other: bytes(len(data)),
    "deleted": lambda _chance, _data, _other: None,
    "content of another": swapped,
}


@dataclass
class Tally:
    cases: int = 0
    found: int = 0
    harmless: int = 0
    missed: list[str] = field(default_factory=list)


class Scene:
    """One repository, what is proved of it, and how it is judged."""

    def __init__(self, made: Repository) -> None:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest_repository import Folder

        self.made, self.folder = made, Folder(made.repo)
        self.catalogue = Pgbackrest(["pgbackrest", f"--config={made.config}"]).info(made.stanza)
        self.memory = Proved("F6")
        checks, self.memory = self.judge()
        assert all(check.ok for check in checks), checks
        files = sorted(path for path in made.repo.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_size)
        self.files = [path for path in files if not any(path.match(pattern) for pattern in ("*.history", "*.backup", "backup.history/*/*"))]

    def judge(self) -> tuple[list[Any], Any]:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import judge
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal import parse_listing
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_window import judge_wal
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._repository import Reading, read_repository

        reading = Reading(self.memory, rounds=50)
        read_repository(self.folder, self.catalogue, 1, reading)
        archive = self.folder.listing(f"archive/{self.made.stanza}/{self.catalogue.archive_id(self.catalogue.backups[-1])}")
        listing = {path: {"type": "file", "size": file.size, "time": 0} for path, file in archive.items()}
        wal = judge_wal(self.catalogue, parse_listing(listing), None, now=dt.datetime.now(dt.timezone.utc))
        return [*judge(reading.parts), *wal.checks], self.memory.turned(reading.facts)

    @contextmanager
    def damaged(self, path: Path, data: bytes | None) -> Iterator[None]:
        before = path.read_bytes()
        path.unlink()  # a new file, as whatever writes or restores one makes it
        if data is not None:
            path.write_bytes(data)
        try:
            yield
        finally:
            path.write_bytes(before)

    def is_found(self, path: Path, data: bytes | None) -> bool:
        with self.damaged(path, data):
            checks, _memory = self.judge()
        return not all(check.ok for check in checks)

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """Whether what is decoded is the same, as the standard library or the reference implementation decodes it.

        Segments that no retained backup needs may go, and of the newest one nothing else tells that it was there.
        """
        if data is None:
            needed = min(backup.wal_start for backup in self.catalogue.backups), self.made.archived()[-1]
            return path.parent.name in path.name and not needed[0] <= path.name[:24] < needed[1]
        return decoded(path, data) == decoded(path, path.read_bytes())


def decoded(path: Path, data: bytes) -> bytes | None:
    import bz2
    import gzip

    import lz4.frame
    import zstandard

    tools: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.decompress,
        ".bz2": bz2.decompress,
        ".lz4": lz4.frame.decompress,
        ".zst": lambda one: zstandard.ZstdDecompressor().decompressobj().decompress(one),
    }
    try:
        return tools.get(path.suffix, bytes)(data)
    except (OSError, EOFError, RuntimeError, ValueError, zstandard.ZstdError):
        return None


def damages(scene: Scene, count: int, seed: int) -> Iterator[tuple[str, Path, bytes | None]]:
    chance = random.Random(seed)
    kinds = sorted(DAMAGES)
    for _number in range(count):
        kind, path, other = chance.choice(kinds), chance.choice(scene.files), chance.choice(scene.files)
        data = path.read_bytes()
        yield kind, path, DAMAGES[kind](chance, data, other.read_bytes())


def run(
    homes: Path, *, count: int, clean: int, seed: int = 2026, ways: tuple[tuple[str, bool], ...] = WAYS
) -> tuple[dict[str, Tally], int]:
    """Each kind of damage with what came of it, and how many false alarms there were."""
    tallies, alarms = {kind: Tally() for kind in sorted(DAMAGES)}, 0
    for number, (codec, bundle) in enumerate(ways):
        home = homes / str(number)
        home.mkdir(mode=0o755)
        made = Repository(home, codec=codec, bundle=bundle)
        try:
            made.make()
        finally:
            made.stop()
        scene = Scene(made)
        for _run in range(clean // len(ways)):
            checks, scene.memory = scene.judge()
            alarms += not all(check.ok for check in checks)
        for kind, path, data in damages(scene, count // len(ways), seed + number):
            tally = tallies[kind]
            tally.cases += 1
            if scene.is_found(path, data):
                tally.found += 1
            elif scene.is_harmless(path, data):
                tally.harmless += 1
            else:
                tally.missed.append(f"{codec}: {path.relative_to(made.repo)}")
    return tallies, alarms


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=10_000)
    parser.add_argument("--clean", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args(argv)
    homes = Path(tempfile.mkdtemp(prefix="f6-"))
    homes.chmod(0o755)
    try:
        tallies, alarms = run(homes, count=args.damages, clean=args.clean, seed=args.seed)
    finally:
        shutil.rmtree(homes)
    total: Counter[str] = Counter()
    for kind, tally in tallies.items():
        print(f"{kind:<20} {tally.cases:6} done {tally.found:6} found {tally.harmless:5} harmless {len(tally.missed):5} missed")
        for missed in tally.missed[:5]:
            print(f"    missed: {missed}")
        total.update(cases=tally.cases, found=tally.found, harmless=tally.harmless, missed=len(tally.missed))
    print(f"{'all':<20} {total['cases']:6} done {total['found']:6} found {total['harmless']:5} harmless {total['missed']:5} missed")
    print(f"{args.clean // len(WAYS) * len(WAYS)} verifications of whole repositories: {alarms} false alarms")
    for pattern, why in WITHOUT_CHECKSUM.items():
        print(f"not damaged, because nothing tells what is right: {pattern}: {why}")
    return 1 if total["missed"] or alarms else 0


if __name__ == "__main__":
    sys.exit(main())
