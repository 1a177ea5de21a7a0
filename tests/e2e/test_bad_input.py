"""Every bad input: one clear message, an exit code that is not 0, and nothing changed.

Images that cannot be had or never get ready are only found out once a tenant is touched: test_change_normal.py rolls them back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.estate import Estate, message
from tests.support.unwritten import nothing_written

pytestmark = pytest.mark.lab

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module", autouse=True)
def none_of_them_writes(estate: Estate) -> Iterator[None]:
    """Once around all rows of this file: in the object store, in Kubernetes, in any database, nothing moved."""
    with nothing_written(estate.site):
        yield


def put(path: str, value: Any) -> Edit:
    def edit(change: dict[str, Any]) -> None:
        *folders, key = path.split(".")
        place = change
        for folder in folders:
            place = place[folder]
        place[key] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        pytest.param(put("tenants", "nosuch"), "names 'nosuch', which is no host and no group of the inventory", id="unknown-tenant"),
        pytest.param(put("release.image", "registry.lab/odoo:19.0.2"), "a tag can be moved, so it is not accepted", id="tag"),
        pytest.param(put("class", "urgent"), "change.class is 'urgent'. Write one of: standard, normal", id="unknown-class"),
        pytest.param(put("class", "emergency"), "this playbook is for 'normal'", id="another-class"),
        pytest.param(put("window.start", "2026-01-05T20:00:00Z"), "Write a window that is not over", id="window-in-the-past"),
        pytest.param(put("tilte", "x"), "change.tilte is not a known key. Did you mean title?", id="unknown-key"),
        pytest.param(
            put("verification.soak_s", 86400), "are watched for 86400 s each before the next one starts", id="soaks-fill-the-window"
        ),
    ],
)
def test_a_bad_change_file_is_refused(estate: Estate, change_id: str, edit: Edit, wanted: str) -> None:
    change = estate.change(change_id, "2")
    edit(change)
    code, out = estate.run(estate.change_command(change), change_id)
    assert code != 0
    assert wanted in message(out)
    assert estate.events(change_id) == []


def without(command: list[str], *args: str) -> list[str]:
    return [arg for arg in command if arg not in args]


def test_no_inventory(estate: Estate, change_id: str) -> None:
    command = estate.change_command(estate.change(change_id, "2"))
    code, out = estate.run(without(command, "-i", str(estate.inventory)), change_id)
    assert code != 0
    assert "no tenant in the inventory" in message(out)
    assert "-i" in message(out)
    assert estate.events(change_id) == []


def test_no_change_file(estate: Estate, change_id: str) -> None:
    code, out = estate.run(estate.command("change_normal"), change_id)
    assert code != 0
    assert "no change was given" in message(out)
    assert "-e @changes/" in message(out)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        pytest.param({"change_calendars": ["/nonexistent/calendar.yml"]}, "/nonexistent/calendar.yml", id="unreadable-calendar"),
        pytest.param({"tenant_backup_stanza": "nosuch"}, "nosuch", id="no-such-backup-repository"),
        pytest.param({"tenant_backup_command": "/nonexistent/pgbackrest"}, "/nonexistent/pgbackrest", id="no-pgbackrest"),
        pytest.param({"tenant_kubeconfig": "/nonexistent/kubeconfig"}, "/nonexistent/kubeconfig", id="no-kubeconfig"),
        pytest.param({"tenant_database_port": 1}, "127.0.0.1", id="postgres-down"),
    ],
)
def test_gates_that_cannot_be_told_do_not_pass(estate: Estate, change_id: str, variables: dict[str, Any], wanted: str) -> None:
    command = [*estate.change_command(estate.change(change_id, "2", tenants="acme")), "-e", json.dumps(variables)]
    code, out = estate.run(command, change_id)
    assert code != 0
    assert wanted in message(out)
    assert not [step for step in estate.steps(change_id) if ":" in step or step == "approved"]


def test_what_the_change_will_need_is_asked_before_a_tenant_is_touched(estate: Estate, change_id: str) -> None:
    s3 = estate.site.facts("s3")
    store = {"endpoint_url": s3["endpoint"], "region": s3["region"], "ca_bundle": s3["ca"], **s3["backup"], "secret_key": "wrong"}
    code, out = estate.run_change(estate.change(change_id, "2", tenants="acme"), "-e", json.dumps({"tenant_checkpoint_s3": store}))
    assert code != 0
    assert "SignatureDoesNotMatch" in message(out)
    assert "stopped, untouched" in message(out)
    assert not [step for step in estate.steps(change_id) if ":" in step]


def prepared(estate: Estate, change_id: str) -> list[str]:
    """The command of a change that is planned and waits for its approval."""
    command = estate.change_command(estate.change(change_id, "2", tenants="acme"))
    estate.run(command, f"{change_id}-plan")
    return command


def refused(estate: Estate, command: list[str], change_id: str) -> str:
    code, out = estate.run(command, change_id)
    assert code != 0
    assert "approved" not in estate.steps(change_id)
    return message(out)


def test_the_requester_cannot_approve(estate: Estate, change_id: str) -> None:
    command = prepared(estate, change_id)
    estate.sign(change_id, by="ops-1")
    assert "requester" in refused(estate, command, change_id)


def test_the_executor_cannot_approve(estate: Estate, change_id: str) -> None:
    command = [*prepared(estate, change_id), "-e", "change_executor=approver-1"]
    estate.sign(change_id)
    assert "executor" in refused(estate, command, change_id)


def test_a_signature_over_another_plan_does_not_count(estate: Estate, change_id: str) -> None:
    command = prepared(estate, change_id)
    estate.sign(change_id, digest=f"sha256:{'0' * 64}")
    assert "0" * 12 in refused(estate, command, change_id)


def test_a_change_file_that_was_edited_after_the_approval_is_refused(estate: Estate, change_id: str) -> None:
    change = estate.change(change_id, "2", tenants="acme")
    estate.run(estate.change_command(change), f"{change_id}-plan")
    estate.sign(change_id)
    command = estate.command("change_approve", "-e", f"@{estate.write(change)}", "-e", f"change_approvals={estate.approvals(change_id)}")
    assert estate.run(command, f"{change_id}-approve")[0] == 0
    code, out = estate.run(estate.change_command({**change, "impact": "None at all"}), change_id)
    assert code != 0
    assert "was approved as another plan" in message(out)
    assert not [step for step in estate.steps(change_id) if ":" in step]


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_ledger_with_a_changed_byte_is_refused(estate: Estate, change_id: str, where: str) -> None:
    command = prepared(estate, change_id)
    entries = sorted((estate.ledger / change_id).glob("*.json"))
    entry = entries[0 if where == "first" else -1]
    flip(entry)
    code, out = estate.run(command, change_id)
    assert code != 0
    assert change_id in message(out)
    assert len(sorted((estate.ledger / change_id).glob("*.json"))) == len(entries), "nothing is added to a damaged record"


def flip(entry: Path) -> None:
    """Changes one bit in the middle of the payload."""
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.chmod(0o600)
    entry.write_bytes(bytes(data))
