"""Which of the engine's variables its processes are given: what programs need to run, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUN = "CLSPEC_RUN"
"""The variable by which a run knows what it has begun, should all that watched over it be killed at once."""
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME"),
)
_PREFIXES_PASSED_ON = ("LC_", "OPENBLAS_", "MKL_", "NVIDIA_", "R_")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Threads that wait by spinning take the cores from whoever else works: measured 16 s against 6 on a busy machine.
_PASSIVE = {"OMP_WAIT_POLICY": "passive"}


def environment(
    own: Mapping[str, str], run: str, threads: int, secrets: Sequence[str], *uris: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of a step: what programs need to run, and, apart from them, what this step alone may know.

    That is its secrets by name, and the cloud's credentials where one of the URIs leads into that cloud.
    """
    found = {**_plain(own), **dict.fromkeys(_THREADS, str(threads)), **_PASSIVE, RUN: run}
    alone = [name for name in secrets if name in own]
    if any("s3://" in uri for uri in uris):
        alone += [name for name in own if name.startswith("AWS_")]
    return found, {name: own[name] for name in alone if name not in found}


def of_warmth(own: Mapping[str, str], run: str) -> dict[str, str]:
    """The variables of a warm process: its libraries start no thread when they are loaded."""
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    return {**_plain(own), **alone, **_PASSIVE, RUN: run}


def _plain(own: Mapping[str, str]) -> dict[str, str]:
    found = {name: own[name] for name in _PASSED_ON if name in own}
    return found | {name: value for name, value in own.items() if name.startswith(_PREFIXES_PASSED_ON)}
