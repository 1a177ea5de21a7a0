"""Makes the checkout importable as ansible_collections.odoo_ops.change_control, whatever folder it lies in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
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

if "tests.support" not in sys.modules:
    pytest.register_assert_rewrite("tests.support")  # an assertion in a helper says what it saw, as one in a test does

from tests.lab import __main__ as lab_command
from tests.lab.site import LabError, Site

SPENT: dict[str, float] = defaultdict(float)
ORDER = ("unit", "integration", "e2e", "faults")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
FIRST = "gw0"


def lab_of(worker: str) -> str:
    """The name of a worker's own lab, where LAB_NAME names that of the first."""
    own = worker.replace(FIRST, "")
    return os.environ["LAB_NAME"].removesuffix(own) + own


if WORKER and "LAB_NAME" in os.environ:
    os.environ["LAB_NAME"] = lab_of(WORKER)


@cache
def marks(file: str) -> tuple[bool, bool]:
    """Whether tests of a file need a lab, and whether some of them need the machine for themselves."""
    text = (ROOT / file).read_text()
    return "pytest.mark.lab" in text, "pytest.mark.quiet" in text


class FileByFile(LoadScopeScheduling):
    """Each worker has a lab of its own. The first one begins with what needs it, quiet ones first; the others with what needs none."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", maxsplit=1)[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end((max if node.gateway.id == FIRST else min)(self.workqueue, key=marks), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile:
    config.option.loadscopereorder = False
    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cheap parts first, so that a small mistake is seen before the lab is up."""
    items.sort(key=lambda item: next((n for n, part in enumerate(ORDER) if part in item.path.parts), len(ORDER)))


def quiet_locks(run: int) -> list[Path]:
    """Of the process that has started the workers: who waits for the second one keeps the first, so that nobody overtakes."""
    return [Path(tempfile.gettempdir()) / f"odoo-lab-quiet-{run}-{name}" for name in ("turn", "work")]


@pytest.fixture(autouse=True)
def _quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """Marked tests measure how fast Odoo is: beside them no other worker does anything."""
    if not WORKER:
        yield
        return
    turn_path, work_path = quiet_locks(os.getppid())
    with turn_path.open("w") as turn, work_path.open("w") as work:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(work, fcntl.LOCK_EX if request.node.get_closest_marker("quiet") else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


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
    for path in quiet_locks(os.getpid()):
        path.unlink(missing_ok=True)
    SPENT["lab down"] += time.monotonic() - began


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("time by part")
    for name, seconds in SPENT.items():
        if seconds >= 0.5:
            terminalreporter.write_line(f"{seconds:8.1f} s  {name}")
    terminalreporter.write_line(f"{sum(SPENT.values()):8.1f} s  in all")
