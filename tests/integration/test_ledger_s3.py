"""The ledger in a real bucket: writers at once, damage, locks, and stores that do not answer or do not keep their word."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import secrets
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import LeaseHeld, LedgerError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import StoreError
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger

from tests.lab.parts import s3 as part
from tests.lab.site import Site, free_port
from tests.support.ansible import run_module

pytestmark = pytest.mark.lab

PARTS = ["s3"]
CHANGE = "CHG-2026-0142"
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def facts(site: Site) -> dict[str, Any]:
    return site.facts("s3")


@pytest.fixture
def args(facts: dict[str, Any], tmp_path: Any) -> dict[str, Any]:
    signing.create_key(tmp_path / "key.pem")
    reach = {"endpoint_url": facts["endpoint"], "region": facts["region"], "ca_bundle": facts["ca"], **facts["ledger"]}
    place = f"s3://{facts['buckets']['ledger']}/test-{secrets.token_hex(6)}"
    return {"ledger": place, "ledger_key": str(tmp_path / "key.pem"), "ledger_trusted": str(tmp_path), "ledger_s3": reach}


def record(args: dict[str, Any], event: str = "planned", **more: Any) -> tuple[Any, bool]:
    return open_ledger(args).append(CHANGE, event, **{"actor": "ops-1", "at": NOW, **more})


def run(*work: Any) -> list[int | None]:
    children = [FORK.Process(target=one) for one in work]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    return [child.exitcode for child in children]


def put(facts: dict[str, Any], args: dict[str, Any], key: str, data: bytes | None) -> None:
    """As somebody with the bucket's key would."""
    bucket, _slash, prefix = args["ledger"].removeprefix("s3://").partition("/")
    client = part.client(facts, "ledger")
    if data is None:
        client.delete_object(Bucket=bucket, Key=f"{prefix}/{key}")
    else:
        client.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=data)


def test_append_read_and_once(args: dict[str, Any]) -> None:
    first, written = record(args, evidence={"a": 1})
    assert written
    assert record(args) == (first, False)
    record(args, "held", tenant="acme")
    ledger = open_ledger(args)
    assert [(e.seq, e.event) for e in ledger.events(CHANGE)] == [(1, "planned"), (2, "held")]
    assert [c.ok for c in ledger.verify(CHANGE)] == [True, True]
    assert ledger.changes() == [CHANGE]


def test_four_writers_at_once_make_one_chain(args: dict[str, Any]) -> None:
    def write(name: str) -> None:
        for n in range(10):
            record(args, f"by_{name}", evidence={"n": n}, once=False)

    assert run(*(lambda name=name: write(name) for name in "abcd")) == [0] * 4
    events = open_ledger(args).events(CHANGE)
    assert [e.seq for e in events] == list(range(1, 41))
    assert all([e.evidence["n"] for e in events if e.event == f"by_{name}"] == list(range(10)) for name in "abcd")


def test_of_six_that_race_for_a_lease_one_gets_it(args: dict[str, Any]) -> None:
    barrier, won = FORK.Barrier(6), FORK.Value("i", 0)

    def race() -> None:
        ledger = open_ledger(args)
        barrier.wait()
        try:
            ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)
            with won.get_lock():
                won.value += 1
        except LeaseHeld as exc:
            assert exc.code == "RUN_ALIVE"
        barrier.wait()

    assert run(*[race] * 6) == [0] * 6
    assert won.value == 1
    written = open_ledger(args).lease_written("acme")
    assert written is not None
    assert abs((dt.datetime.now(dt.UTC) - written).total_seconds()) < 60, "by the clock of the bucket, which is this machine's here"
    assert open_ledger(args).lease_written("nobody") is None
    assert open_ledger(args).release_lease("acme", CHANGE) is True


@pytest.mark.parametrize(
    ("key", "data", "code"),
    [
        pytest.param(f"{CHANGE}/000002-gated.json", b"{}", "UNREADABLE", id="overwritten"),
        pytest.param(f"{CHANGE}/000002-gated.json", None, "REMOVED", id="delete-marker"),
        pytest.param(f"{CHANGE}/000002-other.json", b"{}", "FORK", id="inserted"),
        pytest.param(f"heads/{CHANGE}.json", None, "HEAD_MISSING", id="head-deleted"),
    ],
)
def test_damage_is_found(facts: dict[str, Any], args: dict[str, Any], key: str, data: bytes | None, code: str) -> None:
    for event in ("planned", "gated", "approved", "held"):
        record(args, event)
    put(facts, args, key, data)
    with pytest.raises(LedgerError, match="not intact") as caught:
        open_ledger(args).events(CHANGE)
    assert code in {f["code"] for f in caught.value.facts["findings"]} | ({"REMOVED"} if data is None else set())
    assert code.replace("REMOVED", "") in "".join(c.code for c in open_ledger(args).verify(CHANGE))


def test_events_are_locked_for_as_long_as_asked(facts: dict[str, Any], args: dict[str, Any]) -> None:
    record({**args, "ledger_s3": {**args["ledger_s3"], **facts["admin"], "retention_days": 3}})
    bucket, _slash, prefix = args["ledger"].removeprefix("s3://").partition("/")
    admin = part.client(facts, "admin")
    kept = admin.get_object_retention(Bucket=bucket, Key=f"{prefix}/{CHANGE}/000001-planned.json")["Retention"]
    assert kept["Mode"] == "COMPLIANCE"
    left = kept["RetainUntilDate"] - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=2, hours=23) < left <= dt.timedelta(days=3)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        pytest.param({"secret_key": "wrong"}, "SignatureDoesNotMatch|denied|Forbidden|403", id="wrong-secret"),
        pytest.param({"ca_bundle": None}, "SSL|CERTIFICATE", id="no-ca"),
        pytest.param({"ca_bundle": "/does/not/exist"}, "ca_bundle /does/not/exist is not there", id="ca-not-there"),
        pytest.param({"endpoint_url": None}, "not-here|connect|Could not", id="nobody-listens"),
    ],
)
def test_a_store_that_refuses_is_named(args: dict[str, Any], changed: dict[str, Any], wanted: str) -> None:
    endpoint = f"https://localhost:{free_port()}"
    reach = {**args["ledger_s3"], **({"endpoint_url": endpoint} if "endpoint_url" in changed else changed)}
    with pytest.raises(StoreError, match=wanted) as caught:
        record({**args, "ledger_s3": reach})
    assert args["ledger"] in str(caught.value)
    assert reach["endpoint_url"] in str(caught.value)
    assert args["ledger_s3"]["secret_key"] not in str(caught.value)


def test_another_bucket_is_refused(facts: dict[str, Any], args: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="s3://backups/"):
        record({**args, "ledger": f"s3://{facts['buckets']['backups']}/x"})


def test_a_store_that_ignores_conditions_is_refused(args: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger(args)
    honest = ledger.store._client.put_object
    monkeypatch.setattr(
        ledger.store._client,
        "put_object",
        lambda **asked: honest(**{k: v for k, v in asked.items() if k not in ("IfNoneMatch", "IfMatch")}),
    )
    with pytest.raises(StoreError, match="ignores the conditions"):
        ledger.append(CHANGE, "planned", actor="ops-1", at=NOW)


def test_the_action_shows_no_secret(args: dict[str, Any]) -> None:
    for check in (True, False, False):
        result = run_module("change_record", {**args, "change": CHANGE, "event": "planned"}, check)
        assert args["ledger_s3"]["secret_key"] not in str(result)
    assert result["changed"] is False
    assert run_module("change_record", {**args, "change": CHANGE, "state": "verified"})["verdict"] == "pass"
