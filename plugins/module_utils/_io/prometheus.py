# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads numbers from Prometheus, or from what answers as it does. No message holds a header or a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide

if TYPE_CHECKING:
    import requests

LONGEST = 300  # characters of a server's words in a message


class PrometheusError(ChangeError):
    """Prometheus did not answer, or not with one series of numbers."""


class Prometheus:
    """One server, asked with these headers, and with a token from a file."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        token_file: str | None = None,
        ca_path: str | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise PrometheusError("the address of Prometheus must be http(s)://host[:port][/path] without a user. Correct it.")
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        secret = _token(token_file) if token_file else ""
        self._secrets = [text for text in (secret, *map(str, (headers or {}).values())) if text]
        token = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._session = self._open({**(headers or {}), **token}, ca_path)

    def _open(self, headers: Mapping[str, str], ca_path: str | None) -> requests.Session:
        try:
            import requests
        except ImportError as exc:
            raise PrometheusError("the Python package requests is missing on the controller: pip install requests") from exc
        session = requests.Session()
        session.trust_env = False  # a .netrc must not replace the token, nor a proxy of the operator's shell answer
        session.headers.update(headers)
        if ca_path:
            session.verify = ca_path
        return session

    def range(self, query: str, start: int, end: int, step_s: int) -> list[tuple[float, float]]:
        """Time and value of the one series that the query gives; nothing when it gives none."""
        series = self.series(query, start, end, step_s)
        if len(series) > 1:
            raise PrometheusError(f"{self.url} gave {len(series)} series for {query}, wanted one. Put sum(...) around it.")
        return [point for points in series for point in points]

    def series(self, query: str, start: int, end: int, step_s: int) -> list[list[tuple[float, float]]]:
        """Time and value of every series that the query gives."""
        answer = self._get("/api/v1/query_range", {"query": query, "start": start, "end": end, "step": step_s})
        series = answer.get("result")
        if not isinstance(series, list) or answer.get("resultType") != "matrix":
            raise PrometheusError(f"{self.url} gave no series over time for {query}. Check that the query gives numbers.")
        return [points for _labels, points in self._read(series, query, lambda one: one["values"])]

    def instant(self, query: str, at: int) -> list[tuple[dict[str, str], tuple[float, float]]]:
        """Labels, and time and value, of everything that the query gives at one time."""
        answer = self._get("/api/v1/query", {"query": query, "time": at})
        series, kind = answer.get("result"), answer.get("resultType")
        if kind == "scalar":
            series = [{"metric": {}, "value": series}]
        if not isinstance(series, list) or kind not in ("vector", "scalar"):
            raise PrometheusError(f"{self.url} gave no numbers for {query}. Check that the query gives numbers.")
        return [(labels, points[0]) for labels, points in self._read(series, query, lambda one: [one["value"]])]

    def _read(
        self, series: Sequence[Any], query: str, values: Callable[[Any], Any]
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        try:
            return [(dict(one.get("metric", {})), [(float(at), float(value)) for at, value in values(one)]) for one in series]
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise PrometheusError(f"{self.url} gave something that is no series of numbers for {query}. Check the address.") from exc

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        import requests

        try:
            answer = self._session.get(self.url + path, params=dict(query), timeout=(5.0, self.timeout_s), allow_redirects=False)
            document = answer.json()
        except requests.JSONDecodeError:
            raise PrometheusError(
                f"{self.url} answered {answer.status_code} and no JSON. Check that it is the address of Prometheus."
            ) from None
        except requests.RequestException as exc:
            raise PrometheusError(
                f"{self.url} gave no answer ({type(exc).__name__}). Check the address, and that Prometheus runs."
            ) from None
        if not isinstance(document, dict) or answer.status_code != 200 or document.get("status") != "success":
            told = document.get("error", "no reason given") if isinstance(document, dict) else "no reason given"
            raise PrometheusError(
                f"{self.url} refused the query ({answer.status_code}): {self._said(told)}. Correct the query or the token."
            )
        if warnings := document.get("warnings"):
            raise PrometheusError(f"{self.url} may have left something out: {self._said(warnings)}. Mend that, and ask again.")
        found = document.get("data")
        return found if isinstance(found, dict) else {}

    def _said(self, words: Any) -> str:
        """A server's words, without what it was told."""
        return str(hide(str(words), self._secrets))[:LONGEST]


def _token(path: str) -> str:
    try:
        token = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise PrometheusError(
            f"the token file {path} cannot be read ({type(exc).__name__}). Name a file that this user may read."
        ) from None
    if not token or not token.isprintable() or not token.isascii():
        raise PrometheusError(f"the token file {path} holds no token. Write the token alone into it.")
    return token
