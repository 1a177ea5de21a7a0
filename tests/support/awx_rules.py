"""What AWX 24.6.1 refuses, written down from its public API source, apart from the product's own checks so that both can be wrong alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from dateutil import rrule as dateutil_rrule

Json = dict[str, Any]
Tables = Mapping[str, Mapping[int, Json]]
TEMPLATES = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
EDGES = ("success_nodes", "failure_nodes", "always_nodes")
SECRET = "$encrypted$"


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, document: Any) -> None:
        super().__init__(status)
        self.status = status
        self.document = document


def refuse(field: str, reason: str) -> Refused:
    return Refused(400, {field: [reason]})


# -- schedules -------------------------------------------------------------------------------------------------------------
def check_rrule(value: str) -> None:
    starts = re.findall(r"((DTSTART[^: ]*):[0-9]+T[0-9]+Z?)", value)
    naive = [start for start, head in starts if "TZID" not in head and not start.endswith("Z")]
    rules = re.findall(r".*?(RRULE:[^\s]*)", value)
    errors = [] if starts else ["Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ"]
    errors += ["DTSTART cannot be a naive datetime.  Specify ;TZINFO= or YYYYMMDDTHHMMSSZZ."] if naive else []
    errors += ["Multiple DTSTART is not supported."] if len(starts) > 1 else []
    errors += [] if "rrule:" in value.lower() else ["One or more rule required in rrule."]
    errors += [f"{word} not allowed in rrule." for word in ("EXDATE", "RDATE") if f"{word.lower()}:" in value.lower()]
    for rule in rules:
        errors += rule_errors(rule)
    try:
        parsed = dateutil_rrule.rrulestr(value, forceset=True)
        if any(rule._dtstart.tzinfo is None for rule in parsed._rrule):
            errors.append("rrule parsing failed validation: A valid TZID must be provided (e.g., America/New_York)")
    except Exception as exc:
        errors.append(f"rrule parsing failed validation: {exc}")
    if errors:
        raise Refused(400, {"rrule": errors})


def rule_errors(rule: str) -> list[str]:
    errors = []
    if "interval" not in rule.lower():
        errors.append(f"INTERVAL required in rrule: {rule}")
    elif "secondly" in rule.lower():
        errors.append(f"SECONDLY is not supported: {rule}")
    if re.match(r".*?BYDAY[:=][0-9]+[a-z]{2}", rule, re.IGNORECASE):
        errors.append(f"BYDAY with numeric prefix not supported: {rule}")
    if "COUNT" in rule and "UNTIL" in rule:
        errors.append(f"RRULE may not contain both COUNT and UNTIL: {rule}")
    count = re.match(r".*?COUNT=([0-9]+)", rule)
    if count and int(count[1]) > 999:
        errors.append(f"COUNT > 999 is unsupported: {rule}")
    return errors


# -- surveys ---------------------------------------------------------------------------------------------------------------
ANSWERS: dict[str, type] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}


def check_survey(spec: Json) -> None:
    for field, wanted, label in (("name", str, "string"), ("description", str, "string"), ("spec", list, "list of items")):
        if field not in spec:
            raise Refused(400, {"error": f"Field '{field}' is missing from survey spec."})
        if not isinstance(spec[field], wanted):
            raise Refused(400, {"error": f"Expected {label} for field '{field}', received {type(spec[field]).__name__} type."})
    if not spec["spec"]:
        raise Refused(400, {"error": "'spec' doesn't contain any items."})
    seen: set[str] = set()
    for number, question in enumerate(spec["spec"]):
        check_question(number, question)
        if question["variable"] in seen:
            raise Refused(400, {"error": f"'variable' '{question['variable']}' duplicated in survey question {number}."})
        seen.add(question["variable"])


def check_question(number: int, question: Json) -> None:
    for field in ("type", "question_name", "variable", "required"):
        if field not in question:
            raise Refused(400, {"error": f"'{field}' missing from survey question {number}"})
        if not isinstance(question[field], bool if field == "required" else str):
            raise Refused(400, {"error": f"'{field}' in survey question {number} expected to be of another type."})
    kind, default = question["type"], question.get("default", "")
    if kind not in ANSWERS:
        raise Refused(400, {"error": f"'{kind}' in survey question {number} is not one of '{', '.join(ANSWERS)}' allowed question types."})
    if default != "" and not isinstance(default, ANSWERS[kind]):
        raise Refused(400, {"error": f"Default value {default} in survey question {number} expected to be {kind}."})
    for key in ("min", "max"):
        if question.get(key) is not None and not isinstance(question[key], int):
            raise Refused(400, {"error": f"The {key} limit in survey question {number} expected to be integer."})
    if kind in ("multiselect", "multiplechoice") and "choices" not in question:
        raise Refused(400, {"error": f"Survey question {number} of type {kind} must specify choices."})


# -- credentials -------------------------------------------------------------------------------------------------------------
def check_credential_type(doc: Json, old: Json | None, in_use: bool) -> None:
    if old and old.get("managed"):
        raise Refused(403, {"detail": "Modifications not allowed for managed credential types"})
    fields = doc["inputs"].get("fields", [])
    for field in fields:
        if "id" not in field or "label" not in field:
            raise refuse("inputs", "'id' and 'label' are required properties of a field")
        field.setdefault("type", "string")
    if old and in_use and doc["inputs"] != old["inputs"]:
        raise Refused(403, {"detail": "Modifications to inputs are not allowed for credential types that are in use"})
    if doc["kind"] not in ("cloud", "net"):
        raise refuse("kind", f"Must be 'cloud' or 'net', not {doc['kind']}")
    known = {field["id"] for field in fields} | {"tower"}
    for name in re.findall(r"{{\s*(\w+)", json.dumps(doc["injectors"])):
        if name not in known:
            raise refuse("injectors", f"'{name}' uses an undefined field")


def check_credential(doc: Json, kind: Json) -> None:
    known = {field["id"] for field in kind["inputs"].get("fields", [])}
    for name in doc["inputs"]:
        if name not in known:
            raise refuse("inputs", f"Additional properties are not allowed ({name!r} was unexpected)")


def check_attached(name: str, kinds: list[Json]) -> None:
    """The types of the credentials of one object; the last one is new."""
    new = kinds[-1]
    if name == "galaxy_credentials" and new["kind"] != "galaxy":
        raise Refused(400, {"msg": f"Credential must be a Galaxy credential, not {new['name']}."})
    if name == "credentials" and new["kind"] not in ("ssh", "vault", "cloud", "net", "kubernetes"):
        raise Refused(400, {"error": f"Cannot assign a Credential of kind `{new['kind']}`."})
    if name == "credentials" and new in kinds[:-1]:
        raise Refused(400, {"error": f"Cannot assign multiple {new['name']} credentials."})


def secret_inputs(kind: Json) -> set[str]:
    return {field["id"] for field in kind["inputs"].get("fields", []) if field.get("secret")}


# -- notifications -------------------------------------------------------------------------------------------------------------
NOTIFIERS: dict[str, dict[str, tuple[type, Any]]] = {
    "webhook": {
        "url": (str, None),
        "http_method": (str, "POST"),
        "disable_ssl_verification": (bool, False),
        "username": (str, ""),
        "password": (str, ""),
        "headers": (dict, None),
    },
    "slack": {"token": (str, None), "channels": (list, None), "hex_color": (str, "")},
    "email": {
        "host": (str, None),
        "port": (int, None),
        "username": (str, None),
        "password": (str, None),
        "use_tls": (bool, None),
        "use_ssl": (bool, None),
        "sender": (str, None),
        "recipients": (list, None),
        "timeout": (int, 30),
    },
}
NOTIFIER_SECRETS = {"password", "token"}


def check_notification(doc: Json) -> None:
    kind, given = doc["notification_type"], doc["notification_configuration"]
    if kind not in NOTIFIERS:
        raise refuse("notification_type", f'"{kind}" is not a valid choice.')
    missing = [name for name, (_type, default) in NOTIFIERS[kind].items() if name not in given and default is None]
    if missing:
        raise Refused(400, [f"Missing required fields for Notification Configuration: {', '.join(missing)}."])
    for name, (wanted, default) in NOTIFIERS[kind].items():
        if not isinstance(given.setdefault(name, default), wanted):
            raise Refused(400, [f"Configuration field '{name}' incorrect type, expected {wanted.__name__}."])


# -- templates -----------------------------------------------------------------------------------------------------------------
def check_variables(field: str, text: str) -> None:
    try:
        parsed = yaml.safe_load(text or "{}") or {}
    except yaml.YAMLError as exc:
        raise refuse(field, "Cannot parse as JSON (error: …) or YAML (error: …).") from exc
    if not isinstance(parsed, dict):
        raise refuse(field, f"Input type `{type(parsed).__name__}` is not a dictionary")


def check_job_template(doc: Json, tables: Tables, playbooks: list[str]) -> None:
    project = tables["projects"].get(doc["project"] or 0)
    if not project:
        raise refuse("project", "This field is required.")
    synced = playbooks if project["status"] == "successful" else []
    if doc["playbook"] and not project["allow_override"] and doc["playbook"] not in synced:
        raise refuse("playbook", "Playbook not found for project.")
    if not doc["playbook"]:
        raise refuse("playbook", "Must select playbook for project.")
    if not doc["inventory"] and not doc["ask_inventory_on_launch"]:
        raise refuse("inventory", "You must either set a default value or ask to prompt on launch.")
    if doc["scm_branch"] and not project["allow_override"]:
        raise refuse("scm_branch", "Project does not allow overriding branch.")


def check_inventory_source(doc: Json, tables: Tables) -> None:
    if doc["source"] not in ("file", "scm", "ec2", "constructed"):
        raise refuse("source", f'"{doc["source"]}" is not a valid choice.')
    if doc["source"] == "scm" and not doc["source_project"]:
        raise refuse("source_project", "Project required for scm type sources.")
    if doc["source"] != "scm" and doc["source_path"]:
        raise refuse("source_path", "Cannot set source_path if not SCM type.")
    credential = tables["credentials"].get(doc["credential"] or 0)
    if credential and tables["credential_types"][credential["credential_type"]]["kind"] in ("vault", "insights"):
        raise refuse("credential", "Credentials of type insights and vault are disallowed for scm inventory sources.")


def check_launch_data(doc: Json, template: Json | None, survey: Json) -> None:
    """extra_data of a node or a schedule."""
    asked = {question["variable"] for question in survey.get("spec", [])} if template and template.get("survey_enabled") else set()
    extra = [] if template and template.get("ask_variables_on_launch") else sorted(doc["extra_data"].keys() - asked)
    if extra:
        raise refuse(
            "extra_data",
            f"Variables {', '.join(extra)} are not allowed on launch. Check the Prompt on Launch setting on the Job Template "
            "to include Extra Variables.",
        )


def check_edge(nodes: Mapping[int, Json], parent: Json, way: str, child: Json) -> None:
    if parent["workflow_job_template"] != child["workflow_job_template"]:
        raise Refused(400, {"Error": "Cannot associate nodes of different workflows."})
    if parent["id"] == child["id"]:
        raise Refused(400, {"Error": "Cycle detected."})
    if any(child["id"] in parent[other] for other in EDGES if other != way):
        raise Refused(400, {"Error": "Relationship not allowed."})
    waiting, seen = [child["id"]], set()
    while waiting:
        one = waiting.pop()
        if one == parent["id"]:
            raise Refused(400, {"Error": "Cycle detected."})
        if one not in seen:
            seen.add(one)
            waiting += [below for edge in EDGES for below in nodes[one][edge]]
