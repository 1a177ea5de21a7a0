"""One certificate authority a lab, and the certificates of its servers and components."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.lab.private import write_private

LIFETIME = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """A CA in a folder: ``ca.crt``, ``ca.key``, and ``<name>.crt``/``<name>.key`` for each certificate it gave."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Authority:
        """The CA of this folder, made when it is not there yet."""
        authority = cls(folder)
        if not (folder / "ca.crt").exists():
            key = new_key(folder / "ca.key")
            usage = x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
            )  # fmt: skip
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab-ca")])
            builder = certificate(name, name, key.public_key(), key.public_key()).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            write_pem(folder / "ca.crt", builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))
        return authority

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def issue(self, name: str, *, common_name: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> tuple[Path, Path]:
        """A certificate for a client (its groups are the organizations) or a server (its names are ``hosts``)."""
        crt, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        if crt.exists():
            return crt, key_file
        ca_key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), password=None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        ca = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        key = new_key(key_file)
        subject = x509.Name(
            [*(x509.NameAttribute(NameOID.ORGANIZATION_NAME, g) for g in groups), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        )
        builder = certificate(subject, ca.subject, key.public_key(), ca_key.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative(host) for host in hosts]), critical=False)
        write_pem(crt, builder.sign(ca_key, hashes.SHA256()))
        return crt, key_file


def alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + LIFETIME)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)


def new_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    write_private(file, key.private_bytes(*form).decode())
    return key


def write_pem(file: Path, signed: x509.Certificate) -> None:
    write_private(file, signed.public_bytes(serialization.Encoding.PEM).decode(), mode=0o644)
