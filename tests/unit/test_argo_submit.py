"""Runs are started on Argo's server: linted, put there, submitted and followed; a no is told in a sentence."""

import json
import os
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml

from clspec.backend import Cluster, Follow, Occasion, Permission
from clspec.cli.running import _call
from clspec.diagnostic import StepFailed, UsageError
from clspec.testing.plans import PLANS
from clspec_argo import Options, backend
from clspec_argo.submit import Unreachable, submit

pytest.importorskip("argo_workflows")


class Server(ThreadingHTTPServer):
    """A stand-in for Argo's: it has no templates, and a run has these phases one after another."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked, self.refuses, self.has, self.phases = [], {}, set(), ["Running", "Succeeded"]


class Answer(BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        status = self.server.refuses.get((self.command, self.path), 200)
        if self.command == "GET" and "workflow-templates" in self.path and self.path not in self.server.has:
            status = 404
        content = {"metadata": {"name": "run-1", "resourceVersion": "7"}}
        if self.command == "GET" and "/workflows/" in self.path:
            content["status"] = {"phase": self.server.phases.pop(0), "message": "a step said no"}
        if status != 200:
            content = {"code": 1, "message": f"said {status}"}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def __getattr__(self, name):
        if name in ("do_GET", "do_POST", "do_PUT"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server():
    made = Server()
    thread = Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def start(server, occasion=None, wait=None, **more):
    host = f"http://127.0.0.1:{server.server_port}"
    return submit(PLANS["chain"](), "regression", Options(), host, occasion, wait, token="secret", **more)


PLACE = "/api/v1/workflow-templates/argo"


def test_a_run_is_linted_put_and_submitted(server):
    url = start(server)
    assert url.endswith("/workflows/argo/run-1")
    assert [(method, path) for method, path, _, _ in server.asked] == [
        ("POST", f"{PLACE}/lint"),
        ("GET", f"{PLACE}/contract-regression"),
        ("POST", PLACE),
        ("POST", "/api/v1/workflows/argo/submit"),
    ]
    assert {token for *_, token in server.asked} == {"Bearer secret"}
    assert server.asked[0][2]["template"]["kind"] == "WorkflowTemplate"
    assert server.asked[-1][2]["resourceName"] == "contract-regression"


def test_a_template_that_is_there_is_replaced(server):
    server.has.add(f"{PLACE}/contract-regression")
    start(server)
    method, _, body, _ = server.asked[2]
    assert (method, body["template"]["metadata"]["resourceVersion"]) == ("PUT", "7")


def test_a_permission_goes_along_and_is_no_template(server):
    start(server, Occasion(as_of="2026-05-02T00:00:00Z", allow_both=Permission(by="ann", why="{{workflow.name}}")))
    (given,) = server.asked[-1][2]["submitOptions"]["parameters"]
    name, _, value = given.partition("=")
    assert "{{" not in value
    assert (name, json.loads(value)) == ("allow-both", {"by": "ann", "why": "{{workflow.name}}"})


def test_a_run_is_followed_to_its_end(server):
    told = []
    start(server, wait=told.append)
    assert told == ["Running", "Succeeded"]
    server.phases = ["Failed"]
    with pytest.raises(StepFailed, match="ended as Failed: a step said no"):
        start(server, wait=told.append)


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "CLSPEC_CLUSTER_TOKEN"), (403, "ask for the right"), (409, "try again"), (500, "said 500")],
)
@pytest.mark.parametrize("path", [f"{PLACE}/lint", PLACE, "/api/v1/workflows/argo/submit"])
def test_a_no_is_told(server, path, status, told):
    server.refuses["POST", path] = status
    with pytest.raises(Unreachable, match=told) as caught:
        start(server)
    assert str(status) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_nobody_there():
    with pytest.raises(Unreachable, match="cannot be reached"):
        submit(PLANS["chain"](), "regression", Options(), "http://127.0.0.1:9", None, None)


def test_no_address():
    with pytest.raises(UsageError, match="not the address"):
        submit(PLANS["chain"](), "regression", Options(), "argo", None, None)


def test_parts_are_there_before_what_refers_to_them(server):
    host = f"http://127.0.0.1:{server.server_port}"
    plan = replace(PLANS["chain"](), pipelines=(long_pipeline(),))
    submit(plan, "regression", Options(), host, None, None, token="secret")
    linted = [body["template"]["metadata"]["name"] for _, path, body, _ in server.asked if path == f"{PLACE}/lint"]
    assert linted == ["contract-regression-part-2", "contract-regression-part-1", "contract-regression"]


def long_pipeline():
    (pipeline,) = PLANS["chain"]().pipelines
    first = pipeline.steps[0]
    return replace(pipeline, steps=tuple(replace(first, id=f"step-{n}") for n in range(250)))


@pytest.mark.parametrize("host", ["kubectl", "https://argo.example.com"])
def test_a_run_on_a_cluster_has_a_store_that_it_sees(host):
    plan = replace(PLANS["chain"](), store=".clspec/store")
    with pytest.raises(UsageError, match="--set store="):
        backend.submit(plan, "regression", Options(), Cluster(host=host), Occasion(as_of="2026-05-02"), None)


KUBECTL = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words, text = sys.argv[1:], sys.stdin.read() if "-" in sys.argv else ""
with (here / "asked").open("a") as stream:
    stream.write(json.dumps([words, text]) + "\\n")
refused = here / "refused"
if refused.exists() and refused.read_text() in words:
    sys.exit('error: workflowtemplates is forbidden: User "ann" cannot patch')
if "create" in words:
    print(json.dumps({{"metadata": {{"name": "run-1"}}}}))
elif "get" in words:
    phases = json.loads((here / "phases").read_text())
    (here / "phases").write_text(json.dumps(phases[1:]))
    print(json.dumps({{"status": {{"phase": phases[0], "progress": "1/2", "message": "a step said no"}}}}))
"""


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "phases").write_text(json.dumps(["Running", "Succeeded"]))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def by_kubectl(follow=None, occasion=None, **more):
    cluster = Cluster(**{"host": "kubectl:prod", "namespace": "cl", "call": _call, **more})
    return backend.submit(PLANS["chain"](), "regression", Options(), cluster, occasion or OCCASION, follow)


OCCASION = Occasion(as_of="2026-05-02T00:00:00Z")
FIRST = ["--context", "prod", "--namespace", "cl"]


def asked(kubectl):
    return [json.loads(line) for line in (kubectl / "asked").read_text().splitlines()]


def test_kubectl_is_asked_first_then_applies_and_creates(kubectl):
    told = []
    permission = Permission(by="ann", why="{{workflow.name}}")
    url = by_kubectl(Follow(pause=lambda: None, tell=told.append), Occasion(as_of="x", allow_both=permission))
    assert url == "kubectl --context prod --namespace cl get workflow run-1"
    assert [words for words, _ in asked(kubectl)][:3] == [
        [*FIRST, "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        [*FIRST, "apply", "--validate=strict", "-f", "-"],
        [*FIRST, "create", "-o", "json", "-f", "-"],
    ]
    applied = list(yaml.safe_load_all(asked(kubectl)[1][1]))
    assert [one["kind"] for one in applied] == ["WorkflowTemplate"]
    run = json.loads(asked(kubectl)[2][1])
    assert run["metadata"] == {"generateName": "contract-regression-"}
    assert run["spec"]["workflowTemplateRef"] == {"name": "contract-regression"}
    (given,) = run["spec"]["arguments"]["parameters"]
    assert "{{" not in given["value"]
    assert json.loads(given["value"]) == {"by": "ann", "why": "{{workflow.name}}"}
    assert told == ["Running 1/2", "Succeeded 1/2"]


def test_kubectl_as_it_is_set_up(kubectl):
    assert by_kubectl(host="kubectl", namespace="") == "kubectl get workflow run-1"
    assert asked(kubectl)[0][0][0] == "apply"


def test_a_run_that_kubectl_follows_may_fail(kubectl):
    (kubectl / "phases").write_text(json.dumps(["Failed"]))
    with pytest.raises(StepFailed, match="ended as Failed: a step said no"):
        by_kubectl(Follow(pause=lambda: None, tell=lambda _: None))


@pytest.mark.parametrize(("word", "calls"), [("--dry-run=server", 1), ("create", 3)])
def test_what_kubectl_refuses_is_told(kubectl, word, calls):
    (kubectl / "refused").write_text(word)
    with pytest.raises(Unreachable, match=r"kubectl said no: error: .*forbidden"):
        by_kubectl()
    assert len(asked(kubectl)) == calls


def test_no_kubectl(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="kubectl is not installed"):
        by_kubectl()
    with pytest.raises(UsageError, match="name Argo's server"):
        by_kubectl(call=None)
