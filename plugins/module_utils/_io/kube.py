# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A thin Kubernetes client: any kubeconfig, bare REST requests.

The ``kubernetes`` package reads the configuration (certificates, tokens, exec plugins, proxies). The requests go over
its connection pool without its models: the typed and the dynamic client cost several times as much an object.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref, ref_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide, without_passwords

# Here, not where it is used: the controller imports an action once and forks for each of its tasks, and this takes half a second.
try:
    from kubernetes.config import ConfigException, new_client_from_config

    MISSING = ""
except ImportError as exc:
    MISSING = f"the Python package kubernetes cannot be imported: {exc}. Install it: pip install 'kubernetes>=30'."

MANAGER = "odoo-ops"
APPLY, MERGE, JSON = "application/apply-patch+yaml", "application/merge-patch+json", "application/json"
NOT_FOUND, CONFLICT = 404, 409
# Discovery answers of this process: (server, group version) -> {kind: (plural, namespaced)}
_RESOURCES: dict[tuple[str, str], dict[str, tuple[str, bool]]] = {}


class KubeError(ChangeError):
    """``status`` is the HTTP status (0: no answer), ``code`` a stable word for it."""

    def __init__(self, message: str, *, status: int = 0, code: str = "KUBE_UNREACHABLE") -> None:
        super().__init__(message, code=code)
        self.status = status
        self.code = code


class Kube:
    """One cluster, seen with one identity."""

    def __init__(self, api_client: Any, *, timeout_s: float = 30.0) -> None:
        from urllib3 import Retry, Timeout

        self.configuration = api_client.configuration
        self.server = str(api_client.configuration.host).rstrip("/")
        self.name = without_passwords(self.server)
        self.pool = api_client.rest_client.pool_manager
        self.timeout = Timeout(connect=5.0, read=timeout_s)
        # Every write is an apply, a patch or a delete, so a repeated one does no harm; 429 and 503 say when to come again.
        self.retries = Retry(
            total=5,
            connect=1,
            read=2,
            status=5,
            status_forcelist=(429, 503),
            allowed_methods=None,
            backoff_factor=0.2,
            raise_on_status=False,
        )
        self.requests = 0
        self.writes = 0

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Kube:
        """With ``kubeconfig`` (None: the usual places) and one of its contexts (None: the current one).

        Renewed tokens are not written back.
        """
        if MISSING:
            raise KubeError(MISSING, code="NO_CLIENT")
        try:
            with unlogged():
                client: Any = new_client_from_config(config_file=kubeconfig, context=context, persist_config=False)  # type: ignore[no-untyped-call]
            return cls(client)
        except (ConfigException, OSError, ValueError) as exc:
            where = kubeconfig or "the default kubeconfig"
            raise KubeError(
                f"the kubeconfig {where} cannot be used: {type(exc).__name__}: {first_line(exc)}. "
                "Check the path, the context and that it is readable.",
                code="KUBECONFIG",
            ) from exc

    # -- objects -----------------------------------------------------------------------------------------------------
    def get(self, ref: Ref) -> dict[str, Any] | None:
        """The live object, or None when it is not there."""
        try:
            return self.request("GET", self.path(ref), ref=ref)
        except KubeError as exc:
            if exc.status == NOT_FOUND:
                return None
            raise

    def list(self, api_version: str, kind: str, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All objects of a kind, in one namespace or (empty) in all, with these labels. Pages are followed."""
        ref, found, cont = Ref(api_version, kind, namespace, ""), [], ""
        while True:
            query = {"limit": "500", "continue": cont, "labelSelector": ",".join(f"{k}={v}" for k, v in (labels or {}).items())}
            page = self.request("GET", self.path(ref), ref=ref, query={k: v for k, v in query.items() if v})
            found += [{"apiVersion": api_version, "kind": kind, **item} for item in page.get("items") or []]
            cont = str((page.get("metadata") or {}).get("continue") or "")
            if not cont:
                return found

    def apply(self, obj: Mapping[str, Any], *, manager: str = MANAGER, force: bool = False, dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply. ``dry_run`` has the server compute the result and write nothing."""
        ref = ref_of(obj)
        query = {"fieldManager": manager, **({"force": "true"} if force else {}), **dry(dry_run)}
        return self.request("PATCH", self.path(ref), ref=ref, query=query, body=obj, content_type=APPLY)

    def create(self, obj: Mapping[str, Any], *, manager: str = MANAGER, dry_run: bool = False) -> dict[str, Any]:
        ref = ref_of(obj)
        return self.request("POST", self.path(ref, collection=True), ref=ref, query={"fieldManager": manager, **dry(dry_run)}, body=obj)

    def patch(self, ref: Ref, body: Mapping[str, Any], *, manager: str = MANAGER, dry_run: bool = False) -> dict[str, Any]:
        """A merge patch."""
        return self.request(
            "PATCH", self.path(ref), ref=ref, query={"fieldManager": manager, **dry(dry_run)}, body=body, content_type=MERGE
        )

    def delete(self, ref: Ref, *, propagation: str = "Background", dry_run: bool = False) -> bool:
        """Whether there was something to delete."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation, **({"dryRun": ["All"]} if dry_run else {})}
        try:
            self.request("DELETE", self.path(ref), ref=ref, query=dry(dry_run), body=body)
        except KubeError as exc:
            if exc.status == NOT_FOUND:
                return False
            raise
        return True

    # -- paths -------------------------------------------------------------------------------------------------------
    def path(self, ref: Ref, *, collection: bool = False) -> str:
        plural, namespaced = self.resource(ref)
        if namespaced and ref.name and not ref.namespace:
            raise KubeError(f"{ref}: this kind lives in a namespace and none is given. Set metadata.namespace.", code="NO_NAMESPACE")
        parts = [base(ref.api_version)]
        if namespaced and ref.namespace:
            parts += ["namespaces", quote(ref.namespace, safe="")]
        parts.append(plural)
        if ref.name and not collection:
            parts.append(quote(ref.name, safe=""))
        return "/".join(parts)

    def resource(self, ref: Ref) -> tuple[str, bool]:
        """The plural of a kind and whether it lives in namespaces, from discovery; each group version is asked once a process."""
        key = (self.server, ref.api_version)
        if ref.kind not in _RESOURCES.get(key, {}):
            _RESOURCES[key] = self._discover(ref)
        try:
            return _RESOURCES[key][ref.kind]
        except KeyError:
            raise KubeError(
                f"{ref}: the cluster has no kind {ref.kind} in {ref.api_version}. "
                "Check the spelling, or install its custom resource definition first.",
                status=NOT_FOUND,
                code="NO_SUCH_KIND",
            ) from None

    def _discover(self, ref: Ref) -> dict[str, tuple[str, bool]]:
        try:
            answer = self.request("GET", base(ref.api_version), ref=ref)
        except KubeError as exc:
            if exc.status == NOT_FOUND:
                return {}
            raise
        return {r["kind"]: (r["name"], bool(r["namespaced"])) for r in answer.get("resources") or [] if "/" not in r["name"]}

    # -- requests ----------------------------------------------------------------------------------------------------
    def request(
        self,
        method: str,
        path: str,
        *,
        ref: Ref,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """One request; KubeError for anything but an answer with 2xx."""
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", **self._credentials(), **({"Content-Type": content_type} if body is not None else {})}
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        self.requests += 1
        self.writes += method != "GET" and "dryRun" not in (query or {})
        try:
            answer = self.pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=self.timeout,
                retries=self.retries,
                redirect=False,  # whoever is named in one would be told the token
            )
            data = answer.data
        except HTTPError as exc:
            raise KubeError(unreachable(self.name, exc)) from None
        except ValueError:  # its text would quote the header
            raise KubeError(
                f"the identity for {self.name} cannot be sent: it holds a line break or letters outside Latin-1. Correct the kubeconfig.",
                code="KUBECONFIG",
            ) from None
        return self._answer(method, ref, answer.status, data)

    def _answer(self, method: str, ref: Ref, status: int, data: bytes) -> dict[str, Any]:
        try:
            document = json.loads(data)
        except ValueError:
            document = {}
        if not 200 <= status < 300:
            raise refusal(method, ref, status, hide(document, self._secrets()) if isinstance(document, dict) else {})
        if not isinstance(document, dict) or not document:
            raise KubeError(
                f"{ref}: {self.name} answered {method} with something that is no Kubernetes object. "
                "Check that the address is an API server's.",
                status=status,
                code="NOT_KUBERNETES",
            )
        return document

    def _credentials(self) -> dict[str, str]:
        """The headers that say who asks; exec and OIDC tokens are renewed on the way when they have run out."""
        with unlogged():
            settings = self.configuration.auth_settings()
        return {s["key"]: s["value"] for s in settings.values() if s.get("in") == "header" and s.get("value")}

    def _secrets(self) -> tuple[str, ...]:
        """What no message may hold: each header, and its last word, which is the token."""
        known = [*self._credentials().values(), self.configuration.password]
        return tuple(word for text in known if text and text.strip() for word in (text, text.split()[-1]))


@contextmanager
def unlogged() -> Iterator[None]:
    """The kubernetes package logs what an exec plugin has said, and with ANSIBLE_LOG_PATH logs are kept."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def base(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def first_line(exc: BaseException) -> str:
    return str(without_passwords(next(iter(str(exc).splitlines()), "")))[:300]


def unreachable(server: str, exc: Exception) -> str:
    """Why no answer came, told from the chain of causes."""
    text = repr(getattr(exc, "reason", None) or exc)
    if "refused" in text:
        return f"the Kubernetes API at {server} refuses connections. Check that it runs and that the kubeconfig names the right address."
    if "CERTIFICATE" in text.upper() or "SSL" in text.upper():
        return f"the Kubernetes API at {server} did not prove who it is: {first_line(exc)}. Check certificate-authority in the kubeconfig."
    if "NameResolution" in text or "getaddrinfo" in text:
        return f"the Kubernetes API's name in {server} cannot be resolved. Check the kubeconfig and the resolver."
    if "imed out" in text:
        return f"the Kubernetes API at {server} did not answer in time. Check the network and the server's load."
    return f"the Kubernetes API at {server} gave no answer: {first_line(exc)}. Check the network and the server."


def refusal(method: str, ref: Ref, status: int, document: Mapping[str, Any]) -> KubeError:
    """The error of an answer that is not 2xx: what, seen, what to do.

    Messages of the server about a Secret may quote its values, so they are left out.
    """
    said = causes(document) if ref.kind == "Secret" else str(document.get("message") or "no message")[:600]
    verb = {"GET": "read", "PATCH": "write", "POST": "create", "DELETE": "delete"}.get(method, method)
    known = {
        400: ("BAD_REQUEST", f"the server cannot read the object: {said}. Check its apiVersion and the types of its fields."),
        401: ("UNAUTHORIZED", "the server does not know this identity (401). Renew the token or certificate in the kubeconfig."),
        403: (
            "FORBIDDEN",
            f"not allowed (403): {said}. Give this identity the right to {verb} {ref.kind}, or make room when it is a quota.",
        ),
        404: ("NOT_FOUND", f"not there (404): {said}. Create what it lies in first."),
        409: (
            "CONFLICT",
            f"someone else holds a field or was faster (409): {said}. Look who manages it, or set force_conflicts to take it over.",
        ),
        410: ("GONE", "the server's listing ran out while it was read (410). Run again."),
        422: ("INVALID", f"the server refuses the object's content (422): {said}. Correct these fields."),
        429: ("BUSY", "the server is too busy and said so again and again (429). Run again later or with less at once."),
    }
    code, text = known.get(status, ("KUBE_ERROR", f"the server answered {status}: {said}. Look into the API server's log."))
    return KubeError(f"{ref} ({verb}): {text}", status=status, code=code)


def causes(document: Mapping[str, Any]) -> str:
    """The fields and reasons of a Status, without values."""
    found = (document.get("details") or {}).get("causes") or []
    listed = ", ".join(f"{c.get('field', '?')} ({c.get('reason', '?')})" for c in found)
    return listed or f"{document.get('reason') or 'no reason'}, values withheld"
