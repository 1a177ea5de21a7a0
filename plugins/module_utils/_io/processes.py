# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which run this is, and whether another one still lives."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
from pathlib import Path

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Process


def this_process() -> Process:
    """The run as a whole. Ansible carries out each task in a worker that dies with it, so there it is the worker's parent."""
    parent = multiprocessing.parent_process()
    worker = type(multiprocessing.current_process()).__name__ == "WorkerProcess"
    pid = parent.pid if parent is not None and worker and parent.pid else os.getpid()
    return Process(socket.gethostname(), _machine(), pid, _started(pid))


def os_user() -> str:
    """Who runs Ansible: the account of the process, not the environment, which anyone can set."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def alive(process: Process) -> bool | None:
    """None when it is of another machine (or of a container with other process numbers), or when it cannot be told."""
    machine = _machine()
    if not machine or process.machine != machine:
        return None
    return _started(process.pid) == process.started


def _machine() -> str:
    """One boot of one machine, and one space of process numbers in it; empty when the system does not tell."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(pid: int) -> str:
    """When it began, in ticks since boot; empty when it is not there, or dead and not yet collected by its parent."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = text.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else rest[18]
