"""F16: whatever is done to a record is found. Counted and printed: ./dev python -m tests.faults.ledger_damage

A record of six entries with real keys in a folder. Exhaustive: every set of entries removed (with the head and without it), every
order of the contents, every tail cut off, every kind of file inserted at every number. Sampled, from a seed: bytes of all files.
A case counts as found when the verification does not pass; as located when it names the entry, too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

CHANGE, OTHER = "CHG-2026-0142", "CHG-2026-0141"
EVENTS = ("planned", "gated", "approved", "started", "held", "verified")
HEAD = f"heads/{CHANGE}.json"
AT = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.timezone.utc)


@dataclass(frozen=True)
class Case:
    """What is done to the files of a record, by name (None: removed), and the entries that have to be named for it (0: the head)."""

    kind: str
    files: Mapping[str, bytes | None]
    seqs: frozenset[int]


@dataclass
class Tally:
    cases: int = 0
    found: int = 0
    located: int = 0


class Scene:
    """A record in a folder, and files of others that could be put into it."""

    def __init__(self, folder: Path) -> None:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore

        signer, stranger = signing.create_key(folder / "key.pem"), signing.create_key(folder / "other.pem")
        self.root = folder / "ledger"
        self.ledger = Ledger(DirectoryStore(self.root), trust=signing.trust_only(signer), signer=signer)
        forger = Ledger(DirectoryStore(folder / "forged"), trust=signing.trust_only(stranger), signer=stranger)
        self.heads: list[bytes] = []
        for event in EVENTS:
            for book, change in ((self.ledger, CHANGE), (self.ledger, OTHER), (forger, CHANGE)):
                book.append(change, event, actor="ops-1", at=AT, evidence={"of": change})
            self.heads.append((self.root / HEAD).read_bytes())
        self.names = [f"{CHANGE}/{seq:06d}-{event}.json" for seq, event in enumerate(EVENTS, 1)]
        self.files = {name: (self.root / name).read_bytes() for name in [*self.names, HEAD]}
        others = (self.root / OTHER, folder / "forged" / CHANGE)
        self.strangers = [[path.read_bytes() for path in sorted(place.iterdir())] for place in others]

    def put(self, files: Mapping[str, bytes | None]) -> None:
        for name, data in files.items():
            if data is None:
                (self.root / name).unlink(missing_ok=True)
            else:
                (self.root / name).write_bytes(data)

    def judge(self, case: Case) -> tuple[bool, bool]:
        """Whether the case is found, and located. The record is whole again afterwards."""
        self.put(case.files)
        bad = [check for check in self.ledger.verify(CHANGE) if check.ok is not True]
        self.put({name: self.files.get(name) for name in case.files})
        told = {0 if check.id == "ledger_head" else int(check.id.rpartition("_")[2]) for check in bad if check.ok is False}
        return bool(bad), bool(bad) and case.seqs <= told


def deletions(scene: Scene) -> Iterator[Case]:
    for size in range(1, len(scene.names) + 1):
        for gone in itertools.combinations(range(len(scene.names)), size):
            files: dict[str, bytes | None] = {scene.names[n]: None for n in gone}
            yield Case("removed", files, frozenset(n + 1 for n in gone))
            # without a head and without entries nothing is there to be found: that is the removal of a whole change
            if size < len(scene.names):
                yield Case("removed, the head too", {**files, HEAD: None}, frozenset({0}))
    yield Case("removed, the head too", {HEAD: None}, frozenset({0}))


def tails(scene: Scene) -> Iterator[Case]:
    last = len(scene.names)
    for length in range(1, last + 1):
        yield Case("tail removed", dict.fromkeys(scene.names[last - length :]), frozenset(range(last - length + 1, last + 1)))
    for at, head in enumerate(scene.heads[:-1], 1):
        yield Case("head put back, entries not", {HEAD: head}, frozenset(range(at + 1, last + 1)))


def orders(scene: Scene) -> Iterator[Case]:
    for order in itertools.permutations(range(len(scene.names))):
        moved = [place for place, content in enumerate(order) if place != content]
        if moved:
            files = {scene.names[place]: scene.files[scene.names[order[place]]] for place in moved}
            yield Case("order changed", files, frozenset(place + 1 for place in moved))


def insertions(scene: Scene) -> Iterator[Case]:
    own = [scene.files[name] for name in scene.names]
    for kind, contents in (
        ("own entry", own),
        ("entry of another change", scene.strangers[0]),
        ("entry of another key", scene.strangers[1]),
    ):
        for at, data in itertools.product(range(1, len(own) + 3), contents):
            yield Case(f"inserted: {kind}", {f"{CHANGE}/{at:06d}-inserted.json": data}, frozenset({at}))
    for strangers, (seq, name) in itertools.product(scene.strangers, enumerate(scene.names, 1)):
        yield Case("replaced by a stranger's entry", {name: strangers[seq - 1]}, frozenset({seq}))
    for name in ("notes.txt", "000000-planned.json", "0000001-planned.json", "999999999999-planned.json", "1-planned.json"):
        yield Case("inserted: foreign file", {f"{CHANGE}/{name}": own[0]}, frozenset())


def flips(scene: Scene, count: int, seed: int) -> Iterator[Case]:
    """Each byte of each file is as likely as any other; it becomes any other value."""
    chance = random.Random(seed)
    places = [(name, at) for name, data in scene.files.items() for at in range(len(data))]
    for name, at in chance.sample(places, count):
        data = bytearray(scene.files[name])
        data[at] ^= chance.randrange(1, 256)
        seq = 0 if name == HEAD else scene.names.index(name) + 1
        yield Case("byte altered", {name: bytes(data)}, frozenset({seq}))


def run(folder: Path, *, count: int = 1000, seed: int = 2026) -> dict[str, Tally]:
    """Each kind of damage with how often it was done and found."""
    scene = Scene(folder)
    tallies: dict[str, Tally] = {}
    for case in itertools.chain(deletions(scene), tails(scene), orders(scene), insertions(scene), flips(scene, count, seed)):
        tally = tallies.setdefault(case.kind, Tally())
        found, located = scene.judge(case)
        tally.cases += 1
        tally.found += found
        tally.located += located
    if [check.ok for check in scene.ledger.verify(CHANGE)] != [True, True]:
        raise RuntimeError("the record is not whole after the last case, so the figures mean nothing")
    return tallies


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=1000, help="how many bytes are altered, one at a time")
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args(argv)
    folder = tempfile.mkdtemp()
    try:
        tallies = run(Path(folder), count=given.flips, seed=given.seed)
    finally:
        shutil.rmtree(folder)
    for kind, tally in tallies.items():
        print(f"  {kind:36} {tally.cases:5} cases, {tally.found:5} found, {tally.located:5} located")
    cases, found = (sum(getattr(tally, part) for tally in tallies.values()) for part in ("cases", "found"))
    print(f"F16: {found} of {cases} cases found (seed {given.seed})")
    return 0 if found == cases else 1


if __name__ == "__main__":
    sys.exit(main())
