# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The class of a change from its real difference. Rules are data (in the policy) and only ever raise it; so does the requester."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import impact
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import (
    Content,
    changed_objects,
    manifest_words,
    module_of,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import ref_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.policy import highest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.toggles import parameters

PROSE = (".md", ".rst", ".txt", ".po", ".pot")
NO_CODE = (*PROSE, ".yml", ".yaml", ".ics", ".conf", ".cfg", ".ini", ".toml")
MEDIA = (".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".woff", ".woff2", ".ttf", ".eot", ".pdf", ".mp3", ".mp4", ".mo")
NO_CONTENT = "no content given: nobody could look at the difference, so the requested class stands, and it is never standard"


@dataclass(frozen=True)
class Hit:
    """A rule that applies, and what it was seen in."""

    rule: Mapping[str, Any]
    seen: Sequence[str]

    def sentence(self) -> str:
        more = f" and {len(self.seen) - 1} more" if len(self.seen) > 1 else ""
        return f"{self.rule['name']} ({self.seen[0]}{more})"


@dataclass(frozen=True)
class Classified:
    """The class and why; the streams found, the groups that must review, and the tenants that are hit besides those of the change.

    ``transactions`` are those that must prove what was touched, by ``concurrency`` users at once.
    """

    change_class: str
    reasons: tuple[str, ...]
    streams: tuple[str, ...]
    groups: tuple[str, ...]
    impact: tuple[str, ...]
    transactions: tuple[str, ...] = ()
    concurrency: int = 1

    @property
    def bundled(self) -> bool:
        return len(self.streams) > 1


def classify(
    change: Mapping[str, Any], content: Content | None, *, rules: Sequence[Mapping[str, Any]], tenants: Sequence[impact.Placed] = ()
) -> Classified:
    """What the difference makes of a valid change. Without content, only what the change file declares can be judged.

    ``tenants`` are all of the estate. The service catalogue, which a standard change must fit in as well, has a decider of its own.
    """
    hits = [hit for rule in rules if (hit := _hit(rule, change, content, tenants))]
    streams = {*change["streams"], *(hit.rule["stream"] for hit in hits if "stream" in hit.rule)}
    groups = {group for hit in hits for group in hit.rule.get("groups", [])}
    found = highest([change["class"], *(hit.rule["class"] for hit in hits if "class" in hit.rule)])
    reasons = [f"requested: {change['class']}", *(_reason(hit) for hit in hits if not _silent(hit))]
    wanted = tuple(
        sorted({name for rule in (*(h.rule for h in hits), *_of_modules(rules, change)) for name in rule.get("transactions", [])})
    )
    users = max((int(hit.rule.get("concurrency", 1)) for hit in hits), default=1)
    if "toggles" in change:
        streams.add("config")
    if content is None:
        reasons += [NO_CONTENT] if "release" in change else []
        return Classified(found, tuple(reasons), tuple(sorted(streams)), tuple(sorted(groups)), (), wanted, users)
    if _code(content):
        streams.add("code")
    if unread := _unread(content):
        found = highest([found, "normal"])
        reasons.append(f"normal: {Hit({'name': 'what nobody could look into'}, unread).sentence()}")
    hit_tenants = {
        *impact.by_objects(changed_objects(content), tenants),
        *(name for file in content.changed for name in impact.by_setting(file.path, tenants)),
    }
    return Classified(found, tuple(reasons), tuple(sorted(streams)), tuple(sorted(groups)), tuple(sorted(hit_tenants)), wanted, users)


def _of_modules(rules: Sequence[Mapping[str, Any]], change: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rules for the names of the modules that are updated, or whose parameters are set: they are known without any content."""
    modules = [*change.get("release", {}).get("modules", []), *(name.partition(".")[0] for name in parameters(change))]
    return [rule for rule in rules if any(path_matches(name, pattern) for name in modules for pattern in rule["when"].get("paths", []))]


def stream_errors(change: Mapping[str, Any], streams: Sequence[str]) -> list[str]:
    """A bundle needs a justification, whether it was declared or not. The declared ones are judged with the change file."""
    undeclared = [stream for stream in streams if stream not in change["streams"]]
    if not undeclared or change.get("bundle_justification"):
        return []
    return [
        f"change.streams is {', '.join(change['streams'])}, and the difference holds {', '.join(undeclared)} as well. "
        "Split the change, or name all streams and say in change.bundle_justification why they belong together."
    ]


def _reason(hit: Hit) -> str:
    told = [hit.rule["class"]] if "class" in hit.rule else []
    if groups := hit.rule.get("groups"):
        told.append(f"reviewed by {', '.join(groups)}")
    return f"{', '.join(told)}: {hit.sentence()}"


def _silent(hit: Hit) -> bool:
    """A rule that only names a stream makes no reason of its own."""
    return "class" not in hit.rule and not hit.rule.get("groups")


def _hit(rule: Mapping[str, Any], change: Mapping[str, Any], content: Content | None, tenants: Sequence[impact.Placed]) -> Hit | None:
    when = rule["when"]
    seen = [stream for stream in change["streams"] if stream in when.get("streams", [])]
    if content is not None:
        seen += _in_paths(when, content) + _in_manifests(when, content) + _in_sql(when, content) + _in_objects(when, content, tenants)
    return Hit(rule, list(dict.fromkeys(seen))) if seen else None


def path_matches(path: str, pattern: str) -> bool:
    """Whether the pattern's names match names in a row of the path, in any letter case. ``*`` does not cross a ``/``."""
    names, wanted = path.lower().split("/"), pattern.lower().split("/")
    starts = range(len(names) - len(wanted) + 1)
    return any(all(fnmatchcase(name, want) for name, want in zip(names[at:], wanted, strict=False)) for at in starts)


def path_within(path: str, pattern: str) -> bool:
    """Whether the path ends as the pattern says. ``*`` does not cross a ``/``; ``**`` stands for any folders, also none."""
    parts = {"**/": "(?:.+/)?", "**": ".+", "*": "[^/]*", "?": "[^/]"}
    form = "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern))
    return re.fullmatch(rf"(?:.*/)?{form}", path) is not None


def _in_paths(when: Mapping[str, Any], content: Content) -> list[str]:
    return [file.path for file in content.changed if any(path_matches(file.path, pattern) for pattern in when.get("paths", []))]


def _in_manifests(when: Mapping[str, Any], content: Content) -> list[str]:
    """Modules that differ and depend on, or belong to, something that the rule names; before or after."""
    depends, categories, seen = when.get("depends", []), when.get("categories", []), []
    if not depends and not categories:
        return []
    touched = {module for file in content.changed if (module := module_of(file.path, content.manifests)) is not None}
    for module in sorted(touched):
        for names, category in filter(None, map(manifest_words, content.manifests[module])):
            seen += [f"{module or 'the module'} depends on {name}" for name in names if _any(name, depends)]
            seen += [f"{module or 'the module'} is of category {category}"] if _any(category, categories) else []
    return seen


def _in_sql(when: Mapping[str, Any], content: Content) -> list[str]:
    """Files that differ and hold such SQL anywhere: a statement of which one line is new is a new statement."""
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in when.get("sql", [])]
    return [
        file.path
        for file in content.changed
        if not file.path.lower().endswith(PROSE) and any(pattern.search(file.text) for pattern in patterns)
    ]


def _in_objects(when: Mapping[str, Any], content: Content, tenants: Sequence[impact.Placed]) -> list[str]:
    kinds, seen = when.get("kinds", []), []
    for obj in changed_objects(content):
        if _any(obj["kind"], kinds):
            seen.append(str(ref_of(obj)))
        elif when.get("shared") and impact.shared(obj, tenants):
            seen.append(f"{ref_of(obj)}, with {len(impact.behind(obj, tenants))} tenants behind it")
    return seen


def _any(word: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(word.lower(), pattern.lower()) for pattern in patterns)


def _unread(content: Content) -> list[str]:
    unread = [file.path for file in content.changed if file.objects is None or not (file.readable or file.path.lower().endswith(MEDIA))]
    broken = [module for module, texts in content.manifests.items() for text in texts if manifest_words(text) is None]
    return unread + [f"the manifest of {module}" for module in sorted(set(broken))]


def _code(content: Content) -> bool:
    return any(not file.path.lower().endswith(NO_CODE) for file in content.changed)
