"""The role's objects without an Ansible run: its template rendered with its defaults, for tests that need many of them quickly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "awx"
ESTATE = ROLE / "files" / "estate_template"
PLAYBOOKS = sorted(path.name for path in ESTATE.glob("*.yml"))


def role_objects(**variables: Any) -> dict[str, Any]:
    """What the role hands to awx_apply, but for credentials and notifications."""
    given = {
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()),
        "awx_project_url": "https://git.example.org/estate.git",
        "awx_execution_environment_image": "registry.example.org/odoo-changes:0.1.0",
        **variables,
    }
    env = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)
    env.filters["to_json"] = json.dumps
    text = env.from_string((ROLE / "templates" / "objects.yml.j2").read_text()).render(given)
    return dict(yaml.safe_load(text))
