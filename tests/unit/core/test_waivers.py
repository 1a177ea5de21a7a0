from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.waivers import gate_of, judge_gates, waiver_errors

NOW = dt.datetime(2026, 12, 5, 19, 30, tzinfo=dt.timezone.utc)
REQUIRED = ["calendars", "backup", "wal", "drill"]


def check(check_id: str, ok: bool | None = True) -> dict[str, Any]:
    return {"id": check_id, "ok": ok, "observed": "seen", "expected": "wanted", "hint": "Mend it.", "code": ""}


def gate(subject: str, *checks: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": "?", "evidence": {"schema": 1, "subject": subject, "measured_at": "2026-12-05T19:00:00Z", "checks": list(checks)}}


def waiver(check_id: str = "restore_drill_age_s", expires: str = "2026-12-06T00:00:00Z") -> dict[str, Any]:
    return {"check": check_id, "reason": "the drill host is being moved", "owner": "alice", "expires": expires}


def measured(**ok: bool | None) -> list[dict[str, Any]]:
    wanted = {"backup_exists": True, "wal_age_s": True, "restore_drill_age_s": True, **ok}
    return [gate("calendars", check("window_acme", ok.get("window_acme", True))), gate("shared", *(check(k, v) for k, v in wanted.items()))]


def judge(gates: list[dict[str, Any]], *waivers: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return judge_gates(
        gates, required=REQUIRED if required is None else required, waivers=waivers, waivable=["restore_drill_age_s", "window_*"], now=NOW
    )


@pytest.mark.parametrize(
    ("ok", "waivers", "wanted"),
    [
        pytest.param({}, [], "pass", id="all-well"),
        pytest.param({"restore_drill_age_s": False}, [], "fail", id="failed"),
        pytest.param({"restore_drill_age_s": None}, [], "unknown", id="could-not-be-told"),
        pytest.param({"restore_drill_age_s": False}, [waiver()], "pass", id="waived"),
        pytest.param({"restore_drill_age_s": None}, [waiver()], "unknown", id="what-could-not-be-told-is-never-waived"),
        pytest.param({"restore_drill_age_s": False}, [waiver(expires="2026-12-05T19:30:01Z")], "pass", id="a-second-before-it-expires"),
        pytest.param({"restore_drill_age_s": False}, [waiver(expires="2026-12-05T19:30:00Z")], "fail", id="expires-now"),
        pytest.param({"restore_drill_age_s": False}, [waiver("wal_age_s")], "fail", id="of-another-check"),
        pytest.param({"wal_age_s": False}, [waiver("wal_age_s")], "fail", id="the-policy-does-not-let-it-be-waived"),
        pytest.param({"window_acme": False}, [waiver("window_acme")], "pass", id="by-a-pattern-of-the-policy"),
        pytest.param({"window_acme": False}, [waiver("window_*")], "fail", id="a-waiver-is-no-pattern"),
        pytest.param({"restore_drill_age_s": False, "wal_age_s": False}, [waiver()], "fail", id="the-others-still-count"),
    ],
)
def test_waivers(ok: dict[str, Any], waivers: list[dict[str, Any]], wanted: str) -> None:
    assert judge(measured(**ok), *waivers)["verdict"] == wanted


def test_a_waived_check_stays_visible() -> None:
    found = judge(measured(restore_drill_age_s=False), waiver())
    (kept,) = [c for g in found["gates"] for c in g["checks"] if c["id"] == "restore_drill_age_s"]
    assert (kept["ok"], kept["observed"], kept["waived"]) == (True, "seen", waiver())
    assert found["lines"][1] == "shared: restore_drill_age_s is waived by alice until 2026-12-06T00:00:00Z."


def test_an_expired_waiver_is_told() -> None:
    found = judge(measured(restore_drill_age_s=False), waiver(expires="2026-12-01T00:00:00Z"))
    assert "The waiver of alice expired at 2026-12-01T00:00:00Z. Mend it." in found["msg"]


@pytest.mark.parametrize(
    ("gates", "required", "wanted"),
    [
        pytest.param(measured(restore_drill_age_s=False), ["calendars", "backup", "wal"], "pass", id="not-required"),
        pytest.param(measured(restore_drill_age_s=None), ["calendars", "backup", "wal"], "pass", id="not-required-unknown"),
        pytest.param(measured(), [*REQUIRED, "rehearsal"], "unknown", id="required-and-never-measured"),
        pytest.param(measured()[:1], REQUIRED, "unknown", id="no-cluster-at-all"),
        pytest.param(measured()[1:], REQUIRED, "unknown", id="no-calendar"),
        pytest.param([*measured(), gate("second", check("backup_exists"))], REQUIRED, "unknown", id="one-cluster-without-its-drill"),
        pytest.param([], REQUIRED, "unknown", id="nothing"),
        pytest.param([], [], "pass", id="nothing-is-required"),
        pytest.param([gate("empty")], ["backup"], "unknown", id="a-gate-that-looked-at-nothing"),
        pytest.param([gate("break-glass", check("break_glass_leftover", False))], [], "fail", id="left-over-access-always-counts"),
        pytest.param([gate("break-glass", check("break_glass_shared", None))], [], "unknown", id="so-does-a-cluster-that-was-not-asked"),
    ],
)
def test_what_the_policy_requires(gates: list[dict[str, Any]], required: list[str], wanted: str) -> None:
    assert judge(gates, required=required)["verdict"] == wanted


def test_what_is_not_required_is_kept_and_marked() -> None:
    found = judge(measured(restore_drill_age_s=False), required=["calendars", "backup", "wal"])
    assert [c["required"] for g in found["gates"] for c in g["checks"] if c["id"] == "restore_drill_age_s"] == [False]


def test_a_gate_that_nobody_measured_says_so() -> None:
    found = judge(measured(), required=[*REQUIRED, "rehearsal"])
    assert found["gates"][-1]["checks"][0]["code"] == "NOT_MEASURED"
    assert "The policy requires the gate rehearsal, and nothing measured it." in found["msg"]


@pytest.mark.parametrize(
    ("check_id", "wanted"),
    [
        ("window_acme", "calendars"),
        ("calendars", "calendars"),
        ("wal_continuity", "wal"),
        ("content_read_age_s", "read"),
        ("restore_drill_age_s", "drill"),
        ("attachments_present", "filestore"),
        ("bucket_versioned", "filestore"),
        ("filestore", "filestore"),
        ("filestore_read_age_s", "filestore"),
        ("rehearsal", "rehearsal"),
        ("gate_drill", "drill"),
        ("backup_age_s", "backup"),
        ("what_nobody_knows", "backup"),
    ],
)
def test_gate_of(check_id: str, wanted: str) -> None:
    assert gate_of(check_id) == wanted


@pytest.mark.parametrize(
    ("waivers", "wanted"),
    [
        pytest.param([], [], id="none"),
        pytest.param([waiver(expires="2026-12-05T21:00:00Z")], [], id="until-the-end-of-the-window"),
        pytest.param(
            [waiver(expires="2026-12-05T20:59:59Z")],
            ["change.waivers.0.expires is 2026-12-05T20:59:59Z, and the change's window ends at 2026-12-05T21:00:00Z."],
            id="a-second-less",
        ),
        pytest.param(
            [waiver("wal_age")], ["change.waivers.0.check is 'wal_age', which the policy does not let anyone waive."], id="unknown"
        ),
        pytest.param(
            [waiver(), waiver(expires="soon")], ["change.waivers.1.expires is 'soon': time 'soon' is not understood"], id="no-time"
        ),
    ],
)
def test_waiver_errors(change: dict[str, Any], waivers: list[dict[str, Any]], wanted: list[str]) -> None:
    found = waiver_errors({**change, "waivers": waivers}, ["restore_drill_age_s"])
    assert len(found) == len(wanted)
    assert all(told.startswith(want) for told, want in zip(found, wanted, strict=True))


def test_where_nothing_can_be_waived_that_is_said(change: dict[str, Any]) -> None:
    (told,) = waiver_errors({**change, "waivers": [waiver()]}, [])
    assert told.endswith("Write none: nothing can be waived here.")


@pytest.mark.parametrize(
    ("ok", "required", "wanted"),
    [
        pytest.param(True, [], ("pass", False), id="well"),
        pytest.param(False, [], ("pass", True), id="advice-stops-nothing"),
        pytest.param(None, [], ("pass", True), id="nor-does-what-could-not-be-told"),
        pytest.param(False, ["workload"], ("fail", False), id="where-it-is-required-it-counts"),
        pytest.param(None, ["workload"], ("unknown", False), id="and-unknown-does-not-pass"),
    ],
)
def test_advice(ok: bool | None, required: list[str], wanted: tuple[str, bool]) -> None:
    gates = [*measured(), gate("the load", check("workload_acme", ok))]
    found = judge_gates(gates, required=[*REQUIRED, *required], waivers=[], waivable=[], now=NOW, advised=["workload"])
    assert (found["verdict"], any(line.startswith("Advice, the load: workload_acme is seen") for line in found["lines"])) == wanted


def test_what_is_neither_required_nor_advised_is_not_told() -> None:
    gates = [*measured(), gate("the load", check("workload_acme", False))]
    assert "workload" not in judge(gates)["msg"]
