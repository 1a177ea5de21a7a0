# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at a working tree with git, and lets nothing of the repository run.

A repository's configuration names programs (filters, hooks, a file system monitor, transports, signature verifiers) that git starts, and
its index and info/exclude can hide files. So git is asked in the repository itself for names and addresses only, with two
commands that start nothing. Everything else happens in a scratch repository with a configuration of ours: it borrows the objects, and its
index is read from the commit, so each file is compared anew. Nothing is written to the repository.
"""

# run_command neither bounds the time nor streams, and an _io file has no AnsibleModule. pylint: disable=ansible-bad-function

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.source import (
    CLEAN,
    PUSHED,
    SIGNED,
    Rules,
    Signature,
    Tree,
    armored_signature,
    judge_signature,
)

TIMEOUT_S = 60
KEPT = ("PATH", "HOME", "TZ", "TMPDIR", "GNUPGHOME", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY")
ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "file:git:ssh:http:https",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
}
OURS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.bare": "false",
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "gpg.program": "gpg",
    "gpg.ssh.program": "ssh-keygen",
}
REMOTE, FETCHED, CHECKED_OUT = "estate", "refs/odoo-ops/remote", "refs/heads/checked-out"
_USERINFO = re.compile(r"//[^/@\s]*@")


class GitError(ChangeError):
    """git did not answer, or not as it should."""


@dataclass(frozen=True)
class Place:
    """Where to look, and by which keys. ``ask_remote``: whether the remote itself is asked, or what was fetched from it is believed."""

    path: Path
    allowed_signers: Path | None = None
    revoked: Path | None = None
    ask_remote: bool = True


def read_tree(place: Place, rules: Rules) -> Tree:
    """What is required of the working tree; what could not be told stands in ``problems``."""
    try:
        found = _Repository(place.path, rules)
        with tempfile.TemporaryDirectory(prefix="odoo-ops-source-") as scratch:
            return _looked_at(_Scratch(Path(scratch), found), place, rules)
    except (GitError, OSError) as exc:
        return Tree(problems={"commit": str(exc)})


def _looked_at(scratch: _Scratch, place: Place, rules: Rules) -> Tree:
    tree = Tree(commit=scratch.bound_commit(rules.unbound), head=scratch.repository.head)
    problems: dict[str, str] = {}
    looks: dict[str, Callable[[], dict[str, Any]]] = {
        CLEAN: lambda: {"dirty": scratch.dirty(), "submodules": scratch.submodules()},
        PUSHED: lambda: {"unpushed": scratch.unpushed(ask=place.ask_remote)},
        SIGNED: lambda: {"signatures": {c: scratch.signature(c, place, rules) for c in dict.fromkeys((tree.commit, tree.head))}},
        "holds": lambda: {"elsewhere": scratch.elsewhere(rules.holds)},
    }
    seen: dict[str, Any] = {}
    for demand, look in looks.items():
        if demand in rules.require or (demand == "holds" and rules.holds):
            try:
                seen |= look()
            except (GitError, OSError, UnicodeDecodeError) as exc:
                problems[demand] = str(exc)
    return replace(tree, problems=problems, **seen)


class _Repository:
    """What the repository itself is asked: names and addresses."""

    def __init__(self, path: Path, rules: Rules) -> None:
        if not path.is_dir():
            raise GitError(f"{path} is no folder")
        self.path = path
        top, common, form, self.head = self._ask(
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--git-common-dir",
            "--show-object-format",
            "--verify",
            "HEAD^{commit}",
        ).splitlines()
        self.top, self.objects, self.form = Path(top), Path(common) / "objects", form
        self.shallow = Path(common) / "shallow"
        self.remote, _slash, self.branch = rules.branch.partition("/")

    def url(self) -> str:
        return self._ask("config", "-z", "--get", f"remote.{self.remote}.url").rstrip("\0")

    def tracked(self) -> str:
        return self._ask("rev-parse", "--verify", f"refs/remotes/{self.remote}/{self.branch}^{{commit}}").strip()

    def _ask(self, *args: str) -> str:
        # whose the folder is does not matter: neither command starts anything that the repository names
        return _text(["-c", "safe.directory=*", "-C", str(self.path), *args], {}, self.path)


class _Scratch:
    """A repository of ours that borrows the objects of the other one."""

    def __init__(self, folder: Path, repository: _Repository) -> None:
        self.repository = repository
        git = folder / "git"
        self._env = {"GIT_DIR": str(git), "GIT_WORK_TREE": str(repository.top)}
        _text(["init", "-q", "--bare", "--template=", f"--object-format={repository.form}", str(git)], {}, folder)
        (git / "objects" / "info").mkdir(exist_ok=True)
        (git / "objects" / "info" / "alternates").write_text(f"{repository.objects}\n", encoding="utf-8")
        if repository.shallow.exists():
            (git / "shallow").write_bytes(repository.shallow.read_bytes())
        self.ask("update-ref", CHECKED_OUT, repository.head)
        self.ask("symbolic-ref", "HEAD", CHECKED_OUT)

    def ask(self, *args: str, more: Mapping[str, str] | None = None) -> str:
        """What git prints; GitError when it fails, or warns."""
        return _text(list(args), {**self._env, **_configured({**OURS, **(more or {})})}, self.repository.top)

    def bound_commit(self, unbound: Sequence[str]) -> str:
        """The newest commit that touches more than these folders; nothing else differs between it and what is checked out."""
        head = self.repository.head
        if not unbound:
            return head
        paths = ["--", ".", *(f":(exclude,top,literal){name}" for name in unbound)]
        found = self.ask("rev-list", "--max-count=1", head, *paths).strip()
        if not found or self.ask("diff-tree", "-r", "-z", "--name-only", found, head, *paths):
            raise GitError("no commit holds what is checked out outside of the folders in unbound. Correct unbound")
        return found

    def dirty(self) -> list[str]:
        """Each file that is not as in the commit, or is not in it."""
        self.ask("read-tree", self.repository.head)
        said = self.ask("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")
        return [entry[3:] for entry in said.split("\0") if entry]

    def submodules(self) -> list[str]:
        entries = self.ask("ls-tree", "-r", "-z", "--full-tree", self.repository.head).split("\0")
        return [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]

    def unpushed(self, *, ask: bool) -> int:
        """How many commits the remote's branch lacks."""
        if ask:
            url = {f"remote.{REMOTE}.url": self.repository.url()}
            flags = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
            self.ask("fetch", *flags, REMOTE, f"+refs/heads/{self.repository.branch}:{FETCHED}", more=url)
        else:
            self.ask("update-ref", FETCHED, self.repository.tracked())
        count = int(self.ask("rev-list", "--count", self.repository.head, f"^{FETCHED}"))
        if count and self.repository.shallow.exists():
            raise GitError("the clone is shallow, so its history cannot be compared. Fetch all of it (git fetch --unshallow)")
        return count

    def signature(self, commit: str, place: Place, rules: Rules) -> Signature:
        allowed = place.allowed_signers.read_text(encoding="utf-8") if place.allowed_signers else ""
        files = {"allowedSignersFile": place.allowed_signers, "revocationFile": place.revoked}
        if place.revoked:
            place.revoked.read_bytes()
        armored = armored_signature(_output(["cat-file", "commit", commit], self._env, self.repository.top))
        more = {f"gpg.ssh.{key}": str(path.resolve()) for key, path in files.items() if path}
        done = _run(["verify-commit", "--raw", commit], {**self._env, **_configured({**OURS, **more})}, self.repository.top)
        said = (done.stdout + done.stderr).decode(errors="replace")
        return judge_signature(armored, said=said, succeeded=done.returncode == 0, allowed=allowed, gpg_keys=rules.gpg_keys)

    def elsewhere(self, wanted: Sequence[str]) -> list[str]:
        """Those of the files and folders that the commit does not hold."""
        top, inside, outside = self.repository.top.resolve(), {}, []
        for name in wanted:
            path = (top / Path(name).expanduser()).resolve()
            if path.is_relative_to(top) and path != top:
                inside[name] = path.relative_to(top).as_posix()
            elif path != top:
                outside.append(name)
        asked = ["ls-tree", "-z", "--name-only", "--full-tree", self.repository.head, "--", *inside.values()]
        held = set(self.ask(*asked).split("\0")) if inside else set()
        return [*outside, *(name for name, path in inside.items() if path not in held)]


def _configured(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings by the environment: an address may hold a password, and everybody can read a command line."""
    pairs: dict[str, str] = {}
    for number, (key, value) in enumerate(settings.items()):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {"GIT_CONFIG_COUNT": str(len(settings)), **pairs}


def _text(args: list[str], env: Mapping[str, str], cwd: Path) -> str:
    return os.fsdecode(_output(args, env, cwd))


def _output(args: list[str], env: Mapping[str, str], cwd: Path) -> bytes:
    done = _run(args, env, cwd)
    said = _USERINFO.sub("//", " ".join(done.stderr.decode(errors="replace").split()))[:300]
    command = next(arg for arg in args if arg.islower() and "=" not in arg and not arg.startswith("-"))
    if done.returncode != 0:
        raise GitError(f"git {command} ended with {done.returncode}: {said or 'it says nothing'}")
    if said:  # a folder that may not be read is a warning, and the exit code 0
        raise GitError(f"git {command} warns: {said}")
    return done.stdout


def _run(args: list[str], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[bytes]:
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    try:
        return subprocess.run(
            ["git", *args],
            cwd=cwd,
            env={"PATH": os.defpath, **kept, **ENVIRONMENT, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as exc:
        raise GitError("git is not installed on the controller. Install git 2.34 or newer") from exc
    except subprocess.TimeoutExpired as exc:
        raise GitError(f"git gave no answer within {TIMEOUT_S} s") from exc
