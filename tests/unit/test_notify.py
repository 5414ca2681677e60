"""notify: who is told of what, over a real wire, and what is said when a message does not arrive."""

import json
import socket
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clspec.step import notify, webhook
from clspec.step.job import Job, Paths
from clspec.step.program import main

PASS = {"verdict": "pass", "reasons": []}
FAIL = {"verdict": "fail", "reasons": ["dogs: recall of dog is 0.4, at least 0.9 is needed"]}
IDLE = {"retrain": False, "reason": "3 of 10 new samples"}
DONE = {"loop-decision": IDLE, "loop-queued": {}}
ALL = ["gate_failed", "run_failed", "awaiting_approval", "promoted", "alarm"]
SECRET_PATH = "/services/T0/B0/XXXXSECRETXXXX"


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent, and answers as its server is told to."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.server.answer(self)

    def do_GET(self):
        self.server.got.append((self.path, None, None))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def status(code, **headers):
    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def hook(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.daemon_threads = True
    server.got, server.answer = [], status(200)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}{SECRET_PATH}"
    monkeypatch.setenv("HOOK", server.url)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def config(form="json", events=ALL, **more):
    return {"spec": "pets", "notify": [{"on_event": events, "webhook_env": "HOOK", "format": form}], **more}


def sent(tmp_path, capsys, inputs, settings=None):
    """Runs the step on these inputs; what it printed, which never holds the URL."""
    arguments = ["notify", "--config", json.dumps(settings or config()), "--store", str(tmp_path / "store")]
    for name, value in inputs.items():
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        arguments += ["--in", f"{name}={path}"]
    assert main([*arguments, "--as-of", "2026-11-25T02:00:00Z"]) == 0
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert "SECRET" not in text
        assert "127.0.0.1" not in text
        assert "Traceback" not in text
    return printed.out


# -- which events ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "pipeline", "events"),
    [
        ({"verdict": PASS}, "regression", []),
        ({"verdict": FAIL}, "regression", ["gate_failed"]),
        ({"verdict": {"verdict": "inconclusive"}}, "regression", ["gate_failed"]),
        ({"verdict": {}}, "regression", ["gate_failed"]),
        ({}, "regression", ["run_failed"]),
        ({}, "improvement", ["run_failed"]),
        ({"loop-decision": IDLE}, "", []),
        ({"loop-decision": {"retrain": True}}, "", ["run_failed"]),
        ({"loop-decision": {}}, "", ["run_failed"]),
        ({"loop-decision": IDLE}, "improvement", ["run_failed"]),
        (DONE, "improvement", []),
        ({**DONE, "loop-decision": {"retrain": True}, "verdict": PASS}, "improvement", ["run_failed"]),
        ({**DONE, "verdict": FAIL}, "improvement", ["gate_failed"]),
        ({**DONE, "loop-labels": {"alarms": []}}, "improvement", []),
        ({**DONE, "loop-labels": {"alarms": ["audit: 3 % wrong"]}}, "improvement", ["alarm"]),
        ({**DONE, "verdict": PASS, "loop-promoted": {"reached": ["shadow"]}}, "improvement", ["promoted"]),
        (
            {**DONE, "verdict": PASS, "loop-promoted": {"reached": ["shadow"], "awaiting": "champion"}},
            "improvement",
            ["promoted", "awaiting_approval"],
        ),
        ({**DONE, "verdict": PASS, "loop-promoted": {"reached": [], "awaiting": None}}, "improvement", []),
    ],
)
def test_what_a_run_left_says_what_happened(inputs, pipeline, events):
    assert [news.event for news in notify.happened(inputs, pipeline)] == events


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_a_program_reads_what_happened(hook, tmp_path, capsys):
    out = sent(tmp_path, capsys, {"verdict": FAIL}, config(pipeline="regression"))
    ((path, kind, body),) = hook.got
    assert (path, kind) == (SECRET_PATH, "application/json")
    assert body == {
        "spec": "pets",
        "pipeline": "regression",
        "event": "gate_failed",
        "message": "the verdict is fail",
        "reasons": FAIL["reasons"],
        "verdict": "fail",
        "model": None,
        "as_of": "2026-11-25T02:00:00+00:00",
    }
    assert out == "notify: gate_failed: the webhook in HOOK was told\n"


def test_slack_shows_what_happened_and_makes_no_mention_of_it(hook, tmp_path, capsys):
    sent(tmp_path, capsys, {"verdict": {"verdict": "fail", "reasons": ["<!channel> & so on"] * 30}}, config("slack"))
    ((_, _, body),) = hook.got
    assert list(body) == ["text"]
    first, second, *_, last = body["text"].splitlines()
    assert first == "pets: gate failed: the verdict is fail"
    assert second == "- &lt;!channel&gt; &amp; so on"
    assert last == "- and 10 more"


def test_everybody_is_told_of_what_they_asked_for_and_of_nothing_else(hook, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OTHER", hook.url.replace("services", "others"))
    settings = config(events=["alarm", "gate_failed"])
    settings["notify"].append({"on_event": ["run_failed", "alarm"], "webhook_env": "OTHER", "format": "json"})
    inputs = {**DONE, "verdict": FAIL, "loop-labels": {"alarms": ["audit: 3 % wrong"]}}
    sent(tmp_path, capsys, inputs, settings)
    assert sorted((path.split("/")[1], body["event"]) for path, _, body in hook.got) == [
        ("others", "alarm"),
        ("services", "alarm"),
        ("services", "gate_failed"),
    ]


def test_a_good_run_bothers_nobody(hook, tmp_path, capsys):
    out = sent(tmp_path, capsys, {"verdict": PASS})
    assert hook.got == []
    assert out == "notify: nothing happened that anybody wants to be told of\n"


def test_an_input_that_cannot_be_read_is_one_that_was_never_made(hook, tmp_path, capsys):
    out = sent(tmp_path, capsys, {"verdict": "{"})
    assert [body["event"] for _, _, body in hook.got] == ["run_failed"]
    assert "input `verdict`" in out


# -- what does not arrive ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "headers"),
    [(500, {}), (404, {}), (302, {"Location": "/elsewhere"}), (307, {"Location": "file:///etc/passwd"})],
)
def test_an_answer_that_is_no_yes_is_told(hook, tmp_path, capsys, code, headers):
    hook.answer = status(code, **headers)
    out = sent(tmp_path, capsys, {"verdict": FAIL})
    assert out.startswith(f"notify: gate_failed: the webhook in HOOK was not told: it answered {code} ")
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "the variable HOOK is not set"),
        ("  ", "the variable HOOK is not set"),
        ("ftp://127.0.0.1/SECRET", "no http or https URL"),
        ("file:///etc/SECRET", "no http or https URL"),
        ("SECRET", "no http or https URL"),
        ("http://", "no http or https URL"),
        ("http://[SECRET", "no http or https URL"),
        ("http://127.0.0.1:SECRET/x", "no http or https URL"),
        ("http://127.0.0.1/SECRET ä", "cannot be reached"),
        ("http://u:SECRET@127.0.0.1/", "cannot be reached"),
        ("http://SECRET.invalid/x", ""),
    ],
)
def test_a_variable_that_leads_nowhere_is_told(tmp_path, capsys, monkeypatch, url, words):
    monkeypatch.delenv("HOOK", raising=False)
    if url is not None:
        monkeypatch.setenv("HOOK", url)
    out = sent(tmp_path, capsys, {"verdict": FAIL})
    assert "the webhook in HOOK was not told: " in out
    assert words in out


def test_a_door_that_is_shut_is_told(tmp_path, capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}{SECRET_PATH}")
    assert "was not told: Connection refused" in sent(tmp_path, capsys, {"verdict": FAIL})


def test_something_that_does_not_speak_http_is_told(tmp_path, capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{listening.getsockname()[1]}{SECRET_PATH}")

        def gibber():
            peer, _ = listening.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"SECRET nonsense\r\n\r\n")

        thread = threading.Thread(target=gibber)
        thread.start()
        assert "cannot be reached (BadStatusLine)" in sent(tmp_path, capsys, {"verdict": FAIL})
        thread.join()


@pytest.mark.parametrize("drips", [False, True])
def test_a_slow_answer_is_not_waited_for(hook, tmp_path, capsys, monkeypatch, drips):
    monkeypatch.setattr(webhook, "TIMEOUT", 0.4)
    over = threading.Event()

    def answer(handler):
        while not over.wait(0.1):
            if drips:  # a byte now and then starts a socket's timeout anew
                handler.wfile.write(b"H")

    hook.answer = answer
    began = time.monotonic()
    out = sent(tmp_path, capsys, {"verdict": FAIL})
    over.set()
    assert "was not told: no answer within 0.4 s" in out
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("hook")
def test_the_step_writes_nothing(tmp_path, capsys):
    (tmp_path / "verdict").write_text(json.dumps(FAIL))
    job = Job(
        config=config(),
        inputs=Paths("--in", {"verdict": tmp_path / "verdict"}),
        outputs=Paths("--out", {}),
        store=str(tmp_path / "store"),
        code=None,
        folder=None,
        as_of=datetime(2026, 11, 25, tzinfo=UTC),
    )
    notify.run(job)
    assert job.parameters == {}
    assert [path.name for path in tmp_path.iterdir()] == ["verdict"]
    capsys.readouterr()
