"""Runs are started on Argo's server: linted, put there, submitted and followed; a no is told in a sentence."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from clspec.backend import Occasion, Permission
from clspec.diagnostic import StepFailed, UsageError
from clspec.testing.plans import PLANS
from clspec_argo import Options
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
    ("status", "told"), [(401, "ARGO_TOKEN"), (403, "ask for the right"), (409, "try again"), (500, "said 500")]
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
