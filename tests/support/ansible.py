"""Runs one module or action plugin of the collection the way Ansible does, and returns its result."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLLECTION = "odoo_ops.change_control"
CONFIG = Path(__file__).with_name("ansible.cfg")


def command(name: str, args: Mapping[str, Any], *, check: bool = False, variables: Mapping[str, Any] | None = None) -> list[str]:
    """The ``ansible`` command line for one task on localhost; short names are the collection's own."""
    fqcn = name if "." in name else f"{COLLECTION}.{name}"
    hostvars = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **(variables or {})}
    argv = [str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-m", fqcn, "-a", json.dumps(dict(args))]
    return [*argv, "-e", json.dumps(hostvars), *(["--check"] if check else [])]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, with the configuration of the tests. tests/conftest.py has set ANSIBLE_COLLECTIONS_PATH."""
    return {**os.environ, "ANSIBLE_CONFIG": str(CONFIG), **(extra or {})}


def parse(output: str) -> dict[str, Any]:
    """The JSON document of ``localhost | SUCCESS => {…}``; AssertionError with the whole output when there is none."""
    start = re.search(r"^localhost \| [A-Z]+!? => ", output, re.MULTILINE)
    assert start, f"ansible printed no result:\n{output}"
    result, _end = json.JSONDecoder().raw_decode(output[start.end() :])
    return dict(result)


def run_module(
    name: str,
    args: Mapping[str, Any],
    check: bool = False,
    *,
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600,
) -> dict[str, Any]:
    """The result of one task. It always has ``failed`` and ``changed``; a task that fails is a result, not an exception."""
    done = subprocess.run(
        command(name, args, check=check, variables=variables),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    try:
        result = parse(done.stdout)
    except (AssertionError, json.JSONDecodeError) as exc:
        raise AssertionError(f"{name}: rc {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}") from exc
    return {"failed": done.returncode != 0, "changed": False, **result}
