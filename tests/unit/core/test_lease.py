"""Who gets a tenant: every state of the lease record against every kind of asker."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import lease as leases
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Holder, Lease, Process
from hypothesis import given
from hypothesis import strategies as st

NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
AT = NOW.timestamp()
HERE, THERE = Process("ops", "boot-1", 100, "5000"), Process("awx", "boot-2", 100, "5000")
HELD = Lease("acme", Holder("CHG-2026-0001", "ops-2", HERE), 7, AT - 10, AT + 50, "n")
SAME, OTHER = "CHG-2026-0001", "CHG-2026-0002"
ANOTHER_RUN = Process("ops", "boot-1", 200, "6000")
REUSED_PID = Process("ops", "boot-1", 100, "9000")


def decide(current: Lease | None, change: str, process: Process, lives: bool | None, ttl_s: float = 60) -> leases.Decision:
    holder = Holder(change, "ops-2", process)
    return leases.decide(current, tenant="acme", holder=holder, now=NOW, ttl_s=ttl_s, nonce="new", alive=lambda _p: lives)


RELEASED, EXPIRED = replace(HELD, released=True), replace(HELD, until=AT)
TABLE = [
    pytest.param(None, SAME, HERE, None, "acquire", "FREE", 1, id="never-held"),
    pytest.param(RELEASED, OTHER, THERE, True, "acquire", "FREE", 8, id="released"),
    pytest.param(HELD, SAME, HERE, True, "renew", "OWN", 7, id="own"),
    pytest.param(EXPIRED, SAME, HERE, True, "renew", "OWN", 7, id="own-expired"),
    pytest.param(HELD, SAME, ANOTHER_RUN, True, "refuse", "RUN_ALIVE", None, id="second-run-of-the-change"),
    pytest.param(EXPIRED, SAME, ANOTHER_RUN, True, "refuse", "RUN_ALIVE", None, id="second-run-expired-but-alive"),
    pytest.param(HELD, SAME, ANOTHER_RUN, False, "take_over", "RUN_DEAD", 8, id="resumed-after-kill"),
    pytest.param(HELD, SAME, REUSED_PID, False, "take_over", "RUN_DEAD", 8, id="same-number-another-process"),
    pytest.param(HELD, SAME, THERE, None, "refuse", "HELD", None, id="resumed-elsewhere-too-early"),
    pytest.param(EXPIRED, SAME, THERE, None, "take_over", "EXPIRED", 8, id="resumed-elsewhere-exactly-at-the-end"),
    pytest.param(replace(HELD, until=AT + 0.001), SAME, THERE, None, "refuse", "HELD", None, id="resumed-elsewhere-just-before"),
    pytest.param(HELD, OTHER, HERE, True, "refuse", "RUN_ALIVE", None, id="other-change-same-process"),
    pytest.param(HELD, OTHER, ANOTHER_RUN, True, "refuse", "RUN_ALIVE", None, id="other-change-alive"),
    pytest.param(HELD, OTHER, ANOTHER_RUN, False, "refuse", "CHANGE_INTERRUPTED", None, id="other-change-interrupted"),
    pytest.param(HELD, OTHER, THERE, None, "refuse", "HELD", None, id="other-change-elsewhere"),
    pytest.param(EXPIRED, OTHER, THERE, None, "take_over", "EXPIRED", 8, id="other-change-expired"),
    pytest.param(EXPIRED, OTHER, ANOTHER_RUN, True, "refuse", "RUN_ALIVE", None, id="other-change-expired-but-alive"),
    pytest.param(EXPIRED, OTHER, ANOTHER_RUN, False, "take_over", "EXPIRED", 8, id="other-change-expired-and-dead"),
]


@pytest.mark.parametrize(("current", "change", "process", "lives", "action", "code", "token"), TABLE)
def test_decisions(
    current: Lease | None, change: str, process: Process, lives: bool | None, action: str, code: str, token: int | None
) -> None:
    decision = decide(current, change, process, lives)
    assert (decision.action, decision.code) == (action, code)
    assert decision.why
    if token is None:
        assert decision.lease is None
    else:
        assert decision.lease is not None
        assert (decision.lease.token, decision.lease.until, decision.lease.nonce) == (token, AT + 60, "new")
        assert decision.lease.holder == Holder(change, "ops-2", process)
        assert not decision.lease.released


@pytest.mark.parametrize(
    ("current", "change", "process", "token", "why"),
    [
        pytest.param(HELD, SAME, HERE, 7, "", id="the-highest"),
        pytest.param(HELD, SAME, HERE, None, "", id="any-that-it-holds-by"),
        pytest.param(EXPIRED, SAME, HERE, 7, "", id="expired-and-nobody-took-it"),
        pytest.param(HELD, SAME, HERE, 6, "fencing token 6, and CHG-2026-0001 (ops-2) was given 7", id="lost-and-taken-back"),
        pytest.param(HELD, SAME, THERE, 7, "held by a run of", id="the-number-of-another-run"),
        pytest.param(HELD, SAME, THERE, 6, "was given 7 since", id="overtaken-by-another-run"),
        pytest.param(HELD, SAME, THERE, None, "held by a run of", id="held-by-another-run"),
        pytest.param(HELD, OTHER, HERE, 7, "held by a run of", id="held-for-another-change"),
        pytest.param(RELEASED, SAME, HERE, 7, "held by nobody", id="given-back"),
        pytest.param(replace(RELEASED, token=8), SAME, HERE, 7, "was given 8 since", id="overtaken-and-free-again"),
        pytest.param(None, SAME, HERE, 7, "gone", id="deleted"),
    ],
)
def test_a_run_that_lost_the_tenant(current: Lease | None, change: str, process: Process, token: int | None, why: str) -> None:
    holder = Holder(change, "ops-2", process)
    told = leases.lost(current, holder, token)
    assert why in told
    assert bool(told) is bool(why)
    if token is not None:
        decision = leases.decide(current, tenant="acme", holder=holder, now=NOW, ttl_s=60, nonce="new", alive=lambda _p: False, token=token)
        assert (decision.code, decision.lease and decision.lease.token) == (("OVERTAKEN", None) if why else ("OWN", 7))


def test_ttl_must_be_positive() -> None:
    with pytest.raises(ValueError, match="ttl_s is 0"):
        decide(None, SAME, HERE, None, ttl_s=0)


def test_records_survive_json() -> None:
    assert leases.parse(HELD.as_dict(), "acme") == HELD


@pytest.mark.parametrize("document", [None, [], {}, {"schema": 2}, {**HELD.as_dict(), "holder": {}}, {**HELD.as_dict(), "tenant": "x"}])
def test_other_documents_are_no_leases(document: object) -> None:
    with pytest.raises(ValueError, match=r"schema|lacks|is that of"):
        leases.parse(document, "acme")


def test_release() -> None:
    freed = leases.release(HELD, HELD, nonce="new")
    assert freed == replace(HELD, released=True, nonce="new")
    assert leases.release(None, HELD, nonce="n") is None
    assert leases.release(freed, HELD, nonce="n") is None
    assert leases.release(replace(HELD, token=8), HELD, nonce="n") is None


@pytest.mark.parametrize(
    ("current", "change", "process", "lives", "freed"),
    [
        pytest.param(HELD, SAME, HERE, True, True, id="own-run"),
        pytest.param(HELD, SAME, ANOTHER_RUN, False, True, id="dead-run-of-the-change"),
        pytest.param(HELD, SAME, ANOTHER_RUN, True, False, id="another-run-alive"),
        pytest.param(HELD, SAME, THERE, None, False, id="elsewhere"),
        pytest.param(EXPIRED, SAME, THERE, None, True, id="elsewhere-expired"),
        pytest.param(EXPIRED, SAME, ANOTHER_RUN, True, False, id="expired-but-alive"),
        pytest.param(HELD, OTHER, HERE, True, False, id="other-change"),
        pytest.param(RELEASED, SAME, HERE, True, False, id="released"),
        pytest.param(None, SAME, HERE, True, False, id="nothing"),
    ],
)
def test_release_of_a_change(current: Lease | None, change: str, process: Process, lives: bool | None, freed: bool) -> None:
    record = leases.release_of(current, Holder(change, "x", process), now=NOW, alive=lambda _p: lives, nonce="n")
    assert (record is not None) is freed


@given(
    st.lists(st.tuples(st.sampled_from([SAME, OTHER]), st.sampled_from([HERE, THERE, ANOTHER_RUN]), st.sampled_from([True, False, None])))
)
def test_the_token_grows_with_every_new_holder_and_never_shrinks(asks: list[tuple[str, Process, bool | None]]) -> None:
    current: Lease | None = None
    for change, process, lives in asks:
        granted = decide(current, change, process, lives).lease
        if granted is None:
            continue
        if current is not None:
            run = (current.holder.change, current.holder.process)
            assert granted.token == current.token + (run != (change, process) or current.released)
        current = granted
        if lives is None:
            current = leases.release(current, current, nonce="r")
