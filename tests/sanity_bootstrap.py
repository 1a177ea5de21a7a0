"""Gives pip to the environments that ansible-test makes, from the wheel that every Python brings along.

ansible-test fetches a script for that from a host of its own, which closed networks do not reach. It takes this file
instead when it lies in its cache (tests/lint.sh puts it there).
"""

import ensurepip
import importlib
import os
import runpy
import sys

before = dict(os.environ)
ensurepip.bootstrap()
os.environ.clear()  # it has turned pip's configuration off for this process, and a mirror or certificate may stand there
os.environ.update(before)
importlib.invalidate_caches()
sys.argv = ["pip", "install", *(a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel"))]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
