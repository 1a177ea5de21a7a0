# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""pgBackRest as a command. Its exit code is never believed alone: ``info`` and ``verify`` exit 0 on a repository that is not there."""

# run_command neither bounds the time nor streams, and an _io file has no AnsibleModule. pylint: disable=ansible-bad-function

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .._core.backup import STATUS_NO_BACKUP, STATUS_OK, Stanza, parse_stanza
from .._core.errors import ChangeError
from .._core.pgbackrest_text import Report, explain_error, parse_verify

# Standard output carries the answer alone, standard error the reason; nothing is left in log files that another user could not open.
_QUIET = ("--log-level-console=off", "--log-level-stderr=error", "--log-level-file=off", "--no-log-timestamp")
_EMPTY = "no valid backups"
_HINTS = {
    "[028]": "Restore into an empty folder.",
    "[037]": "Check the options and that the configuration has this stanza.",
    "[039]": "Check the storage's credentials and the repository's address.",
    "[049]": "Check that the repository's address answers from this host.",
    "[050]": "Another pgBackRest command holds the lock of this stanza: wait for it.",
    "[055]": "Check the path of the configuration file and of the repository.",
}


class PgbackrestError(ChangeError):
    """pgBackRest did not do what it was asked, or it cannot be told whether it did."""


def command_of(executable: str, config: str | None) -> list[str]:
    """How pgBackRest is started, with its configuration if that is not where it looks by itself."""
    return [executable, *([f"--config={config}"] if config else [])]


class Pgbackrest:
    """``command`` is the executable or a wrapper, with leading options such as ``--config`` if there are any."""

    def __init__(self, command: Sequence[str], *, timeout_s: float = 60, env: Mapping[str, str] | None = None) -> None:
        self.command = list(command)
        self.timeout_s = timeout_s
        self.env = dict(env or {})

    # -- reading ---------------------------------------------------------------------------------------------------------
    def info(self, stanza: str) -> Stanza:
        """The catalogue. A stanza without any backup is an answer; every other status but ok is an error."""
        text = self._run("info", stanza, ["--output=json"])
        try:
            found = parse_stanza(json.loads(text), stanza)
        except ValueError as exc:
            raise PgbackrestError(f"pgbackrest info of stanza {stanza}: the answer is not understood ({exc}). Run it by hand.") from exc
        if set(found.message.split("; ")) == {_EMPTY} and found.status != STATUS_NO_BACKUP:
            raise PgbackrestError(
                f"pgbackrest info of stanza {stanza}: a repository has {_EMPTY} and another one has, wanted some in each. "
                "Take a backup into that one (pgbackrest --repo=2 backup), or take it out of the configuration.",
                status=found.status,
                code="MISSING_COPY",
            )
        if found.status not in (STATUS_OK, STATUS_NO_BACKUP):
            raise PgbackrestError(
                f"pgbackrest info of stanza {stanza}: status {found.status} ({found.message}), wanted ok. "
                "Check the stanza's name, the configuration, and that the repository can be reached with its credentials.",
                status=found.status,
            )
        return found

    def verify(self, stanza: str, *, repo: int | None = None, timeout_s: float | None = None) -> Report:
        """Reads every file of the repository; judge the report with ``_core.pgbackrest_text.judge_verify``."""
        text = self._run("verify", stanza, ["--output=text", "--verbose", *_repo(repo)], timeout_s=timeout_s)
        try:
            return parse_verify(text)
        except ValueError as exc:
            raise PgbackrestError(f"pgbackrest verify of stanza {stanza}: the report is not understood ({exc}). Run it by hand.") from exc

    def listing(self, stanza: str, archive_id: str, *, repo: int | None = None) -> dict[str, Any]:
        """All files of one archive, such as ``15-1``: path to {type, size, time}. Empty when it is not there."""
        return self.files(stanza, f"archive/{stanza}/{archive_id}", repo=repo)

    def files(self, stanza: str, path: str, *, repo: int | None = None) -> dict[str, Any]:
        """All files below a path of the repository, as :meth:`listing` gives them."""
        return self._ls(stanza, path, ["--recurse", *_repo(repo)])

    @contextmanager
    def reading(self, stanza: str, path: str, *, repo: int | None = None, raw: bool = False) -> Iterator[IO[bytes]]:
        """The content of a file of the repository, decrypted unless ``raw``. PgbackrestError when it could not be read to its end."""
        what = f"pgbackrest repo-get {path} of stanza {stanza}"
        options = [*_repo(repo), *(["--raw"] if raw else [])]
        argv = [*self.command, f"--stanza={stanza}", *_QUIET, "repo-get", *options, path]
        with started(argv, what=what, env=self.env) as process:
            out: IO[bytes] = process.stdout  # type: ignore[assignment]
            yield out
            if not out.closed and out.read(1):
                return  # whoever reads has seen enough
            error = process.stderr.read().decode(errors="replace")  # type: ignore[union-attr]
            if code := process.wait(self.timeout_s):
                raise PgbackrestError(f"{what}: exit code {code}: {explain_error(error)}. Run it by hand to see more.", rc=code)

    def manifests(self, stanza: str, labels: Sequence[str], *, repo: int | None = None) -> set[str]:
        """Those of ``labels`` whose folder holds a manifest (one copy of two is enough)."""
        copies = {"backup.manifest", "backup.manifest.copy"}
        return {label for label in labels if copies & set(self._ls(stanza, f"backup/{stanza}/{label}", _repo(repo)))}

    def history(self, stanza: str, archive_id: str, timeline: int, *, repo: int | None = None) -> str:
        """The text of a timeline's history file."""
        return self._run("repo-get", stanza, [*_repo(repo), f"archive/{stanza}/{archive_id}/{timeline:08X}.history"])

    # -- doing -----------------------------------------------------------------------------------------------------------
    def backup(self, stanza: str, kind: str = "incr", *, timeout_s: float = 6 * 3600, busy_timeout_s: float = 0) -> str:
        """Takes a backup (``full``, ``diff`` or ``incr``) and returns its label, as the catalogue has it afterwards.

        While another command holds the stanza's lock it waits, ``busy_timeout_s`` at most.
        """
        end = time.monotonic() + busy_timeout_s
        while True:
            before = {b.label for b in self.info(stanza).backups}
            try:
                self._run("backup", stanza, [f"--type={kind}"], timeout_s=timeout_s)
                break
            except PgbackrestError as exc:
                if not exc.facts.get("locked") or time.monotonic() > end:
                    raise
                time.sleep(1)
        new = [b for b in self.info(stanza).backups if b.label not in before]
        if not new:
            raise PgbackrestError(
                f"pgbackrest backup of stanza {stanza}: exit code 0, but the catalogue has no new backup. Run it by hand."
            )
        taken = max(new, key=lambda b: (b.stop, b.label))
        if taken.error is not False:
            raise PgbackrestError(f"pgbackrest backup of stanza {stanza}: {taken.label} has page errors. Run pg_amcheck on the cluster.")
        return taken.label

    def restore(
        self,
        stanza: str,
        into: str,
        *,
        label: str = "",
        kind: str = "default",
        target: str = "",
        options: Sequence[str] = (),
        timeout_s: float = 6 * 3600,
    ) -> None:
        """Restores into the data folder ``into``. ``kind`` and ``target`` are pgBackRest's ``--type`` and ``--target``."""
        args = [f"--pg1-path={into}", f"--type={kind}", *([f"--target={target}"] if target else []), *([f"--set={label}"] if label else [])]
        self._run("restore", stanza, [*args, *options], timeout_s=timeout_s, cwd=str(Path(into).parent))
        if not (Path(into) / "PG_VERSION").exists() or not (Path(into) / "global" / "pg_control").exists():
            raise PgbackrestError(f"pgbackrest restore of stanza {stanza}: exit code 0, but {into} holds no cluster. Run it by hand.")

    # -- the command -----------------------------------------------------------------------------------------------------
    def _ls(self, stanza: str, path: str, options: Sequence[str]) -> dict[str, Any]:
        text = self._run("repo-ls", stanza, ["--output=json", *options, path])
        try:
            return dict(json.loads(text))
        except (TypeError, ValueError) as exc:
            raise PgbackrestError(f"pgbackrest repo-ls {path}: the answer is not understood ({exc}). Run it by hand.") from exc

    def _run(self, verb: str, stanza: str, args: Sequence[str], *, timeout_s: float | None = None, cwd: str | None = None) -> str:
        """Standard output; PgbackrestError unless the exit code is 0 within the time."""
        limit = timeout_s if timeout_s is not None else self.timeout_s
        what = f"pgbackrest {verb} of stanza {stanza}"
        code, out, err = run_bounded(
            [*self.command, f"--stanza={stanza}", *_QUIET, verb, *args], what=what, timeout_s=limit, cwd=cwd, env=self.env
        )
        if code != 0:
            reason = explain_error(err)
            raise PgbackrestError(
                f"{what}: exit code {code}: {reason}. {_HINTS.get(reason[:5], 'Run it by hand to see more.')}",
                rc=code,
                locked=reason.startswith("[050]"),
            )
        return out


def run_bounded(
    argv: Sequence[str], *, what: str, timeout_s: float, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Runs a command in a session of its own, so that all it started ends with it when the time is over."""
    with started(argv, what=what, cwd=cwd, env=env) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise PgbackrestError(
                f"{what}: no answer within {timeout_s:g} s. Check that the repository's address answers from this host, or allow more time."
            ) from exc
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


@contextmanager
def started(
    argv: Sequence[str], *, what: str, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, which has ended, with all that it started, when the block is left."""
    given = {**os.environ, "LC_ALL": "C", **(env or {})}
    try:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as exc:
        raise PgbackrestError(
            f"{what}: {argv[0]} does not start ({exc.strerror}). Install pgBackRest or correct the path of the command."
        ) from exc
    try:
        yield process
    finally:
        if process.poll() is None:
            _end_group(process)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            break
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        break


def _repo(key: int | None) -> list[str]:
    return [f"--repo={key}"] if key is not None else []
