# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ed25519 keys in PEM files: the key that signs the ledger, and the keys that are trusted, with the times of each."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import sha256
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import KeyWindow, ListedKey, parse_trust_list
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.strict_yaml import yaml_problem

TRUST_LIST = "keys.yml"
PEM_MARK = b"-----BEGIN "


class SigningError(ChangeError):
    """A key that cannot be used."""


@dataclass(frozen=True)
class Signer:
    """``keyid`` is the SHA-256 of the raw public key."""

    keyid: str
    sign: Callable[[bytes], bytes]
    public: Any


@dataclass(frozen=True)
class Trust:
    """The public keys whose signatures count, by key id, and when; a key without a window counts at any time."""

    keys: Mapping[str, Any]
    windows: Mapping[str, KeyWindow] = field(default_factory=dict)

    def verify(self, keyid: str, message: bytes, signature: bytes) -> str:
        """Empty when good, else the reason."""
        from cryptography.exceptions import InvalidSignature

        key = self.keys.get(keyid)
        if key is None:
            return "UNKNOWN_KEY"
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return "BAD_SIGNATURE"
        return ""


def load_signer(path: str | Path) -> Signer:
    """The private key of a file that only its owner can read."""
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    file = Path(path)
    data = _read(file, "signing key")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise SigningError(f"signing key {file} can be read by others, wanted mode 0600. Run: chmod 600 {file}")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as exc:
        raise SigningError(f"signing key {file} is no private key in PEM without a passphrase. Make one with: {_recipe(file)}") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"signing key {file} is a {type(key).__name__}, wanted Ed25519. Make one with: {_recipe(file)}")
    public = key.public_key()
    return Signer(key_id(public), key.sign, public)


def load_trust(path: str | Path) -> Trust:
    """The public keys of a PEM file, of all *.pub files of a folder, or of a trust list (a YAML file, keys.yml in a folder). Where
    there is a list, only what it names counts, so that a key that was taken off it is not believed because its file is still there."""
    _need_cryptography()
    place = Path(path)
    listed = place / TRUST_LIST if place.is_dir() else place
    if listed.is_file() and PEM_MARK not in (data := _read(listed, "trust list")):
        return _listed(listed, data)
    files = sorted(place.glob("*.pub")) if place.is_dir() else [place]
    if not files:
        raise SigningError(f"{place} holds no *.pub file, wanted the public keys that sign the ledger. Put them there in PEM")
    return Trust({key_id(key): key for file in files for key in _load_publics(file)})


def _listed(file: Path, data: bytes) -> Trust:
    keys: dict[str, Any] = {}
    windows: dict[str, KeyWindow] = {}
    for item in _read_list(file, data):
        for key in _load_publics(file.parent / item.file):
            if key_id(key) in keys:
                raise SigningError(f"trust list {file}: {item.file} holds a key that is listed already. Give each key one entry")
            keys[key_id(key)] = key
            if item.window != KeyWindow():
                windows[key_id(key)] = item.window
    return Trust(keys, windows)


def _read_list(file: Path, data: bytes) -> list[ListedKey]:
    import yaml

    try:
        return parse_trust_list(yaml.safe_load(data))
    except (yaml.YAMLError, ValueError) as exc:
        wrong = yaml_problem(exc) if isinstance(exc, yaml.YAMLError) else " ".join(str(exc).split())
        raise SigningError(f"trust list {file}: {wrong}. Correct it; docs/ledger.md has an example") from None


def trust_only(signer: Signer) -> Trust:
    """What a writer trusts who is told nothing else."""
    return Trust({signer.keyid: signer.public})


def create_key(path: str | Path) -> Signer:
    """A new private key at PATH (mode 0600), its public key at PATH.pub; an existing key stays as it is."""
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    file = Path(path)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        pem = Ed25519PrivateKey.generate().private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        part = file.with_name(f".{file.name}.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(pem)
        part.rename(file)
    signer = load_signer(file)
    pem = public_pem(signer.public)
    public = file.with_name(file.name + ".pub")
    if not public.exists() or public.read_bytes() != pem:
        public.write_bytes(pem)
    return signer


def key_id(public: Any) -> str:
    return sha256(public.public_bytes_raw())


def public_pem(public: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return bytes(public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))


def parse_public(pem: bytes, told: str) -> Any:
    """The public key of PEM bytes; ``told`` names their place."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except ValueError as exc:
        raise SigningError(f"{told} is not PEM. Make it with: openssl pkey -in KEY -pubout -out FILE") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise SigningError(f"{told} is a {type(key).__name__}, wanted Ed25519")
    return key


def _load_publics(file: Path) -> list[Any]:
    """All keys of a file; one that cannot be read spoils it."""
    data, told = _read(file, "public key"), f"public key {file}"
    parts = data.split(PEM_MARK)[1:]
    return [parse_public(PEM_MARK + part, told) for part in parts] or [parse_public(data, told)]


def _read(file: Path, what: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise SigningError(f"{what} {file} cannot be read: {exc.strerror}. Give the path of a file that this user may read") from exc


def _recipe(file: Path) -> str:
    return f"openssl genpkey -algorithm ed25519 -out {file}"


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as exc:
        raise SigningError("the Python package cryptography is not there. Install it with: pip install cryptography") from exc
