"""The client of Prometheus against a stand-in: faults that no real server makes on demand. The real one: tests/integration."""

from __future__ import annotations

import http.server
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.prometheus import Prometheus, PrometheusError


@pytest.fixture
def stand_in() -> Iterator[Any]:
    class Answer(http.server.BaseHTTPRequestHandler):
        status, body, seen = 200, b"", ""

        def do_GET(self) -> None:
            type(self).seen = self.headers.get("Authorization", "")
            self.send_response(self.status)
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Answer.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield Answer
    server.shutdown()
    server.server_close()


def matrix(**other: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": []}, **other}


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        pytest.param(200, b"<html>", "no JSON. Check that it is the address of Prometheus", id="html"),
        pytest.param(302, json.dumps(matrix()).encode(), "refused the query (302)", id="redirect"),
        pytest.param(200, json.dumps({"status": "error", "error": "query timed out"}).encode(), "query timed out", id="error-with-200"),
        pytest.param(200, json.dumps(matrix(warnings=["remote read failed"])).encode(), "may have left something out", id="warnings"),
        pytest.param(
            200, json.dumps(matrix(data={"resultType": "vector", "result": []})).encode(), "gave no series over time", id="vector"
        ),
        pytest.param(200, json.dumps(matrix(data={"resultType": "matrix", "result": [{}]})).encode(), "no series of numbers", id="broken"),
        pytest.param(503, json.dumps({"status": "error"}).encode(), "refused the query (503): no reason given", id="unavailable"),
        pytest.param(200, b"[]", "refused the query (200)", id="no-object"),
    ],
)
def test_an_odd_answer_is_an_error(stand_in: Any, status: int, body: bytes, wanted: str) -> None:
    stand_in.status, stand_in.body = status, body
    with pytest.raises(PrometheusError) as caught:
        Prometheus(stand_in.url).range("sum(up)", 0, 600, 300)
    assert wanted in str(caught.value)


def test_a_good_answer_is_read(stand_in: Any) -> None:
    series = {"metric": {}, "values": [[0, "1.5"], [300, "NaN"]]}
    stand_in.status, stand_in.body = 200, json.dumps(matrix(data={"resultType": "matrix", "result": [series]})).encode()
    (first, (at, value)) = Prometheus(stand_in.url).range("sum(up)", 0, 600, 300)
    assert (first, at, math.isnan(value)) == ((0.0, 1.5), 300.0, True)


@pytest.mark.parametrize(
    ("kind", "result", "wanted"),
    [
        ("vector", [{"metric": {"a": "b"}, "value": [5, "2"]}], [({"a": "b"}, (5.0, 2.0))]),
        ("vector", [], []),
        ("scalar", [5, "2"], [({}, (5.0, 2.0))]),
        ("string", [5, "x"], "gave no numbers"),
        ("vector", [{"metric": {}, "value": [5, "x"]}], "no series of numbers"),
        ("vector", None, "gave no numbers"),
    ],
)
def test_numbers_of_one_time(stand_in: Any, kind: str, result: Any, wanted: Any) -> None:
    stand_in.status, stand_in.body = 200, json.dumps(matrix(data={"resultType": kind, "result": result})).encode()
    if isinstance(wanted, str):
        with pytest.raises(PrometheusError, match=wanted):
            Prometheus(stand_in.url).instant("up", 5)
    else:
        assert Prometheus(stand_in.url).instant("up", 5) == wanted


def test_a_server_that_repeats_the_token_is_not_repeated(stand_in: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-token\n")
    stand_in.status, stand_in.body = 403, json.dumps({"status": "error", "error": "no such token: s3cret-token"}).encode()
    with pytest.raises(PrometheusError, match=r"no such token: \*\*\*"):
        Prometheus(stand_in.url, token_file=str(tmp_path / "token")).instant("up", 5)


def test_the_token_goes_to_the_server_and_not_into_messages(stand_in: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    stand_in.status, stand_in.body = 401, json.dumps({"status": "error", "error": "no"}).encode()
    with pytest.raises(PrometheusError) as caught:
        Prometheus(stand_in.url, token_file=str(tmp_path / "token"), headers={"X-Scope": "t0ken"}).range("sum(up)", 0, 600, 300)
    assert stand_in.seen == "Bearer s3cret"
    assert not [word for word in ("s3cret", "t0ken") if word in str(caught.value)]


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "caf\u00e9"])
def test_a_file_without_a_token(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(PrometheusError, match="holds no token"):
        Prometheus("http://h", token_file=str(tmp_path / "token"))
