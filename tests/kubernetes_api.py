"""A stand-in for a cluster's API: HTTPS, tokens, rights and strict fields; it really runs what a TrainJob asks for.

What it knows of a TrainJob is written by hand from the types of Kubeflow Trainer 2.2 and 2.1, and shares nothing with
clspec. Each machine is a local process with the variables that the training runtime `torch-distributed` gives to a pod.
"""

import datetime
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMESPACE = "perception"
JOBS = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{NAMESPACE}/trainjobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
STRING, NUMBER, TEXTS = "a text", "a number", "texts by name"
ANY_OF_K8S = "whatever Kubernetes takes"
POD = {
    "serviceAccountName": STRING,
    "volumes": [{"name": STRING, "emptyDir": {"medium": STRING, "sizeLimit": STRING}}],
    "containers": [{"name": STRING, "volumeMounts": [{"name": STRING, "mountPath": STRING}]}],
    "nodeSelector": TEXTS,
    "affinity": {"nodeAffinity": ANY_OF_K8S},
    "tolerations": [{"key": STRING, "operator": STRING, "value": STRING, "effect": STRING}],
}
SECURITY = {"allowPrivilegeEscalation": bool, "capabilities": {"drop": [STRING]}, "readOnlyRootFilesystem": bool}
POD_SECURITY = {"runAsNonRoot": bool, "runAsUser": NUMBER, "seccompProfile": {"type": STRING}}
SAFE_POD = {
    **POD,
    "containers": [{**POD["containers"][0], "securityContext": SECURITY}],
    "securityContext": POD_SECURITY,
}
VARIABLE = {"name": STRING, "value": STRING, "valueFrom": {"secretKeyRef": {"name": STRING, "key": STRING}}}
TRAINER = {
    "image": STRING,
    "command": [STRING],
    "args": [STRING],
    "env": [VARIABLE],
    "numNodes": NUMBER,
    "numProcPerNode": NUMBER,
    "resourcesPerNode": {"requests": TEXTS, "limits": TEXTS},
}
OWNER = {"apiVersion": STRING, "kind": STRING, "name": STRING, "uid": STRING}
META = {"name": STRING, "namespace": STRING, "labels": TEXTS, "annotations": TEXTS, "ownerReferences": [OWNER]}
PATCH = {"template": {"spec": {"template": {"spec": SAFE_POD}}}}
PATCHES = {"template": {"spec": {"replicatedJobs": [{"name": STRING, **PATCH}]}}}
COMMON = {"runtimeRef": {"name": STRING, "kind": STRING, "apiGroup": STRING}, "trainer": TRAINER}
SPECS = {
    "2.2": {
        **COMMON,
        "runtimePatches": [{"manager": STRING, "trainingRuntimeSpec": PATCHES}],
        "activeDeadlineSeconds": NUMBER,
    },
    "2.1": {**COMMON, "podTemplateOverrides": [{"targetJobs": [{"name": STRING}], "spec": POD}]},
}
RESERVED = {"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"}


def misfits(value, form, path):
    """What the API complains of: fields that it does not know, and values of another kind."""
    if form is ANY_OF_K8S:
        return
    if isinstance(form, list):
        if not isinstance(value, list):
            yield f'"{path}" is no list'
            return
        for number, item in enumerate(value):
            yield from misfits(item, form[0], f"{path}[{number}]")
    elif isinstance(form, dict):
        if not isinstance(value, dict):
            yield f'"{path}" is no object'
            return
        yield from (f'unknown field "{path}.{key}"' for key in value if key not in form)
        for key in value.keys() & form.keys():
            yield from misfits(value[key], form[key], f"{path}.{key}")
    elif type(value) is not KINDS[form] or (form is TEXTS and set(map(type, value.values())) - {str}):
        yield f'"{path}" is no {form}'


KINDS = {STRING: str, NUMBER: int, bool: bool, TEXTS: dict}


class Api:
    """The cluster: its jobs, whom it lets do what, and what it has been asked."""

    def __init__(self, folder, *, version="2.2", code=None, secrets=None, allowed=None):
        self.version, self.code, self.secrets = version, code, secrets or {}
        self.allowed = allowed
        """Pairs of verb and resource; None for everything."""
        self.account = folder / "serviceaccount"
        self.account.mkdir(parents=True)
        self.tokens = {"first-token"}
        self.jobs, self.machines, self.asked, self.deleted = {}, {}, [], []
        self.faults = []
        """What is answered before anything else: status, or None to say nothing at all."""
        self.after = []
        """The same for requests that are carried out first, so that only their answer is lost."""
        self.lingering = 0.0
        """Seconds for which a deleted job is still there."""
        self.runs = code is not None
        self.pods, self.launchers = [], []
        self.environment = {}
        self.lock = threading.RLock()
        self.folder = folder
        (self.account / "token").write_text("first-token\n")
        (self.account / "namespace").write_text(NAMESPACE)
        key = certificate(self.account / "ca.crt", folder / "key.pem")
        self.errors = []
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.api = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.account / "ca.crt", key)
        # Each connection shakes hands in its own thread: one that is broken off must not hold up the others.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def variables(self):
        """What every pod has, and the launcher of a test must be given."""
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.server.server_port)}

    @property
    def prelude(self):
        """Python that points the launcher at this cluster's files, which lie elsewhere than in a pod."""
        return f"import pathlib; from clspec.step import cluster; cluster.ACCOUNT = pathlib.Path({str(self.account)!r})"

    def verbs(self):
        return [f"{verb} {path.removeprefix(JOBS)}" for verb, path in self.asked if path.startswith(JOBS)]

    @contextmanager
    def serving(self):
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            for name in list(self.machines):
                self.end(name)
            self.server.shutdown()
            thread.join()
            self.server.server_close()
        assert self.errors == []

    # -- jobs --------------------------------------------------------------------------------------------------------

    def create(self, body, query):
        assert query.get("fieldValidation") == ["Strict"], "what the cluster does not know would be dropped in silence"
        form = {"apiVersion": STRING, "kind": STRING, "metadata": META, "spec": SPECS[self.version]}
        found = [text.replace('".', '"') for text in misfits(body, form, "")]
        if found:
            return 400, status(f"TrainJob in version v1alpha1 cannot be handled: strict decoding error: {found[0]}")
        name, spec = body["metadata"]["name"], body["spec"]
        wrong = [text for text, is_so in self.complaints(body, name, spec) if is_so]
        if wrong:
            return 422, status(f'TrainJob.trainer.kubeflow.org "{name}" is invalid: {"; ".join(wrong)}')
        if name in self.jobs:
            return 409, status(f'trainjobs.trainer.kubeflow.org "{name}" already exists', "AlreadyExists")
        # Whole from the moment it can be seen: others look at the jobs without the lock.
        self.jobs[name] = {**body, "status": {}, "metadata": {**body["metadata"], "uid": str(uuid.uuid4())}}
        if self.runs:
            self.machines[name] = [self.machine(name, spec, number) for number in range(spec["trainer"]["numNodes"])]
            threading.Thread(target=self.control, args=(name, self.jobs[name]), daemon=True).start()
        return 201, self.jobs[name]

    @staticmethod
    def complaints(body, name, spec):
        trainer = spec["trainer"]
        yield "another API", (body["apiVersion"], body["kind"]) != ("trainer.kubeflow.org/v1alpha1", "TrainJob")
        yield "metadata.name", not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > 63
        yield "the name of a pod", len(f"{name}-node-0-{trainer['numNodes'] - 1}-abcde") > 63
        yield "metadata.namespace", body["metadata"]["namespace"] != NAMESPACE
        yield "a label", any(len(value) > 63 for value in body["metadata"]["labels"].values())
        yield "runtimeRef", not spec["runtimeRef"].get("name")
        yield "reserved envs", bool(RESERVED & {variable["name"] for variable in trainer["env"]})
        yield "an argument", any(len(word) > 65536 for word in (*trainer["command"], *trainer["args"]))
        yield "numNodes", trainer["numNodes"] < 1

    def machine(self, name, spec, number):
        """A pod of the job, as a process here."""
        trainer = spec["trainer"]
        if not hasattr(self, "_ports"):
            self._ports = {}
        if name not in self._ports:
            with socket.socket() as tried:
                tried.bind(("127.0.0.1", 0))
                self._ports[name] = tried.getsockname()[1]
        own = {}
        for variable in trainer["env"]:
            source = variable.get("valueFrom", {}).get("secretKeyRef")
            own[variable["name"]] = self.secrets[source["name"], source["key"]] if source else variable["value"]
        words = [expanded(word, own) for word in (*trainer["command"], *trainer["args"])]
        assert words[:3] == ["python", "-m", "clspec.step.machine"]
        words[words.index("--code") + 1] = str(self.code)
        place = self.folder / f"{name}-{number}"
        place.mkdir(exist_ok=True)
        surroundings = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV")}
        surroundings |= {**own, "TMPDIR": str(place), "HOME": str(place), "OMP_NUM_THREADS": "1", **self.environment}
        surroundings |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        surroundings |= {
            "PET_NNODES": str(trainer["numNodes"]),
            "PET_NPROC_PER_NODE": str(trainer["numProcPerNode"]),
            "PET_NODE_RANK": str(number),
            "PET_MASTER_ADDR": "127.0.0.1",
            "PET_MASTER_PORT": str(self._ports[name]),
        }
        command = [sys.executable, *words[1:]]
        with (place / "log").open("wb") as log:
            return subprocess.Popen(
                command, env=surroundings, cwd=place, stdout=log, stderr=log, start_new_session=True
            )

    def control(self, name, job):
        """What JobSet and Trainer do: complete when all machines are, failed when one is."""
        while self.jobs.get(name) is job:
            machines = self.machines.get(name)
            if machines is None:
                return
            codes = [process.poll() for process in machines]
            if all(code == 0 for code in codes):
                job["status"]["conditions"] = [condition("Complete", "JobsCompleted", "trainjob completed")]
                return
            if any(codes):
                time.sleep(1)
                job["status"]["conditions"] = [condition("Failed", "JobSetFailed", "one of the jobs failed")]
                return
            time.sleep(0.05)

    def log(self, number=0):
        """What a machine of the only job there was has printed."""
        (found,) = self.folder.glob(f"*-{number}/log")
        return found.read_text()

    def delete(self, name, body):
        assert body["kind"] == "DeleteOptions"
        assert body["propagationPolicy"] in ("Background", "Foreground")
        if name not in self.jobs:
            return 404, status("not found", "NotFound")
        if body["preconditions"]["uid"] != self.jobs[name]["metadata"]["uid"]:
            return 409, status("the UID in the precondition does not match", "Conflict")
        self.end(name)
        self.deleted.append(name)
        if self.lingering:
            self.jobs[name]["metadata"]["deletionTimestamp"] = "2026-05-02T00:00:00Z"
            threading.Timer(self.lingering, self.jobs.pop, (name,)).start()
        else:
            del self.jobs[name]
        return 200, status("deleted")

    def end(self, name):
        for process in self.machines.get(name, ()):
            with_group(process, signal.SIGTERM)
        for process in self.machines.pop(name, ()):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                with_group(process, signal.SIGKILL)
                process.wait()

    def collect(self, uid):
        """What Kubernetes does once an owner is gone."""
        for name, job in list(self.jobs.items()):
            if any(owner["uid"] == uid for owner in job["metadata"].get("ownerReferences", ())):
                self.delete(name, {"kind": "DeleteOptions", "propagationPolicy": "Background", **same(job)})

    def list_pods(self, query):
        if "fieldSelector" in query:
            named = [
                one for one in self.launchers if query["fieldSelector"] == [f"metadata.name={one['metadata']['name']}"]
            ]
            return 200, {"kind": "PodList", "items": named}
        ((name, _),) = [(value.partition("=")[2], key) for key, (value,) in query.items() if key == "labelSelector"]
        if self.pods:
            return 200, {"kind": "PodList", "items": self.pods}
        items = [pod(f"{name}-node-0-{n}-abcde", p.poll()) for n, p in enumerate(self.machines.get(name, ()))]
        return 200, {"kind": "PodList", "items": items}

    # -- requests ----------------------------------------------------------------------------------------------------

    def answer(self, verb, path, query, body):
        with self.lock:
            if path == JOBS and verb == "POST":
                return self.permitted("create", "trainjobs") or self.create(body, query)
            name = unquote(path.removeprefix(f"{JOBS}/"))
            if path.startswith(f"{JOBS}/") and verb == "GET":
                found = self.jobs.get(name)
                return self.permitted("get", "trainjobs") or ((200, found) if found else (404, status("not found")))
            if path.startswith(f"{JOBS}/") and verb == "DELETE":
                return self.permitted("delete", "trainjobs") or self.delete(name, body)
            if path == PODS and verb == "GET":
                return self.permitted("list", "pods") or self.list_pods(query)
        raise AssertionError(f"{verb} {path}")

    def permitted(self, verb, resource):
        if self.allowed is None or (verb, resource) in self.allowed:
            return None
        account = f"system:serviceaccount:{NAMESPACE}:steps"
        return 403, status(
            f'{resource} is forbidden: User "{account}" cannot {verb} resource "{resource}"', "Forbidden"
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away is none of ours; what else goes wrong is a request that should not have been."""
        if not isinstance(sys.exception(), OSError):
            self.api.errors.append(repr(sys.exception()))


class _Handler(BaseHTTPRequestHandler):
    def __getattr__(self, name):
        """Every verb is answered by one method."""
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def _do(self):
        api = self.server.api
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        api.asked.append((self.command, self.path))
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in api.tokens:
            return self._say(401, status("Unauthorized", "Unauthorized"))
        fault = api.faults.pop(0) if api.faults else 0
        if fault is None:
            self.close_connection = True
            return None
        if fault:
            return self._say(fault, status("the server is currently unable to handle the request"))
        if content:
            assert self.headers["Content-Type"] == "application/json"
        code, answer = api.answer(self.command, parts.path, parse_qs(parts.query), json.loads(content or "null"))
        if self.command == "POST" and api.after:
            code = api.after.pop(0)
            answer = status("etcdserver: request timed out")
        return self._say(code, answer)

    def _say(self, code, answer):
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Quiet."""


def same(job):
    return {"preconditions": {"uid": job["metadata"]["uid"]}}


def with_group(process, number):
    """A pod ends with all that runs in it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def status(message, reason=""):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}


def condition(kind, reason, message):
    return {"type": kind, "status": "True", "reason": reason, "message": message}


def pod(name, code=None, **more):
    """A pod as the API lists it, by the exit code of its only container."""
    phase = "Running" if code is None else "Failed" if code else "Succeeded"
    state = {"running": {}} if code is None else {"terminated": {"exitCode": 128 - code if code < 0 else code}}
    return {
        "metadata": {"name": name},
        "status": {"phase": phase, "containerStatuses": [{"name": "node", "state": state}], **more},
    }


def expanded(argument, variables):
    """What Kubernetes does to an argument."""
    return re.sub(r"\$(?:(\$)|\(([^)]*)\))", lambda m: m[1] or variables.get(m[2], m[0]), argument)


def certificate(path, key_path):
    """A certificate of this machine's address, which signs itself; returns the place of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(tz=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_path.write_bytes(private)
    return key_path
