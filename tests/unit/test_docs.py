"""The operators' pages say what the code does: examples are valid, commands run, tables are whole, links lead somewhere."""

from __future__ import annotations

import ast
import copy
import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import (
    approval,
    awx_approval,
    calendar_parse,
    calendar_rrule_text,
    change_file,
    checks,
    demand,
    ledger,
    policy,
    signals,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Changed, Content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import parse_trust_list
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import change_schema, policy_files, ssh_signature
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, load_signer, load_trust
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils import _approval

from tests.lab.kubernetes.manifests import OPERATOR_RULES
from tests.support.ansible import environment

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CORE = ROOT / "plugins" / "module_utils" / "_core"
NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def shell(script: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euc", script], cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


# -- links and the first screen --------------------------------------------------------------------------------------------
def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        file, _hash, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(found.read_text()), f"{path.name}: {target}"


def test_the_first_commands_stand_on_the_first_screen() -> None:
    head = (ROOT / "README.md").read_text().splitlines()[:20]
    for command in ("./dev demo", "./dev test"):
        assert any(line.startswith(command) for line in head), command


def test_playbooks_that_the_pages_name_are_there() -> None:
    for path in PAGES:
        for name in re.findall(r"ansible-playbook odoo_ops\.change_control\.(\w+)", path.read_text()):
            assert (ROOT / "playbooks" / f"{name}.yml").is_file(), f"{path.name}: {name}"


# -- the change file -------------------------------------------------------------------------------------------------------
def example() -> dict[str, Any]:
    (block,) = blocks(page("change-file.md"), "yaml")
    return dict(yaml.safe_load(block)["change"])


def errors_of(change: dict[str, Any], *, unmatched: tuple[str, ...] = ()) -> list[str]:
    found = [line for violation in change_schema.violations(change) for line in change_file.explain(violation)]
    return found + change_file.judge_change(change, tenants=["acme"], unmatched=list(unmatched), now=NOW)


def test_the_example_is_a_valid_change_file() -> None:
    assert change_schema.violations(example()) == []
    assert errors_of(example()) == []


def test_the_example_of_a_toggle_is_a_valid_change_file() -> None:
    (block,) = blocks(page("toggles.md"), "yaml")
    assert errors_of(yaml.safe_load(block)["change"]) == []


def test_every_key_of_the_change_file_is_explained() -> None:
    schema, text = json.loads(change_schema.SCHEMA.read_text()), page("change-file.md")
    for key, spec in schema["properties"].items():
        for name, part in [(f"{key}.{k}", v) for k, v in spec.get("properties", {}).items()] or [(key, spec)]:
            row = re.search(rf"^\| `{re.escape(name)}` \|.*$", text, re.MULTILINE)
            assert row, name
            choices = part.get("enum") or part.get("items", {}).get("enum") or []
            assert [c for c in choices if f"`{c}`" not in row[0]] == [], name
            optional = key not in schema["required"] or (name != key and name.split(".")[1] not in spec.get("required", []))
            assert ("optional" in row[0]) == optional, name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("release.image", "registry.example.org/odoo:19.0"),
        ("class", "urgent"),
        ("id", "CHG-1"),
        ("streams", ["code", "database"]),
        ("tenants", "nosuch"),
        ("window.start", "2026-12-05T20:00:00"),
        ("window.duration", "2h"),
        ("window.start", "2026-11-05T20:00:00+01:00"),
        ("domain", None),
        ("impact", None),
        ("impcat", "x"),
        ("toggles", [{"parameter": "acme.api_token", "value": "x"}]),
    ],
)
def test_the_errors_read_as_the_page_says(path: str, value: Any) -> None:
    change = copy.deepcopy(example())
    *folders, key = path.split(".")
    place = change
    for folder in folders:
        place = place[folder]
    if value is None:
        del place[key]
    else:
        place[key] = value
    (told,) = errors_of(change, unmatched=(value,) if path == "tenants" else ())
    assert told in page("change-file.md")


# -- classes and policy ----------------------------------------------------------------------------------------------------
def keys_of(part: dict[str, Any], inside: str = "") -> list[str]:
    """The dotted keys of a schema's part, down to those that hold a value."""
    found = []
    for key, spec in part["properties"].items():
        found += keys_of(spec, f"{inside}{key}.") if "properties" in spec else [f"{inside}{key}"]
    return found


def first_column(name: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", page(name), re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`([\w.]+)`", row)}


def test_every_key_of_a_policy_and_of_a_catalogue_is_explained() -> None:
    policy, catalogue = (json.loads((change_schema.META / "schemas" / f"{n}.schema.json").read_text()) for n in ("policy", "catalogue"))
    wanted = {*keys_of(policy["$defs"]["profile"]), *policy["$defs"]["rule"]["properties"]["when"]["properties"]}
    assert wanted - first_column("policy.md") == set()
    assert set(keys_of(catalogue["$defs"]["entry"])) - first_column("classes.md") == set()


def test_the_examples_of_a_policy_are_valid(tmp_path: Path) -> None:
    _path, objectives, people, rules, readiness, _workload, _impact, waivers = (
        yaml.safe_load(block) for block in blocks(page("policy.md"), "yaml")
    )
    (tmp_path / "policy.yml").write_text(yaml.safe_dump({**policy_files.read_policy(), **objectives, **people, **rules}))
    assert policy_files.read_policy(str(tmp_path / "policy.yml"))["rules"] == rules["rules"]
    assert errors_of({**example(), **readiness, **waivers}) == []
    (release,) = (yaml.safe_load(block) for block in blocks(page("classes.md"), "yaml"))
    assert errors_of({**example(), **release}) == []


def test_the_list_of_access_of_the_page_is_read(tmp_path: Path) -> None:
    (block,) = blocks(page("access.md"), "yaml")
    (tmp_path / "access.yml").write_text(block)
    assert policy_files.read_access(str(tmp_path / "access.yml"))["version"] == "2026.1"


def test_the_classes_page_tells_the_shipped_values() -> None:
    document = policy_files.read_policy()
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (none|\d).*? \| `change_\w+`", page("classes.md"), re.MULTILINE))
    found = {name: policy.profile(document, name, "application", "production")["approvals"]["count"] for name in policy.CLASSES}
    assert rows == {name: str(count or "none") for name, count in found.items()}
    assert set(policy_files.read_catalogue()["entries"]) <= set(re.findall(r"`([a-z]+-[a-z]+)`", page("classes.md")))


def test_a_raised_class_is_told_as_the_page_says() -> None:
    change = {**example(), "class": "normal"}
    content = Content("", "", [Changed("a/migrations/1/pre.py")], {})
    documents = {"document": policy_files.read_policy(), "services": policy_files.read_catalogue()}
    decided = demand.decide(change, content, targets=["acme"], tiers={"acme": "multi_tenant"}, **documents)
    (told,) = demand.class_error(change, decided, "normal")
    assert told in page("change-file.md")


# -- approving -------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's commands, run as they stand there, in a folder that is thrown away, with a passphrase on the key."""
    folder = tmp_path_factory.mktemp("approving")
    (folder / "home" / ".ssh").mkdir(parents=True)
    ask = folder / "askpass"
    ask.write_text("#!/bin/sh\necho a passphrase of five words\n")
    ask.chmod(0o700)
    commands = blocks(page("approving.md"), "sh")
    assert len(commands) == 5
    env = {"HOME": str(folder / "home"), "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": ""}
    done = shell("\n".join(commands), folder, **env)
    assert done.returncode == 0, done.stderr
    assert 'Good "odoo-ops-change" signature for alice' in done.stdout
    return folder


def values() -> tuple[str, str]:
    """Change and digest of the page's example."""
    text = page("approving.md")
    return re.findall(r"^change=(\S+)$", text, re.MULTILINE)[0], re.findall(r"^digest=(\S+)$", text, re.MULTILINE)[0]


def judged(folder: Path, **other: str) -> approval.Judged:
    change, digest = values()
    people = {"requester": "bob", "executor": "carol", **other}
    return _approval.judge(
        ssh_signature.read_approvals([folder / change]),
        change=change,
        digest=people.pop("digest", digest),
        **people,
        allowed_signers=str(folder / "allowed_signers"),
        revoked=None,
        required=1,
        now=dt.datetime.now(dt.UTC),
    )


def test_the_commands_make_an_approval_that_counts(approved: Path) -> None:
    found = judged(approved)
    assert checks.verdict(found.checks) == "pass", found
    assert [vote.approver for vote in found.accepted] == ["alice"]


def test_the_commands_write_the_document_of_the_code(approved: Path) -> None:
    change, digest = values()
    written = (approved / change / "alice.json").read_bytes()
    at = dt.datetime.fromisoformat(json.loads(written)["at"])
    assert written == approval.approval_document(change, digest, "alice", at)


@pytest.mark.parametrize(
    ("other", "code"),
    [({"requester": "Alice"}, "REQUESTER"), ({"executor": "alice"}, "EXECUTOR"), ({"digest": "sha256:" + "0" * 64}, "OTHER_PLAN")],
)
def test_the_same_approval_is_refused_as_the_page_says(approved: Path, other: dict[str, str], code: str) -> None:
    found = judged(approved, **other)
    assert checks.verdict(found.checks) == "fail"
    assert [one["code"] for one in found.rejected] == [code]


# -- codes -----------------------------------------------------------------------------------------------------------------
def codes_in(path: Path) -> set[str]:
    """The reason codes that a file's texts hold."""
    texts = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text for text in texts if re.fullmatch(r"[A-Z][A-Z_]{2,}[A-Z]|[A-Z]{3}", text)}


SOURCES = {
    "backups.md": {
        "_core/barman.py": {"DONE", "FAILED", "WAITING_FOR_WALS"},
        "_basebackups.py": set(),
        "_barman.py": set(),
        "_io/basebackup_files.py": {"PG_VERSION"},
        "_core/recovery_bundle.py": set(),
        "_io/recovery_bundle_files.py": set(),
        "_recovery_kit.py": set(),
        "_io/checksums.py": {"CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"},
    },
    "rehearsal.md": {
        "_core/rehearsed.py": set(),
        "_core/neutral.py": set(),
        "_core/rehearsal.py": set(),
        "_drill_odoo.py": {"SELECT"},
        "_io/scratch_odoo.py": {"HOME", "LC_ALL", "TMPDIR", "ODOO_IMAGE"},
    },
    "approving.md": {
        "_core/approval.py": set(),
        "_core/awx_approval.py": set(),
        "_io/ssh_signature.py": {"LC_ALL", "PATH"},
        "_io/awx.py": {"JOB_ID", "AWX_HOST"},
        "../plugin_utils/_approval.py": set(),
    },
    "toggles.md": {"_core/toggles.py": set()},
    "when-a-change-stops.md": {
        "_core/guard.py": set(),
        "_core/overrun.py": set(),
        "_core/soak.py": set(),
        "_core/clock.py": set(),
        "_core/waivers.py": set(),
        "_core/source.py": {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "VALIDSIG", "GOODSIG"},
        "_core/calendar_decide.py": set(),
        "_core/backup.py": set(),
        "_core/backup_policy.py": set(),
        "_core/objectives.py": set(),
        "_core/wal_window.py": set(),
        "_core/pgbackrest_text.py": set(),
        "_core/stored_files.py": set(),
        "_core/bucket.py": {"FILESTORE_NOT_VERSIONED", "FILESTORE_EXPIRES", "FILESTORE_RETENTION", "FILESTORE_NOT_LOCKED"},
        "_core/drill.py": {"UTC"},
        "_core/drill_due.py": {"JACM"},
        "_drill.py": set(),
        "_io/scratch.py": {"ODOO_OPS_SCRATCH"},
        "../modules/restore_drill.py": set(),
        "../modules/odoo_canary.py": set(),
        "_canary.py": set(),
        "_core/outside.py": set(),
        "_io/canary_database.py": set(),
        # told as LEASE_LOST
        "../action/change_guard.py": {"OVERTAKEN"},
        "_core/judge.py": set(),
        "_core/canary_record.py": set(),
        "_io/canary.py": set(),
        "_checkpoint.py": set(),
        # BUG, NAME and DESTINATION are told with the key that is wrong, before anything begins
        "_core/checkpoint.py": {"BUG", "NAME", "DESTINATION"},
        "_core/break_glass.py": set(),
        "_core/debts.py": set(),
        "_core/readiness.py": set(),
        "_core/access.py": set(),
        "../action/access_review.py": set(),
        "_core/verbs.py": set(),
        "_core/workload.py": set(),
        "_core/calendar_sync.py": {"UTC"},
        "../action/sync_windows_check.py": set(),
        "../action/workload_check.py": {"UTC"},
        "_io/postgres_access.py": {"ALTER", "CREATE"},
        "../plugin_utils/_break_glass.py": set(),
        "../plugin_utils/_break_glass_world.py": set(),
    },
    "filestore.md": {
        "_core/filestore.py": set(),
        "_core/bucket.py": {
            "BUCKET_NOT_VERSIONED",
            "BUCKET_EXPIRES",
            "BUCKET_RETENTION",
            "BUCKET_NOT_LOCKED",
            "BUCKET_NOT_ENCRYPTED",
            "BUCKET_DELETED",
        },
        "_io/filestore_folder.py": set(),
        "_io/attachments.py": set(),
    },
    "signals.md": {
        "_core/traffic.py": set(),
        "_core/traffic_data.py": set(),
        "../action/traffic_check.py": set(),
        "_io/signals_read.py": set(),
    },
    "ledger.md": {"_core/chain.py": {"EMPTY"}, "_core/ledger.py": set(), "_core/signing_keys.py": set(), "_core/bundle.py": {"PEM"}},
}


@pytest.mark.parametrize(("name", "source"), [(name, source) for name, sources in SOURCES.items() for source in sources])
def test_every_code_is_explained(name: str, source: str) -> None:
    found = codes_in(ROOT / "plugins" / "module_utils" / source) - SOURCES[name][source]
    assert found or source == "_core/pgbackrest_text.py"
    assert sorted(code for code in found if f"`{code}`" not in page(name)) == []


def test_every_query_has_its_row() -> None:
    entries = policy_files.read_signals()["queries"]
    cells = [r"`(\w+)`", "(.*?)", "(.*?)", r"(\w+), (.*?)", "(.*?)", "(.*?)", "(.*?)", "(yes)? ?"]
    rows = re.findall(r"^\| " + r" \| ".join(cells) + r"\|$", page("signals.md"), re.MULTILINE)
    assert [row[0] for row in rows] == list(entries)
    for name, title, exporter, kind, unit, most, slots, compare, required in rows:
        entry, query = entries[name], signals.query_of(name, entries[name])
        assert (title, exporter, kind, unit) == (entry["title"], entry["exporter"], entry["kind"], entry["unit"]), name
        assert [slot.strip("` ") for slot in slots.split(",")] == query.slots(), name
        assert (compare == "both", bool(required)) == (len(query.compare) == 2, query.required), name
        assert all(f"{entry[key]:g}" in most for key in ("allowed", "tolerance", "limit") if key in entry), name


def test_the_catalogue_of_the_page_is_read(tmp_path: Path) -> None:
    _variables, own = blocks(page("signals.md"), "yaml")
    (tmp_path / "signals.yml").write_text(own)
    assert policy_files.read_signals(str(tmp_path / "signals.yml"))["queries"].keys() == {"replication_lag"}


def test_every_hint_of_an_approval_has_its_row() -> None:
    rows = {code for row in re.findall(r"^\| (`.*?) \|", page("approving.md"), re.MULTILINE) for code in re.findall(r"`(\w+)`", row)}
    assert (approval.HINTS.keys() | awx_approval.HINTS.keys()) - rows == set()


# -- the estate ------------------------------------------------------------------------------------------------------------
def options() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for role in ("change", "odoo_release", "tenant", "backup_gate"):
        for entry in yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"].values():
            for name, spec in entry["options"].items():
                # what one role requires and another defaults is required of the operator
                found[name] = spec if name not in found or spec.get("required") else found[name]
    return found


def rows() -> dict[str, str]:
    """Each variable of the tables with what stands in the column of defaults."""
    found = {}
    for names, _meaning, default in re.findall(r"^\| (`.*?) \| (.*?) \| ?(.*?) ?\|$", page("estate.md"), re.MULTILINE):
        each, cells = re.findall(r"`(\w+)`", names), re.findall(r"`(.*?)`", default)
        for number, name in enumerate(each):
            found[name] = "required" if default == "**required**" else cells[number] if len(cells) == len(each) else ""
    return found


@pytest.mark.parametrize(("name", "spec"), options().items())
def test_every_variable_is_in_the_tables_with_its_default(name: str, spec: dict[str, Any]) -> None:
    table = rows()
    if name not in table or table[name] == "":
        assert name in SET_BY_THE_PLAYBOOKS
        assert f"`{name}`" in page("estate.md")
    elif spec.get("required"):
        assert table[name] == "required"
    else:
        told, wanted = table[name], spec["default"]
        assert told == wanted or yaml.safe_load(told) == wanted


SET_BY_THE_PLAYBOOKS = {
    "change_stage",
    "change_class",
    "tenant_route_mode",
    "tenant_route_change",
    "tenant_update_job_name",
    "tenant_update_modules",
    "tenant_replace_failed_jobs",
    "tenant_toggle_job_name",
    "tenant_toggles",
    "tenant_toggles_back",
}


def test_what_the_tasks_use_beyond_the_specs_is_in_the_tables() -> None:
    example_variables = yaml.safe_load((ROOT / "inventories/example/group_vars/all.yml").read_text())
    wanted = {name for name in example_variables if name.startswith(("tenant_", "change_"))} | {"tenant_cohort", "tenant_backup_stanza"}
    assert wanted - rows().keys() == set()


def test_the_rights_are_those_of_the_labs_operator() -> None:
    found = re.findall(r"^\| (core|`[a-z0-9.]+`) \| ([a-z/, ]+) \| ([a-z, ]+) \|$", page("estate.md"), re.MULTILINE)
    told = [("" if group == "core" else group.strip("`"), resources.split(", "), verbs.split(", ")) for group, resources, verbs in found]
    assert told == [tuple(rule) for rule in OPERATOR_RULES]


def test_the_examples_of_the_estate_are_read_by_the_code(tmp_path: Path) -> None:
    variables, calendars = (yaml.safe_load(block) for block in blocks(page("estate.md"), "yaml"))
    assert variables.keys() - options().keys() == set()
    assert [calendar.name for calendar in read_calendars(calendars)] == ["production"]
    (commands,) = blocks(page("estate.md"), "sh")
    done = shell(commands, tmp_path)
    assert done.returncode == 0, done.stderr
    assert load_trust(tmp_path / "ledger.pub").keys.keys() == {load_signer(tmp_path / "ledger.pem").keyid}


# -- calendars -------------------------------------------------------------------------------------------------------------
def test_the_commands_of_the_calendars_page_answer(tmp_path: Path) -> None:
    example, argo = blocks(page("calendars.md"), "yaml")
    (tmp_path / "calendars.yml").write_text(example)
    (task,) = yaml.safe_load(argo)
    windows = task.pop("kubernetes.core.k8s")["definition"]["spec"]["syncWindows"]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{**task, "ansible.builtin.debug": {"msg": windows}}]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{**play, "vars": {"change_calendars": [str(tmp_path / "calendars.yml")]}}]))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    asked, listed = (shell(block, tmp_path, **environment({"PATH": path})) for block in blocks(page("calendars.md"), "sh"))
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert '"rule": "audit"' in asked.stdout
    assert '"next_start": "2026-12-12T19:00:00Z"' in asked.stdout
    assert listed.returncode == 0, listed.stdout + listed.stderr
    rendered = shell("ansible-playbook play.yml", tmp_path, **environment({"PATH": path}))
    assert '"kind": "allow"' in rendered.stdout, rendered.stdout + rendered.stderr
    for rule in ("month end", "tax filing", "payroll", "weekends", "audit"):
        assert f'"rule": "{rule}"' in listed.stdout


def test_every_kind_of_rule_is_explained() -> None:
    assert [kind for kind in calendar_parse.KINDS if f"| `{kind}` |" not in page("calendars.md")] == []
    assert [part for part in calendar_rrule_text.PARTS if part != "FREQ" and f"`{part}`" not in page("calendars.md")] == []


# -- reading the record ----------------------------------------------------------------------------------------------------
def test_the_commands_that_read_the_record(tmp_path: Path) -> None:
    signer = create_key(tmp_path / "ledger.pem")
    trust = load_trust(tmp_path / "ledger.pem.pub")
    kept = Ledger(DirectoryStore(tmp_path / "ledger"), trust=trust, signer=signer)
    for event, tenant in (("planned", None), ("started", "acme")):
        kept.append("CHG-2026-0142", event, actor="bob", at=NOW, tenant=tenant)
    read, proved = blocks(page("when-a-change-stops.md"), "sh")
    env = {"ledger": str(tmp_path / "ledger"), "change": "CHG-2026-0142", "trusted": str(tmp_path / "ledger.pem.pub")}
    done = shell(read, tmp_path, **env)
    assert done.stdout.splitlines() == ["1 2026-12-01T00:00:00Z - planned bob", "2 2026-12-01T00:00:00Z acme started bob"], done.stderr
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = shell(proved, tmp_path, **environment({**env, "PATH": path}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"verdict": "pass"' in done.stdout
    entry = tmp_path / "ledger" / "CHG-2026-0142" / ledger.entry_name(1, "planned")
    entry.chmod(0o600)
    entry.write_bytes(entry.read_bytes().replace(b"a", b"b", 1))
    assert shell(proved, tmp_path, **environment({**env, "PATH": path})).returncode != 0


def test_the_commands_that_show_and_export_the_record(tmp_path: Path) -> None:
    signer = create_key(tmp_path / "ledger.pem")
    kept = Ledger(DirectoryStore(tmp_path / "ledger"), trust=load_trust(tmp_path / "ledger.pem.pub"), signer=signer)
    kept.append("CHG-2026-0142", "planned", actor="bob", at=NOW)
    shown, exported = blocks(page("ledger.md"), "sh")
    paths = {"ledger": tmp_path / "ledger", "key": tmp_path / "ledger.pem", "trusted": tmp_path / "ledger.pem.pub"}
    env = {name: str(path) for name, path in paths.items()} | {"change": "CHG-2026-0142"}
    env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = shell(exported, tmp_path, **environment(env))
    assert done.returncode == 0, done.stdout + done.stderr
    done = shell(shown, tmp_path, **environment({**env, "ledger": str(tmp_path / "CHG-2026-0142.bundle.json")}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1  2026-12-01T00:00:00Z  planned  -  bob" in done.stdout


def test_the_trust_list_of_the_page_is_read() -> None:
    (block,) = blocks(page("ledger.md"), "yaml")
    assert [key.file for key in parse_trust_list(yaml.safe_load(block))] == ["ledger-2026.pub", "ledger-2027.pub"]
