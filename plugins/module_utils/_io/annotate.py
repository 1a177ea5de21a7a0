# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells monitoring of a change: Grafana's annotations, a Pushgateway, a file for the node exporter. Each says whether it had to write."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.annotation import (
    FILE,
    JOB,
    Told,
    annotation,
    differs,
    forgotten,
    identity,
    metrics,
    samples_of,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.json_api import JsonApi, ToldError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.whole_file import write_whole

ANNOTATIONS = "/api/annotations"
GROUPS = "/api/v1/metrics"
OF_GROUP = ("job", "change", "instance")  # labels that the Pushgateway itself sets
ENDED = "odoo_change_ended_timestamp_seconds"


def tell_grafana(web: JsonApi, what: Told, *, check_mode: bool) -> bool:
    """One annotation of the organisation for each change, found by its tags; the oldest, should two runs have made one each."""
    wanted = annotation(what)
    query = [*(("tags", tag) for tag in identity(what.change)), ("type", "annotation"), ("limit", "10")]
    found = web.ask("GET", ANNOTATIONS, query=query)
    if not isinstance(found, list) or not all(isinstance(one, Mapping) and isinstance(one.get("id"), int) for one in found):
        raise ToldError(f"{web.url} gave no list of annotations. Check that it is the address of Grafana")
    first = min(found, key=lambda one: one["id"], default=None)
    if first is not None and not differs(first, wanted):
        return False
    if check_mode:
        return True
    if first is None:
        web.ask("POST", ANNOTATIONS, body=wanted)
    else:
        web.ask("PATCH", f"{ANNOTATIONS}/{first['id']}", body=wanted)
    return True


def tell_pushgateway(web: JsonApi, what: Told, *, now: dt.datetime, keep_s: int, check_mode: bool) -> bool:
    """One group for each change. Groups of changes that ended long ago are deleted: nothing else would ever do it."""
    groups = _groups(web)
    text = metrics(what, grouped=True)
    stale = groups.get(what.change, {}) != samples_of(text)
    ends = {change: value for change, seen in groups.items() for (name, _labels), value in seen.items() if name == ENDED}
    old = [change for change in forgotten(ends, now=now, keep_s=keep_s) if change != what.change]
    if not check_mode:
        if stale:
            web.ask("PUT", _group(what.change), text=text)
        for change in old:
            web.ask("DELETE", _group(change))
    return stale or bool(old)


def _group(change: str) -> str:
    return f"/metrics/job/{JOB}/change@base64/{base64.urlsafe_b64encode(change.encode()).decode()}"


def _groups(web: JsonApi) -> dict[str, dict[Any, float]]:
    """The numbers of every change that is there, without the labels of its group."""
    answer = web.ask("GET", GROUPS)
    try:
        return {
            group["labels"]["change"]: _numbers(group)
            for group in answer["data"]
            if group["labels"].get("job") == JOB and "change" in group["labels"]
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ToldError(f"{web.url} gave no list of groups. Check that it is the address of a Pushgateway") from None


def _numbers(group: Mapping[str, Any]) -> dict[Any, float]:
    ours = {name: family for name, family in group.items() if name.startswith("odoo_change_")}
    return {
        (name, frozenset((key, value) for key, value in one["labels"].items() if key not in OF_GROUP)): float(one["value"])
        for name, family in ours.items()
        for one in family["metrics"]
    }


def tell_textfile(folder: Path, what: Told, *, now: dt.datetime, keep_s: int, check_mode: bool) -> bool:
    """One file for each change, whole or not at all; those of changes that ended long ago are taken away."""
    path, text = folder / f"odoo_change_{what.change}.prom", metrics(what, grouped=False)
    try:
        if not folder.is_dir():
            raise ToldError(f"there is no folder {folder}. Name the one that the node exporter reads (--collector.textfile.directory)")
        stale = not path.is_file() or path.read_text(encoding="utf-8") != text
        others = {file: _ended(file) for file in folder.glob("odoo_change_*.prom") if file != path and FILE.fullmatch(file.name)}
        old = forgotten({str(file): ended for file, ended in others.items() if ended}, now=now, keep_s=keep_s)
        if not check_mode:
            if stale:
                write_whole(path, text.encode())
                path.chmod(0o644)  # the node exporter is another user
            for file in old:
                Path(file).unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as exc:
        raise ToldError(f"{path} cannot be written ({type(exc).__name__}). Name a folder that this user may write to") from None
    return stale or bool(old)


def _ended(file: Path) -> float:
    """When the change of such a file ended; 0 while it is under way."""
    return next((value for (name, _labels), value in samples_of(file.read_text(encoding="utf-8")).items() if name == ENDED), 0.0)
