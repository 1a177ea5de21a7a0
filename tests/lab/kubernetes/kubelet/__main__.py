"""The stand-in for the kubelet: runs pods as local processes, each on its own loopback address, and reports as a kubelet does.

What it does not do: volumes, users, limits, networks. A container sees this machine's files; its image is a folder.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tests.lab.kubernetes.kubelet.api import NodeApi
from tests.lab.kubernetes.kubelet.node import Kubelet


async def serve(args: argparse.Namespace) -> None:
    await Kubelet(NodeApi(args.kubeconfig), nodes=args.nodes, store=args.store, pods=args.pods).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True, help="the release store: images by digest")
    parser.add_argument("--pods", type=Path, required=True, help="a folder for the pods' logs and files")
    parser.add_argument("nodes", nargs="+")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
