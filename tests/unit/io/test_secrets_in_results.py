"""What the thin layers do about secrets: actions hide them in results, clients in errors, modules refuse them before Ansible sees them."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube, KubeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import SigningError, load_trust
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.strict_yaml import load_strictly
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

from tests.support.ansible import run_module

SECRET = "hunter2%hunter2"


class Told(ChangeAction):
    """Repeats what it was given, as a careless server would."""

    SPEC: ClassVar[dict[str, Any]] = {
        "password": {"type": "str", "no_log": True},
        "fail": {"type": "bool", "default": False},
        "evidence": {"type": "dict", "default": {}},
    }
    MASKED = ("evidence",)

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        said = f"{args['password']} {base64.b64encode(str(args['password']).encode()).decode()} {json.dumps(args['password'])}"
        if args["fail"]:
            raise ChangeError(f"refused: {said}", said=[said])
        return {"changed": False, "msg": said, "evidence": args["evidence"], "names": {said: 1}}


def told(args: dict[str, Any]) -> dict[str, Any]:
    task = SimpleNamespace(args=args, async_val=0, check_mode=False, action="told", diff=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), has_pipelining=True)
    return Told(task, connection, SimpleNamespace(check_mode=False), None, None, None).run(task_vars={})


@pytest.mark.parametrize("fail", [False, True])
def test_no_form_of_a_secret_is_in_a_result(fail: bool) -> None:
    result = told({"password": SECRET, "fail": fail})
    assert "hunter2" not in str(result)
    assert base64.b64encode(SECRET.encode()).decode()[:8] not in str(result)
    assert "***" in result["msg"]
    assert bool(result.get("failed")) is fail


def test_secrets_of_the_environment_are_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv("https_proxy", "http://robot:an0ther-one@proxy:3128")
    assert "hunter2" not in str(told({"password": "x", "evidence": {"said": f"with {SECRET}"}}))
    assert "an0ther" not in str(told({"password": "x", "evidence": {"said": "with an0ther-one"}}))


def test_an_address_with_a_password_is_refused_or_masked() -> None:
    refused = told({"passwrod": SECRET, "fail": f"https://u:{SECRET}@h"})
    assert refused["failed"]
    assert "hunter2" not in str(refused)
    assert "passwrod" in refused["msg"]
    assert "option fail holds an address" in refused["msg"]
    assert told({"password": "x", "evidence": {"said": f"psql https://u:{SECRET}@h"}})["evidence"] == {"said": "psql https://u:***@h"}


# -- Kubernetes ------------------------------------------------------------------------------------------------------------
class Careless(BaseHTTPRequestHandler):
    """Redirects to itself, and repeats the token to whoever follows."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"kind": "Status", "message": "x" * 590 + str(self.headers.get("Authorization"))}).encode()
        self.send_response(302 if self.path.startswith("/api/v1") else 403)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    http = HTTPServer(("127.0.0.1", 0), Careless)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def kube(folder: Path, server: str, token: str) -> Kube:
    one = {"name": "one"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{**one, "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{**one, "cluster": {"server": server}}],
        "users": [{**one, "user": {"token": token}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return Kube.connect(str(folder / "kubeconfig"))


def test_a_kubernetes_api_that_redirects_is_not_followed(tmp_path: Path, server: str) -> None:
    Careless.asked.clear()
    with pytest.raises(KubeError, match="302") as caught:
        kube(tmp_path, server, SECRET).get(Ref("v1", "ConfigMap", "acme", "one"))
    assert Careless.asked == ["/api/v1"]
    assert "hunter2" not in str(caught.value)


def test_a_token_that_is_cut_off_in_a_message_is_hidden_whole(tmp_path: Path, server: str) -> None:
    with pytest.raises(KubeError, match="403") as caught:
        kube(tmp_path, server, SECRET).get(Ref("apps/v1", "Deployment", "acme", "one"))
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("token", [f"{SECRET}\nX: 1", f"{SECRET}\u20ac"])
def test_a_token_that_cannot_be_sent_is_not_quoted(tmp_path: Path, server: str, token: str) -> None:
    with pytest.raises(KubeError, match="cannot be sent") as caught:
        kube(tmp_path, server, token).get(Ref("v1", "ConfigMap", "acme", "one"))
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_address_of_an_api_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="refuses connections") as caught:
        kube(tmp_path, f"http://robot:{SECRET}@127.0.0.1:9", "x").get(Ref("v1", "ConfigMap", "acme", "one"))
    assert "hunter2" not in str(caught.value)


def test_what_an_exec_plugin_says_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    says = ["-c", f"echo {SECRET} >&2; exit 1"]
    command = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "/bin/sh", "args": says, "interactiveMode": "Never"}
    kube(tmp_path, "http://127.0.0.1:9", "x")
    document = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    document["users"][0]["user"] = {"exec": command}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(document))
    with pytest.raises(KubeError) as caught:
        Kube.connect(str(tmp_path / "kubeconfig")).get(Ref("v1", "ConfigMap", "acme", "one"))
    assert "hunter2" not in caplog.text + str(caught.value)
    logging.getLogger().error("the log goes on")
    assert "the log goes on" in caplog.text


# -- files -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [f"a: [b\nsecret: {{ {SECRET}\n\t- x", f"- {SECRET}: x: y", f'"{SECRET}'])
def test_yaml_that_is_not_understood_is_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="line") as caught:
        load_strictly(text)
    assert "hunter2" not in str(caught.value)
    (tmp_path / "keys.yml").write_text(text)
    with pytest.raises(SigningError) as refused:
        load_trust(tmp_path / "keys.yml")
    assert "hunter2" not in str(refused.value)


# -- modules -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param({"admin_pasword": SECRET}, "option admin_pasword is not known", id="misspelt"),
        pytest.param({"admin_password": {"a": SECRET}}, "option admin_password is a mapping, wanted a text", id="mapping"),
        pytest.param({"s3": {"endpoint_url": f"https://u:{SECRET}@s3"}}, "option s3.endpoint_url holds an address", id="address"),
        pytest.param({"s3": f"secret_key={SECRET}"}, "option s3 is a text, wanted a mapping", id="words"),
    ],
)
def test_a_module_refuses_what_ansible_would_show(args: dict[str, Any], words: str) -> None:
    result = run_module("tenant_checkpoint", args, env={"ANSIBLE_INJECT_INVOCATION": "1", "ANSIBLE_VERBOSITY": "3"})
    assert result["failed"]
    assert words in result["msg"]
    assert "hunter2" not in str(result)


def test_a_module_that_ansible_did_not_start_refuses_nothing() -> None:
    """Ansible's own tools import modules and look at their options."""
    code = (
        "from tests import conftest; from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import refuse_leaks;"
        " refuse_leaks({}); print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    assert done.stdout == "went on\n"
