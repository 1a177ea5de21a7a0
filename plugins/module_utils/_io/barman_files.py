# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Barman keeps of one server: documents, the files of its backups, and archived WAL, which may be compressed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .._core.barman import HEAD, UNREAD, Info, archive_of, codec_of, empty_of, read_info
from .._core.errors import ChangeError
from .._core.stored_files import Found, Stored
from .._core.wal import Archive
from .basebackup_files import PlaceError, chunks_of, decoded_chunks
from .folder_walk import files_below, stored


class UnreadError(ChangeError):
    """A form of WAL that is known, and that nothing here can read."""

    def __init__(self, path: Path, codec: str) -> None:
        super().__init__(f"{path} is {UNREAD[codec][0]}. {UNREAD[codec][1]}", code="DECODER")
        self.codec = codec


class Server:
    """The directory that Barman calls a server's ``backup_directory``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        if not (home / "base").is_dir() or not (home / "wals").is_dir():
            raise PlaceError(f"location {home} has no base and wals that this user can see. Name the server's directory in Barman's home.")

    def infos(self, found: Found) -> list[Info]:
        """All that can be read, by label; what is wrong with the others is noted."""
        infos = []
        for label in sorted(path.name for path in (self.home / "base").iterdir() if path.is_dir()):
            path = self.document(label)
            found.files += 1
            try:
                infos.append(read_info(path.read_text(), label))
                found.read += 1
            except FileNotFoundError:
                found.missing.append(f"{label}/backup.info")
            except OSError:
                found.unreadable.append(f"{label}/backup.info")
            except ValueError:
                found.corrupt.append(f"{label}/backup.info")
        return infos

    def document(self, label: str) -> Path:
        """Barman has kept it in ``meta`` since 3.13, beside the backup before."""
        new = self.home / "meta" / f"{label}-backup.info"
        return new if new.exists() else self.home / "base" / label / "backup.info"

    def labels(self) -> set[str]:
        return {path.name for path in (self.home / "base").iterdir()}

    def data(self, label: str) -> Path:
        return self.home / "base" / label / "data"

    def wal(self) -> tuple[Archive, dict[str, tuple[Path, Stored]]]:
        """The archive, and each segment's file, the empty ones too, which the archive does not have."""
        root = self.home / "wals"
        seen = dict(files_below(str(root)))
        listed = {path: stored(one) for path, one in seen.items()}
        archive = archive_of(listed, {path: int(one.st_mtime) for path, one in seen.items()})
        files = {path.rpartition("/")[2]: (root / path, file) for path, file in listed.items()}
        names = archive.stored.keys() | empty_of(listed)
        return archive, {name: file for name, file in files.items() if name in names}

    def listed_wal(self) -> list[str] | None:
        """The names in Barman's own list; None where it may keep that elsewhere.

        Before 3.13 it is ``xlog.db``, and one that is not there is empty to Barman, which then restores no WAL. Since 3.13 it bears the
        server's name, may lie in another directory (``xlogdb_directory``), and is made again when it is not there.
        """
        wals = self.home / "wals"
        found = sorted(wals.glob("*-xlog.db")) or [path for path in (wals / "xlog.db",) if path.exists()]
        if not found:
            return None if (self.home / "meta").is_dir() else []
        return [line.partition("\t")[0] for path in found for line in path.read_text(errors="replace").splitlines()]

    def history(self, timeline: int) -> str | None:
        path = self.home / "wals" / f"{timeline:08X}.history"
        return b"".join(segment(path)).decode(errors="replace") if path.exists() else None


def segment(path: Path) -> Iterator[bytes]:
    """What is in a file of the archive, decompressed; OSError when it is damaged, UnreadError when nothing here can read it."""
    with path.open("rb") as file:
        codec = codec_of(file.read(HEAD))
    if codec in UNREAD:
        raise UnreadError(path, codec)
    return decoded_chunks(path, codec) if codec else chunks_of(path)
