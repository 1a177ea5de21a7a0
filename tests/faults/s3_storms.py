"""F8: an object store on a bad day. Whatever it answers, nothing passes that was not read, or written, as it should be.

python -m tests.faults.s3_storms [--cases 1000]

The store is a real SeaweedFS, with a proxy before it that answers 500 and 503, refuses in mid run, cuts connections and bodies, changes
bodies, ETags and listings, and swallows writes; tests/support/s3_storms.py has them all. Before every other case that reads, an object
is damaged as well. What has to hold, for each tool:

* never pass, unless every object that had to be read was delivered whole, and was right; no success, unless what was written is there;
* never fail over what is whole, unless the store itself says that it is not, by its bytes or its listing;
* a verdict or one clear message, never a traceback;
* not more than three times the requests of a calm run, and of one that looks at each object once more; the waits between attempts, which
  are added up instead of waited for, and the time are bounded.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import random
import shutil
import sys
import tempfile
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support.damage_of_buckets import PREFIX, Versions, versions
from tests.support.damage_scenes import attachments_of, bodies_of_attachments, take_dumps
from tests.support.s3_proxy import Proxy, calm
from tests.support.s3_storms import FAULTS, FAULTS_OF_LISTINGS, storm

ATTEMPTS = 3
SECONDS, WAITS = 30.0, 600.0
HONEST = tuple(kind for kind in FAULTS if kind not in ("404", "body short", "body flipped", "empty answers", *FAULTS_OF_LISTINGS))
Ends = Counter[str]
Say = Callable[[str], object]


@dataclass
class Tally:
    """How the cases of one storm ended, the most requests and waits of one, and what did not hold."""

    ends: Ends = field(default_factory=Counter)
    requests: int = 0
    waits_s: float = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class World:
    """A bucket, the proxy before it, and a cluster."""

    bucket: Versions
    proxy: Proxy
    home: Path
    waited: list[float] = field(default_factory=list)

    @property
    def through(self) -> dict[str, Any]:
        """How a tool reaches the bucket: through the proxy."""
        return {**self.bucket.options, "endpoint_url": self.proxy.endpoint, "ca_bundle": None}

    @property
    def cluster(self) -> dict[str, Any]:
        return {"host": str(self.home), "port": 5432, "login_user": "postgres"}


class Target(ABC):
    """A tool. ``objects``: how many it has to do with."""

    name: str
    reads = True
    objects = 0
    kind = ""
    """The storm."""
    honest = HONEST
    """Storms that say nothing about what is there."""
    helpless: tuple[str, ...] = ()
    """Storms that it does not claim to survive."""

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def run(self) -> str:
        """How it ends: a verdict, or ``done``. ChangeError where that is an end, too."""

    @abstractmethod
    def problem(self, end: str, damaged: bool) -> str:
        """What does not hold after it; nothing when all does."""

    def paths(self) -> list[Path]:
        """What may be damaged."""
        return []

    def not_read(self, wanted: Sequence[Path]) -> str:
        """Which of the objects was not delivered as it is in the store."""
        true = {(str(path), hashlib.sha256(self.world.bucket.read(path)).hexdigest()) for path in wanted}
        lacking = sorted(key for key, _sum in true - self.world.proxy.delivered)
        return f"passed, and did not read {lacking[0]}" if lacking else ""


class Gate(Target):
    """Anything that gives a verdict about what is there."""

    def problem(self, end: str, damaged: bool) -> str:
        if end not in ("pass", "fail", "unknown"):
            return f"no verdict, but {end}"
        if end == "fail" and not damaged and self.kind in self.honest:
            return "failed over what is whole"
        if end == "pass":
            return "passed over damage" if damaged else self.not_read(self.paths())
        return ""


class Filestore(Gate):
    name = "filestore_verify"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.bodies = bodies_of_attachments()
        self.objects = len(self.bodies)
        for name, body in self.bodies.items():
            world.bucket.write(Path(PREFIX) / name, body)

    def paths(self) -> list[Path]:
        return [Path(PREFIX) / name for name in self.bodies]

    def run(self) -> str:
        from ansible_collections.odoo_ops.change_control.plugins.modules import filestore_verify as module

        where = {"bucket": self.world.bucket.name, "prefix": PREFIX, "s3": self.world.through, "depth": "full"}
        spec = {name: option.get("default") for name, option in module.SPEC.items()}
        found = module.perform({**spec, "tenant": "acme", "database": "postgres", **self.world.cluster, **where}, True)
        return str(found["verdict"])


class Dumps(Gate):
    name = "pg_backup_verify, dumps"

    def __init__(self, world: World) -> None:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Objects
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import Bucket

        super().__init__(world)
        take_dumps(world.home, Objects(Bucket(world.bucket.name, world.bucket.options), "dumps"))
        self.objects = len(self.paths())

    def paths(self) -> list[Path]:
        return [path for path in self.world.bucket.files() if path.parts[0] == "dumps"]

    def run(self) -> str:
        from ansible_collections.odoo_ops.change_control.plugins.modules import pg_backup_verify as module

        where = {"location": f"s3://{self.world.bucket.name}/dumps", "s3": self.world.through, "object_store": self.promise()}
        spec = {name: option.get("default") for name, option in module.SPEC.items()}
        kept = {"depth": "full", "retention": {"full": 3, "window": None}}
        found = module.perform({**spec, "engine": "dump", "database": "postgres", **where, **kept}, True)
        return str(found["verdict"])

    @staticmethod
    def promise() -> dict[str, Any]:
        wanted = dict.fromkeys(("bucket", "prefix", "lock", "lock_for"))
        return {**wanted, "repo": 1, "retention": "P1D", "encrypted": False}


class Dumping(Target):
    name = "tenant_dump"
    reads = False
    objects = 2

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.number = 0

    def store(self, options: dict[str, Any]) -> Any:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Objects
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import Bucket

        return Objects(Bucket(self.world.bucket.name, options), f"taken/{self.number}")

    def run(self) -> str:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import Order, take
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server

        self.number += 1
        server = Server(str(self.world.home), 5432, "postgres", None)
        take(Order(server, "postgres", self.store(self.world.through)), now=lambda: dt.datetime.now(dt.UTC), check=False)
        return "done"

    def problem(self, end: str, damaged: bool) -> str:
        """A manifest is there only with its dump; after a success both are."""
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import dumps

        store = self.store(self.world.bucket.options)
        names = store.listing()
        manifests = [name for name in names if name.endswith(dumps.MANIFEST)]
        for name in manifests:
            dump = dumps.read_manifest(b"".join(store.chunks(name)), name.removesuffix(dumps.MANIFEST))
            if hashlib.sha256(b"".join(store.chunks(dump.file))).hexdigest() != dump.sha256:
                return "a manifest of a dump that is another"
        return "done, and no manifest" if end == "done" and not manifests else ""


class Appending(Target):
    """The ledger in a bucket: each event is there once or not at all, and the chain is whole."""

    name = "ledger, append"
    helpless = ("write swallowed",)  # a store that says yes and does not write: nothing reads each event back
    reads = False
    objects = 6

    def __init__(self, world: World) -> None:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing

        super().__init__(world)
        self.signer, self.number = signing.create_key(world.home / f"{type(self).__name__}.pem"), 0

    @property
    def change(self) -> str:
        return f"{type(self).__name__.upper()}-2026-{self.number:04}"

    def ledger(self, options: dict[str, Any]) -> Any:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store_s3 import open_bucket

        store = open_bucket(f"s3://{self.world.bucket.name}/ledger", options)
        return Ledger(store, trust=signing.trust_only(self.signer), signer=self.signer)

    def append(self, options: dict[str, Any], event: str) -> None:
        self.ledger(options).append(self.change, event, actor="ops-1", at=dt.datetime.now(dt.UTC), evidence={})

    def run(self) -> str:
        self.number += 1
        self.append(self.world.bucket.options, "planned")  # not through the proxy
        self.append(self.world.through, "approved")
        return "done"

    def problem(self, end: str, damaged: bool) -> str:
        ledger = self.ledger(self.world.bucket.options)
        if bad := [check.id for check in ledger.verify(self.change) if check.ok is not True]:
            self.append(self.world.bucket.options, "verified")  # whoever comes next mends what a killed writer left
            bad = [check.id for check in ledger.verify(self.change) if check.ok is not True]
        if bad:
            return f"the record is broken: {bad[0]}"
        there = [event.event for event in ledger.events(self.change)].count("approved")
        return "" if there == 1 or (there == 0 and end != "done") else f"{end}, and the event is there {there} times"


class Verifying(Appending):
    name = "ledger, verify"

    def run(self) -> str:
        from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict

        if not self.number:
            self.number = 1
            for event in ("planned", "gated", "approved"):
                self.append(self.world.bucket.options, event)
        return verdict(self.ledger(self.world.through).verify(self.change))

    def problem(self, end: str, damaged: bool) -> str:
        here = [path for path in self.world.bucket.files() if path.parts[:2] == ("ledger", self.change)]
        return self.not_read(here) if end == "pass" else ""


TARGETS: tuple[type[Target], ...] = (Filestore, Dumps, Dumping, Appending, Verifying)
"""The filestore first: its objects lie beside the others'."""


def ended(target: Target) -> str:
    """How a run ends: what it returns, ``told`` when it has one message, else the last line of the traceback."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

    try:
        return target.run()
    except ChangeError:
        return "told"
    except Exception:  # the property is that there is none
        return f"traceback: {traceback.format_exc().strip().splitlines()[-1]} at {traceback.format_exc().strip().splitlines()[-3].strip()}"


def case(target: Target, kind: str, seed: str, tally: Tally, limit: int) -> None:
    world, chance = target.world, random.Random(f"{target.name} {kind} {seed}")
    target.kind = kind
    damage = target.reads and chance.random() < 0.5 and bool(target.paths())
    path = chance.choice(target.paths()) if damage else Path()
    data = world.bucket.read(path)[:-1] + b"\0\1" if damage else b""
    with world.bucket.damaged(path, data) if damage else nullcontext():
        world.proxy.begin(storm(kind, f"{target.name} {seed}"))
        world.waited.clear()
        began = time.monotonic()
        end = ended(target)
        took, asked, waits = time.monotonic() - began, world.proxy.asked.total(), sum(world.waited)
        world.proxy.storm = calm
        problem = end if end.startswith("traceback") else target.problem(end, damage)
    tally.ends[end if not end.startswith("traceback") else "traceback"] += 1
    tally.requests, tally.waits_s = max(tally.requests, asked), max(tally.waits_s, waits)
    problems = [problem, asked > limit and f"{asked} requests, wanted <= {limit}", took > SECONDS and f"took {took:.0f} s"]
    problems.append(waits > WAITS and f"would have waited {waits:.0f} s")
    tally.wrong += [f"{target.name}, {kind}, seed {seed}: {told}" for told in problems if told]


def nobody(_line: str) -> None:
    """To whom it may be told."""


@contextmanager
def world(home: Path) -> Iterator[World]:
    with ExitStack() as stack:
        stack.enter_context(attachments_of(home))
        bucket = stack.enter_context(versions("storms"))
        proxy = Proxy(bucket.facts)
        stack.callback(proxy.server_close)
        stack.callback(proxy.shutdown)
        found = World(bucket, proxy, home)
        stack.enter_context(mock.patch("botocore.endpoint.time", SimpleNamespace(sleep=found.waited.append)))
        yield found


def run(home: Path, *, cases: int, seed: int = 2026, kinds: Sequence[str] = tuple(FAULTS), say: Say = nobody) -> dict[str, Tally]:
    """So many cases in all, each tool and each storm as often; by tool and storm."""
    found: dict[str, Tally] = {}
    with world(home) as here:
        for tool in TARGETS:
            target = tool(here)
            here.proxy.begin(calm)
            end = ended(target)
            limit = ATTEMPTS * (here.proxy.asked.total() + 2 * target.objects)
            assert end in ("pass", "done"), f"{target.name} in calm: {end}"
            assert target.problem(end, False) == ""
            for number in range(max(1, cases // len(TARGETS) // len(kinds))):
                for kind in [kind for kind in kinds if kind not in target.helpless]:
                    tally = found.setdefault(f"{target.name}: {kind}", Tally())
                    case(target, kind, f"{seed}.{number}", tally, limit)
            for name, tally in found.items():
                if name.startswith(f"{target.name}: "):
                    say(line(name, tally))
    return found


def line(name: str, tally: Tally) -> str:
    ends = ", ".join(f"{count} {end}" for end, count in sorted(tally.ends.items()))
    return f"{name:<48} {tally.ends.total():>5} {tally.requests:>8} {tally.waits_s:>5.0f}s  {ends}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args(argv)
    home = Path(tempfile.mkdtemp(prefix="f8-"))
    home.chmod(0o755)
    try:
        print(f"{'tool: storm':<48} {'cases':>5} {'requests':>8} {'waits':>6}  how they ended", flush=True)
        found = run(home, cases=args.cases, seed=args.seed, say=partial(print, flush=True))
    finally:
        shutil.rmtree(home)
    wrong = [told for tally in found.values() for told in tally.wrong]
    for told in wrong:
        print(f"    wrong: {told}")
    print(f"{sum(tally.ends.total() for tally in found.values())} cases, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
