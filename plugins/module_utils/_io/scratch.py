# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders that are thrown away, with all that runs in them, even when whoever made them was killed.

A folder's name says who made it: ``<name>.<pid>.<start of that process>``. One lock per name is held by the kernel for as
long as its owner lives, so whoever has it may remove every folder of that name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from .._core.errors import ChangeError

MARK = "ODOO_OPS_SCRATCH"  # in the environment of all that runs in a folder: a wrapper may change the working folder
_PARTS = re.compile(r"\.(?P<pid>[0-9]+)\.(?P<start>[0-9]+)")
_GRACE_S = 10.0


class ScratchError(ChangeError):
    """The scratch folder cannot be used, or cannot be cleared."""


class Scratch:
    """The folders called ``name`` below ``base``. ``owner`` (uid, gid) gets what is made, when we are root."""

    def __init__(self, base: Path, name: str, owner: tuple[int, int] | None = None) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ScratchError(f"{name!r} cannot name a folder: use letters, digits, dot, dash and underscore.")
        self.base, self.name, self.owner = base, name, owner

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The exclusive right to folders of this name; ScratchError when somebody else has it. The lock's file goes with it."""
        lock = self._lock()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                (self.base / f"{self.name}.lock").unlink()
            os.close(lock)

    def _lock(self) -> int:
        path = self.base / f"{self.name}.lock"
        while True:
            self._prepare_base()
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(lock, 20, 0).decode(errors="replace") or "unknown"
                os.close(lock)
                seen = f"another drill of {self.name} runs in {self.base} (process {holder})"
                raise ScratchError(f"{seen}. Wait for its end.", code="BUSY") from None
            with contextlib.suppress(OSError):  # the one before us may have removed the file that we have just locked
                if path.stat().st_ino == os.fstat(lock).st_ino:
                    os.ftruncate(lock, 0)
                    os.pwrite(lock, str(os.getpid()).encode(), 0)
                    return lock
            os.close(lock)

    def leftovers(self) -> list[Path]:
        """Folders that earlier owners left."""
        if not self.base.is_dir():
            return []
        return sorted(p for p in self.base.iterdir() if self._is_ours(p.name) and not p.is_symlink() and p.is_dir())

    def make(self, *parts: str) -> Path:
        """A new folder of this process with the folders ``parts`` in it, for its owner alone."""
        folder = self.base / f"{self.name}.{os.getpid()}.{process_start(os.getpid())}"
        for path in (folder, *(folder / part for part in parts)):
            path.mkdir(mode=0o700)
            if self.owner and os.geteuid() == 0:
                os.chown(path, *self.owner)
        return folder

    def give(self, folder: Path) -> None:
        """Makes the owner own all below ``folder``, when we are root."""
        if not self.owner or os.geteuid() != 0:
            return
        for root, folders, files in os.walk(folder):
            for name in (".", *folders, *files):
                path = os.path.join(root, name)  # noqa: PTH118 - a cluster has hundreds of thousands of files
                if os.lstat(path).st_uid != self.owner[0]:
                    os.chown(path, *self.owner, follow_symlinks=False)

    def remove(self, folder: Path) -> None:
        """Ends what runs in ``folder``, and removes it. ScratchError when something of it stays."""
        if folder.parent != self.base or not self._is_ours(folder.name):
            raise ScratchError(f"{folder} is not a folder of {self.name} in {self.base}: it is not touched.")
        end_processes(folder)
        for _attempt in range(3):  # what just died may still have been writing
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                return
            time.sleep(0.2)
        raise ScratchError(f"{folder} cannot be removed. Look what holds it, and remove it by hand.", code="CLEANUP")

    def _is_ours(self, name: str) -> bool:
        return name.startswith(self.name) and _PARTS.fullmatch(name[len(self.name) :]) is not None

    def _prepare_base(self) -> None:
        try:
            self.base.mkdir(mode=0o755, parents=True, exist_ok=True)
            found = self.base.stat()
        except OSError as exc:
            raise ScratchError(f"scratch {self.base} cannot be used ({exc.strerror}). Choose a folder that this user may write.") from exc
        # In a folder that others may write, names could be planted, and we would remove or give away what is not ours.
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            raise ScratchError(
                f"scratch {self.base} belongs to somebody else or is writable by others. Choose a folder of this user's own."
            )


def free_bytes(folder: Path) -> int:
    """Free space where ``folder`` is, or will be."""
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free


def process_start(pid: int) -> int:
    """When a process began, in ticks since boot: with the pid it names one process for good. 0 when there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def processes_in(folder: Path) -> list[int]:
    """Living processes that run out of ``folder``: by working folder, by environment, or because an argument names it."""
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and int(p.name) != os.getpid() and _runs_in(p, str(folder))]


def _runs_in(process: Path, folder: str) -> bool:
    with contextlib.suppress(OSError):
        if process.joinpath("stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X"):
            return False
        cwd = str(process.joinpath("cwd").readlink()).removesuffix(" (deleted)")
        if cwd == folder or cwd.startswith(f"{folder}/"):
            return True
        if f"{MARK}={folder}".encode() in process.joinpath("environ").read_bytes().split(b"\0"):
            return True
        args = process.joinpath("cmdline").read_bytes().split(b"\0")
        return any(arg == f"--pg1-path={folder}/data".encode() for arg in args)
    return False


def end_processes(folder: Path) -> None:
    """SIGQUIT lets PostgreSQL stop at once and give its shared memory back; what is still there after a while is killed."""
    for sig, grace_s in ((signal.SIGQUIT, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        for pid in processes_in(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        end = time.monotonic() + grace_s
        while processes_in(folder):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        else:
            return
    raise ScratchError(f"processes {processes_in(folder)} in {folder} do not end. End them by hand.", code="CLEANUP")
