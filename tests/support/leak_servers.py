"""Servers that give away what they are told: they answer with the credentials that they got, in every form, in body and headers.

One per behaviour, all on loopback. They speak as AWX, S3, Kubernetes or Odoo by what is asked of them, and there is one that speaks
PostgreSQL as far as the login.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

REFUSALS = {"400": 400, "401": 401, "403": 403, "404": 404, "409": 409, "422": 422, "500": 500, "503": 503}
BEHAVIOURS = (*REFUSALS, "echo", "page", "redirect", "drop", "silent", "kube")
SILENCE_S = 8.0
OF_IDENTITY: dict[str, str] = {}
"""The S3 secret of each identity: a request shows its identity only, a store knows both."""
TOLD: list[str] = []
"""All that the servers were told: a case whose secret is not here did not reach its server."""


def every_form(secret: str) -> str:
    """A secret as a careless server might repeat it."""
    data = secret.encode(errors="surrogateescape")
    told = [secret, quote(secret, safe=""), json.dumps(secret), repr(secret), base64.b64encode(data).decode()]
    return " ".join([*told, base64.b64encode(b"user:" + data).decode(), data.hex()])


def told_to(request: BaseHTTPRequestHandler, body: str) -> str:
    """All that a request said, and the S3 secret that belongs to its identity, which a real store knows as well."""
    headers = [f"{name}: {value}" for name, value in request.headers.items()]
    tokens = [value.split()[-1] for name, value in request.headers.items() if name.lower() == "authorization"]
    identity = re.search(r"Credential=([^/]+)/", request.headers.get("Authorization", ""))
    known = [OF_IDENTITY.get(identity[1], identity[1])] if identity else []
    words = [*_strings(body), request.path]
    TOLD.extend([*tokens, *known, body])
    return " ".join([*(every_form(text) for text in [*tokens, *known, *words] if text), *headers, body])


def _strings(body: str) -> list[str]:
    try:
        document = json.loads(body)
    except ValueError:
        return [body]

    def walk(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for inner in value.values() for text in walk(inner)]
        if isinstance(value, list):
            return [text for inner in value for text in walk(inner)]
        return [value] if isinstance(value, str) else []

    return walk(document)


def shaped(request: BaseHTTPRequestHandler, said: str, status: int) -> tuple[str, bytes]:
    """The words in the form in which the server that is meant would say them."""
    if "AWS4-HMAC" in request.headers.get("Authorization", ""):
        code = {403: "AccessDenied", 404: "NoSuchKey", 401: "InvalidAccessKeyId"}.get(status, "InternalError")
        text = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = "".join(letter for letter in text if letter.isprintable())
        return "application/xml", f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
    if request.path.startswith("/api/v2/"):
        document: Any = {"detail": said, "inputs": {"password": [said]}, "results": said, "next": said, "id": said, "username": said}
    elif request.path.startswith(("/api/", "/apis/")):
        causes = [{"field": "data", "reason": "FieldValueInvalid", "message": said}]
        document = {"kind": "Status", "message": said, "reason": "Invalid", "details": {"causes": causes}}
    else:
        document = {"name": said, "message": said, "error": {"message": said, "data": {"name": said, "message": said}}}
    return "application/json", json.dumps(document).encode()


class Careless(BaseHTTPRequestHandler):
    """``behaviour`` is set on the subclass of each server."""

    behaviour = ""
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        said = told_to(self, body)
        if self.behaviour == "drop":
            self.connection.close()
            self.close_connection = True
        elif self.behaviour == "silent":
            time.sleep(SILENCE_S)
            self.close_connection = True
        elif self.behaviour == "kube":
            self.reply(*kube_answer(self, body))
        elif self.behaviour == "page":
            self.reply(200, "text/html", f"<html>{said}</html>".encode())
        elif self.behaviour == "redirect":
            self.reply(302, *shaped(self, said, 302), Location=f"http://127.0.0.1:9/?token={quote(said[:500])}")
        else:
            status = REFUSALS.get(self.behaviour, 200)
            self.reply(status, *shaped(self, said, status))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def reply(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        authorization = " ".join(self.headers.get("Authorization", "none").split())[:2000]
        self.send_response(status, authorization.encode("latin-1", "replace").decode("latin-1")[:200])
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), "X-Told": authorization, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Says nothing."""


def kube_answer(request: BaseHTTPRequestHandler, body: str) -> tuple[int, str, bytes]:
    """A Kubernetes API that has nothing yet, and takes everything."""
    path = request.path.partition("?")[0]
    groups = {
        "/api/v1": [("secrets", True, "Secret"), ("configmaps", True, "ConfigMap"), ("namespaces", False, "Namespace")],
        "/apis/apps/v1": [("deployments", True, "Deployment")],
        "/apis/rbac.authorization.k8s.io/v1": [("roles", True, "Role"), ("rolebindings", True, "RoleBinding")],
    }
    if path in groups:
        listed = [{"name": name, "namespaced": namespaced, "kind": kind} for name, namespaced, kind in groups[path]]
        return 200, "application/json", json.dumps({"kind": "APIResourceList", "resources": listed}).encode()
    if request.command == "PATCH":
        given = json.loads(body)
        live = {**given, "metadata": {**given["metadata"], "uid": "1", "resourceVersion": "7", "managedFields": []}}
        return 201, "application/json", json.dumps(live).encode()
    if path.rpartition("/")[2] in ("roles", "rolebindings"):
        return 200, "application/json", json.dumps({"kind": "List", "items": []}).encode()
    return 404, "application/json", json.dumps({"kind": "Status", "message": told_to(request, body), "reason": "NotFound"}).encode()


# -- PostgreSQL ------------------------------------------------------------------------------------------------------------
class CarelessPostgres:
    """Asks for the password in clear, and refuses the login with the password in the reason; drops or stays silent when told so."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream:
                self._login(stream)
        except (OSError, struct.error):
            pass

    def _login(self, stream: Any) -> None:
        while True:
            (length,) = struct.unpack("!I", stream.read(4))
            start = stream.read(length - 4)
            if struct.unpack("!I", start[:4])[0] not in (80877103, 80877104):  # TLS or GSS is asked for
                break
            stream.write(b"N")
            stream.flush()
        if self.behaviour == "silent":
            time.sleep(SILENCE_S)
            return
        self._send(stream, b"R", struct.pack("!I", 3))
        kind, (length,) = stream.read(1), struct.unpack("!I", stream.read(4))
        password = stream.read(length - 4).rstrip(b"\0").decode(errors="replace")
        TOLD.append(password)
        if self.behaviour == "refuse" and kind == b"p":
            said = f"password authentication failed: {every_form(password)}"
            fields = {"S": "FATAL", "V": "FATAL", "C": "28P01", "M": said, "D": said, "H": said}
            body = b"".join(name.encode() + text.encode() + b"\0" for name, text in fields.items()) + b"\0"
            self._send(stream, b"E", body)

    @staticmethod
    def _send(stream: Any, kind: bytes, body: bytes) -> None:
        stream.write(kind + struct.pack("!I", len(body) + 4) + body)
        stream.flush()


# -- all of them -----------------------------------------------------------------------------------------------------------
def certificate(folder: Path) -> Path:
    """A certificate that nobody trusts, with its key."""
    path = folder / "tls.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(folder / "tls.crt")]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    path.write_text(path.read_text() + (folder / "tls.crt").read_text())
    return path


def _http(behaviour: str, stack: ExitStack, tls: Path | None = None) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Careless,), {"behaviour": behaviour}))
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_args: None  # type: ignore[method-assign] # clients that go away are what is wanted here
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def careless(folder: Path) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """The addresses of the HTTP servers and the ports of the PostgreSQL ones, by behaviour."""
    with ExitStack() as stack:
        web = {behaviour: _http(behaviour, stack) for behaviour in BEHAVIOURS}
        web["tls"] = _http("echo", stack, certificate(folder))
        web["closed"] = f"http://127.0.0.1:{closed_port()}"
        ports = {"closed": closed_port()}
        for behaviour in ("refuse", "drop", "silent"):
            server = CarelessPostgres(behaviour)
            stack.callback(server.close)
            ports[behaviour] = server.port
        yield web, ports
