"""A launcher makes a TrainJob, awaits it and takes it away: against a stand-in for the cluster's API, over HTTPS."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_api import JOBS, Api, certificate, condition, pod

from clspec import code, trainjob
from clspec.data.storage import storage_at
from clspec.diagnostic import Refused, StepFailed, SurroundingsFailed, UsageError
from clspec.plan import Gpu, Kind, Resources, Secret, canonical
from clspec.step import cluster, launch, parcel, watch
from clspec.step.ending import Ending
from clspec.step.job import Job, Paths
from clspec.step.machine import DONE, FAILED, TASK
from clspec.testing.plans import step

MODEL = {"weights.json": b'{"w": 1}', "more/bias.bin": b"\x00" * 100}
RUN = "6f9f2c1e-0000-4000-8000-1234567890ab"
USER_CODE = """
import json, os, pathlib, time
def train(data, validation, model_dir, seed, how="well"):
    rank = int(os.environ["RANK"])
    if how == "badly" and rank == 1:
        raise ValueError("no such layer")
    if how in ("badly", "for ever"):
        time.sleep(60)
    if rank == 0:
        pathlib.Path(model_dir, "model.json").write_text(json.dumps({"seed": seed, "world": os.environ["WORLD_SIZE"]}))
    return {"loss": 0.5}
"""


def trained(seconds=None, version="2.2", **machine):
    """What a target tells the launcher of a training on two machines."""
    made = step(
        "train-seed-1",
        Kind.TRAIN,
        resources=Resources(nodes=2, gpu=Gpu(count=4), **machine),
        timeout=seconds,
        secrets=(Secret(env="HUB", name="hub", key="token"),),
    )
    machines = trainjob.Machines(
        runtime="torch-distributed",
        version=version,
        account="steps",
        resources={"limits": {"nvidia.com/gpu": "4"}},
        secrets=made.secrets,
        selector={"pool": "train"},
        pod_security={"runAsNonRoot": True},
        security={"allowPrivilegeEscalation": False},
    )
    return json.loads(trainjob.argument(made, machines))


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(cluster, "_PAUSES", (0.01,))
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    monkeypatch.setattr(watch, "_PAUSES", (0.02,))
    monkeypatch.setattr(watch, "_SETTLE", 0.2)
    monkeypatch.setattr(launch, "_PAUSE", 0.05)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Starts a cluster, in which this process is a launcher."""
    running = []

    def start(**options):
        api = Api(tmp_path / "api", **options)
        monkeypatch.setattr(cluster, "ACCOUNT", api.account)
        for name, value in api.variables.items():
            monkeypatch.setenv(name, value)
        running.append(api.serving())
        return running[-1].__enter__()

    yield start
    for serving in running:
        serving.__exit__(None, None, None)


@pytest.fixture
def job(tmp_path):
    """A training whose data are any bytes."""
    for name in ("data", "validation"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "model.py").write_text(USER_CODE)

    def make(asked=None, **more):
        call = {"entrypoint": "model:train", "command": None, "code": code.digest(tmp_path / "code")}
        config = {"spec": "pets", "seed": 1, "params": {}, "protected": [{"name": "golden"}], "call": call}
        inputs = {name: tmp_path / name for name in ("data", "validation")}
        return Job(
            config=config | more.pop("config", {}),
            inputs=Paths("--in", inputs),
            outputs={},
            store=more.pop("store", str(tmp_path / "store")),
            code=tmp_path / "code",
            folder=None,
            as_of=datetime.now(tz=UTC),
            run=RUN,
            trainjob=asked or trained(),
        )

    return make


@pytest.fixture
def launched(job, tmp_path):
    """Runs a launcher whose job meets an end that the test makes, and gives what it returns, or raises what it does."""

    def go(api, end=None, made=None):
        made, directory, broken = made or job(), tmp_path / "model", []
        directory.mkdir()
        api.given_up = False
        ending = threading.Thread(target=_meet, args=(api, made, end, broken), daemon=True)
        ending.start()
        try:
            return launch.trained(made, directory)
        finally:
            api.given_up = True
            ending.join(5)
            assert broken == []

    return go


def _meet(api, made, end, broken):
    """Bring the job its end; where that breaks, the launcher must not wait for an end that never comes."""
    while not (api.jobs or api.given_up):
        time.sleep(0.005)
    if end and not api.given_up:
        (found,) = api.jobs.values()
        try:
            end(found, storage_at(made.store), found["metadata"]["annotations"][launch.FOLDER])
        except BaseException as error:
            broken.append(error)
            for each in tuple(api.jobs.values()):
                fails(each)
            raise


def completes(found, storage, folder, model=MODEL, metrics=None):
    """What the first machine does at its end, and Trainer after it."""
    listed = {}
    for name, content in model.items():
        listed |= parcel.send(storage, folder, [(name, _file(content))])
    storage.write(f"{folder}/{DONE}", canonical({"files": listed, "metrics": metrics or {"loss": 0.25}}).encode())
    found["status"]["conditions"] = [condition("Complete", "JobsCompleted", "all jobs are complete")]


class _file:  # noqa: N801  # what has a stream of its bytes
    def __init__(self, content):
        self._content = content

    def open(self, _):
        import io

        return io.BytesIO(self._content)


def reports(number, exit_code, text):
    def end(found, storage, folder):
        del found
        told = {"machine": number, "exit_code": exit_code, "text": text}
        storage.write(f"{folder}/{FAILED}/{number}.json", json.dumps(told).encode())

    return end


def fails(found, *_):
    found["status"]["conditions"] = [
        condition("Failed", "JobSetFailed", "jobset failed due to one or more job failures")
    ]


def left(job):
    """What is left of the handing over in the store."""
    return list(storage_at(job().store).keys("pets/handover"))


# -- what is made ------------------------------------------------------------------------------------------------------


def test_a_job_is_made_awaited_collected_and_taken_away(serve, launched, job, tmp_path, capfd):
    api = serve()
    seen = {}

    def end(found, storage, folder):
        seen.update(json.loads(json.dumps(found)))
        seen["task"] = json.loads(storage.read(f"{folder}/{TASK}"))
        completes(found, storage, folder)

    assert launched(api, end) == {"loss": 0.25}
    assert {
        p.relative_to(tmp_path / "model").as_posix(): p.read_bytes() for p in (tmp_path / "model").rglob("*.*")
    } == MODEL
    name = launch.name("pets", RUN, "train-seed-1")
    assert api.deleted == [name] == [seen["metadata"]["name"]]
    assert left(job) == []
    assert seen["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "clspec", "clspec.dev/run": RUN}
    assert seen["spec"]["trainer"]["numNodes"] == 2
    assert seen["spec"]["trainer"]["numProcPerNode"] == 4
    assert seen["spec"]["trainer"]["command"] == ["python", "-m", "clspec.step.machine"]
    folder = seen["metadata"]["annotations"][launch.FOLDER]
    assert folder.startswith(f"pets/handover/{RUN}/train-seed-1/")
    words = ["--store", str(tmp_path / "store"), "--task", folder, "--code", str(tmp_path / "code")]
    assert seen["spec"]["trainer"]["args"] == words
    assert "protected" not in seen["task"]["config"]
    assert set(seen["task"]["inputs"]) == {"data", "validation"}
    told = capfd.readouterr().out
    assert f"TrainJob {name}: made, on 2 machines" in told
    assert f"TrainJob {name}: deleted" in told


def test_a_store_with_a_dollar_reaches_the_machines(serve, launched, job, tmp_path):
    api, seen = serve(), {}

    def end(found, storage, folder):
        seen["store"] = found["spec"]["trainer"]["args"][1]
        completes(found, storage, folder)

    launched(api, end, job(store=str(tmp_path / "a $(HOME) $$ store")))
    assert seen["store"] == str(tmp_path / "a $$(HOME) $$$$ store")


def test_trainer_2_1_is_asked_in_its_own_words(serve, launched, job):
    launched(serve(version="2.1"), completes, job(trained(version="2.1")))


def test_another_version_is_refused_before_selectors_are_lost(serve, launched, job):
    api = serve(version="2.1")
    with pytest.raises(StepFailed, match=r'unknown field "spec.runtimePatches".*--set trainer_version'):
        launched(api)
    assert api.jobs == {}
    assert left(job) == []


@given(st.text(), st.text(min_size=1), st.text())
def test_a_name_is_one_that_pods_can_be_called_after(spec, run, name):
    made = launch.name(spec, run, name)
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])", made)
    assert launch.name(spec, run, name) == made
    assert len({made, launch.name(spec, run + "x", name), launch.name(spec, run, name + "x")}) == 3


# -- tried again -------------------------------------------------------------------------------------------------------


def test_a_launcher_that_is_tried_again_takes_its_job_over(serve, launched, job, capfd):
    api = serve()
    made = job()
    first = launch._Launcher(made, launch.Wanted.read(made.trainjob), cluster.around(), Ending())
    first.begun()  # and the pod is gone
    assert launched(api, completes) == {"loss": 0.25}
    assert [verb.split()[0] for verb in api.verbs()].count("POST") == 1
    assert "taken over from an earlier try" in capfd.readouterr().out
    assert left(job) == []


OWNERS = [
    {"apiVersion": "apps/v1", "kind": "Other", "name": "other", "uid": "other-uid"},
    {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "run-1", "uid": "run-uid", "controller": True,
     "blockOwnerDeletion": True},
]  # fmt: skip


@pytest.mark.parametrize("variable", ["CLSPEC_POD_NAME", "KFP_POD_NAME"])
def test_the_job_of_a_launcher_that_is_lost_goes_with_its_run(serve, job, monkeypatch, variable):
    api = serve()
    api.launchers = [{"metadata": {"name": name, "ownerReferences": OWNERS}} for name in ("first", "second")]
    made = job()

    def begun(pod_name):
        monkeypatch.setenv(variable, pod_name)
        return launch._Launcher(made, launch.Wanted.read(made.trainjob), cluster.around(), Ending()).begun()

    first = begun("first")  # and its pod is gone
    assert first["metadata"]["ownerReferences"] == [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "run-1", "uid": "run-uid"}
    ]
    api.launchers.pop(0)
    api.collect("first")
    assert begun("second") == first, "the next try finds it: it was never the first pod's"
    api.collect("run-uid")  # nobody tries again, and the run is taken away
    assert (list(api.jobs), api.deleted) == ([], [first["metadata"]["name"]])


@pytest.mark.parametrize(
    ("owners", "allowed", "said"),
    [
        (None, None, "does not know its own pod"),
        (OWNERS[:1], None, "belongs to nobody"),
        (OWNERS, {(verb, "trainjobs") for verb in ("create", "get", "delete")}, 'cannot list resource "pods"'),
    ],
)
def test_a_job_without_an_owner_is_made_and_that_is_said(serve, job, monkeypatch, capfd, owners, allowed, said):  # noqa: PLR0913, PLR0917
    api = serve(allowed=allowed)
    if owners is not None:
        monkeypatch.setenv("CLSPEC_POD_NAME", "first")
        api.launchers = [{"metadata": {"name": "first", "ownerReferences": owners}}]
    made = job()
    found = launch._Launcher(made, launch.Wanted.read(made.trainjob), cluster.around(), Ending()).begun()
    assert "ownerReferences" not in found["metadata"]
    told = capfd.readouterr().out
    assert "belongs to no run: " in told
    assert said in told


@pytest.mark.parametrize("notes", [{}, {launch.ASKED: "something else", launch.FOLDER: "pets/handover/x"}])
def test_a_job_of_that_name_that_is_another_is_left_alone(serve, launched, job, notes):
    api = serve()
    name = launch.name("pets", RUN, "train-seed-1")
    api.jobs[name] = {"metadata": {"name": name, "uid": "u", "annotations": notes}, "status": {}}
    with pytest.raises(StepFailed, match=r"already, made (by somebody|for something) else") as told:
        launched(api)
    assert f"kubectl delete trainjob {name}" in str(told.value)
    assert (api.deleted, list(api.jobs)) == ([], [name])
    assert left(job) == []


def test_other_data_are_another_job(serve, launched, job, tmp_path):
    api = serve()
    made = job()
    launch._Launcher(made, launch.Wanted.read(made.trainjob), cluster.around(), Ending()).begun()
    (tmp_path / "data").write_bytes(b"other rows")
    with pytest.raises(StepFailed, match="made for something else"):
        launched(api)


def test_a_job_that_is_being_deleted_is_waited_for(serve, launched):
    api = serve()
    name = launch.name("pets", RUN, "train-seed-1")
    notes = {launch.FOLDER: "nowhere"}
    going = {"name": name, "uid": "u", "annotations": notes, "deletionTimestamp": "2026-05-02T00:00:00Z"}
    api.jobs[name] = {"metadata": going, "status": {}}
    threading.Timer(0.3, api.jobs.pop, (name,)).start()

    def end(found, *rest):
        while found["metadata"]["uid"] == "u":
            time.sleep(0.01)
            found = api.jobs.get(name, found)
        completes(found, storage_at(rest[0].uri), found["metadata"]["annotations"][launch.FOLDER])

    assert launched(api, end) == {"loss": 0.25}


def test_a_job_whose_making_brought_no_answer_is_found(serve, launched):
    api = serve()
    api.after = [500]

    def end(found, storage, folder):
        time.sleep(0.3)
        assert storage.read(f"{folder}/{TASK}"), "the job that was made is the one that is awaited, with its inputs"
        completes(found, storage, folder)

    assert launched(api, end) == {"loss": 0.25}
    assert [verb.split()[0] for verb in api.verbs()].count("POST") == 2
    assert len(api.deleted) == 1


# -- an API that does not answer, or says no ---------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [[500, 503], [429], [None, None]])
def test_an_api_that_fails_for_a_while_is_asked_again(serve, launched, faults):
    api = serve()
    api.faults = [*faults, 0, *faults, 0, *faults]
    assert launched(api, completes) == {"loss": 0.25}
    assert api.faults == []


def test_an_api_that_never_answers_is_no_fault_of_the_training(serve, launched):
    api = serve()
    api.faults = [503] * 1000
    with pytest.raises(SurroundingsFailed, match="does not answer: 503") as told:
        launched(api)
    assert told.value.exit_code == 75


def test_an_unknown_token_is_told_of(serve, launched):
    api = serve()
    api.tokens = {"another"}
    with pytest.raises(StepFailed, match="answers 401 to GET"):
        launched(api)


@pytest.mark.parametrize("missing", ["create", "get"])
def test_missing_rights_are_named_with_the_way_out(serve, launched, job, missing):
    rights = {(verb, "trainjobs") for verb in ("create", "get", "delete")} | {("list", "pods")}
    api = serve(allowed=rights - {(missing, "trainjobs")})
    with pytest.raises(StepFailed, match=f'cannot {missing} resource "trainjobs"') as told:
        launched(api)
    assert ("access*.yaml" in str(told.value)) is (missing == "create")
    assert left(job) == []


def test_a_launcher_that_may_not_look_at_pods_goes_on_and_says_so(serve, launched, capfd):
    api = serve(allowed={(verb, "trainjobs") for verb in ("create", "get", "delete")})

    def end(*rest):
        time.sleep(0.2)
        completes(*rest)

    assert launched(api, end) == {"loss": 0.25}
    assert "its pods cannot be looked at" in capfd.readouterr().out


def test_a_token_is_read_anew(serve, launched):
    api = serve()

    def end(*rest):
        (api.account / "token").write_text("second-token")
        api.tokens = {"first-token", "second-token"}
        time.sleep(0.1)
        api.tokens = {"second-token"}
        completes(*rest)

    assert launched(api, end) == {"loss": 0.25}


def test_another_servers_certificate_is_refused(serve, launched, tmp_path):
    api = serve()
    certificate(api.account / "ca.crt", tmp_path / "other.pem")
    with pytest.raises(StepFailed, match=r"certificate of https://127.0.0.1:[0-9]+ is not the cluster's own"):
        launched(api)
    assert api.asked == []


def test_outside_of_a_cluster_it_says_so(job, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(UsageError, match="runs in none"):
        launch.trained(job(), tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(cluster, "ACCOUNT", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no service account"):
        launch.trained(job(), tmp_path)


# -- jobs that fail ----------------------------------------------------------------------------------------------------


def test_a_failed_job_whose_code_is_silent_may_be_tried_again(serve, launched, job):
    api = serve()
    with pytest.raises(SurroundingsFailed, match="JobSetFailed: jobset failed due to") as told:
        launched(api, fails)
    assert told.value.exit_code == 75
    assert len(api.deleted) == 1
    assert left(job) == []


@pytest.mark.parametrize(("code_", "kind"), [(3, StepFailed), (1, Refused), (2, UsageError), (75, SurroundingsFailed)])
def test_a_machine_that_failed_is_heard_before_the_cluster_gives_up(serve, launched, job, code_, kind):
    api = serve()
    with pytest.raises(kind, match="machine 1: rank 5: no such layer") as told:
        launched(api, reports(1, code_, "rank 5: no such layer"))
    assert told.value.exit_code == code_
    assert len(api.deleted) == 1
    assert left(job) == []


LOST = {
    "OOMKilled": pod("a", 137),
    "Evicted": pod("a", 1, reason="Evicted"),
    "exit code 143": pod("a", -15),
    "PreemptionByScheduler": pod(
        "a", 1, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    ),
}
LOST["OOMKilled"]["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] = "OOMKilled"


@pytest.mark.parametrize("why", LOST)
def test_a_lost_machine_is_the_reason_whatever_the_others_say(serve, launched, why):
    api = serve()
    api.pods = [LOST[why], pod("b")]
    with pytest.raises(SurroundingsFailed, match=f"pod a .*{why}"):
        launched(api, reports(0, 3, "rank 0: connection closed by peer"))


def test_what_the_machines_wait_for_is_told(serve, launched, job, capfd):
    api = serve()
    waits = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu",
    }
    api.pods = [pod("a"), {"metadata": {"name": "b"}, "status": {"phase": "Pending", "conditions": [waits]}}]
    with pytest.raises(StepFailed, match="was not over after 1 s: 1 of 2 machines run; pod b waits for a machine: 0/3"):
        launched(api, None, job(trained(seconds=1)))
    assert len(api.deleted) == 1
    assert "Insufficient nvidia.com/gpu" in capfd.readouterr().out


@pytest.mark.parametrize("reason", ["DeadlineExceeded", "TrainingRuntimeNotSupported"])
def test_what_another_try_meets_again_is_not_tried_again(serve, launched, reason):
    def end(found, *_):
        found["status"]["conditions"] = [condition("Failed", reason, "why")]

    with pytest.raises(StepFailed, match=reason):
        launched(serve(), end)


def test_a_job_that_somebody_deletes_is_missed(serve, launched, job):
    api = serve()
    with pytest.raises(SurroundingsFailed, match="deleted by somebody else"):
        launched(api, lambda found, *_: api.jobs.pop(found["metadata"]["name"]))
    assert left(job) == []


def test_a_complete_job_without_a_list_of_its_outputs_made_none(serve, launched):
    def end(found, *_):
        found["status"]["conditions"] = [condition("Complete", "JobsCompleted", "")]

    with pytest.raises(StepFailed, match="has left no model"):
        launched(serve(), end)


@pytest.mark.parametrize("name", ["../model.json", "/etc/x", "a//b", "..", "a\\b"])
def test_outputs_lie_where_they_belong(serve, launched, tmp_path, name):
    with pytest.raises(StepFailed, match="no plain name"):
        launched(serve(), lambda *rest: completes(*rest, model={name: b"x"}))
    assert not (tmp_path / "model.json").exists()


@pytest.mark.parametrize("harm", ["lost", "changed"])
def test_half_an_output_is_none(serve, launched, harm):
    def end(found, storage, folder):
        before = found["status"]
        found["status"] = {}
        completes({**found, "status": {}}, storage, folder)
        key = next(key for key in storage.keys(f"{folder}/parts") if len(storage.read(key)) == 100)
        storage.delete(key) if harm == "lost" else storage.write(key, b"\x01" * 100)
        before["conditions"] = [condition("Complete", "JobsCompleted", "")]
        found["status"] = before

    with pytest.raises(StepFailed, match=r"not in the store|did not arrive as it was sent"):
        launched(serve(), end)


@pytest.mark.parametrize("metrics", [{"loss": "low"}, {"loss": None}])
def test_numbers_are_numbers_wherever_they_come_from(serve, launched, metrics):
    with pytest.raises(StepFailed, match="as `loss`"):
        launched(serve(), lambda *rest: completes(*rest, metrics=metrics))


# -- real machines -----------------------------------------------------------------------------------------------------


@pytest.fixture
def patient(monkeypatch):
    """With real machines, and a machine that others use too."""
    monkeypatch.setattr(cluster, "PATIENCE", 30.0)
    monkeypatch.setattr(watch, "_SETTLE", 1.0)


@pytest.mark.usefixtures("patient")
def test_two_machines_of_two_processes_through_any_store(serve, launched, job, tmp_path, uri):
    api = serve(code=tmp_path / "code", secrets={("hub", "token"): "x"})
    api.environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    asked = trained()
    asked["spec"]["trainer"]["numProcPerNode"] = 2
    world = {"world": {"machines": 2, "processes": 2}}
    made = job(asked, store=uri, config=world)
    assert launched(api, None, made) == {"loss": 0.5}, api.log()
    assert json.loads((tmp_path / "model" / "model.json").read_text()) == {"seed": 1, "world": "4"}
    assert list(storage_at(uri).keys("pets/handover")) == []


@pytest.mark.usefixtures("patient")
def test_code_that_raises_on_one_machine_is_shown_by_the_launcher(serve, launched, job, tmp_path):
    api = serve(code=tmp_path / "code", secrets={("hub", "token"): "x"})
    asked = trained()
    asked["spec"]["trainer"]["numProcPerNode"] = 1
    with pytest.raises(StepFailed, match="machine 1: rank 1: `model:train` raised ValueError") as told:
        launched(api, None, job(asked, config={"params": {"how": "badly"}}))
    assert 'File "' in str(told.value)
    assert "no such layer" in str(told.value)


PROGRAM = "import sys; from clspec.step.program import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def program(job, tmp_path):
    """Starts the launcher as its pod does."""
    begun = []

    def start(api, asked, **params):
        rows = pa.table({"id": ["a", "b"], "label": ["cat", "dog"]})
        for name in ("data", "validation", "golden-golden"):
            pq.write_table(
                rows if name != "golden-golden" else pa.table({"id": ["c"], "label": ["cat"]}), tmp_path / name
            )
        shape = {"name": "golden", "columns": {}, "key": "id", "group": None}
        config = job().config | {"key": "id", "group": None, "protected": [shape], "params": params}
        words = [
            "train",
            "--config",
            json.dumps(config),
            "--store",
            str(tmp_path / "store"),
            "--code",
            tmp_path / "code",
        ]
        words += [word for n in ("data", "validation", "golden-golden") for word in ("--in", f"{n}={tmp_path / n}")]
        words += ["--out", f"model={tmp_path / 'out' / 'model'}", "--out", f"metrics={tmp_path / 'out' / 'metrics'}"]
        words += ["--run", RUN, "--trainjob", json.dumps(asked)]
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", f"{api.prelude}; {PROGRAM}", *map(str, words)],
                env={**os.environ, **api.variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_pod_that_is_told_to_end_takes_its_machines_with_it(serve, program, tmp_path):
    api = serve(code=tmp_path / "code", secrets={("hub", "token"): "x"})
    asked = trained()
    asked["spec"]["trainer"]["numProcPerNode"] = 1
    process = program(api, asked, how="for ever")
    until(lambda: api.machines)
    (machines,) = api.machines.values()
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert "told to end" in told
    assert len(api.deleted) == 1
    assert all(machine.poll() is not None for machine in machines)
    assert not (tmp_path / "out" / "model").exists()


def test_a_signal_while_the_job_is_being_made_leaves_none_behind(serve, program):
    api = serve()
    create = api.create

    def slowly(body, query):
        api.slow = True
        time.sleep(1)
        return create(body, query)

    api.slow, api.create = False, slowly
    process = program(api, trained())
    until(lambda: api.slow)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert len(api.deleted) == 1
    assert api.jobs == {}


@pytest.mark.parametrize("change", [{"run": "../x"}, {"trainjob": "[]"}, {"trainjob": "{"}, {"kind": "evaluate"}])
def test_what_the_target_must_say_is_asked_for(tmp_path, change):
    from clspec.step.program import main

    given_ = {"kind": "train", "run": RUN, "trainjob": "{}"} | change
    words = [given_["kind"], "--config", "{}", "--store", str(tmp_path), "--run", given_["run"]]
    assert main([*words, "--trainjob", given_["trainjob"]]) == 2


def test_only_what_is_asked_for_strictly_reaches_the_api(serve, launched):
    api = serve()
    launched(api, completes)
    assert {verb for verb, _ in api.asked} == {"GET", "POST", "DELETE"}
    assert [path for verb, path in api.asked if verb == "POST"] == [f"{JOBS}?fieldValidation=Strict"]
