"""What holds for every test: none leaves the process other than it found it."""

import os
import sys

import pytest
from servers import s3, uri  # noqa: F401  # fixtures


@pytest.fixture(autouse=True)
def the_process_as_it_was():
    """Steps run in a process of their own and may set it up for user code; a test that calls one runs in this one."""
    environment, path = dict(os.environ), list(sys.path)
    flags = sys.dont_write_bytecode, sys.pycache_prefix
    yield
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    sys.dont_write_bytecode, sys.pycache_prefix = flags
