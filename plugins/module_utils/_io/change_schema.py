# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads a JSON Schema from the collection and holds a document against it: a change file, unless another schema is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import Violation
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

META = Path(__file__).resolve().parents[3] / "meta"
SCHEMA = META / "schemas" / "change.schema.json"


class SchemaError(ChangeError):
    """The schema or its validator is not there."""


def violations(document: Any, schema: Path = SCHEMA) -> list[Violation]:
    """Everything in which the document breaks the schema, in the order of the file's keys."""
    try:
        import jsonschema
    except ImportError as exc:
        raise SchemaError("The Python package jsonschema is missing on the controller. Run: pip install -r requirements.txt") from exc
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    found = sorted(validator.iter_errors(document), key=lambda e: [str(p) for p in e.absolute_path])
    return [
        Violation(path=list(e.absolute_path), rule=str(e.validator), wanted=e.validator_value, seen=e.instance, schema=e.schema)
        for e in found
    ]
