"""Loaded by every Python process of a run that is watched: sees each program that is started and each file before it goes.

Sampling can miss what lives for a millisecond. This cannot: Python tells its audit hooks of each start and each removal before
it happens. Findings are appended to ``LEAK_LOG``, written paths to ``LEAK_LOG.paths``.
"""

# thousands of calls a second, and pathlib would itself be audited
# ruff: noqa: PTH100, PTH113, PTH114, PTH117, PTH123

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable
from typing import Any

STARTS = {"subprocess.Popen": 2, "os.posix_spawn": 2, "os.exec": 2, "os.spawn": 3, "os.system": 1, "pty.spawn": 1}
"""How many of an event's values are the program and its arguments. What follows is the environment, where secrets may be."""
LARGEST = 8 << 20
WRITING = os.O_WRONLY | os.O_RDWR


class Hook:
    """Looks at events. It is called within each of them, so its own must not count."""

    def __init__(self, log: str, pattern: re.Pattern[bytes]) -> None:
        self.log, self.pattern = log, pattern
        self.busy = False
        self.seen: set[str] = set()
        watched: dict[str, Callable[[str, tuple[Any, ...]], None]] = dict.fromkeys(STARTS, self.started)
        others = {"os.remove": self.removed, "os.truncate": self.truncated, "syslog.syslog": self.logged, "open": self.opened}
        self.watched = watched | others

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.busy or event not in self.watched:
            return
        self.busy = True
        try:
            with contextlib.suppress(OSError, IndexError, ValueError):
                self.watched[event](event, args)
        finally:
            self.busy = False

    def started(self, event: str, args: tuple[Any, ...]) -> None:
        self.look(event, repr(args[: STARTS[event]]).encode(errors="replace"))

    def logged(self, _event: str, args: tuple[Any, ...]) -> None:
        self.look("system log", repr(args).encode(errors="replace"))

    def removed(self, _event: str, args: tuple[Any, ...]) -> None:
        name, folder = os.fsdecode(args[0]), args[1]
        here = folder in (-1, None) or os.path.isabs(name)
        self.look_into("removed file", name if here else f"/proc/self/fd/{folder}/{name}")

    def truncated(self, _event: str, args: tuple[Any, ...]) -> None:
        self.look_into("truncated file", f"/proc/self/fd/{args[0]}" if isinstance(args[0], int) else os.fsdecode(args[0]))

    def opened(self, _event: str, args: tuple[Any, ...]) -> None:
        path, flags = args[0], args[2] or 0
        if not isinstance(path, (str, bytes)) or not flags & WRITING:
            return
        path = os.path.abspath(os.fsdecode(path))
        if flags & os.O_TRUNC:
            self.look_into("overwritten file", path)
        if path not in self.seen and not path.startswith(("/dev/", "/proc/")):
            self.seen.add(path)
            self.note(f"{self.log}.paths", path)

    def look_into(self, what: str, path: str) -> None:
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                self.look(f"{what} {os.path.realpath(path)}", file.read(LARGEST))

    def look(self, what: str, data: bytes) -> None:
        if hit := self.pattern.search(data):
            around = data[max(0, hit.start() - 60) : hit.end() + 60].decode(errors="replace")
            self.note(self.log, f"{what}: {around!r}")

    @staticmethod
    def note(file: str, line: str) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode(errors="replace") + b"\n")
        finally:
            os.close(descriptor)


def preload() -> None:
    """Each task is a fork of ansible-playbook, and would import these anew."""
    for name in ("boto3", "kubernetes.config", "kubernetes.client", "psycopg", "requests", "jsonschema", "cryptography.x509"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


if "LEAK_LOG" in os.environ:
    if any(word.endswith("ansible-playbook") for word in sys.orig_argv):
        preload()
    sys.addaudithook(Hook(os.environ["LEAK_LOG"], re.compile(base64.b64decode(os.environ["LEAK_PATTERN"]))))
