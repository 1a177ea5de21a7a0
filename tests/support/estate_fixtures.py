"""The estate of the shared lab, drilled once, and what is compared before and after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import yaml

from tests.lab.customers import admin_dsn, fingerprint, stored_files
from tests.lab.site import Site
from tests.support.estate import Estate

NUMBERS = count(1000)


@pytest.fixture(scope="session")
def estate(lab: Site) -> Estate:
    """An estate whose clusters have just been drilled, and their repositories read."""
    found = Estate(lab)
    found.prove_backups()
    return found


@pytest.fixture
def change_id(estate: Estate) -> str:
    """An id that the ledger of this lab does not know, however often the tests ran on it."""
    return next(name for name in (f"TST-2026-{n}" for n in NUMBERS) if not (estate.ledger / name).exists())


@pytest.fixture
def state(estate: Estate) -> Callable[[], dict[str, Any]]:
    """Everything of every tenant that a rollback must bring back: columns, rows, module versions, files, images."""

    def look() -> dict[str, Any]:
        return {name: tenant_state(estate, name) for name in estate.tenants}

    return look


def tenant_state(estate: Estate, name: str) -> dict[str, Any]:
    tenant = estate.tenants[name]
    cluster = estate.site.facts("postgres")["clusters"][tenant["cluster"]]
    rows = fingerprint(admin_dsn(cluster), tenant["database"])
    stored = stored_files(estate.site.facts("s3"), tenant["database"])
    assert set(rows["files"]) <= stored.keys(), f"{name}: the database names files that the bucket lacks"
    return {
        **rows,
        "files": {file: stored[file] for file in rows["files"]},
        "images": estate.images(name),
        "answers": estate.answers(name),
    }


@pytest.fixture(autouse=True)
def all_tenants_serve(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a tenant held. One that does has failed, and what comes after is not to fail for its reason."""
    yield
    if "estate" in request.fixturenames:
        estate: Estate = request.getfixturevalue("estate")
        held = [name for name in estate.tenants if estate.answers(name) != 200]
        if held:
            bring_back(estate)
        assert held == [], f"tenants that do not serve their users after the test: {held}"


def bring_back(estate: Estate) -> None:
    """The last change is brought back, as people would do it."""
    path = max((estate.root / "changes").glob("*.yml"), key=lambda file: file.stat().st_mtime)
    change = yaml.safe_load(path.read_text())["change"]
    estate.run(estate.change_command(change, playbook="change_rollback"), f"{change['id']}-brought-back")
