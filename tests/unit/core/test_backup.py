from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import (
    Proof,
    chain_labels,
    judge_catalogue,
    judge_drill,
    judge_read,
    parse_stanza,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_text import (
    advice_of,
    explain_error,
    judge_verify,
    parse_verify,
)

NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)
FULL, INCR = "20261121-030000F", "20261121-030000F_20261121-050000I"


def backup(label: str, stop: dt.datetime, **more: Any) -> dict[str, Any]:
    seconds = int(stop.timestamp())
    return {
        "label": label,
        "type": "full" if label.endswith("F") else "incr",
        "timestamp": {"start": seconds - 60, "stop": seconds},
        "archive": {"start": "000000010000000000000002", "stop": "000000010000000000000002"},
        "lsn": {"start": "0/2000028", "stop": "0/2000100"},
        "database": {"id": 1, "repo-key": 1},
        "info": {"size": 1000},
        "reference": None,
        "error": False,
        **more,
    }


def info(*backups: dict[str, Any], code: int = 0, db: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    systems = db or [{"id": 1, "repo-key": 1, "system-id": 77, "version": "15"}]
    status = {"code": code, "message": "ok"}
    return [{"name": "main", "status": status, "backup": list(backups), "db": systems, "archive": [], "repo": [{"status": status}]}]


CHAIN = (backup(FULL, NOW - dt.timedelta(hours=3)), backup(INCR, NOW - dt.timedelta(hours=1), reference=[FULL]))
UPGRADED = [{"id": 1, "repo-key": 1, "system-id": 77, "version": "15"}, {"id": 2, "repo-key": 1, "system-id": 99, "version": "16"}]


def codes(
    document: Any, *, max_age_s: int = 7200, present: set[str] | None = frozenset({FULL, INCR}), **expect: str
) -> tuple[str, list[str]]:
    checks = judge_catalogue(parse_stanza(document, "main"), now=NOW, max_age_s=max_age_s, present=present, expect=expect)
    return verdict(checks), [c.code for c in checks if c.ok is not True]


@pytest.mark.parametrize(
    ("document", "options", "wanted"),
    [
        pytest.param(info(*CHAIN), {}, ("pass", []), id="fresh"),
        pytest.param(info(*CHAIN), {"max_age_s": 3600}, ("pass", []), id="exactly-at-limit"),
        pytest.param(info(*CHAIN), {"max_age_s": 3599}, ("fail", ["AGE"]), id="a-second-over"),
        pytest.param(info(code=2), {}, ("fail", ["NO_BACKUP"]), id="none"),
        pytest.param(info(CHAIN[1]), {}, ("fail", ["REFERENCE_MISSING"]), id="the-full-is-not-in-the-catalogue"),
        pytest.param(info(*CHAIN), {"present": {INCR}}, ("fail", ["REFERENCE_MISSING"]), id="the-full-has-no-manifest"),
        pytest.param(info(*CHAIN), {"present": {FULL}}, ("fail", ["REFERENCE_MISSING"]), id="the-newest-has-no-manifest"),
        pytest.param(info(*CHAIN), {"present": None}, ("unknown", ["TOOL"]), id="folders-not-read"),
        pytest.param(info({**CHAIN[0], "error": True}), {"max_age_s": 99999}, ("fail", ["INCOMPLETE"]), id="page-errors"),
        pytest.param(info({**CHAIN[0], "error": None}), {"max_age_s": 99999}, ("unknown", ["INCOMPLETE"]), id="error-not-told"),
        pytest.param(info(backup(FULL, NOW + dt.timedelta(seconds=60))), {}, ("pass", []), id="small-skew"),
        pytest.param(info(backup(FULL, NOW + dt.timedelta(seconds=61))), {}, ("fail", ["FUTURE"]), id="from-the-future"),
        pytest.param(info(*CHAIN), {"system_id": "77", "version": "15"}, ("pass", []), id="as-expected"),
        pytest.param(info(*CHAIN), {"system_id": "78"}, ("fail", ["SYSTEM_ID"]), id="another-system"),
        pytest.param(info(*CHAIN), {"version": "16"}, ("fail", ["SYSTEM_ID"]), id="another-version"),
        pytest.param(info(*CHAIN, db=UPGRADED), {}, ("fail", ["SYSTEM_ID"]), id="no-backup-since-the-upgrade"),
        pytest.param(info(*CHAIN, db=UPGRADED[1:]), {}, ("unknown", ["SYSTEM_ID"]), id="system-not-told"),
    ],
)
def test_catalogue(document: Any, options: dict[str, Any], wanted: tuple[str, list[str]]) -> None:
    assert codes(document, **options) == wanted


def test_newest_is_by_end_and_names_its_chain() -> None:
    stanza = parse_stanza(info(*reversed(CHAIN)), "main")
    assert chain_labels(stanza) == (FULL, INCR)
    assert stanza.archive_id(stanza.backups[0]) == "15-1"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="object"),
        pytest.param(None, id="null"),
        pytest.param([{"name": "main"}], id="no-status"),
        pytest.param(info({**CHAIN[0], "timestamp": {"start": "x", "stop": 1}}), id="time-is-text"),
        pytest.param(info({**CHAIN[0], "timestamp": {"start": 1, "stop": 10**30}}), id="time-out-of-range"),
        pytest.param(info({k: v for k, v in CHAIN[0].items() if k != "label"}), id="no-label"),
    ],
)
def test_what_is_not_infos_form_is_refused(document: Any) -> None:
    if document == {}:
        assert parse_stanza(document, "main").status != 0
        return
    with pytest.raises(ValueError, match="not the form"):
        parse_stanza(document, "main")


def test_the_repositorys_own_message_is_told() -> None:
    document = info(code=99)
    document[0]["status"]["message"] = "other"
    document[0]["repo"] = [{"status": {"code": 99, "message": "[HostConnectError] unable to connect to 'localhost:1'\nHINT: x"}}]
    assert parse_stanza(document, "main").message == "[HostConnectError] unable to connect to 'localhost:1'"
    assert parse_stanza(copy.deepcopy(document), "other").status == 1


@pytest.mark.parametrize(
    ("last", "age_s", "ok"),
    [
        pytest.param(None, None, False, id="never"),
        pytest.param("pass", 100, True, id="at-limit"),
        pytest.param("pass", 101, False, id="stale"),
        pytest.param("pass", -61, False, id="from-the-future"),
        pytest.param("fail", 1, False, id="failed"),
        pytest.param("unknown", 1, False, id="unknown-is-not-a-pass"),
        pytest.param("", 1, False, id="no-verdict"),
    ],
)
@pytest.mark.parametrize(("judge", "code"), [(judge_drill, "RESTORE_STALE"), (judge_read, "READ_STALE")])
def test_a_proof_must_be_fresh(judge: Any, code: str, last: str | None, age_s: int | None, ok: bool) -> None:
    proof = None if last is None or age_s is None else Proof(NOW - dt.timedelta(seconds=age_s), last)
    check = judge(proof, now=NOW, max_age_s=100)
    assert (check.ok, check.code) == (ok, code)


# -- verify: reports as pgBackRest 2.45 wrote them for real damage; it exited 0 for every one -----------------------------------
GOOD = f"""stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 9, total valid WAL: 9
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {FULL}, status: valid, total files checked: 964, total valid files: 964
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""
FLIPPED = (
    GOOD.replace("status: ok", "status: error")
    .replace("status: valid", "status: invalid")
    .replace("valid files: 964\n    missing: 0, checksum invalid: 0", "valid files: 963\n    missing: 0, checksum invalid: 1")
)
DELETED = FLIPPED.replace("missing: 0, checksum invalid: 1", "missing: 1, checksum invalid: 0")
WAL = GOOD.replace("status: ok", "status: error").replace(
    "valid WAL: 9\n    missing: 0, checksum invalid: 0, size invalid: 0, other: 0",
    "valid WAL: 8\n    missing: 0, checksum invalid: 0, size invalid: 0, other: 1",
)
DUPLICATE = GOOD.replace("status: ok", "status: error").replace("checked: 9, total valid WAL: 9", "checked: 10, total valid WAL: 8")
NO_MANIFEST = (
    "\n".join(GOOD.splitlines()[:4]) + f"\n  backup: {FULL}, status: manifest missing, total files checked: 0, total valid files: 0\n"
)
NO_REPO = "stanza: main\nstatus: error\n  No usable backup.info file\n  No usable archive.info file\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(GOOD, ("pass", []), id="good"),
        pytest.param(FLIPPED, ("fail", ["CHECKSUM", "CHECKSUM"]), id="flipped-byte-in-a-file"),
        pytest.param(DELETED, ("fail", ["INCOMPLETE", "CHECKSUM"]), id="file-deleted"),
        pytest.param(WAL, ("fail", ["CHECKSUM", "CHECKSUM"]), id="segment-damaged"),
        pytest.param(DUPLICATE, ("fail", ["CHECKSUM", "CHECKSUM"]), id="duplicate-with-all-counters-0"),
        pytest.param(NO_MANIFEST, ("fail", ["INCOMPLETE"]), id="manifest-missing-with-status-ok"),
        pytest.param(NO_REPO, ("fail", ["TOOL", "TOOL", "CHECKSUM"]), id="no-repository"),
        pytest.param(GOOD.replace("ok", "fine"), ("fail", ["CHECKSUM"]), id="a-status-nobody-knows"),
        pytest.param("stanza: main\nstatus: ok\n", ("unknown", ["TOOL", "TOOL"]), id="ok-without-anything-looked-at"),
    ],
)
def test_verify(text: str, wanted: tuple[str, list[str]]) -> None:
    checks = judge_verify(parse_verify(text), backups=[FULL], archive_id="15-1")
    assert (verdict(checks), [c.code for c in checks if c.ok is not True]) == wanted


@pytest.mark.parametrize("text", ["", "nonsense", "stanza: main\n"])
def test_a_report_without_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no status"):
        parse_verify(text)


@pytest.mark.parametrize(
    ("stderr", "wanted"),
    [
        pytest.param(
            "ERROR: [055]: unable to open missing file '/x' for read\n", "[055] unable to open missing file '/x' for read", id="one-line"
        ),
        pytest.param(
            "ERROR: [039]: HTTP request failed with 403 (Forbidden):\n   authorization: SECRET\n",
            "[039] HTTP request failed with 403 (Forbidden)",
            id="no-headers",
        ),
        pytest.param("authorization: SECRET\n", "no message", id="nothing-but-a-header"),
        pytest.param("setpriv: not permitted\n", "setpriv: not permitted", id="the-wrappers-own"),
        pytest.param("", "no message", id="empty"),
    ],
)
def test_errors_are_told_without_the_request(stderr: str, wanted: str) -> None:
    assert explain_error(stderr) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("seen: a. b. Do this.", ("seen: a. b", "Do this.")), ("seen.", ("seen", "")), ("", ("", ""))],
)
def test_advice_is_the_last_sentence(text: str, wanted: tuple[str, str]) -> None:
    assert advice_of(text) == wanted
