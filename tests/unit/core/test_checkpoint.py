from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import checkpoint as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checkpoint import CheckpointError, Mark, Version, names

N = names("acme")
D, OTHER = "d" * 64, "e" * 64
PLAIN: str | None = None
RESTORED, RESTORED_OTHER = core.write_comment(Mark("restored", D), None), core.write_comment(Mark("restored", OTHER), None)
CLOSED = core.write_comment(Mark("closed", D), None)


@pytest.mark.parametrize(
    ("databases", "step"),
    [
        pytest.param({N.live: PLAIN}, "make_copy", id="begin"),
        pytest.param({}, "make_copy", id="live-is-gone"),
        pytest.param({N.live: PLAIN, N.copy: PLAIN}, "drop_copy", id="half-a-copy"),
        pytest.param({N.live: PLAIN, N.copy: RESTORED_OTHER}, "drop_copy", id="copy-of-another-checkpoint"),
        pytest.param({N.live: PLAIN, N.copy: RESTORED}, "swap", id="copy-complete"),
        pytest.param({N.live: CLOSED, N.copy: RESTORED}, "swap", id="killed-in-swap"),
        pytest.param({N.live: RESTORED_OTHER, N.copy: RESTORED}, "swap", id="live-is-another-checkpoint"),
        pytest.param({N.copy: RESTORED}, "promote", id="only-the-copy"),
        pytest.param({N.copy: RESTORED, N.old: CLOSED}, "promote", id="live-put-aside"),
        pytest.param({N.old: CLOSED}, "make_copy", id="live-put-aside-and-no-copy"),
        pytest.param({N.live: RESTORED, N.old: CLOSED}, "drop_old", id="swapped"),
        pytest.param({N.live: RESTORED, N.copy: PLAIN}, "drop_copy", id="leftover-copy"),
        pytest.param({N.live: PLAIN, N.old: CLOSED}, "drop_old", id="leftover-of-an-earlier-restore"),
        pytest.param({N.live: RESTORED}, "done", id="done"),
    ],
)
def test_next_restore_step(databases: dict[str, str | None], step: str) -> None:
    assert core.next_restore_step(databases, N, D) == step


STATES = [
    dict(zip((N.live, N.copy, N.old), found, strict=True))
    for found in itertools.product(
        ["absent", PLAIN, RESTORED, RESTORED_OTHER, CLOSED], ["absent", PLAIN, RESTORED, RESTORED_OTHER], ["absent", CLOSED]
    )
]


@pytest.mark.parametrize(
    "state", STATES, ids=lambda state: "-".join((v or "plain").rpartition("checkpoint ")[2][:10] for v in state.values())
)
def test_a_restore_ends_in_the_same_state_from_wherever_it_was_killed(state: dict[str, str | None]) -> None:
    databases = {name: comment for name, comment in state.items() if comment != "absent"}
    for _dummy in range(9):
        step = core.next_restore_step(databases, N, D)
        if step == core.DONE:
            break
        if step == core.DROP_OLD:
            assert N.live in databases, "the last good copy would be dropped"
        databases = core.after(step, databases, N, D)
    assert {name: core.mark_of(comment) for name, comment in databases.items()} == {N.live: Mark("restored", D)}


@pytest.mark.parametrize("databases", [{N.live: PLAIN, N.old: PLAIN}, {N.live: RESTORED, N.old: RESTORED}])
def test_a_database_without_our_mark_is_never_dropped(databases: dict[str, str | None]) -> None:
    for decide in (lambda: core.restore_steps(databases, N, D), lambda: core.absent_steps(databases, N)):
        with pytest.raises(CheckpointError) as told:
            decide()
        assert told.value.facts["code"] == "FOREIGN_DATABASE"


@pytest.mark.parametrize(
    ("databases", "steps"),
    [
        pytest.param({N.live: PLAIN}, [], id="nothing-left"),
        pytest.param({}, [], id="nothing-at-all"),
        pytest.param({N.live: PLAIN, N.copy: PLAIN, N.old: CLOSED}, ["drop_copy", "drop_old"], id="leftovers"),
        pytest.param({N.live: CLOSED, N.copy: RESTORED}, ["reopen", "drop_copy"], id="restore-given-up"),
        pytest.param({N.live: RESTORED}, [], id="the-mark-of-a-restore-stays"),
    ],
)
def test_absent(databases: dict[str, str | None], steps: list[str]) -> None:
    assert core.absent_steps(databases, N) == steps


@pytest.mark.parametrize("databases", [{N.copy: RESTORED}, {N.old: CLOSED}])
def test_absent_never_removes_all_there_is(databases: dict[str, str | None]) -> None:
    with pytest.raises(CheckpointError, match="nothing is removed"):
        core.absent_steps(databases, N)


@pytest.mark.parametrize(
    ("digest", "mark", "step"),
    [
        pytest.param(None, None, "make", id="first"),
        pytest.param(None, Mark("restored", OTHER), "make", id="after-the-restore-of-another-change"),
        pytest.param(D, None, "done", id="again"),
        pytest.param(D, Mark("restored", OTHER), "clear_mark", id="killed-before-the-mark-was-cleared"),
        pytest.param(D, Mark("restored", D), "make", id="new-attempt-after-a-rollback"),
    ],
)
def test_next_present_step(digest: str | None, mark: Mark | None, step: str) -> None:
    assert core.next_present_step(digest, mark) == step


def test_no_checkpoint_while_a_restore_is_under_way() -> None:
    with pytest.raises(CheckpointError, match="has begun and not ended"):
        core.next_present_step(D, Mark("closed", D))


@pytest.mark.parametrize("other", [None, "Customer 17\nsecond line", ""])
def test_what_else_a_comment_says_is_kept(other: str | None) -> None:
    comment = core.write_comment(Mark("restored", D), other)
    assert core.read_comment(comment) == (Mark("restored", D), other or None)
    assert core.read_comment("Customer 17") == (None, "Customer 17")


@pytest.mark.parametrize(("database", "good"), [("a" * 47, True), ("a" * 48, False), ("é" * 24, False), ("", False)])
def test_names_leave_room_for_the_suffix(database: str, good: bool) -> None:
    if good:
        assert len(names(database).old.encode()) == 63
    else:
        with pytest.raises(CheckpointError, match="wanted 1 to 47"):
            names(database)


def test_keys() -> None:
    found = core.keys("s3://backups/check/points/", "CHG-2026-1", "acme")
    assert (found.bucket, found.dump, found.manifest) == (
        "backups",
        "check/points/CHG-2026-1/acme.dump",
        "check/points/CHG-2026-1/acme.json",
    )
    assert core.keys("s3://backups", "CHG-2026-1", "acme").filestore == "CHG-2026-1/acme.filestore.json"


@pytest.mark.parametrize(
    ("destination", "change", "tenant"),
    [("/backups", "C", "t"), ("s3:///x", "C", "t"), ("s3://b", "../C", "t"), ("s3://b", "C", "a/b"), ("s3://b", "C", "")],
)
def test_keys_that_would_lead_elsewhere(destination: str, change: str, tenant: str) -> None:
    with pytest.raises(CheckpointError, match="wanted"):
        core.keys(destination, change, tenant)


VERSIONS = [
    Version("acme/aa/1", "v1", True, size=3, etag="x"),
    Version("acme/aa/2", "v2", False, size=4, etag="y"),
    Version("acme/aa/2", "m2", True, deleted=True),
    Version("acme/aa/3", "v4", True, size=9, etag="junk"),
    Version("acme/aa/3", "v3", False, size=5, etag="z"),
    Version("acme/aa/5", "v6", True, size=6, etag="same"),
]


def test_inventory_names_what_is_missing_or_deleted() -> None:
    files, missing = core.inventory(["aa/1", "aa/1", "aa/2", "aa/9"], "acme", VERSIONS)
    assert files == [{"name": "aa/1", "version_id": "v1", "bytes": 3, "etag": "x"}]
    assert missing == ["aa/2", "aa/9"]


def test_missing_files_stop_a_checkpoint_and_ten_are_named() -> None:
    with pytest.raises(CheckpointError, match="12 of 20 attachments") as told:
        core.refuse_missing([f"aa/{n:02}" for n in range(12)], tenant="acme", bucket="filestore", count=20)
    assert told.value.facts == {"code": "FILESTORE_MISSING", "missing": [f"aa/{n:02}" for n in range(10)]}
    core.refuse_missing([], tenant="acme", bucket="filestore", count=20)


def test_repairs_copy_back_what_is_not_current() -> None:
    files = [
        {"name": "aa/1", "version_id": "v1", "bytes": 3, "etag": "x"},
        {"name": "aa/2", "version_id": "v2", "bytes": 4, "etag": "y"},
        {"name": "aa/3", "version_id": "v3", "bytes": 5, "etag": "z"},
        {"name": "aa/4", "version_id": "v4", "bytes": 5, "etag": "z"},
        {"name": "aa/5", "version_id": "v5", "bytes": 6, "etag": "same"},
    ]
    assert core.filestore_repairs(files, "acme", VERSIONS) == ([("acme/aa/2", "v2"), ("acme/aa/3", "v3")], ["aa/4"])


GOOD: dict[str, Any] = {
    "schema": 1,
    "change": "C-1",
    "tenant": "acme",
    "database": "acme",
    "properties": {"owner": "odoo"},
    "checkpoint": {
        "dump": {"key": "d", "sha256": "a", "bytes": 3, "version_id": "1"},
        "filestore": {"key": "f", "sha256": "b", "bytes": 4, "version_id": "1"},
    },
}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"{", "CHECKPOINT_DAMAGED", id="cut"),
        pytest.param(b"[]", "CHECKPOINT_DAMAGED", id="list"),
        pytest.param(json.dumps({**GOOD, "checkpoint": {}}).encode(), "CHECKPOINT_DAMAGED", id="no-parts"),
        pytest.param(json.dumps({**GOOD, "tenant": "zeta"}).encode(), "CHECKPOINT_OF_ANOTHER", id="other-tenant"),
        pytest.param(json.dumps({**GOOD, "schema": 2}).encode(), "CHECKPOINT_OF_ANOTHER", id="other-schema"),
    ],
)
def test_manifests_that_are_not_trusted(data: bytes, code: str) -> None:
    with pytest.raises(CheckpointError) as told:
        core.read_manifest(data, change="C-1", tenant="acme", database="acme", key="k")
    assert told.value.facts["code"] == code


def test_a_good_manifest_and_its_objects() -> None:
    found = core.read_manifest(core.canonical(GOOD), change="C-1", tenant="acme", database="acme", key="k")
    assert found == GOOD
    core.refuse_damage(found, {"d": 3, "f": 4})
    for sizes in ({"d": 3}, {"d": 2, "f": 4}, {"d": None, "f": 4}):
        with pytest.raises(CheckpointError, match="cannot be restored"):
            core.refuse_damage(found, sizes)
