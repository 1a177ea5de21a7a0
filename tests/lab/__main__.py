"""python -m tests.lab up|down|status: a whole hosting site on one machine, every part real."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType

from tests.lab import cache
from tests.lab.progress import step
from tests.lab.site import MARK, LabError, Site

PARTS = ("s3", "postgres", "redis", "kubernetes", "traefik", "releases", "prometheus", "estate")


def default_name() -> str:
    """One lab per checkout, unless a name says otherwise."""
    return hashlib.sha256(str(Path(__file__).resolve()).encode()).hexdigest()[:8]


def part(name: str) -> ModuleType:
    """A part: ``NEEDS`` names the parts before it, ``up(site)`` starts it or finds it up, ``health(site)`` tells or raises."""
    return importlib.import_module(f"tests.lab.parts.{name}")


def with_needs(wanted: list[str]) -> list[str]:
    """The wanted parts and all they need, in starting order."""
    closed: set[str] = set()

    def add(name: str) -> None:
        if name not in closed:
            closed.add(name)
            for need in part(name).NEEDS:
                add(need)

    for name in wanted:
        add(name)
    return [name for name in PARTS if name in closed]


def up(site: Site, only: list[str]) -> int:
    os.environ[MARK] = str(site.root)  # what is built from here on (Kubernetes, Odoo) is the lab's, so that "down" ends it too
    cache.sweep()
    start(with_needs(only or list(PARTS)), lambda name: bring_up(site, name), needs=lambda name: part(name).NEEDS)
    return status(site)


def bring_up(site: Site, name: str) -> None:
    with step(f"lab {name}"):
        part(name).up(site)


def start(names: list[str], bring: Callable[[str], None], *, needs: Callable[[str], Sequence[str]]) -> None:
    """Starts every part as soon as those it needs are up, the rest meanwhile.

    When one fails, no other is started; those under way come to their end, and then everything that failed is raised in one.
    """
    waiting, failed = list(names), dict[str, Exception]()
    with ThreadPoolExecutor(len(names) or 1) as pool:
        under_way: dict[Future[None], str] = {}
        while under_way or (waiting and not failed):
            missing = {*waiting, *under_way.values()}
            for name in [n for n in waiting if not failed and not missing.intersection(needs(n))]:
                waiting.remove(name)
                under_way[pool.submit(bring, name)] = name
            done, _others = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                name = under_way.pop(one)
                if isinstance(error := one.exception(), Exception):
                    failed[name] = error
    raise_failed(failed)


def raise_failed(failed: Mapping[str, Exception]) -> None:
    """A LabError that names every part; what is no LabError is a defect of ours and goes on as it is."""
    for error in failed.values():
        if not isinstance(error, LabError):
            raise error
    if failed:
        raise LabError("; ".join(f"{name}: {error}" for name, error in failed.items()))


def down(site: Site, _only: list[str]) -> int:
    with step(f"lab down: every process of {site.root}"):
        site.destroy()
    return 0


def status(site: Site, _only: list[str] | None = None) -> int:
    worst = 0
    for name in PARTS:
        if not site.has(name):
            print(f"{name:<12} down")
            worst = 1
            continue
        try:
            print(f"{name:<12} up    {part(name).health(site)}")
        except Exception as exc:  # status tells what it sees, whatever a sick part throws
            print(f"{name:<12} SICK  {exc}")
            worst = 2
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("verb", choices=("up", "down", "status"))
    parser.add_argument("--name", default=default_name(), help="several labs live side by side under different names")
    parser.add_argument("--only", default="", help="parts, separated by commas; what they need comes along")
    args = parser.parse_args()
    try:
        return {"up": up, "down": down, "status": status}[args.verb](Site.named(args.name), [p for p in args.only.split(",") if p])
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
