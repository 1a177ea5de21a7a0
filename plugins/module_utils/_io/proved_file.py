# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The memory of a gate in a file. One that cannot be trusted is as good as none: then everything is read again."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from .._core.errors import ChangeError
from .._core.proved import Proved, decode, encode
from .whole_file import write_whole


def load(path: Path, subject: str) -> tuple[Proved, str]:
    """The memory, and why it begins anew ("" when it does not).

    ChangeError when it could not be written afterwards: better now than after hours of reading.
    """
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ChangeError(
            f"state is {path}, and {path.parent} is no directory in which this user may write. Make it, or run the task as its owner.",
            code="STATE",
        )
    try:
        return decode(path.read_bytes(), subject), ""
    except FileNotFoundError:
        return Proved(subject), ""
    except OSError as exc:
        raise ChangeError(f"state is {path}, which cannot be read: {exc.strerror}. Run the task as its owner.", code="STATE") from exc
    except ValueError as exc:
        return Proved(subject), f"the memory in {path} is not used, because {exc}: everything is read again"


def save(path: Path, proved: Proved, *, at: dt.datetime) -> None:
    """Puts the whole memory in its place in one step. OSError when the disk is full."""
    write_whole(path, encode(proved, at=at))
