# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work in a process that has a network of its own with nothing in it but the way to itself: it reaches nobody, and nobody reaches it.

See network_namespaces(7) and user_namespaces(7). A socket of PostgreSQL in a folder is no network, and still can be used.
"""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import os
import signal
import socket
import struct
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from .._core.errors import ChangeError

T = TypeVar("T")
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_DIES_WITH_PARENT = 1
_SET_FLAGS, _UP = 0x8914, 0x1


class NetworkError(ChangeError):
    """This process may not have a network of its own, or what worked in it ended."""


def alone(work: Callable[[], T]) -> T:
    """What ``work`` returns, which has to be able to be pickled. It is killed when this process is, or is interrupted.

    NetworkError when there can be no such network; the ChangeError that ``work`` raised.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(theirs, work))
    child.start()
    theirs.close()
    try:
        result, error, facts = ours.recv()
    except EOFError:
        raise NetworkError("the process without a network ended without an answer. See the system's log.", code="TOOL") from None
    finally:
        child.kill()
        child.join()
    if error is not None:
        raise ChangeError(error, **facts)
    return result  # type: ignore[no-any-return]


def interfaces() -> list[str]:
    """The names of this process's ways out, the one to itself among them."""
    return sorted(line.split(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:])


def _work(answer: Connection, work: Callable[[], Any]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        _leave()
        answer.send((work(), None, {}))
    except ChangeError as exc:
        answer.send((None, str(exc), exc.facts))
    except Exception as exc:
        answer.send((None, f"{type(exc).__name__}: {exc}", {"code": "TOOL"}))


def _leave() -> None:
    """Into a network of one's own; without root's rights in a world of users of one's own, where it is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_NETWORK if uid == 0 else _NEW_USER | _NEW_NETWORK) != 0:
        why = os.strerror(ctypes.get_errno())
        raise NetworkError(
            f"no network of its own can be made for Odoo ({why}), so the copy could reach the world. Run the task as root (with "
            "CAP_SYS_ADMIN in a container), or let this user make user namespaces.",
            code="ISOLATION",
        )
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
