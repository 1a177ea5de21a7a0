"""Watches a run while it lives: every process's arguments and every file below its folders, sampled densely."""

# thousands of paths a second, as texts
# ruff: noqa: PTH118, PTH123, PTH208

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.support.leak_search import Search

HOOK = Path(__file__).with_name("leak_hook")
EVERY_S = 0.06
LARGEST = 32 << 20


class Watch:
    """``with Watch(...) as watch:`` samples until the block ends; ``findings`` are what it saw, ``sweeps`` how often it looked.

    Files ``at_end`` only grow, so they are looked at once, when all is over. Processes to ``ignore`` were there before.

    The audit hook of tests/support/leak_hook adds what sampling could miss; give :meth:`environment` to the run.
    """

    def __init__(
        self, search: Search, folders: Iterable[Path], log: Path, *, at_end: Iterable[Path] = (), ignore: Iterable[str] = ()
    ) -> None:
        self.search, self.folders, self.log, self.at_end = search, list(folders), log, list(at_end)
        self.ignore = {str(os.getpid()), *ignore}
        self.findings: set[str] = set()
        self.sweeps = self.arguments = 0
        self._seen: dict[str, tuple[int, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def environment(self) -> dict[str, str]:
        pattern = self.search.pattern.pattern if self.search.pattern else b"(?!)"
        path = os.pathsep.join(filter(None, [str(HOOK), os.environ.get("PYTHONPATH", "")]))
        return {"LEAK_LOG": str(self.log), "LEAK_PATTERN": base64.b64encode(pattern).decode(), "PYTHONPATH": path}

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.look_at_files([*self.folders, *self.at_end])
        self._read_hook()

    def _sample(self) -> None:
        while not self._over.wait(EVERY_S):
            self.sweeps += 1
            self.look_at_processes()
            self.look_at_files(self.folders)

    def look_at_processes(self) -> None:
        for entry in os.listdir("/proc"):
            if entry.isdigit() and entry not in self.ignore:
                with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as file:
                    self.arguments += 1
                    self._judge(f"arguments of process {entry}", file.read())

    def look_at_files(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            if folder.is_file():
                self._look_at(str(folder))
            for root, _folders, names in os.walk(folder):
                for name in names:
                    with contextlib.suppress(OSError):
                        self._look_at(os.path.join(root, name))

    def forget(self) -> None:
        """All files will be looked at again, with what is searched for now."""
        self._seen.clear()

    def _look_at(self, path: str) -> None:
        found = os.lstat(path)
        state = (found.st_mtime_ns, found.st_size)
        if self._seen.get(path) != state:
            self._seen[path] = state
            with open(path, "rb") as file:
                self._judge(f"file {path}", file.read(LARGEST))

    def _read_hook(self) -> None:
        """What the audit hook saw, and what now stands in the files that it saw being written elsewhere."""
        with contextlib.suppress(FileNotFoundError):
            self.findings |= set(self.log.read_text(errors="replace").splitlines())
        with contextlib.suppress(FileNotFoundError):
            for path in set(Path(f"{self.log}.paths").read_text(errors="replace").splitlines()):
                with contextlib.suppress(OSError):
                    self._look_at(path)

    def _judge(self, where: str, data: bytes) -> None:
        self.findings |= {f"{where}: {text!r}" for text in self.search(data)}
