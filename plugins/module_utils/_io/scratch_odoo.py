# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An Odoo on a restored copy of a database. Whoever calls it sees to it that it is in a network of its own."""

# run_command neither bounds the time nor leaves a server running. pylint: disable=ansible-bad-function

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._core.errors import ChangeError
from .scratch import MARK
from .scratch_postgres import PORT as SOCKET_PORT

PORT = 8069
QUIET = "--max-cron-threads=0"
URL = f"http://127.0.0.1:{PORT}"
_TOLD = re.compile(r"^(?:\S+ \S+ \d+ (?:ERROR|CRITICAL) |[\w.]*(?:Error|Exception)\b|entrypoint: )")


class ScratchOdooError(ChangeError):
    """Odoo does not start on the copy, or does not do what it is told."""


@dataclass(frozen=True)
class CopyOfOdoo:
    """Odoo's ``command`` on the database of the PostgreSQL whose socket lies in ``folder``, where its files are, too.

    ``image`` is what the command finds in ODOO_IMAGE: one wrapper can start any release. ``role`` owns the database's tables.
    """

    command: str
    image: str
    folder: Path
    user: tuple[int, int] | None
    role: str
    database: str
    timeout_s: float
    addons: tuple[Path, ...] = field(default=())

    @property
    def home(self) -> Path:
        return self.folder / "odoo"

    @property
    def filestore(self) -> Path:
        return self.home / "data" / "filestore" / self.database

    def version(self) -> str:
        """What ``--version`` says."""
        done = self._run(["--version"], "its version", timeout_s=60)
        return (done.stdout or done.stderr).strip().splitlines()[-1]

    def neutralise(self) -> None:
        """``odoo neutralize``, which loads no module of the database."""
        self._run(["neutralize", *self._server()], "odoo neutralize", code="NEUTRAL")

    def update(self, modules: str) -> None:
        """``odoo --update``: what the release does to a database of the one before."""
        options = [*self._server(), QUIET, f"--update={modules}", "--stop-after-init", "--no-http"]
        done = self._run(options, f"odoo --update={modules}", code="UPDATE")
        if told := _errors(done.stderr):
            raise ScratchOdooError(f"odoo --update={modules} ended with 0, and said: {told}. See the release.", code="UPDATE")

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """A server at :data:`URL`, ended afterwards."""
        log = self.home / "odoo.log"
        options = [*self._server(), QUIET, "--http-interface=127.0.0.1", f"--http-port={PORT}", "--workers=0", "--log-level=warn"]
        with log.open("ab") as out, self._started(options, stdout=out, stderr=subprocess.STDOUT) as process:
            try:
                yield process
            finally:
                process.kill()

    def said(self) -> str:
        """The last errors of its log."""
        with contextlib.suppress(OSError):
            return _errors((self.home / "odoo.log").read_text(errors="replace")) or "its log has no error"
        return "it has no log"

    # -- internals -------------------------------------------------------------------------------------------------------
    def _server(self) -> list[str]:
        """Options, because they alone beat what a configuration or the environment says."""
        where = {"db_host": str(self.folder), "db_port": str(SOCKET_PORT), "db_user": self.role, "database": self.database}
        more = {"data-dir": str(self.home / "data")}
        if self.addons:
            more["addons-path"] = ",".join(str(path) for path in self.addons)
        return [f"--{name}={value}" for name, value in {**where, **more}.items()]

    def _started(self, options: list[str], **more: Any) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self.command, *options], stdin=subprocess.DEVNULL, cwd=self.home, env=self._environment(), **self._as_user(), **more
            )
        except OSError as exc:
            raise self._no_start(exc) from exc

    def _run(
        self, options: list[str], what: str, *, code: str = "ODOO_START", timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(
                [self.command, *options],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=self.home if self.home.is_dir() else None,
                env=self._environment(),
                timeout=timeout_s or self.timeout_s,
                check=False,
                **self._as_user(),
            )
        except subprocess.TimeoutExpired:
            raise ScratchOdooError(
                f"{what} did not end within {timeout_s or self.timeout_s:g} s. See why, or give timeout more.", code=code
            ) from None
        except OSError as exc:
            raise self._no_start(exc) from exc
        if done.returncode:
            told = _errors(done.stderr) or (done.stderr or done.stdout).strip()[-300:] or "nothing"
            raise ScratchOdooError(f"{what} ended with {done.returncode} and said: {told}. See the release.", code=code)
        return done

    def _no_start(self, exc: OSError) -> ScratchOdooError:
        return ScratchOdooError(f"{self.command} does not start ({exc.strerror}). Correct command of odoo.", code="ODOO_START")

    def _environment(self) -> Mapping[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "ODOO_")) and key != "HOME"}
        return {
            **kept,
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "ODOO_IMAGE": self.image,
            "LC_ALL": "C.UTF-8",
            MARK: str(self.folder),
        }

    def _as_user(self) -> dict[str, Any]:
        return {"user": self.user[0], "group": self.user[1], "extra_groups": []} if self.user else {}


def _errors(text: str) -> str:
    found = [line.strip() for line in text.splitlines() if _TOLD.search(line)]
    return " | ".join(line.split(": ", 1)[-1] for line in found[-3:])[:400]
