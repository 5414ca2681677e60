"""Runs begun on a cluster, which here is a small HTTP server that checks what it is asked."""

import http.server
import json
import socket
import threading
from pathlib import Path

import pytest
from kfp_plans import FULL, improvement, plan, regression

from clspec import api
from clspec.backend import Occasion, Permission
from clspec.diagnostic import StepFailed, UsageError
from clspec_kfp import Options, document
from clspec_kfp.submit import SubmitError, submit

API = "/apis/v2beta1"
SPECS = Path(__file__).resolve().parents[2] / "specs"


class Cluster(http.server.ThreadingHTTPServer):
    """Kubeflow's API as far as a run needs it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.runs = []
        self.states = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
        self.refuse = None

    @property
    def host(self):
        return f"http://127.0.0.1:{self.server_port}"


class Asked(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):  # as the library calls it
        if self.path.startswith(f"{API}/runs/"):
            states = self.server.states
            self._answer(200, {"run_id": "r-1", "state": states.pop(0) if len(states) > 1 else states[0]})
        elif self.path.startswith(f"{API}/experiments"):
            self._answer(200, {"experiments": []})
        else:
            self._answer(200, {"multi_user": False})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.refuse and self.path == f"{API}/runs":
            self._answer(*self.server.refuse)
        elif self.path == f"{API}/experiments":
            self._answer(200, {"experiment_id": "e-1", "display_name": body["display_name"]})
        elif self.path == f"{API}/runs":
            self.server.runs.append(body)
            self._answer(200, {"run_id": "r-1", "display_name": body["display_name"], "state": "PENDING"})
        else:
            self._answer(404, {})

    def _answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    pytest.importorskip("kfp", reason="Kubeflow's client is not installed (extra `kfp`)")
    monkeypatch.setenv("HOME", str(tmp_path))
    served = Cluster()
    thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def test_a_run_is_begun_with_all_that_the_target_emits(cluster):
    url = submit(plan(improvement()), improvement(), Options(), cluster.host)
    assert url == f"{cluster.host}/#/runs/details/r-1"
    (run,) = cluster.runs
    spec, platform = document.documents(plan(improvement()), improvement(), Options())
    assert run["pipeline_spec"] == {"pipeline_spec": spec, "platform_spec": platform}
    assert (run["experiment_id"], run["display_name"]) == ("e-1", "robotaxi-perception-improvement")
    assert not run["runtime_config"].get("parameters")


def test_the_occasion_of_a_run_reaches_it(cluster):
    occasion = Occasion(as_of="2026-05-02T00:00:00+00:00", allow_both=Permission(by="ann", why="a hotfix"))
    submit(plan(), regression(), Options(), cluster.host, occasion)
    (run,) = cluster.runs
    parameters = run["runtime_config"]["parameters"]
    assert parameters["as-of"] == "2026-05-02T00:00:00+00:00"
    assert json.loads(parameters["allow-both"]) == {"by": "ann", "why": "a hotfix"}
    assert set(parameters) <= set(run["pipeline_spec"]["root"]["inputDefinitions"]["parameters"])


def test_a_run_that_is_waited_for_tells_its_states(cluster):
    told = []
    submit(plan(), regression(), Options(), cluster.host, wait=lambda: None, watch=told.append)
    assert told == ["pending", "running", "succeeded"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "ERROR"])
def test_a_run_that_does_not_succeed_fails_the_command(cluster, state):
    cluster.states = ["RUNNING", state]
    with pytest.raises(StepFailed, match=rf"the run {state.lower()}: http.*/r-1$") as caught:
        submit(plan(), regression(), Options(), cluster.host, wait=lambda: None)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "does not know who asks"), (403, "does not let"), (409, "already has a run"), (500, "it refuses")],
)
def test_a_refusal_says_why(cluster, status, said):
    cluster.refuse = status, {"error": "the server's own words"}
    with pytest.raises(SubmitError) as caught:
        submit(plan(), regression(), Options(), cluster.host)
    assert said in str(caught.value)
    assert f"({status}: the server's own words)" in str(caught.value)
    assert cluster.host in str(caught.value)
    assert caught.value.exit_code == 3


SECRETS = (
    *("SLACK_WEBHOOK_URL", "HF_TOKEN", "HF_USER", "WANDB", "HOOK", "DSN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
    *("AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "DATABASE_URL", "KFP_TOKEN", "CLSPEC_CLUSTER_TOKEN"),
    *("GITHUB_TOKEN", "PGPASSWORD", "DOCKER_PASSWORD", "NETRC", "SSH_KEY", "API_KEY", "PASSWORD"),
)


def test_no_secret_of_this_machine_gets_into_a_file_or_a_run(cluster, monkeypatch, capfd):
    canaries = {name: f"canary-{number}-of-{len(SECRETS)}-never-shown" for number, name in enumerate(SECRETS)}
    assert len(canaries) == 20
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
    told = []
    for spec in ("robotaxi", "tumour", "fraud"):
        settings = {"resources": "true", "store": "s3://b/p", "secret": "hooks"}
        compiled = api.compile(str(SPECS / f"{spec}.yaml"), "kfp", settings)
        told += [*compiled.bundle.values(), repr(compiled.diagnostics)]
    submit(plan(improvement()), improvement(), Options(secret="hooks"), cluster.host, wait=lambda: None)
    cluster.refuse = 401, {"error": "no"}
    with pytest.raises(SubmitError) as caught:
        submit(plan(regression(**FULL)), regression(**FULL), Options(), cluster.host)
    told += [json.dumps(cluster.runs), str(caught.value), *capfd.readouterr()]
    assert "HOOK" in told[-4]
    assert [value for value in canaries.values() for text in told if value in text] == []


@pytest.mark.usefixtures("cluster")
def test_nobody_at_that_address():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SubmitError, match=f"http://127.0.0.1:{port} did not take it: .*refused"):
        submit(plan(), regression(), Options(), f"http://127.0.0.1:{port}")


def test_a_store_that_is_given_by_an_option_is_the_run_s(cluster):
    submit(plan(store="store"), regression(), Options(store="s3://mine/cl"), cluster.host)
    (run,) = cluster.runs
    declared = run["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]["store"]
    assert declared["defaultValue"] == "s3://mine/cl"


def test_a_store_of_this_machine_is_refused_before_anything_is_asked():
    with pytest.raises(UsageError, match=r"cannot reach the store 'store'.*--set store=s3://"):
        submit(plan(store="store"), regression(), Options(), "http://nowhere.invalid")
