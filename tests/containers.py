"""Real containers for tests: an engine, a registry of our own, and a base image that no registry has to give."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

BASE = "clspec-test-base:1"
PACKAGES = "python3,libstdc++6"
"""What a step needs of a base: Python, and the C++ library that pyarrow's wheels expect."""


def refusal():
    """Why no container can be run here, or nothing."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    asked = subprocess.run(
        ["docker", "info", "--format", "{{.Driver}}"], capture_output=True, text=True, check=False, timeout=30
    )
    if asked.returncode:
        return f"docker's daemon does not answer: {asked.stderr.strip().splitlines()[-1:]}"
    if asked.stdout.strip() == "vfs":
        return "docker can only copy whole images here (storage driver vfs), which takes too long"
    return "" if os.geteuid() == 0 else "files must be given to the user of the steps, which takes root"


def base():
    """The base image, made of Debian's packages where the engine does not have it."""
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False).returncode == 0:
        return BASE
    release = dict(line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines())
    if "VERSION_CODENAME" not in release or shutil.which("mmdebstrap") is None:
        pytest.skip("a base image is made by mmdebstrap, which is not installed")
    words = ["mmdebstrap", "--mode=root", "--quiet", "--variant=essential", f"--include={PACKAGES}"]
    words += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "info", "locale", "i18n")]
    made = subprocess.Popen(
        [*words, release["VERSION_CODENAME"].strip('"'), "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    imported = subprocess.run(
        ["docker", "import", "-", BASE], stdin=made.stdout, capture_output=True, text=True, check=False
    )
    said = made.communicate()[1].decode(errors="replace")
    if made.returncode:
        pytest.skip(f"no base image can be made: {said.strip().splitlines()[-1:]}")
    assert imported.returncode == 0, imported.stderr
    return BASE


@contextlib.contextmanager
def registry(folder, rules=""):
    """A registry on this machine, `localhost:PORT`; `rules` say in its own YAML who may do what, else anybody may."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = folder / "registry.yml"
    told.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{folder / 'registry'}'}}}}\n{rules}"
    )
    served = subprocess.Popen(
        ["docker-registry", "serve", str(told)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/") as answer:
                    assert answer.status == 200
                    break
            except urllib.error.HTTPError as refused:
                refused.close()
                if rules:
                    break  # it is there, and asks who we are
                raise
            except OSError:
                pass
            time.sleep(0.1)
        yield f"localhost:{port}"
    finally:
        served.terminate()
        served.wait()
        shutil.rmtree(folder / "registry", ignore_errors=True)


# -- pods --------------------------------------------------------------------------------------------------------------

SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text):
    """An amount as Kubernetes writes it."""
    if text.endswith("m"):
        return float(text[:-1]) / 1000
    number = text.rstrip("kMGi")
    return float(number) * SIZES[text[len(number) :]]


class Pods:
    """Runs the containers of templates as a cluster does: what the manifest says, and folders that all see."""

    def __init__(self, client, shared, online=()):
        self.client, self.shared, self.online = client, tuple(map(str, shared)), online
        self.ran = {}
        """What the engine says of each step's container."""

    def __call__(self, cluster, task, container, root, leaf):
        spec = cluster.spec
        user = str(spec["securityContext"]["runAsUser"])
        volumes = {volume["name"]: volume["emptyDir"] for volume in (*spec["volumes"], *leaf.get("volumes", ()))}
        mounts, memory = {place: {"bind": place, "mode": "rw"} for place in self.shared}, {}
        for mount in container["volumeMounts"]:
            place = root / mount["mountPath"].lstrip("/")
            if volumes[mount["name"]].get("medium") == "Memory":
                memory[mount["mountPath"]] = f"size={int(quantity(volumes[mount['name']]['sizeLimit']))},mode=1777"
                continue
            place.mkdir(parents=True, exist_ok=True)
            give(place, int(user))
            mounts[str(place)] = {"bind": mount["mountPath"], "mode": "rw"}
        variables = cluster.variables(container)
        security = container["securityContext"]
        limits = container.get("resources", {}).get("limits", {})
        made = self.client.containers.create(
            container["image"],
            entrypoint=container["command"],
            command=cluster.arguments(container, variables),
            environment=variables,
            user=user,
            volumes=mounts,
            tmpfs=memory,
            read_only=security["readOnlyRootFilesystem"],
            cap_drop=security["capabilities"]["drop"],
            security_opt=[] if security["allowPrivilegeEscalation"] else ["no-new-privileges"],
            nano_cpus=int(quantity(limits["cpu"]) * 1e9) if "cpu" in limits else None,
            mem_limit=int(quantity(limits["memory"])) if "memory" in limits else None,
            network_mode="host" if task in self.online else "none",
        )
        try:
            made.start()
            deadline = leaf.get("activeDeadlineSeconds")
            code = made.wait(timeout=int(deadline) if deadline else 120)["StatusCode"]
            self.ran[task] = made.attrs | {"State": self.client.api.inspect_container(made.id)["State"]}
            if code:
                cluster.errors.append(f"{task}: {made.logs().decode(errors='replace')}")
        finally:
            made.remove(force=True)
        return code, "main: Error", "Succeeded" if code == 0 else "Failed"


def give(folder, user):
    """Let a user own a folder and all that is in it, as a pod's own containers do who fetch for it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


def open_to_all(folder):
    """Let everybody write below a folder: the store of a cluster does not belong to whoever locked the data."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
