# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The password file of a break-glass grant: libpq's own form (PGPASSFILE), so that nobody has to type or show the password."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError


class PassfileError(ChangeError):
    """A password file that cannot be written, or that is not ours to touch."""


@dataclass(frozen=True)
class Login:
    """One line of the file, less the password."""

    host: str
    port: int
    database: str
    role: str

    def line(self, password: str) -> str:
        parts = (self.host, str(self.port), self.database, self.role, password)
        return ":".join(part.replace("\\", "\\\\").replace(":", "\\:") for part in parts)


def read_password(path: Path, role: str) -> str | None:
    """The password that the file holds for the role; None when it is not there or empty. PassfileError when it is another's file."""
    text = _text(path)
    if text is None or not text.strip():
        return None
    found = {line.rsplit(":", 1)[1] for line in text.splitlines() if f":{role}:" in line}
    if len(found) != 1 or len(text.splitlines()) != text.count(f":{role}:"):
        raise PassfileError(
            f"{path} is there and holds something else than the password of {role}. Name another path; nothing was changed."
        )
    return found.pop()


def write_password(path: Path, logins: Sequence[Login], password: str) -> bool:
    """Writes the file, mode 0600; False when it says so already."""
    wanted = "".join(f"{login.line(password)}\n" for login in logins)
    if _text(path) == wanted:
        return False
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(wanted)
            file.flush()
            os.fsync(descriptor)
    except OSError as exc:
        raise PassfileError(f"the password file {path} cannot be written: {exc.strerror}. Name a path in a folder of yours.") from exc
    return True


def remove_password(path: Path, role: str) -> bool:
    """Removes the file when it is there and is this role's. What is somebody else's stays."""
    with contextlib.suppress(PassfileError):
        if _text(path) is not None and (not _text(path) or read_password(path, role)):
            path.unlink()
            return True
    return False


def _text(path: Path) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise PassfileError(f"the password file {path} cannot be used: {exc.strerror}. Name another path.") from exc
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
            raise PassfileError(f"the password file {path} is not a file that only you can read. Name another path; nothing was changed.")
        return file.read()
