from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import source
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.source import Rules, Signature, Tree

RULES = Rules(source.DEMANDS, "origin/main")
ALICE = Signature("alice", "SHA256:x")
STRANGE = Signature(refusal="SOURCE_SIGNER")
GOOD = Tree("c1", "c2", unpushed=0, signatures={"c1": ALICE, "c2": ALICE})


@pytest.mark.parametrize(
    ("tree", "wanted", "codes"),
    [
        pytest.param(GOOD, "pass", [], id="good"),
        pytest.param(Tree(), "fail", ["SOURCE_UNPUSHED", "SOURCE_UNSIGNED"], id="nothing-was-looked-at"),
        pytest.param(Tree("c1", "c2", signatures={"c1": ALICE, "c2": ALICE}), "fail", ["SOURCE_UNPUSHED"], id="pushed-unasked"),
        pytest.param(Tree("c1", "c2", unpushed=0, signatures={"c1": ALICE}), "fail", ["SOURCE_UNSIGNED"], id="head-unasked"),
        pytest.param(Tree("c1", "c2", unpushed=0, signatures={"c1": ALICE, "c2": STRANGE}), "fail", ["SOURCE_SIGNER"], id="head"),
        pytest.param(Tree("c1", "c2", ("a",), ("b",), 0, {"c1": ALICE, "c2": ALICE}), "unknown", ["SOURCE_SUBMODULE"], id="submodule"),
        pytest.param(Tree(problems={"commit": "no"}), "unknown", ["SOURCE_UNREADABLE"], id="no-commit"),
        pytest.param(replace(GOOD, problems={"clean": "no"}), "unknown", ["SOURCE_UNREADABLE"], id="clean-untold"),
    ],
)
def test_judge_source(tree: Tree, wanted: str, codes: list[str]) -> None:
    checks = source.judge_source(tree, RULES)
    assert verdict(checks) == wanted
    assert [check.code for check in checks if check.ok is not True] == codes


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        pytest.param(b"tree a\n\nmessage\ngpgsig x\n", b"", id="in-the-message"),
        pytest.param(b"tree a\ngpgsig one\n two\n \n three\nauthor b\n c\n\nm", b"one\ntwo\n\nthree\n", id="folded"),
        pytest.param(b"tree a\nmergetag object\n gpgsig x\n\nm", b"", id="of-a-merged-tag"),
        pytest.param(b"", b"", id="empty"),
    ],
)
def test_armored_signature(raw: bytes, wanted: bytes) -> None:
    assert source.armored_signature(raw) == wanted


PGP = b"-----BEGIN PGP SIGNATURE-----\nx\n"
VALID = "[GNUPG:] GOODSIG 1234 Carol <c@example.org>\n[GNUPG:] VALIDSIG AB12 2026-12-05 1 0 4 0 22 10 00 CD34\n"


@pytest.mark.parametrize(
    ("said", "succeeded", "refused"),
    [
        pytest.param(VALID, True, "", id="good"),
        pytest.param(VALID, False, "SOURCE_SIGNER", id="exit-code-says-no"),
        pytest.param(VALID + "[GNUPG:] EXPKEYSIG 1234 Carol\n", True, "SOURCE_SIGNER", id="expired-key"),
        pytest.param(VALID + "[GNUPG:] REVKEYSIG 1234 Carol\n", True, "SOURCE_SIGNER", id="revoked-key"),
        pytest.param(VALID + VALID, True, "SOURCE_SIGNER", id="two"),
        pytest.param("", True, "SOURCE_SIGNER", id="exit-code-alone"),
        pytest.param(VALID.replace("[GNUPG:]", "gpg:"), True, "SOURCE_SIGNER", id="words-that-are-no-status"),
        pytest.param(VALID.replace("CD34", "EF56"), True, "SOURCE_SIGNER", id="a-strangers"),
    ],
)
def test_what_gpg_says(said: str, succeeded: bool, refused: str) -> None:
    found = source.judge_signature(PGP, said=said, succeeded=succeeded, allowed="", gpg_keys=["cd 34"])
    assert found.refusal == refused
    assert (found.signer == "Carol <c@example.org>") is not bool(refused)


def test_a_signature_of_another_kind_does_not_count() -> None:
    found = source.judge_signature(b"-----BEGIN SIGNED MESSAGE-----\n", said=VALID, succeeded=True, allowed="", gpg_keys=["CD34"])
    assert found.refusal == "SOURCE_SIGNER"


def made(change: dict[str, Any], policy: dict[str, Any], commit: str | None, **other: Any) -> dict[str, Any]:
    tenant = plans.Tenant("acme", "multi_tenant", 1, "odoo-acme", "acme", "shared", "i")
    found = {"commit": commit, "branch": "origin/main", "signer": "alice", "key": "k", "state": {"clean": True}, "unbound": [], **other}
    return plans.build_plan(change, [tenant], policy=policy, source=found)


def test_a_plan_goes_on_from_its_own_commit_only(change: dict[str, Any], policy: dict[str, Any]) -> None:
    recorded = made(change, policy, "c1")
    assert plans.resumable(recorded, made(change, policy, "c1", state={"clean": False}, signer=None)) == []
    assert plans.resumable(recorded, made(change, policy, None)) == [], "the gates stop it where git cannot tell"
    assert plans.resumable(recorded, made(change, policy, "c2")) == ["source is not what was planned"]
    tenant = plans.Tenant("acme", "multi_tenant", 1, "odoo-acme", "acme", "shared", "i")
    unasked = plans.build_plan(change, [tenant], policy=policy)
    assert plans.resumable(recorded, unasked) == ["source is not what was planned"]
    assert plans.plan_digest(recorded) != plans.plan_digest(made(change, policy, "c2"))


def test_the_gate_is_required_of_who_asks(policy: dict[str, Any]) -> None:
    assert source.demanding({"gates": ["backup"]}) == {"gates": ["backup", "source"]}
    assert source.demanding({"gates": ["source"]}) == {"gates": ["source"]}
