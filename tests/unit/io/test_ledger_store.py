"""The ledger in a folder with real keys: writers at once, writers that are killed, leases that are raced for."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Holder, Process
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import processes, signing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import LeaseHeld, Ledger, LedgerError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore, StoreError
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger

CHANGE = "CHG-2026-0142"
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def args(tmp_path: Path) -> dict[str, Any]:
    signing.create_key(tmp_path / "key.pem")
    return {"ledger": str(tmp_path / "ledger"), "ledger_key": str(tmp_path / "key.pem"), "ledger_trusted": str(tmp_path)}


def record(ledger: Ledger, event: str = "planned", **more: Any) -> tuple[Any, bool]:
    return ledger.append(CHANGE, event, **{"actor": "ops-1", "at": NOW, **more})


def run(*work: Callable[[], None]) -> list[int | None]:
    """Each in a process of its own; their exit codes."""
    children = [FORK.Process(target=one) for one in work]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    return [child.exitcode for child in children]


def test_append_and_read(args: dict[str, Any]) -> None:
    first, written = record(open_ledger(args), evidence={"a": 1}, plan_digest="sha256:" + "a" * 64)
    assert written
    second, _dummy = record(open_ledger(args), "held", tenant="acme")
    ledger = open_ledger({**args, "ledger_key": None})
    assert ledger.events(CHANGE) == [first, second]
    assert [c.ok for c in ledger.verify(CHANGE)] == [True, True]
    assert ledger.changes() == [CHANGE]
    assert sorted(p.name for p in Path(args["ledger"], CHANGE).iterdir()) == ["000001-planned.json", "000002-held.json"]


def test_once_returns_what_is_there_and_writes_nothing(args: dict[str, Any]) -> None:
    ledger = open_ledger(args)
    first, _dummy = record(ledger, "held", tenant="acme")
    record(ledger, "held", tenant="other")
    before = {p: p.stat().st_mtime_ns for p in Path(args["ledger"]).rglob("*.json")}
    assert record(open_ledger(args), "held", tenant="acme", evidence={"later": True}) == (first, False)
    assert {p: p.stat().st_mtime_ns for p in Path(args["ledger"]).rglob("*.json")} == before
    assert record(ledger, "held")[1]
    assert record(ledger, "held", tenant="acme", once=False)[0].seq == 4


def test_four_writers_at_once_make_one_chain(args: dict[str, Any]) -> None:
    def write(name: str) -> None:
        ledger = open_ledger(args)
        for n in range(25):
            record(ledger, f"by_{name}", evidence={"n": n}, once=False)

    assert run(*(lambda name=name: write(name) for name in "abcd")) == [0] * 4
    events = open_ledger(args).events(CHANGE)
    assert [e.seq for e in events] == list(range(1, 101))
    for name in "abcd":
        assert [e.evidence["n"] for e in events if e.event == f"by_{name}"] == list(range(25))


def test_writers_of_one_event_write_it_once(args: dict[str, Any]) -> None:
    assert run(*[lambda: record(open_ledger(args), "planned") and None] * 6) == [0] * 6
    assert len(open_ledger(args).events(CHANGE)) == 1


class Killed(DirectoryStore):
    """Dies by SIGKILL right before or right after its nth write."""

    def __init__(self, root: str, when: int, after: bool) -> None:
        super().__init__(root)
        self.left, self.after = when, after

    def _write(self, write: Callable[[], bool]) -> bool:
        self.left -= 1
        if self.left == 0 and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = write()
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    def put_new(self, key: str, data: bytes, *, keep: bool = False) -> bool:
        return self._write(lambda: DirectoryStore.put_new(self, key, data))

    def put_if(self, key: str, data: bytes, etag: str) -> bool:
        return self._write(lambda: DirectoryStore.put_if(self, key, data, etag))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("when", [1, 2, 3])
@pytest.mark.parametrize("existing", [0, 2])
def test_a_writer_killed_at_any_write_loses_nothing(args: dict[str, Any], existing: int, when: int, after: bool) -> None:
    for n in range(existing):
        record(open_ledger(args), f"before_{n}")
    plain = open_ledger(args)

    def write() -> None:
        ledger = Ledger(Killed(args["ledger"], when, after), trust=plain._trust, signer=plain.signer)
        record(ledger, "planned")
        record(ledger, "gated")

    assert run(write) == [-signal.SIGKILL]
    assert all(e.seq == n for n, e in enumerate(open_ledger(args).events(CHANGE), 1))
    for event in ("planned", "gated"):
        record(open_ledger(args), event)
    ledger = open_ledger(args)
    assert [e.event for e in ledger.events(CHANGE)] == [*(f"before_{n}" for n in range(existing)), "planned", "gated"]
    assert [c.ok for c in ledger.verify(CHANGE)] == [True, True]
    assert not list(Path(args["ledger"]).rglob("*.part"))


def test_reading_while_others_write_is_no_damage(args: dict[str, Any]) -> None:
    record(open_ledger(args))

    def write() -> None:
        ledger = open_ledger(args)
        for n in range(150):
            record(ledger, "step", evidence={"n": n}, once=False)

    child = FORK.Process(target=write)
    child.start()
    reader = open_ledger({**args, "ledger_key": None})
    lengths = []
    while child.is_alive():
        lengths.append(len(reader.events(CHANGE)))
    child.join()
    assert child.exitcode == 0
    assert lengths == sorted(lengths)
    assert len(reader.events(CHANGE)) == 151


def damaged(args: dict[str, Any], how: str) -> None:
    root = Path(args["ledger"])
    files = sorted((root / CHANGE).iterdir())
    head = root / "heads" / f"{CHANGE}.json"
    if how == "byte":
        data = bytearray(files[1].read_bytes())
        data[40] ^= 1
        files[1].write_bytes(data)
    elif how == "head-byte":
        data = bytearray(head.read_bytes())
        data[40] ^= 1
        head.write_bytes(data)
    elif how == "head-gone":
        head.unlink()
    elif how == "middle-gone":
        files[1].unlink()
    else:
        for file in files[1:]:
            file.unlink()


@pytest.mark.parametrize("how", ["byte", "head-byte", "head-gone", "middle-gone", "tail-gone"])
def test_damage_stops_readers(args: dict[str, Any], how: str) -> None:
    for event in ("planned", "gated", "approved"):
        record(open_ledger(args), event)
    damaged(args, how)
    with pytest.raises(LedgerError, match="not intact") as caught:
        open_ledger(args).events(CHANGE)
    assert caught.value.facts["findings"]
    assert any(check.ok is False for check in open_ledger(args).verify(CHANGE))
    assert open_ledger(args).changes() == [CHANGE]


def test_once_does_not_pass_over_what_it_cannot_read(args: dict[str, Any]) -> None:
    for tenant in ("acme", "other"):
        record(open_ledger(args), "held", tenant=tenant)
    Path(args["ledger"], CHANGE, "000001-held.json").write_text("{}")
    with pytest.raises(LedgerError, match="UNREADABLE"):
        record(open_ledger(args), "held", tenant="acme")


def test_a_missing_head_stops_writers(args: dict[str, Any]) -> None:
    record(open_ledger(args))
    damaged(args, "head-gone")
    with pytest.raises(LedgerError, match="HEAD_MISSING"):
        record(open_ledger(args), "gated")


def test_a_key_that_nobody_trusts_does_not_write(args: dict[str, Any], tmp_path: Path) -> None:
    signing.create_key(tmp_path / "other" / "key.pem")
    with pytest.raises(LedgerError, match="not among the trusted keys"):
        record(open_ledger({**args, "ledger_key": str(tmp_path / "other" / "key.pem")}))
    with pytest.raises(LedgerError, match="without a key"):
        record(open_ledger({**args, "ledger_key": None}))
    with pytest.raises(LedgerError, match="without public keys"):
        open_ledger({"ledger": args["ledger"]}).events(CHANGE)
    assert not Path(args["ledger"]).exists()


def test_what_others_signed_is_not_believed(args: dict[str, Any], tmp_path: Path) -> None:
    signing.create_key(tmp_path / "other" / "key.pem")
    record(open_ledger({"ledger": args["ledger"], "ledger_key": str(tmp_path / "other" / "key.pem")}))
    with pytest.raises(LedgerError, match="UNKNOWN_KEY"):
        open_ledger(args).events(CHANGE)


def test_a_folder_that_cannot_be_written(args: dict[str, Any]) -> None:
    Path(args["ledger"]).write_text("not a folder")
    with pytest.raises(StoreError, match="ledger folder"):
        record(open_ledger(args))


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_new_key_is_private_and_stays(tmp_path: Path) -> None:
    signer = signing.create_key(tmp_path / "keys" / "key.pem")
    assert stat.S_IMODE((tmp_path / "keys" / "key.pem").stat().st_mode) == 0o600
    assert signing.create_key(tmp_path / "keys" / "key.pem").keyid == signer.keyid
    assert list(signing.load_trust(tmp_path / "keys").keys) == [signer.keyid]
    assert list(signing.load_trust(tmp_path / "keys" / "key.pem.pub").keys) == [signer.keyid]


def test_keys_that_cannot_be_used(tmp_path: Path) -> None:
    signing.create_key(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o640)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "text").chmod(0o600)
    (tmp_path / "empty").mkdir()
    for call, wanted in (
        (lambda: signing.load_signer(tmp_path / "key.pem"), "chmod 600"),
        (lambda: signing.load_signer(tmp_path / "text"), "openssl genpkey"),
        (lambda: signing.load_signer(tmp_path / "gone"), "cannot be read"),
        (lambda: signing.load_trust(tmp_path / "empty"), r"no \*.pub"),
        (lambda: signing.load_trust(tmp_path / "text"), "not PEM"),
        (lambda: signing.load_trust(tmp_path / "gone"), "cannot be read"),
    ):
        with pytest.raises(signing.SigningError, match=wanted):
            call()


# --- leases -----------------------------------------------------------------------------------------------------------


def test_of_eight_that_race_for_a_lease_one_gets_it(args: dict[str, Any]) -> None:
    """All of the same change: also a second run of a change is another run."""
    for round_ in range(5):
        barrier, won = FORK.Barrier(8), FORK.Value("i", 0)

        def race(tenant: str, barrier: Any = barrier, won: Any = won) -> None:
            ledger = open_ledger(args)
            barrier.wait()
            try:
                ledger.acquire_lease(tenant, CHANGE, ttl_s=60, now=NOW)
                with won.get_lock():
                    won.value += 1
            except LeaseHeld as exc:
                assert exc.code == "RUN_ALIVE"
            barrier.wait()

        assert run(*[lambda t=f"acme-{round_}": race(t)] * 8) == [0] * 8
        assert won.value == 1


def test_a_killed_run_is_succeeded_at_once_by_the_same_change_only(args: dict[str, Any]) -> None:
    def hold() -> None:
        open_ledger(args).acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)
        os.kill(os.getpid(), signal.SIGKILL)

    assert run(hold) == [-signal.SIGKILL]
    ledger = open_ledger(args)
    with pytest.raises(LeaseHeld, match="2026-12-05T19:01:00Z") as caught:
        ledger.acquire_lease("acme", "CHG-2026-0143", ttl_s=60, now=NOW)
    assert caught.value.code == "CHANGE_INTERRUPTED"
    assert caught.value.lease.holder.change == CHANGE
    lease = ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)
    assert lease.token == 2
    assert ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW).token == 2
    assert ledger.release_lease("acme", CHANGE) is True
    assert ledger.release_lease(lease) is False
    assert ledger.acquire_lease("acme", "CHG-2026-0143", ttl_s=60, now=NOW).token == 3


def test_judging_a_lease_writes_nothing(args: dict[str, Any]) -> None:
    assert open_ledger(args).judge_lease("acme", CHANGE, ttl_s=60, now=NOW).action == "acquire"
    assert not Path(args["ledger"]).exists()


def test_a_run_elsewhere_keeps_its_lease_until_it_expires(args: dict[str, Any]) -> None:
    elsewhere = Holder(CHANGE, "awx", Process("pod-1", "another boot", 1, "5"))
    ledger = open_ledger(args)
    ledger.acquire_lease("acme", elsewhere, ttl_s=60, now=NOW)
    with pytest.raises(LeaseHeld, match="pod-1"):
        ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)
    assert ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW + dt.timedelta(seconds=60)).token == 2


@pytest.mark.parametrize("tenant", ["../heads/x", "a/b", "ünï", ".hidden"])
def test_tenants_of_any_name_have_leases(args: dict[str, Any], tenant: str) -> None:
    lease = open_ledger(args).acquire_lease(tenant, CHANGE, ttl_s=60, now=NOW)
    assert open_ledger(args).lease(tenant) == lease
    assert [p.parent.name for p in Path(args["ledger"]).rglob("*.json")] == ["leases"]


def test_a_forged_lease_is_an_error(args: dict[str, Any]) -> None:
    ledger = open_ledger(args)
    ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)
    leases = Path(args["ledger"], "leases")
    (leases / "other.json").write_bytes((leases / "acme.json").read_bytes())
    (leases / "third.json").write_text("{}")
    for tenant, wanted in (("other", "that of acme"), ("third", "not an envelope")):
        with pytest.raises(LedgerError, match=wanted):
            ledger.acquire_lease(tenant, CHANGE, ttl_s=60, now=NOW)


def test_when_a_lease_was_written_is_told_by_the_file_system(args: dict[str, Any]) -> None:
    ledger = open_ledger(args)
    assert ledger.lease_written("acme") is None
    ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)
    written = ledger.lease_written("acme")
    assert written is not None
    assert abs(written.timestamp() - time.time()) < 60, "not the time that the writer believed it to be"


def test_a_lease_is_renewed_with_its_token_only(args: dict[str, Any]) -> None:
    ledger = open_ledger(args)
    with pytest.raises(LeaseHeld, match="is gone") as caught:
        ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW, token=1)
    assert (caught.value.code, caught.value.lease) == ("OVERTAKEN", None)
    token = ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW).token
    assert ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW, token=token).token == token
    elsewhere = Holder(CHANGE, "awx", Process("pod-1", "another boot", 1, "5"))
    ledger.release_lease("acme", CHANGE)
    held = ledger.acquire_lease("acme", elsewhere, ttl_s=60, now=NOW)
    ledger.release_lease(held)
    for wanted in (token, token + 1):
        with pytest.raises(LeaseHeld) as caught:
            ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW, token=wanted)
        assert caught.value.code == "OVERTAKEN"
    assert ledger.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW).token == token + 2


def test_the_newest_event_is_told_from_the_head(args: dict[str, Any]) -> None:
    ledger = open_ledger(args)
    assert ledger.newest(CHANGE) is None
    first, _written = record(ledger)
    assert open_ledger(args).newest(CHANGE) == first.digest
    second, _written = record(open_ledger(args), "gated")
    assert ledger.newest(CHANGE) == second.digest


def test_processes_are_told_apart() -> None:
    me = processes.this_process()
    assert me.pid == os.getpid()
    assert processes.alive(me) is True
    assert processes.alive(Process(me.host, me.machine, me.pid, "1")) is False
    assert processes.alive(Process(me.host, "other", me.pid, me.started)) is None
    child = FORK.Process(target=time.sleep, args=(0,))
    child.start()
    started = processes._started(child.pid or 0)
    os.waitid(os.P_PID, child.pid or 0, os.WEXITED | os.WNOWAIT)
    # dead, though its parent has not collected it: it holds nothing any more
    assert processes.alive(Process(me.host, me.machine, child.pid or 0, started or "x")) is False
    child.join()
