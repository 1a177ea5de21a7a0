"""F6: whatever is done to backups is found, and nothing is found in those that are whole.

python -m tests.faults.repository_damage [--damages 10000] [--clean 10000]

What is damaged is real, and of every engine: tests/support/damage_scenes.py. For filestores and dumps in a bucket a SeaweedFS is
started. Damages come from a seed: a bit flipped, a file cut off, emptied, lengthened, deleted, given the content of another one, or copied
under another name; in a bucket as a new version, hidden by a delete marker, or destroyed. A case is harmless when what a restore would read
is unchanged, as the engine's own tool or the decoder sees it: some bits nobody reads, such as the time in the head of gzip. Kinds of files
without any checksum are not damaged, and named at the end.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support.damage_of_buckets import BUCKET_SCENES
from tests.support.damage_scenes import FILE_SCENES, WITHOUT_CHECKSUM, Scene

SCENES = {**FILE_SCENES, **BUCKET_SCENES}

COPIED = "copied under another name"
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
    COPIED: swapped,
}
"""What is copied under a name that means nothing hurts nobody; there the content is swapped instead."""


@dataclass
class Tally:
    cases: int = 0
    found: int = 0
    harmless: int = 0
    missed: list[str] = field(default_factory=list)


def damages(scene: Scene, count: int, seed: int) -> Iterator[tuple[str, Path, bytes | None]]:
    """Every folder has its turn as often: there are thousands of tables to one segment or manifest."""
    chance = random.Random(seed)
    kinds, folders = sorted(DAMAGES), sorted({path.parent for path in scene.files})
    within = {folder: [path for path in scene.files if path.parent == folder] for folder in folders}
    for _number in range(count):
        kind, path, other = chance.choice(kinds), chance.choice(within[chance.choice(folders)]), chance.choice(scene.files)
        data = scene.read(path)
        if kind == COPIED and (name := scene.another_name(chance, path)):
            yield kind, name, data
        else:
            yield kind, path, DAMAGES[kind](chance, data, scene.read(other))


def run(homes: Path, *, count: int, clean: int, seed: int = 2026, ways: Sequence[str] = tuple(SCENES)) -> tuple[dict[str, Tally], int]:
    """Each kind of damage with what came of it, and how many false alarms there were."""
    tallies, alarms = {kind: Tally() for kind in sorted(DAMAGES)}, 0
    for number, way in enumerate(ways):
        home = homes / str(number)
        home.mkdir(mode=0o755)
        with SCENES[way](home) as scene:
            memory = scene.proved()
            for _run in range(clean // len(ways)):
                checks, memory = scene.judge(memory)
                alarms += not all(check.ok for check in checks)
            for kind, path, data in damages(scene, count // len(ways), seed + number):
                tally = tallies[kind]
                tally.cases += 1
                with scene.damaged(path, data):
                    if not all(check.ok for check in scene.judge(memory)[0]):
                        tally.found += 1
                        continue
                if (path in scene.files and data == scene.read(path)) or scene.is_harmless(path, data):
                    tally.harmless += 1
                else:
                    tally.missed.append(f"{way}: {kind}: {path.name}")
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
    print(f"{args.clean // len(SCENES) * len(SCENES)} verifications of what is whole: {alarms} false alarms")
    for pattern, why in WITHOUT_CHECKSUM.items():
        print(f"not damaged, because nothing tells what is right: {pattern}: {why}")
    return 1 if total["missed"] or alarms else 0


if __name__ == "__main__":
    sys.exit(main())
