"""What the bucket's store asks and how it reads the answer, without a bucket: botocore's own stubber holds both to the API."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import StoreError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store_s3 import open_bucket
from botocore.stub import Stubber

WRITTEN = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
ASKED = {"Bucket": "bucket", "Key": "prefix/leases/acme.json"}


@pytest.fixture
def stub() -> Any:
    store = open_bucket("s3://bucket/prefix", {"endpoint_url": "https://127.0.0.1:1", "access_key": "a", "secret_key": "b"})
    with Stubber(store._client) as stubbed:
        yield store, stubbed


def test_when_an_object_was_written(stub: Any) -> None:
    store, stubbed = stub
    stubbed.add_response("head_object", {"LastModified": WRITTEN}, ASKED)
    assert store.written_at("leases/acme.json") == WRITTEN


@pytest.mark.parametrize("code", ["404", "NoSuchKey"])
def test_an_object_that_is_not_there_was_never_written(stub: Any, code: str) -> None:
    store, stubbed = stub
    stubbed.add_client_error("head_object", code, http_status_code=404, expected_params=ASKED)
    assert store.written_at("leases/acme.json") is None


def test_a_bucket_that_refuses_to_say(stub: Any) -> None:
    store, stubbed = stub
    stubbed.add_client_error("head_object", "403", http_status_code=403, expected_params=ASKED)
    with pytest.raises(StoreError, match=r"cannot read leases/acme\.json"):
        store.written_at("leases/acme.json")
