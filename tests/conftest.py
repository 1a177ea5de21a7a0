"""Makes the checkout importable as ansible_collections.odoo_ops.change_control, whatever folder it lies in."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).resolve().parent.parent


def collections_path() -> Path:
    """A folder whose ansible_collections/odoo_ops/change_control is a link to this checkout."""
    given = os.environ.get("ODOO_OPS_COLLECTIONS")
    of_this_checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    base = Path(given) if given else Path(tempfile.gettempdir()) / f"odoo-ops-collections-{of_this_checkout}"
    link = base / "ansible_collections" / "odoo_ops" / "change_control"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT)
    return base


COLLECTIONS = collections_path()
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
sys.path.insert(0, str(ROOT))

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

_AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()

from tests.lab import __main__ as lab_command
from tests.lab.site import LabError, Site

SPENT: dict[str, float] = defaultdict(float)
ORDER = ("unit", "integration", "e2e", "faults")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
FIRST = "gw0"


def lab_of(worker: str) -> str:
    """The name of a worker's own lab, where LAB_NAME names that of the first."""
    return os.environ["LAB_NAME"] + worker.replace(FIRST, "")


if WORKER and "LAB_NAME" in os.environ:
    os.environ["LAB_NAME"] = lab_of(WORKER)


@cache
def needs_lab(file: str) -> bool:
    return "pytest.mark.lab" in (ROOT / file).read_text()


class FileByFile(LoadScopeScheduling):
    """Each worker has a lab of its own. The first one begins with what needs it, the others with what does not."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", maxsplit=1)[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        wanted = node.gateway.id == FIRST
        if file := next((file for file in self.workqueue if needs_lab(file) == wanted), None):
            self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile:
    config.option.loadscopereorder = False
    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cheap parts first, so that a small mistake is seen before the lab is up."""
    items.sort(key=lambda item: next((n for n, part in enumerate(ORDER) if part in item.path.parts), len(ORDER)))


@pytest.fixture(scope="session")
def lab() -> Site:
    """The whole site, up. LAB_NAME names one that may be up already."""
    site = Site.named(os.environ.get("LAB_NAME") or lab_command.default_name())
    assert lab_command.up(site, []) == 0, "the lab did not come up"
    return site


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds up the times, and shows a failure when it happens: the whole run takes an hour."""
    SPENT[report.nodeid.split("::")[0]] += report.duration
    if report.failed and not WORKER:
        print(f"\n✗ {report.nodeid} ({report.when})\n{report.longreprtext}", file=sys.__stderr__, flush=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """./dev test asks for labs of its own, which go with it. One that leaves something behind fails the run."""
    if WORKER or not os.environ.get("LAB_THROWAWAY"):
        return
    began = time.monotonic()
    for number in range(session.config.getoption("numprocesses") or 1):
        try:
            Site.named(lab_of(f"gw{number}")).destroy()
        except LabError as exc:
            print(f"\n{exc}", file=sys.stderr)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    SPENT["lab down"] += time.monotonic() - began


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("time by part")
    for name, seconds in SPENT.items():
        if seconds >= 0.5:
            terminalreporter.write_line(f"{seconds:8.1f} s  {name}")
    terminalreporter.write_line(f"{sum(SPENT.values()):8.1f} s  in all")
