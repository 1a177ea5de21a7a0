"""Secrets and certificates of one lab: made once, at random, in files that only the lab's user can read."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.lab.site import Site

GIVEN: set[int] = set()
ONE_AT_A_TIME = threading.Lock()


def write_private(path: Path, text: str, *, user: str | None = None, mode: int = 0o600) -> None:
    """Writes ``path`` in one rename; nobody else can read it at any moment. ``user`` owns it when we are root."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if user and os.geteuid() == 0:
        shutil.chown(temporary, user if mode == 0o600 else "root", user)
    temporary.chmod(mode)
    temporary.rename(path)


def remembered(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The document in ``path``; made and written first when it is not there. So a lab keeps its ports and passwords over a restart."""
    if not path.exists():
        write_private(path, json.dumps(make(), indent=1))
    return dict(json.loads(path.read_text()))


def publish_private(site: Site, part: str, facts: Mapping[str, Any]) -> None:
    """``site.publish`` for facts that hold secrets: the file is 0600 from its first byte."""
    site.publish(part, facts, mode=0o600)


def password() -> str:
    """A random word that needs no quoting anywhere."""
    return secrets.token_hex(16)


def free_ports(*names: str) -> dict[str, int]:
    """A free port of 127.0.0.1 for each name. None comes twice, whichever parts ask side by side and whenever they bind it."""
    with ONE_AT_A_TIME, ExitStack() as held:
        ports: dict[str, int] = {}
        while len(ports) < len(names):
            s = held.enter_context(socket.socket())
            s.bind(("127.0.0.1", 0))
            port = int(s.getsockname()[1])
            if port not in GIVEN:
                GIVEN.add(port)
                ports[names[len(ports)]] = port
        return ports


def server_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """The lab's CA certificate, and a certificate and key for ``localhost`` and 127.0.0.1: (ca, certificate, key).

    The CA's own key is never written: whoever reads the lab's folder can trust its CA without being able to issue more.
    """
    ca, certificate, key = folder / "ca.crt", folder / "server.crt", folder / "server.key"
    if all(p.exists() for p in (ca, certificate, key)):
        return ca, certificate, key
    ca_pem, certificate_pem, key_pem = _issue()
    write_private(key, key_pem)
    write_private(certificate, certificate_pem, mode=0o644)
    write_private(ca, ca_pem, mode=0o644)
    return ca, certificate, key


def _issue() -> tuple[str, str, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = dt.datetime.now(dt.UTC)

    def draft(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        def name(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    ca = (
        draft("Lab CA", "Lab CA", ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        draft("localhost", "Lab CA", key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ca.public_bytes(pem).decode(), certificate.public_bytes(pem).decode(), key_pem.decode()
