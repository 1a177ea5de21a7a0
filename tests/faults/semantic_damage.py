"""F7: backups whose bytes may all be right and that are still not what was promised. Each has a code of its own, and none is green.

python -m tests.faults.semantic_damage [--only dump]

Over real backups of every engine: tests/support/semantic_scenes.py. Beside it stands how the engine's own tools end over the same. Of a
promise (an age, a schedule, retention, a drill) they are not told, so that they cannot see it. The whole backups have to pass first.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support.ansible import run_module
from tests.support.semantic_scenes import SCENES, Damage, Scene


@dataclass(frozen=True)
class Row:
    engine: str
    damage: str
    theirs: str
    verdict: str
    codes: tuple[str, ...]
    wanted: str
    seconds: float

    @property
    def good(self) -> bool:
        return self.verdict in ("fail", "unknown") and self.wanted in self.codes

    def __str__(self) -> str:
        codes, missed = ",".join(self.codes) or "-", "" if self.good else f"  WANTED {self.wanted}"
        return f"{self.engine:<20} {self.damage:<36} {self.theirs:<44} {self.verdict:<8} {codes:<36} {self.seconds:5.1f}{missed}"


def judged(scene: Scene, damage: Damage) -> tuple[str, tuple[str, ...], float]:
    args = {**scene.args, **damage.options, **damage.asked(scene.made)}
    began = time.monotonic()
    found = run_module("pg_backup_verify", {**args, "enforce": False})
    codes = {check["code"] for check in found["evidence"]["checks"] if check["ok"] is not True} if "evidence" in found else {found["msg"]}
    return str(found.get("verdict", "refused")), tuple(sorted(codes)), time.monotonic() - began


def rows(homes: Path, ways: Sequence[str] = tuple(SCENES)) -> Iterator[Row]:
    for number, way in enumerate(ways):
        home = homes / str(number)
        home.mkdir(mode=0o755)
        with SCENES[way](home) as scene:
            time.sleep(1.1)  # an age of less than a second is 0 s
            verdict, codes, _seconds = judged(scene, Damage(""))
            assert verdict == "pass", f"{way}: whole backups do not pass: {codes}"
            for name, damage in scene.damages.items():
                damage.do(scene.made)
                verdict, codes, seconds = judged(scene, damage)
                yield Row(way, name, scene.peer(), verdict, codes, damage.code, seconds)
                scene.whole()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SCENES, action="append", help="this engine alone")
    args = parser.parse_args(argv)
    homes = Path(tempfile.mkdtemp(prefix="f7-"))
    homes.chmod(0o755)
    print(f"{'engine':<20} {'damage':<36} {'exit codes of its own tools':<44} {'ours':<8} {'codes':<36}   s")
    bad = done = 0
    try:
        for row in rows(homes, args.only or tuple(SCENES)):
            print(row, flush=True)
            done, bad = done + 1, bad + (not row.good)
    finally:
        shutil.rmtree(homes)
    print(f"{done} damages, {bad} green or without a code of their own")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
