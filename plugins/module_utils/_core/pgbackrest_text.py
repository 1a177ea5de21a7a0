# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pgBackRest's texts mean: the report of ``verify``, and its error lines.

``verify`` exits 0 on a corrupt repository, so nothing but this report tells. Seen on 2.45: a duplicate segment makes the status
``error`` while every counter is 0, and a backup without a manifest leaves it ``ok``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from .checks import Check, unknown

_ITEM = re.compile(
    r"^\s*(?P<kind>archiveId|backup): (?P<name>[^,]+?)(?:, status: (?P<status>[^,]+))?,"
    r" total (?:WAL|files) checked: (?P<checked>[0-9]+), total valid (?:WAL|files): (?P<valid>[0-9]+)"
)
_COUNTS = re.compile(r"(?P<what>missing|checksum invalid|size invalid|other): (?P<count>[0-9]+)")
_STATUS = re.compile(r"^status: (?P<status>\S+)", re.MULTILINE)
_ERROR = re.compile(r"ERROR: \[(?P<code>[0-9]+)\]: (?P<text>.*)")
# What belongs to a request rather than to a reason; some versions print it, and credentials travel there.
_PRIVATE = re.compile(r"authorization|signature|token|secret|access-?key|credential|pass(?:word|phrase)|cipher", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One archive or backup in the report."""

    kind: str
    name: str
    status: str
    checked: int
    valid: int
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def bad(self) -> dict[str, int]:
        return {what: count for what, count in self.counts.items() if count}


@dataclass(frozen=True)
class Report:
    """``verify --output=text --verbose``, read."""

    status: str
    items: tuple[Item, ...]
    remarks: tuple[str, ...]


def parse_verify(text: str) -> Report:
    """The report; ValueError when there is no status in it."""
    status = _STATUS.search(text)
    if not status:
        raise ValueError("the report has no status line")
    items: list[Item] = []
    remarks: list[str] = []
    for line in text.splitlines():
        found = _ITEM.match(line)
        if found:
            items.append(Item(found["kind"], found["name"], found["status"] or "", int(found["checked"]), int(found["valid"])))
        elif items and line.strip().startswith("missing: "):
            items[-1].counts.update({m["what"]: int(m["count"]) for m in _COUNTS.finditer(line)})
        elif line.strip() and not line.startswith(("stanza:", "status:")):
            remarks.append(line.strip())
    return Report(status["status"], tuple(items), tuple(remarks))


def judge_verify(report: Report, *, backups: Collection[str], archive_id: str) -> list[Check]:
    """Checks of content: each retained backup, the archive of the newest one, and the tool's own word at the end."""
    seen = {(item.kind, item.name): item for item in report.items}
    checks = [_content(seen.get(("archiveId", archive_id)), "archiveId", archive_id)] if archive_id else []
    checks += [_content(seen.get(("backup", label)), "backup", label) for label in sorted(backups)]
    observed = report.status if report.status == "ok" else "; ".join((report.status, *report.remarks))[:300]
    hint = "Run pgbackrest verify --output=text --verbose; a segment that is there twice, or damage in an older archive, shows here alone."
    return [*checks, Check("verify_status", report.status == "ok", observed, "ok", hint, "CHECKSUM")]


def _content(item: Item | None, kind: str, name: str) -> Check:
    check_id = f"content_{'wal' if kind == 'archiveId' else 'backup'}_{name}"
    if item is None:
        return unknown(check_id, "verify did not report it", hint="Run pgbackrest verify --output=text --verbose.", code="TOOL")
    whole = item.valid == item.checked > 0 and not item.bad and item.status in ("", "valid")
    missing_only = set(item.bad) == {"missing"} or item.status == "manifest missing"
    hint = "Take a full backup now; then look for the cause in the repository's storage."
    observed = {"checked": item.checked, "valid": item.valid, **({"status": item.status} if item.status else {}), **item.bad}
    return Check(check_id, whole, observed, "all valid", hint, "INCOMPLETE" if missing_only else "CHECKSUM")


def advice_of(message: str) -> tuple[str, str]:
    """(what was seen, what to do) of an error's text, whose last sentence is what to do."""
    seen, dot, advice = message.strip().rpartition(". ")
    return (seen, advice) if dot else (message.strip().rstrip("."), "")


def explain_error(stderr: str) -> str:
    """The reason in pgBackRest's error output, in one line, without anything of the request."""
    found = _ERROR.search(stderr)
    if found:  # only this line: what follows is the request with its headers
        text = found["text"].strip(" :")
        return f"[{found['code']}] {text}"[:400]
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not _PRIVATE.search(line)]
    return (lines[-1] if lines else "no message")[:400]
