"""The contract that every backend keeps, ours and others', as tests that a backend's author inherits. Needs pytest."""

import pytest

pytest.register_assert_rewrite("clspec.testing.contract")

from clspec.testing.contract import BackendContract  # noqa: E402  # only now its assertions explain themselves
from clspec.testing.recovered import ReadPipeline, ReadStep  # noqa: E402

__all__ = ["BackendContract", "ReadPipeline", "ReadStep"]
