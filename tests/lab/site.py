"""What all parts of one lab share: its folder, its processes, its addresses.

Every process of a lab carries ``ODOO_LAB=<folder>`` in its environment, children included. So ``down`` finds all of
them even when the lab was killed half way, and it never ends a process that is not the lab's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.files import remove

MARK = "ODOO_LAB"


class LabError(RuntimeError):
    """A part that did not come up: what, seen, what to do."""


@dataclass(frozen=True)
class Site:
    """One lab. ``root`` is short, because PostgreSQL's socket paths may have 107 bytes at most."""

    root: Path

    @classmethod
    def named(cls, name: str) -> Site:
        return cls(Path(os.environ.get("LAB_TMP") or tempfile.gettempdir()) / f"odoo-lab-{name}")

    # -- state: one document per part, written when the part is up ---------------------------------------------------
    def facts(self, part: str) -> dict[str, Any]:
        """What ``part`` published with :meth:`publish`; raises LabError when it is not up."""
        file = self.root / "parts" / f"{part}.json"
        if not file.exists():
            raise LabError(f"lab part {part!r} is not up in {self.root}: run ./dev lab up")
        return dict(json.loads(file.read_text()))

    def has(self, part: str) -> bool:
        return (self.root / "parts" / f"{part}.json").exists()

    def publish(self, part: str, facts: Mapping[str, Any], *, mode: int = 0o644) -> None:
        folder = self.folder("parts")
        temporary = folder / f".{part}.tmp"
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(json.dumps(facts, indent=1, sort_keys=True, default=str))
        temporary.rename(folder / f"{part}.json")

    def folder(self, *names: str, user: str | None = None, mode: int = 0o755) -> Path:
        """A folder of the lab, made when it is not there; ``user`` owns it when we are root."""
        path = self.root.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if user and os.geteuid() == 0:
            shutil.chown(path, user, user)
        return path

    # -- processes ---------------------------------------------------------------------------------------------------
    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """A clean environment that carries the lab's mark."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}
        return {**kept, "LANG": "C.UTF-8", "HOME": str(self.folder("home")), MARK: str(self.root), **(extra or {})}

    def spawn(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> int:
        """Starts a daemon in its own session; its output goes to ``log/<name>.log``. Returns its pid."""
        log = self.folder("log") / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [str(a) for a in (*as_user(user), *argv)],
                env=self.environment(env),
                cwd=cwd or self.root,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder("pids") / name).write_text(str(process.pid))
        return process.pid

    def pid(self, name: str) -> int | None:
        """The pid of a daemon of this lab, when it still runs."""
        try:
            pid = int((self.root / "pids" / name).read_text())
        except (OSError, ValueError):
            return None
        return pid if pid in self.processes() else None

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stdin: str | None = None,
        timeout_s: float = 300,
    ) -> str:
        """Runs a command to its end and returns its standard output; raises LabError with what it said."""
        command = [str(a) for a in (*as_user(user), *argv)]
        how: dict[str, Any] = {"env": self.environment(env), "cwd": self.root, "input": stdin, "timeout": timeout_s}
        try:
            done = subprocess.run(command, **how, capture_output=True, text=True, check=False)
        except subprocess.TimeoutExpired as exc:
            raise LabError(f"{' '.join(command)} did not end within {timeout_s:.0f} s; see {self.root}/log") from exc
        if done.returncode:
            raise LabError(f"{' '.join(command)}: rc {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def processes(self) -> list[int]:
        """All living processes that carry this lab's mark."""
        wanted = f"{MARK}={self.root}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0") and b") Z " not in (entry / "stat").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def stop(self, name: str, *, sig: int = signal.SIGTERM, grace_s: float = 10) -> None:
        """Ends one daemon: the signal first, SIGKILL to its group after the grace."""
        pid = self.pid(name)
        if pid is None:
            return
        os.kill(pid, sig)
        try:
            wait_for(lambda: pid not in self.processes(), what=f"{name} to end", timeout_s=grace_s)
        except LabError:
            os.killpg(pid, signal.SIGKILL)

    def destroy(self) -> None:
        """Ends every process of the lab, wherever it was killed, and removes its folder; raises LabError with what is left."""
        # SIGQUIT is PostgreSQL's immediate end: unlike SIGKILL it leaves no shared memory behind
        for sig, grace_s in ((signal.SIGTERM, 3.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0)):
            self.signal_all(sig, grace_s)
        left = [f"process {pid} ({name_of(pid)}): kill -9 {pid}" for pid in self.processes()]
        if kept := remove(self.root):
            left.append(f"folder {self.root} ({kept}): remove it by hand")
        if left:
            raise LabError(f"the lab in {self.root} is not wholly down. Left: {'; '.join(left)}")

    def signal_all(self, sig: int, grace_s: float) -> None:
        """Sends every process of the lab a signal, and waits until they are gone or the grace is over."""
        end, told = time.monotonic() + grace_s, set[int]()
        while (living := self.processes()) and time.monotonic() < end:
            for pid in set(living) - told:  # one that was started meanwhile is told, too
                told.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, sig)
            time.sleep(0.1)


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"


def as_user(user: str | None) -> list[str]:
    """The prefix that runs a command as ``user`` when we are root, and nothing otherwise. setpriv execs, so the pid is the daemon's."""
    if user and os.geteuid() == 0:
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return []


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as s:
        s.bind((host, 0))
        return int(s.getsockname()[1])


def wait_for(probe: Callable[[], Any], *, what: str, timeout_s: float = 60, every_s: float = 0.1) -> Any:
    """Calls ``probe`` until it returns something true. Exceptions count as "not yet"; the last one is in the message."""
    end, last = time.monotonic() + timeout_s, None
    while True:
        try:
            if value := probe():
                return value
        except Exception as exc:  # a part that is not up yet refuses in many ways
            last = exc
        if time.monotonic() > end:
            raise LabError(f"waited {timeout_s:.0f} s for {what}" + (f"; last answer: {last!r}" if last else ""))
        time.sleep(every_s)
