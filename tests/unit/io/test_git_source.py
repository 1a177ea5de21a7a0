"""A working tree as git sees it, with real repositories, keys and a remote; nothing of the repository runs."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._source import SOURCE_SPEC, measure

NOW = dt.datetime(2026, 12, 5, 19, tzinfo=dt.UTC)
ENV = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


class Repository:
    """A tree with a remote, and two people who commit: alice, who may, and mallory."""

    def __init__(self, root: Path) -> None:
        self.root, self.top, self.remote = root, root / "estate", root / "remote.git"
        for name in ("alice", "mallory"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(root / name)], check=True)
        self.signers = root / "signers"
        self.signers.write_text(f'alice namespaces="git" {self.public("alice")}\n')
        self.run("init", "-q", "--bare", str(self.remote), cwd=root)
        self.run("init", "-q", "-b", "main", str(self.top), cwd=root)
        self.run("remote", "add", "origin", str(self.remote))
        for name in ("hosts.ini", "approvals/.keep", "group_vars/all.yml", ".gitignore"):
            self.put(name, "*.retry\n" if name == ".gitignore" else "one\n")
        self.commit()
        self.push()

    def public(self, name: str) -> str:
        return " ".join((self.root / f"{name}.pub").read_text().split()[:2])

    def run(self, *args: str, cwd: Path | None = None) -> str:
        return subprocess.run(["git", *args], cwd=cwd or self.top, env=ENV, check=True, capture_output=True, text=True).stdout.strip()

    def put(self, name: str, text: str) -> None:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, by: str | None = "alice", *, add: bool = True) -> str:
        if add:
            self.run("add", "-A")
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "gpg.format=ssh"]
        signing = ["-c", f"user.signingkey={self.root / by}"] if by else []
        self.run(*identity, *signing, "commit", "-q", "--allow-empty", *(["-S"] if by else []), "-m", "a change")
        return self.run("rev-parse", "HEAD")

    def push(self) -> None:
        self.run("push", "-q", "origin", "HEAD:main")

    def measure(self, **options: Any) -> dict[str, Any]:
        defaults = {name: spec.get("default") for name, spec in SOURCE_SPEC.items()}
        given = {"path": str(self.top), "allowed_signers": str(self.signers), **options}
        return measure({**defaults, **given}, now=NOW).gate


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def codes(gate: dict[str, Any]) -> list[str]:
    return [check["code"] for check in gate["evidence"]["checks"] if check["ok"] is not True]


def test_a_clean_pushed_signed_tree_passes_and_names_commit_and_signer(repository: Repository) -> None:
    gate = repository.measure(holds=["hosts.ini", str(repository.top / "group_vars")])
    assert gate["verdict"] == "pass", gate["msg"]
    commit, key = repository.run("rev-parse", "HEAD"), gate["source"]["key"]
    assert key.startswith("SHA256:")
    state = {"clean": True, "pushed": True, "signed": True, "holds": True}
    assert gate["source"] == {"commit": commit, "branch": "origin/main", "signer": "alice", "key": key, "state": state, "unbound": []}
    assert repository.run("status", "--porcelain") == ""


def edited(r: Repository) -> None:
    r.put("hosts.ini", "two\n")


def untracked(r: Repository) -> None:
    r.put("host_vars/acme.yml", "x: 1\n")


def removed(r: Repository) -> None:
    (r.top / "hosts.ini").unlink()


def executable(r: Repository) -> None:
    (r.top / "hosts.ini").chmod(0o755)


def staged(r: Repository) -> None:
    edited(r)
    r.run("add", "-A")


def hidden_by_the_index(r: Repository) -> None:
    r.run("update-index", "--assume-unchanged", "hosts.ini")
    edited(r)


def hidden_by_skip_worktree(r: Repository) -> None:
    r.run("update-index", "--skip-worktree", "hosts.ini")
    edited(r)


def hidden_by_info_exclude(r: Repository) -> None:
    (r.top / ".git" / "info" / "exclude").write_text("host_vars\n")
    untracked(r)


def hidden_by_its_configuration(r: Repository) -> None:
    (r.root / "ignore").write_text("*\n")
    r.run("config", "core.excludesFile", str(r.root / "ignore"))
    r.run("config", "status.showUntrackedFiles", "no")
    untracked(r)


def hidden_by_its_time(r: Repository) -> None:
    """Same length, same time: an index that is believed calls it unchanged."""
    path = r.top / "hosts.ini"
    before = path.stat()
    path.write_text("eno\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def ignored_by_a_new_file(r: Repository) -> None:
    r.put("host_vars/.gitignore", "*\n")
    untracked(r)


@pytest.mark.parametrize(
    "spoil",
    [
        edited, untracked, removed, executable, staged, hidden_by_the_index, hidden_by_skip_worktree, hidden_by_info_exclude,
        hidden_by_its_configuration, hidden_by_its_time,
    ],
)  # fmt: skip
def test_a_tree_that_is_not_its_commit_is_dirty(repository: Repository, spoil: Callable[[Repository], None]) -> None:
    spoil(repository)
    gate = repository.measure()
    assert (gate["verdict"], codes(gate)) == ("fail", ["SOURCE_DIRTY"])
    assert gate["source"]["state"] == {"clean": False, "pushed": True, "signed": True}


def test_the_users_own_ignore_file_hides_nothing(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    ignore = repository.root / "home" / ".config" / "git" / "ignore"
    ignore.parent.mkdir(parents=True)
    ignore.write_text("*\n")
    monkeypatch.setenv("HOME", str(repository.root / "home"))
    untracked(repository)
    assert codes(repository.measure()) == ["SOURCE_DIRTY"]


def test_what_the_commit_ignores_may_lie_there(repository: Repository) -> None:
    repository.put("site.retry", "acme\n")
    assert repository.measure()["verdict"] == "pass"
    ignored_by_a_new_file(repository)
    (repository.top / "host_vars" / ".gitignore").write_text("acme.yml\n")
    assert codes(repository.measure()) == ["SOURCE_DIRTY"], "the file that ignores is itself not in the commit"


def test_a_folder_that_cannot_be_read_is_no_answer(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """git warns of it and exits 0. Root may read everything, so the warning is put there."""
    real = shutil.which("git")
    fake = repository.root / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\ncase "$*" in *status*) echo "warning: could not open directory" >&2;; esac\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    gate = repository.measure()
    assert (gate["verdict"], codes(gate)) == ("unknown", ["SOURCE_UNREADABLE"])


@pytest.mark.parametrize("ask", [True, False])
def test_an_unpushed_commit(repository: Repository, ask: bool) -> None:
    repository.commit()
    gate = repository.measure(ask_remote=ask)
    assert (gate["verdict"], codes(gate)) == ("fail", ["SOURCE_UNPUSHED"])
    assert "1 commits are not" in gate["msg"]


def test_a_tracking_branch_that_was_forged_is_not_believed_when_the_remote_is_asked(repository: Repository) -> None:
    commit = repository.commit()
    repository.run("update-ref", "refs/remotes/origin/main", commit)
    assert codes(repository.measure(ask_remote=False)) == []
    assert codes(repository.measure()) == ["SOURCE_UNPUSHED"]


def test_a_remote_that_went_on_still_holds_an_older_commit(repository: Repository) -> None:
    other = repository.root / "other"
    repository.run("clone", "-q", str(repository.remote), str(other), "-b", "main", cwd=repository.root)
    repository.run("-c", "user.name=y", "-c", "user.email=y@example.org", "commit", "-q", "--allow-empty", "-m", "later", cwd=other)
    repository.run("push", "-q", "origin", "main", cwd=other)
    before = sorted(p for p in (repository.top / ".git").rglob("*"))
    assert repository.measure()["verdict"] == "pass"
    assert sorted(p for p in (repository.top / ".git").rglob("*")) == before, "nothing is written to the repository"


def test_a_remote_that_does_not_answer_is_unknown_and_shows_no_password(repository: Repository) -> None:
    repository.run("remote", "set-url", "origin", "http://ops:s3cr3t@127.0.0.1:9/estate.git")
    gate = repository.measure()
    assert (gate["verdict"], codes(gate)) == ("unknown", ["SOURCE_UNREADABLE"])
    assert "s3cr3t" not in str(gate)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda r: r.commit(None), "SOURCE_UNSIGNED", id="unsigned"),
        pytest.param(lambda r: r.commit("mallory"), "SOURCE_SIGNER", id="a-strangers-key"),
        pytest.param(lambda r: r.signers.write_text(f"alice {r.public('mallory')}\n"), "SOURCE_SIGNER", id="another-key-under-the-name"),
        pytest.param(
            lambda r: r.signers.write_text(f'alice namespaces="odoo-ops-change" {r.public("alice")}\n'), "SOURCE_SIGNER", id="for-approvals"
        ),
        pytest.param(lambda r: r.signers.write_text(f'alice valid-before="20200101" {r.public("alice")}\n'), "SOURCE_SIGNER", id="expired"),
        pytest.param(lambda r: (r.root / "revoked").write_text(r.public("alice")), "SOURCE_SIGNER", id="revoked"),
        pytest.param(lambda r: r.signers.write_text(""), "SOURCE_SIGNER", id="nobody-may"),
    ],
)
def test_a_signature_that_does_not_count(repository: Repository, spoil: Callable[[Repository], Any], code: str) -> None:
    (repository.root / "revoked").write_text("")
    assert repository.measure(revoked=str(repository.root / "revoked"))["verdict"] == "pass"
    spoil(repository)
    repository.push()
    gate = repository.measure(revoked=str(repository.root / "revoked"))
    assert (gate["verdict"], codes(gate)) == ("fail", [code])
    assert gate["source"]["signer"] is None


def test_a_signature_that_was_moved_to_another_commit(repository: Repository) -> None:
    raw = subprocess.run(["git", "cat-file", "commit", "HEAD"], cwd=repository.top, env=ENV, check=True, capture_output=True).stdout
    forged = repository.root / "forged"
    forged.write_bytes(raw.replace(b"a change", b"another change"))
    commit = repository.run("hash-object", "-t", "commit", "-w", str(forged))
    repository.run("reset", "-q", "--hard", commit)
    repository.run("push", "-q", "-f", "origin", "HEAD:main")
    assert codes(repository.measure()) == ["SOURCE_SIGNER"]


def test_a_file_of_signers_that_is_not_there_is_no_answer(repository: Repository) -> None:
    gate = repository.measure(allowed_signers=str(repository.root / "nosuch"))
    assert (gate["verdict"], codes(gate)) == ("unknown", ["SOURCE_UNREADABLE"])


def test_a_commit_that_touches_unbound_folders_only_is_the_same_source(repository: Repository) -> None:
    bound = repository.run("rev-parse", "HEAD")
    repository.put("approvals/CHG-2026-0142/alice.json", "{}")
    later = repository.commit()
    repository.push()
    assert repository.measure()["source"]["commit"] == later
    gate = repository.measure(unbound=["approvals"])
    assert (gate["verdict"], gate["source"]["commit"]) == ("pass", bound)
    assert gate["evidence"]["checks"][0]["observed"] == later
    repository.put("approvals/CHG-2026-0142/bob.json", "{}")
    assert codes(repository.measure(unbound=["approvals"])) == ["SOURCE_DIRTY"]
    repository.commit("mallory")
    repository.push()
    assert codes(repository.measure(unbound=["approvals"])) == ["SOURCE_SIGNER"], "what is checked out has to be signed as well"


def test_only_what_is_required_is_judged(repository: Repository) -> None:
    repository.commit(None)
    edited(repository)
    gate = repository.measure(require=["signed"], allowed_signers=str(repository.signers))
    assert codes(gate) == ["SOURCE_UNSIGNED"]
    assert codes(repository.measure(require=["clean"])) == ["SOURCE_DIRTY"]


@pytest.mark.parametrize("name", ["/etc/hosts", "host_vars/acme.yml", "../remote.git", "localhost,"])
def test_files_from_elsewhere(repository: Repository, name: str) -> None:
    gate = repository.measure(holds=["hosts.ini", name])
    assert (gate["verdict"], codes(gate)) == ("fail", ["SOURCE_ELSEWHERE"])


def test_a_submodule_is_not_looked_into(repository: Repository) -> None:
    repository.run("update-index", "--add", "--cacheinfo", f"160000,{repository.run('rev-parse', 'HEAD')},roles/foreign")
    repository.commit(add=False)
    repository.push()
    assert codes(repository.measure()) == ["SOURCE_SUBMODULE"]


@pytest.mark.parametrize("spoil", ["no-folder", "no-repository", "no-commit", "no-git"])
def test_without_a_commit_nothing_is_known(repository: Repository, spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    if spoil != "no-folder":
        empty.mkdir()
    if spoil == "no-commit":
        repository.run("init", "-q", str(empty))
    if spoil == "no-git":
        monkeypatch.setenv("PATH", str(empty))
    gate = repository.measure(path=str(repository.top if spoil == "no-git" else empty))
    assert (gate["verdict"], codes(gate)) == ("unknown", ["SOURCE_UNREADABLE"])
    assert gate["source"]["commit"] is None
    assert ("not installed" in gate["msg"]) == (spoil == "no-git")


def test_a_work_tree_of_its_own_and_a_folder_in_it(repository: Repository) -> None:
    repository.run("worktree", "add", "-q", "--detach", str(repository.root / "second"))
    assert repository.measure(path=str(repository.root / "second" / "group_vars"))["verdict"] == "pass"


def test_nothing_that_the_repository_names_is_run(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program of the configuration, each hook and each variable of the environment would leave a file."""
    trap, sprung = repository.root / "trap", repository.root / "sprung"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >> {sprung}\nexit 0\n')
    trap.chmod(0o755)
    repository.put(".gitattributes", "*.ini filter=trap diff=trap\n")
    repository.commit()
    repository.push()
    for key in (
        "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "core.gitProxy", "core.alternateRefsCommand",
        "diff.external", "diff.trap.textconv", "diff.trap.command", "filter.trap.clean", "filter.trap.smudge", "filter.trap.process",
        "gpg.program", "gpg.ssh.program", "gpg.ssh.defaultKeyCommand", "credential.helper", "remote.origin.uploadpack",
        "uploadpack.packObjectsHook", "alias.status", "alias.rev-parse",
    ):  # fmt: skip
        value = f"!{trap}" if key.startswith(("alias", "credential")) else str(trap)
        repository.run("config", key, value)
        if key.startswith(("remote", "uploadpack")):
            repository.run("config", "--file", str(repository.remote / "config"), key, value)
    hooks = repository.root / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        for folder in (hooks, repository.top / ".git" / "hooks"):
            (folder / name).write_bytes(trap.read_bytes())
            (folder / name).chmod(0o755)
    repository.run("config", "core.hooksPath", str(hooks))
    for name in ("GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, str(trap))
    monkeypatch.setenv("GIT_DIR", str(repository.remote))
    sprung.unlink(missing_ok=True)
    gate = repository.measure()
    assert gate["verdict"] == "pass", gate["msg"]
    assert not sprung.exists(), sprung.read_text()
    repository.run("remote", "set-url", "origin", f"ext::{trap} %S")
    assert codes(repository.measure()) == ["SOURCE_UNREADABLE"]
    assert not sprung.exists(), sprung.read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"require": []}, "require is empty"),
        ({"remote_branch": "main"}, "wanted REMOTE/BRANCH"),
        ({"remote_branch": "--upload-pack=x/main"}, "wanted REMOTE/BRANCH"),
        ({"remote_branch": "origin/../x"}, "wanted REMOTE/BRANCH"),
        ({"unbound": ["."]}, "unbound holds '.'"),
        ({"unbound": ["a/../.."]}, "unbound holds"),
        ({"unbound": ["/etc"]}, "unbound holds"),
        ({"allowed_signers": None}, "nobody may sign"),
    ],
)
def test_options_that_cannot_be_followed(repository: Repository, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ChangeError, match=told):
        repository.measure(**options)


@pytest.fixture
def gpg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    monkeypatch.setitem(ENV, "GNUPGHOME", str(home))
    quietly = ["gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*quietly, "--quick-gen-key", "Carol <carol@example.org>", "ed25519", "sign"], check=True, capture_output=True)
    listed = subprocess.run(["gpg", "--batch", "--with-colons", "--list-keys"], check=True, capture_output=True, text=True).stdout
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))


def test_a_commit_signed_with_gpg(repository: Repository, gpg: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", f"user.signingkey={gpg}"]
    repository.run(*identity, "commit", "-q", "--allow-empty", "-S", "-m", "by gpg")
    repository.push()
    gate = repository.measure(gpg_keys=[gpg.lower()])
    assert (gate["verdict"], gate["source"]["signer"]) == ("pass", "Carol <carol@example.org>"), gate["msg"]
    assert codes(repository.measure(gpg_keys=["0" * 40])) == ["SOURCE_SIGNER"]
    assert codes(repository.measure()) == ["SOURCE_SIGNER"], "a good signature of a key that nobody allowed"
