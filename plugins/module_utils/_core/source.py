# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the estate's files come from: whether the working tree is a commit, which one, who signed it, and whether others have it.

What git says is taken apart here; git itself is run in _io/git_source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ssh_format import principals_of, read_signature

GATE = "source"
CLEAN, PUSHED, SIGNED = "clean", "pushed", "signed"
DEMANDS = (CLEAN, PUSHED, SIGNED)
GIT_NAMESPACE = "git"
FEW = 5  # paths in a message

_BRANCH = re.compile(r"[A-Za-z0-9_.][\w.-]*/[\w.][\w./-]*", re.ASCII)
_GOOD = re.compile(r'^Good "git" signature for (\S.*) with \S+ key (SHA256:\S+)$', re.MULTILINE)
_STATUS = re.compile(r"^\[GNUPG:\] (\w+) ?(.*)$", re.MULTILINE)
_BAD_STATUS = frozenset({"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"})


@dataclass(frozen=True)
class Rules:
    """What is asked. ``branch`` is REMOTE/BRANCH, ``unbound`` the folders whose changes make no new plan, ``holds`` what the commit has
    to hold."""

    require: Sequence[str]
    branch: str
    unbound: Sequence[str] = ()
    holds: Sequence[str] = ()
    gpg_keys: Sequence[str] = ()


@dataclass(frozen=True)
class Signature:
    """Whose signature a commit bears; ``refusal`` is empty when it counts, else a code, and ``detail`` says why."""

    signer: str = ""
    key: str = ""
    refusal: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Tree:
    """What was seen of a working tree. ``commit`` is the newest one that touches more than the unbound folders, ``head`` what is checked
    out. ``problems`` gives for a demand (or ``commit``, ``holds``) why it could not be told."""

    commit: str = ""
    head: str = ""
    dirty: Sequence[str] = ()
    submodules: Sequence[str] = ()
    unpushed: int | None = None
    signatures: Mapping[str, Signature] | None = None
    elsewhere: Sequence[str] = ()
    problems: Mapping[str, str] | None = None


# -- the rules -------------------------------------------------------------------------------------------------------------
def judge_rules(rules: Rules, *, signers: bool) -> None:
    """ChangeError with every rule that cannot be followed. ``signers``: whether a file of signers is given."""
    wrong = [f"require holds {one!r}, wanted some of: {', '.join(DEMANDS)}" for one in rules.require if one not in DEMANDS]
    if not rules.require:
        wrong.append("require is empty. Write what is wanted, such as [clean, pushed, signed], or leave the source out altogether")
    if not _BRANCH.fullmatch(rules.branch) or ".." in rules.branch:
        wrong.append(f"remote_branch is {rules.branch!r}, wanted REMOTE/BRANCH such as origin/main")
    for name in rules.unbound:
        parts = name.split("/")
        if name.startswith("/") or not all(parts) or {".", "..", ".git"} & set(parts):
            wrong.append(f"unbound holds {name!r}, wanted a folder below the top of the tree, such as approvals")
    if SIGNED in rules.require and not signers and not rules.gpg_keys:
        wrong.append("require holds signed, and nobody may sign. Name the file allowed_signers, or the fingerprints gpg_keys")
    if wrong:
        raise ChangeError(f"the source of the estate: {'; '.join(wrong)}.", errors=wrong)


# -- what git says of a signature ------------------------------------------------------------------------------------------
def armored_signature(commit: bytes) -> bytes:
    """The signature in a raw commit; empty when it has none."""
    header, _blank, _message = commit.partition(b"\n\n")
    found: list[bytes] = []
    inside = False
    for line in header.split(b"\n"):
        if line.startswith(b" "):
            found += [line[1:]] if inside else []
        else:
            inside = line.startswith((b"gpgsig ", b"gpgsig-sha256 "))
            found += [line.partition(b" ")[2]] if inside else []
    return b"\n".join(found) + b"\n" if found else b""


def judge_signature(armored: bytes, *, said: str, succeeded: bool, allowed: str, gpg_keys: Sequence[str]) -> Signature:
    """What the words of ``git verify-commit --raw`` are worth. Its exit code alone says little: an unknown key's signature is good, too."""
    if not armored:
        return Signature(refusal="SOURCE_UNSIGNED", detail="the commit bears no signature")
    if armored.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        return _ssh(armored, said, succeeded, allowed)
    if armored.startswith(b"-----BEGIN PGP SIGNATURE-----"):
        return _gpg(said, succeeded, gpg_keys)
    return _refused("the signature is neither of SSH nor of GPG")


def _ssh(armored: bytes, said: str, succeeded: bool, allowed: str) -> Signature:
    own = read_signature(armored)
    if own is None or own.namespace != GIT_NAMESPACE:
        return _refused("the signature cannot be read, or was not made for git")
    good = _GOOD.findall(said)
    if succeeded and len(good) == 1 and good[0][1] == own.fingerprint and good[0][0] in principals_of(allowed, own.key):
        return Signature(*good[0])
    if not principals_of(allowed, own.key):
        return _refused(f"its key {own.fingerprint} is not that of an allowed signer", own.fingerprint)
    return _refused(f"its key {own.fingerprint} does not count, or it is not a signature of this commit: {_short(said)}", own.fingerprint)


def _gpg(said: str, succeeded: bool, gpg_keys: Sequence[str]) -> Signature:
    status = _STATUS.findall(said)
    bad = [word for word, _rest in status if word in _BAD_STATUS]
    valid = [rest.split() for word, rest in status if word == "VALIDSIG"]
    if not succeeded or bad or len(valid) != 1 or not valid[0]:
        return _refused(f"gpg does not call it valid: {', '.join(bad) or _short(said)}")
    primary = valid[0][-1].upper()
    if primary not in {key.replace(" ", "").upper() for key in gpg_keys}:
        return _refused(f"its key {primary} is not among gpg_keys", primary)
    names = [rest.partition(" ")[2] for word, rest in status if word == "GOODSIG"]
    return Signature(names[0] if names else primary, primary)


def _refused(detail: str, key: str = "") -> Signature:
    return Signature(key=key, refusal="SOURCE_SIGNER", detail=detail)


def _short(said: str) -> str:
    return " ".join(said.split())[:200] or "it says nothing"


# -- the checks ------------------------------------------------------------------------------------------------------------
def judge_source(tree: Tree, rules: Rules) -> list[Check]:
    """The gate's checks; what is not required is not judged."""
    problems = tree.problems or {}
    if "commit" in problems:
        return [unknown("source_commit", problems["commit"], hint="Keep the estate in a git repository.", code="SOURCE_UNREADABLE")]
    checks = [Check("source_commit", True, tree.head, "a commit")]
    judges: dict[str, Callable[[Tree], Check]] = {CLEAN: _clean, PUSHED: partial(_pushed, branch=rules.branch), SIGNED: _signed}
    checks += [_or_unknown(demand, problems) or judge(tree) for demand, judge in judges.items() if demand in rules.require]
    if rules.holds:
        checks.append(_or_unknown("holds", problems) or _holds(tree))
    return checks


def _or_unknown(demand: str, problems: Mapping[str, str]) -> Check | None:
    hint = "Do by hand what git could not do here."
    return unknown(f"source_{demand}", problems[demand], hint=hint, code="SOURCE_UNREADABLE") if demand in problems else None


def _clean(tree: Tree) -> Check:
    if tree.submodules:
        why = f"the tree has submodules, which are not looked into: {_few(tree.submodules)}"
        return unknown("source_clean", why, hint="Keep the estate's files in the repository itself.", code="SOURCE_SUBMODULE")
    if not tree.dirty:
        return Check("source_clean", True, "no file differs", "no file differs from the commit")
    hint = "Commit these files, or put them away; what a .gitignore of the commit names is left alone."
    return Check(
        "source_clean", False, f"{len(tree.dirty)} files: {_few(tree.dirty)}", "no file differs from the commit", hint, "SOURCE_DIRTY"
    )


def _pushed(tree: Tree, *, branch: str) -> Check:
    wanted = f"every commit is in {branch}"
    if tree.unpushed == 0:
        return Check("source_pushed", True, "every commit", wanted)
    hint = f"Have it merged into {branch}, then check that out."
    return Check("source_pushed", False, f"{tree.unpushed} commits are not", wanted, hint, "SOURCE_UNPUSHED")


def _signed(tree: Tree) -> Check:
    wanted = "signed by an allowed signer"
    signatures = tree.signatures or {}
    for commit in dict.fromkeys((tree.commit, tree.head)):
        found = signatures.get(commit, Signature(refusal="SOURCE_UNSIGNED", detail="nobody looked at its signature"))
        if found.refusal:
            hint = "Have somebody who may sign commit it (git commit -S), or merge it with a signed commit."
            return Check("source_signed", False, f"commit {commit[:12]}: {found.detail}", wanted, hint, found.refusal)
    return Check("source_signed", True, f"{signatures[tree.commit].signer}, {signatures[tree.commit].key}", wanted)


def _holds(tree: Tree) -> Check:
    wanted = "all in the commit"
    if not tree.elsewhere:
        return Check("source_holds", True, "all in the commit", wanted)
    hint = "Use the files of the repository, or take what is kept elsewhere on purpose out of holds."
    return Check("source_holds", False, f"not in the commit: {_few(tree.elsewhere)}", wanted, hint, "SOURCE_ELSEWHERE")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


# -- what the plan keeps ---------------------------------------------------------------------------------------------------
def for_plan(tree: Tree, rules: Rules, checks: Sequence[Check]) -> dict[str, Any]:
    """The source as the plan keeps it, the same on every machine."""
    of = (tree.signatures or {}).get(tree.commit, Signature())
    state = {check.id.removeprefix("source_"): check.ok for check in checks if check.id != "source_commit"}
    return {
        "commit": tree.commit or None,
        "branch": rules.branch,
        "signer": of.signer or None,
        "key": of.key or None,
        "state": state,
        "unbound": sorted(rules.unbound),
    }


def demanding(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The plan's policy with this gate required: who asks for the source is held to the answer."""
    return {**policy, "gates": [*policy["gates"], *([] if GATE in policy["gates"] else [GATE])]}


def told(source: Mapping[str, Any]) -> str:
    """The source in a line of the plan."""
    signed = f", signed by {source['signer']}" if source["signer"] else ""
    return f"source: {source['commit'] or 'unknown'} of {source['branch']}{signed}"
