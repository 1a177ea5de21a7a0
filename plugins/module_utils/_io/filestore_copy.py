# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies a filestore's prefix to another inside one bucket. Names are hashes of contents, so what is there is right."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import Bucket

AT_ONCE = 4


class Filestores(Bucket):
    """A bucket that holds one filestore under each database's name."""

    def names(self, prefix: str) -> set[str]:
        """The names of the current objects below a prefix, without it."""
        with self._told(f"listing {prefix}/"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{prefix}/")
            return {found["Key"][len(prefix) + 1 :] for page in pages for found in page.get("Contents", [])}

    def missing(self, source: str, target: str) -> list[str]:
        return sorted(self.names(source) - self.names(target))

    def copy(self, source: str, target: str, names: Iterable[str]) -> None:
        """The store copies by itself: no content passes through here."""

        def one(name: str) -> None:
            self._client.copy_object(Bucket=self.name, Key=f"{target}/{name}", CopySource={"Bucket": self.name, "Key": f"{source}/{name}"})

        with self._told(f"copying {source}/ to {target}/"), ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(one, name) for name in names]:
                done.result()
