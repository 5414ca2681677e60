"""What holds for every test: none leaves the process other than it found it."""

import os
import signal
import sys
from importlib.machinery import SourceFileLoader

import pytest
from servers import s3, uri  # noqa: F401  # fixtures

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell begins what stands before its `&` so, and whatever a test begins would inherit it and be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def the_process_as_it_was():
    """Steps run in a process of their own and may set it up for user code; a test that calls one runs in this one."""
    environment, path = dict(os.environ), list(sys.path)
    flags = sys.dont_write_bytecode, sys.pycache_prefix
    looks_at_caches = SourceFileLoader.path_stats
    yield
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    sys.dont_write_bytecode, sys.pycache_prefix = flags
    SourceFileLoader.path_stats = looks_at_caches
