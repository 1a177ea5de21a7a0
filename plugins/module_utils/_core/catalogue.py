# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service catalogue: which changes are approved in advance, and within which limits. Outside of them a change is not standard."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.classify import Classified, path_within
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Content, changed_objects
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import canonical, sha256
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import ref_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.policy import profile
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.toggles import parameters

STANDARD = "standard"


def judge_catalogue(document: Mapping[str, Any]) -> list[str]:
    """Errors that only the meaning shows. The document must have passed the schema."""
    errors = []
    for name, entry in document["entries"].items():
        duration = entry["limits"]["max_duration"]
        try:
            parse_duration(duration)
        except ValueError as exc:
            errors.append(f"catalogue.entries.{name}.limits.max_duration is {duration!r}: {exc}.")
    return errors


def entry_errors(change: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """A change file may name an entry of the catalogue, and no other."""
    name = change.get("catalogue_entry")
    return [] if name is None else [f"change.catalogue_entry is {error}" for error in unknown_entry(name, document)]


def unknown_entry(name: str, document: Mapping[str, Any]) -> list[str]:
    """What is wrong with the id of an entry, as the end of a sentence; nothing when the catalogue has it."""
    if name in document["entries"]:
        return []
    close = difflib.get_close_matches(name, list(document["entries"]), n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Write one of: {', '.join(document['entries'])}."
    return [f"{name!r}, which is no entry of the service catalogue. {hint}"]


def service(name: str, services: Mapping[str, Any], document: Mapping[str, Any], *, domain: str | None, environment: str) -> dict[str, Any]:
    """An entry with what the policy ``document`` makes of it: the path to its approval, and how long its window may be.

    Without a domain it is the first of the entry's own. ValueError when the entry is not for such changes.
    """
    if found := unknown_entry(name, services):
        raise ValueError(f"the entry is {found[0]}")
    entry = services["entries"][name]
    where = domain or entry["domains"][0]
    for key, asked in (("domain", where), ("environment", environment)):
        if asked not in entry[f"{key}s"]:
            raise ValueError(f"the entry {name} is not for the {key} {asked!r}. Ask for one of: {', '.join(entry[f'{key}s'])}.")
    chosen = profile(document, entry["class"], where, environment)
    longest = min((entry["limits"]["max_duration"], chosen["window"]["longest"]), key=parse_duration)
    return {
        "id": name,
        **{
            key: entry[key]
            for key in ("title", "class", "playbook", "approved_by", "domains", "environments", "streams", "reviewed_by", "limits")
        },
        "path": {
            "cell": f"{entry['class']}/{where}/{environment}",
            "profile": document["cells"][entry["class"]][where][environment],
            "gates": list(chosen["gates"]),
            "approvals": chosen["approvals"]["count"],
            "groups": dict(chosen["approvals"]["groups"]),
            "customer": list(chosen["approvals"]["customer"]),
            "retro": chosen["approvals"]["retro"],
        },
        "window": {"longest": longest, "overrun": chosen["window"]["overrun"]},
    }


def not_standard(
    change: Mapping[str, Any], content: Content | None, found: Classified, document: Mapping[str, Any], *, tenants: Sequence[str]
) -> list[str]:
    """Why the change is not the pre-approved one that its entry describes; nothing when it is. ``tenants`` are all it has an effect on."""
    if "catalogue_entry" not in change:
        return ["it names no catalogue_entry"]
    entry = document["entries"][change["catalogue_entry"]]
    if content is None and "release" in change:
        return ["no content is given, so nobody could hold the difference against the entry's limits"]
    return [
        *_outside_scope(change, found, entry),
        *_outside_limits(change, entry["limits"], tenants),
        *(_outside_content(content, entry["limits"]) if content is not None else []),
    ]


def fitting(change: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, str]:
    """The entry that a standard change fits, as the plan keeps it: who approved it, and the digest of what it says."""
    name = change["catalogue_entry"]
    entry = document["entries"][name]
    return {"entry": name, "approved_by": entry["approved_by"], "digest": "sha256:" + sha256(canonical(entry))}


def _outside_scope(change: Mapping[str, Any], found: Classified, entry: Mapping[str, Any]) -> list[str]:
    reasons = [] if entry["class"] == STANDARD else [f"the entry is for changes of the class {entry['class']}"]
    for key in ("domain", "environment"):
        if change[key] not in entry[f"{key}s"]:
            reasons.append(f"{key} is {change[key]}, the entry is for {', '.join(entry[f'{key}s'])}")
    if other := [stream for stream in found.streams if stream not in entry["streams"]]:
        reasons.append(f"it touches the stream {', '.join(other)}, the entry is for {', '.join(entry['streams'])}")
    if found.bundled:
        reasons.append(f"it bundles {', '.join(found.streams)}")
    if lacking := [group for group in found.groups if group not in entry["reviewed_by"]]:
        reasons.append(f"it must be reviewed by {', '.join(lacking)}")
    return reasons


def _outside_limits(change: Mapping[str, Any], limits: Mapping[str, Any], tenants: Sequence[str]) -> list[str]:
    reasons = []
    if len(tenants) > limits["max_tenants"]:
        reasons.append(f"it has an effect on {len(tenants)} tenants, at most {limits['max_tenants']} may be")
    if parse_duration(change["window"]["duration"]) > parse_duration(limits["max_duration"]):
        reasons.append(f"its window is {change['window']['duration']}, at most {limits['max_duration']} may be")
    modules = change.get("release", {}).get("modules", [])
    if other := [name for name in modules if not any(fnmatchcase(name, pattern) for pattern in limits["modules"])]:
        reasons.append(f"it updates {', '.join(other)}, which is outside of the entry's modules")
    if len(modules) > limits["max_modules"]:
        reasons.append(f"it updates {len(modules)} modules, at most {limits['max_modules']} may be")
    allowed = limits.get("toggles", [])
    if strange := [name for name in parameters(change) if not any(fnmatchcase(name, pattern) for pattern in allowed)]:
        reasons.append(f"it sets {', '.join(strange)}, which is outside of the entry's toggles")
    return reasons


def _outside_content(content: Content, limits: Mapping[str, Any]) -> list[str]:
    if not content.changed:
        return ["release.content shows no difference, so it does not show what the change is"]
    reasons = []
    if len(content.changed) > limits["max_files"]:
        reasons.append(f"{len(content.changed)} files differ, at most {limits['max_files']} may")
    if other := [file.path for file in content.changed if not any(path_within(file.path, pattern) for pattern in limits["paths"])]:
        reasons.append(f"{other[0]}{f' and {len(other) - 1} more' if other[1:] else ''} differ outside of the entry's paths")
    strange = [str(ref_of(obj)) for obj in changed_objects(content) if obj["kind"] not in limits["kinds"]]
    if strange:
        reasons.append(f"{strange[0]}{f' and {len(strange) - 1} more' if strange[1:] else ''} differ, kinds outside of the entry's")
    return reasons
