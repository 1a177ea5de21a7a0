# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backups of one server as Barman's ``backup.info`` tells them, and its archive of WAL as the listing shows it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .backup import Backup, Stanza, System
from .checks import Check, unknown
from .stored_files import Stored
from .wal import Archive, parse_lsn

DONE = "DONE"
COPIED = "WAITING_FOR_WALS"
"""All files are there, and Barman has not seen all WAL yet."""
SETTLED_S = 60
ENDED = (DONE, COPIED, "FAILED")
_LINE = re.compile(r"(?P<key>[a-z_]+)=(?P<value>.*)")
_SEGMENT = re.compile(r"(?:[0-9A-F]{8}/)?[0-9A-F]{16}/(?P<name>[0-9A-F]{24})(?P<partial>\.partial)?")
_HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history")


@dataclass(frozen=True)
class Info:
    """What one ``backup.info`` says: its values as they are written."""

    label: str
    status: str
    fields: Mapping[str, str]

    @property
    def whole(self) -> bool:
        return self.status in (DONE, COPIED)


def read_info(text: str, label: str) -> Info:
    """ValueError, with the reason, for what Barman did not write, or did not write to its end."""
    fields = {found["key"]: found["value"] for line in text.splitlines() if (found := _LINE.fullmatch(line))}
    if "status" not in fields or not text.endswith("\n"):
        raise ValueError("it is not what Barman writes")
    info = Info(label, fields["status"], fields)
    if info.whole:
        _backup(info, 1)
    return info


def _backup(info: Info, db: int) -> Backup:
    told = info.fields
    try:
        parents = [told["parent_backup_id"]] if told.get("parent_backup_id", "None") != "None" else []
        return Backup(
            label=info.label,
            type="incr" if parents else "full",
            start=dt.datetime.fromisoformat(told["begin_time"]),
            stop=dt.datetime.fromisoformat(told["end_time"]),
            lsn_start=told["begin_xlog"],
            lsn_stop=told["end_xlog"],
            wal_start=told["begin_wal"],
            wal_stop=told["end_wal"],
            references=tuple(parents),
            error=False,
            size=int(told["size"]),
            repo=1,
            db=db,
        )
    except KeyError as exc:
        raise ValueError(f"it does not tell {exc.args[0]}") from exc


def stanza(name: str, infos: Iterable[Info]) -> Stanza:
    """The backups that are whole. The system of the newest one is the one that is backed up now."""
    whole = sorted(
        (info for info in infos if info.whole), key=lambda info: (dt.datetime.fromisoformat(info.fields["end_time"]), info.label)
    )
    systems: dict[tuple[str, str], System] = {}
    backups: list[Backup] = []
    for info in whole:
        key = info.fields.get("systemid", ""), version(info)
        found = systems.setdefault(key, System(len(systems) + 1, 1, *key))
        backups.append(_chained(_backup(info, found.id), backups))
    return Stanza(name, 0, "ok", tuple(backups), tuple(systems.values()), ())


def _chained(backup: Backup, earlier: Iterable[Backup]) -> Backup:
    """With the parents of its parent, as far as they are there."""
    above = next((one.references for one in earlier if one.label in backup.references), ())
    return Backup(**{**backup.__dict__, "references": (*above, *backup.references)})


def version(info: Info) -> str:
    """PostgreSQL's major version, of a number such as 150018."""
    number = info.fields.get("version", "")
    return str(int(number) // 10_000) if number.isdigit() else ""


def archive_of(stored: Mapping[str, Stored], written: Mapping[str, int]) -> Archive:
    """The listing below ``wals``, and when each of its files was written, in seconds since 1970."""
    segments, histories, partials = {}, [], []
    for path, file in stored.items():
        if found := _SEGMENT.fullmatch(path):
            if found["partial"]:
                partials.append(found["name"])
            elif file.size:
                segments[found["name"]] = written[path]
        elif found := _HISTORY.fullmatch(path):
            histories.append(int(found["timeline"], 16))
    return Archive(segments, (), tuple(sorted(histories)), tuple(sorted(partials)))


def empty_of(stored: Mapping[str, Stored]) -> set[str]:
    """The names of segments of which nothing is there but the name: they are none, and Barman writes no such file."""
    matches = ((_SEGMENT.fullmatch(path), file) for path, file in stored.items())
    return {found["name"] for found, file in matches if found and not file.size and not found["partial"]}


MAGIC = {
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zst",
    b"\xfd7zXZ\x00": "xz",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"-----BEGIN PGP MESSAGE": "gpg",
}
"""Barman compresses and encrypts a file of WAL without naming it otherwise."""
HEAD = max(map(len, MAGIC))
_PACKETS = re.compile(
    rb"[\x84\x8c\xc1\xc3][\x00-\xbf][\x03-\x06]|\x85..[\x03-\x06]|[\xc1\xc3](?:[\xc0-\xdf].|\xff....)[\x03-\x06]", re.DOTALL
)
"""How a message of OpenPGP begins: a packet with a session's key, its length, and its version (RFC 9580, 4.2 and 5.1 to 5.3)."""


def codec_of(head: bytes) -> str:
    """How a file of WAL is compressed, "gpg" when it is encrypted, "" when it is neither."""
    if _PACKETS.match(head):
        return "gpg"
    return next((codec for magic, codec in MAGIC.items() if head.startswith(magic)), "")


UNREAD = {
    "snappy": (
        "compressed by snappy, which cannot be read here",
        "Set compression of this server to gzip, lz4, zstd or xz; what is compressed by snappy only a restore proves.",
    ),
    "gpg": ("encrypted", "Barman's check and a restore with the key prove them; without the key nothing can."),
}
"""What is said of files in a form that is known and cannot be read, and what to do."""


def judge_unread(files: Mapping[str, int]) -> list[Check]:
    """Of each such form, when there are files of it."""
    return [
        unknown("wal_decoder", f"{count} files of the archive are {UNREAD[codec][0]}", hint=UNREAD[codec][1], code="DECODER")
        for codec, count in sorted(files.items())
    ]


def judge_listed_wal(listed: Iterable[str], archive: Archive, *, now: dt.datetime) -> Check:
    """Barman restores the WAL that its own list names; what was taken in a moment ago may be on its way into it."""
    known, settled = set(listed), now.timestamp() - SETTLED_S
    lost = sorted(name for name, at in archive.stored.items() if at < settled and name not in known)
    hint = "Run barman rebuild-xlogdb for this server." if lost else ""
    return Check("wal_listed", not lost, {"unlisted": lost[:5]}, {"unlisted": []}, hint, "WAL_GAP" if lost else "")


def differs(info: Info, timeline: int, start: int) -> bool:
    """Whether the document tells another beginning than the manifest of the same backup, which has a checksum."""
    return (info.fields["timeline"], parse_lsn(info.fields["begin_xlog"])) != (str(timeline), start)


def judge_ended(infos: Iterable[Info], *, now: dt.datetime, late_s: int) -> Check:
    """Did the newest attempt succeed, or does it still go on? A backup that failed leaves nothing to restore."""
    newest = max(infos, key=lambda info: info.label, default=None)
    hint = "Read Barman's log, take the backup again, and delete the one that failed."
    if newest is None or newest.whole:
        return Check("backup_succeeded", True, newest.status if newest else "none was tried", DONE)
    seen = f"{newest.label} is {newest.status}"
    began = _began(newest.label)
    running = newest.status not in ENDED and began is not None and (now - began).total_seconds() <= late_s
    return Check("backup_succeeded", running, seen, DONE, "" if running else hint, "" if running else "INCOMPLETE")


def _began(label: str) -> dt.datetime | None:
    """Barman names a backup by its own local time; a zone is not told, so that a day is forgiven for it."""
    try:
        return dt.datetime.strptime(label[:15], "%Y%m%dT%H%M%S").replace(tzinfo=dt.timezone.utc)
    except ValueError:
        return None
