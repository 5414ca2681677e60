"""A small Argo: it runs emitted YAML, knowing nothing else: order, conditions, parameters, artifacts, retries, exit."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

TAG = re.compile(r"\{\{(.*?)\}\}")
CACHE_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
OPERAND = re.compile(r"([a-z][-a-z0-9]*)\.([A-Z][A-Za-z]+)")
COMPLETED = ("Succeeded", "Failed", "Errored")


def substituted(document, scope):
    """What Argo does to a template: replace the tags that it knows, in the JSON of the whole, several times over."""
    whole = json.dumps(document)
    for _ in range(3):
        whole = TAG.sub(lambda m: json.dumps(scope[m[1].strip()])[1:-1] if m[1].strip() in scope else m[0], whole)
    return json.loads(whole)


def expanded(argument, variables):
    """What Kubernetes does to an argument (third_party/forked/golang/expansion)."""
    return re.sub(r"\$(?:(\$)|\(([^)]*)\))", lambda m: m[1] or variables.get(m[2], m[0]), argument)


def holds(depends, phases):
    """Argo's `depends`, in Python's words."""
    if not depends:
        return True
    python = OPERAND.sub(lambda m: repr(phases[m[1]] == m[2]), depends)
    return eval(python.replace("&&", " and ").replace("||", " or ").replace("!", " not "), {})


def is_met(when):
    """Argo's `when` of quoted words (govaluate), in Python's words."""
    assert "{{" not in when, f"a reference that is not resolved ends the node: {when}"
    return eval(when.replace("&&", " and ").replace("||", " or "), {"__builtins__": {}})


def again(expression, code, message, status):
    """Argo's retry expression (expr-lang), in Python's words."""
    python = re.sub(r"([\w.]+) contains ('[^']*')", r"\2 in \1", expression)
    for theirs, ours in (("&&", " and "), ("||", " or "), ("!(", " not ("), ("asInt", "int")):
        python = python.replace(theirs, ours)
    last = type("Last", (), {"exitCode": str(code), "message": message, "status": status})
    return eval(python, {"lastRetry": last, "int": int})


@dataclass
class End:
    """How a template ended, and what it gives."""

    phase: str
    parameters: dict = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)


class Cluster:
    """Runs WorkflowTemplates; `pod` runs one container and says exit code, message and status."""

    def __init__(self, bundle, folder=None, *, exits=None, pod=None, secrets=None):
        self.objects = {}
        for content in bundle.values():
            for document in yaml.safe_load_all(content):
                for one in document["items"] if document["kind"] == "List" else (document,):
                    self.objects[one["kind"], one["metadata"]["name"]] = one
        self.folder = folder
        self.exits = {name: list(ends) for name, ends in (exits or {}).items()}
        """What the attempts of a step's pod come to instead of running: exit code, message, status."""
        self.pod = pod or fake
        self.secrets = secrets or {}
        self.phases, self.attempts, self.log, self.phase, self.errors = {}, {}, [], "", []
        self.cached, self.hits = {}, []
        """The data of the cluster's ConfigMaps, by name; and the templates for which an earlier result stood in."""

    def run(self, name, *, began="2026-05-02T00:00:00Z", uid="uid-1", **parameters):
        spec = self.objects["WorkflowTemplate", name]["spec"]
        declared = spec["arguments"]["parameters"]
        given = {p["name"]: parameters.get(p["name"].replace("-", "_"), p.get("value")) for p in declared}
        assert None not in given.values(), "a required parameter is not given"
        self.scope = {"workflow.uid": uid, "workflow.creationTimestamp.RFC3339": began}
        self.scope |= {f"workflow.parameters.{k}": v for k, v in given.items()}
        self.spec = spec
        self.volumes = {volume["name"] for volume in spec["volumes"]}
        self.phase = self.template(name, spec["entrypoint"], {}).phase
        if "onExit" in spec:
            ended = self.template(name, spec["onExit"], {})
            self.phase = self.phase if ended.phase == "Succeeded" else ended.phase
        return self

    def template(self, owner, name, parameters, artifacts=None, task=""):
        found = next(t for t in self.objects["WorkflowTemplate", owner]["spec"]["templates"] if t["name"] == name)
        scope = {**self.scope, **{f"inputs.parameters.{k}": v for k, v in parameters.items()}}
        wanted = {p["name"] for p in found.get("inputs", {}).get("parameters", ())}
        assert wanted <= set(parameters), f"{name} is not given {wanted - set(parameters)}"
        found = substituted(found, scope)
        if "memoize" in found and (kept := self.recalled(found)) is not None:
            self.hits.append(name)
            return kept
        if "dag" in found:
            end = self.dag(owner, found, scope, artifacts or {})
        elif "suspend" in found:
            end = End("Succeeded")
        else:
            end = self.leaf(task, found, artifacts or {})
        if "memoize" in found and end.phase == "Succeeded":
            end = self.remembered(found, end)
        return end

    # -- earlier results (workflow/controller/cache of Argo) -----------------------------------------------------------

    def recalled(self, found):
        """What an earlier run kept under a template's key, if it did."""
        key, name = found["memoize"]["key"], found["memoize"]["cache"]["configMap"]["name"]
        assert CACHE_KEY.fullmatch(key), f"Argo refuses the key {key}"
        assert len(key) <= 253, "a ConfigMap's key has no room for it"
        assert re.fullmatch(r"[0-9]+s", found["memoize"]["maxAge"])
        assert self.objects["ConfigMap", name]["metadata"]["labels"]["workflows.argoproj.io/configmap-type"] == "Cache"
        entry = self.cached.get(name, {}).get(key)
        if entry is None:
            return None
        assert self.may_keep(name), "the hit's time is written too"
        return End("Succeeded", **json.loads(entry))

    def remembered(self, found, end):
        """A template's result once it is kept; one with retries never is (issue 12490). Not to be kept is an error."""
        key, name = found["memoize"]["key"], found["memoize"]["cache"]["configMap"]["name"]
        if "retryStrategy" in found:
            return end
        data = self.cached.setdefault(name, {})
        data[key] = json.dumps({"parameters": end.parameters, "artifacts": end.artifacts})
        if not self.may_keep(name) or len(json.dumps(data)) > 1 << 20:
            self.errors.append(f"{found['name']}: cannot be kept")
            return End("Errored")
        return end

    def may_keep(self, name):
        """Whether the controller may change this ConfigMap."""
        bound = [b for (kind, _), b in self.objects.items() if kind == "RoleBinding"]
        for binding in bound:
            if {"kind": "ServiceAccount", "name": "argo", "namespace": "argo"} in binding["subjects"]:
                for rule in self.objects["Role", binding["roleRef"]["name"]]["rules"]:
                    named = name in rule.get("resourceNames", (name,))
                    if rule["resources"] == ["configmaps"] and {"get", "update"} <= set(rule["verbs"]) and named:
                        return True
        return False

    # -- a DAG -------------------------------------------------------------------------------------------------------

    def dag(self, owner, found, scope, given):
        dag = found["dag"]
        assert dag["failFast"] is False, "else what runs after a failure depends on the clock"
        waiting = {task["name"]: task for task in dag["tasks"]}
        parents = {name: [n for n, _ in OPERAND.findall(task.get("depends", ""))] for name, task in waiting.items()}
        ends = {}
        while waiting:
            ready = [name for name in waiting if set(parents[name]) <= set(ends)]
            assert ready, f"stuck: {sorted(waiting)}"
            for name in ready:
                ends[name] = self.task(owner, waiting.pop(name), ends, ancestors(name, parents), scope, given)
                self.phases[name] = ends[name].phase
                self.log.append(name)
        followed = {name for names in parents.values() for name in names}
        bad = [name for name in ends if name not in followed and branch(name, parents, ends) != "Succeeded"]
        known = {f"tasks.{name}.outputs.parameters.{k}": v for name, e in ends.items() for k, v in e.parameters.items()}
        outputs = found.get("outputs", {}).get("parameters", ())
        if bad:
            return End("Failed")
        words = {o["name"]: substituted(o["valueFrom"]["parameter"], known) for o in outputs}
        made = {}
        for output in found.get("outputs", {}).get("artifacts", ()):
            producer, name = re.fullmatch(r"\{\{tasks\.(.*)\.outputs\.artifacts\.(.*)\}\}", output["from"]).groups()
            made[output["name"]] = ends[producer].artifacts[name]
        return End("Succeeded", words, made)

    def task(self, owner, task, ends, before, scope, given):  # noqa: PLR0913, PLR0917
        if not holds(task.get("depends", ""), {name: end.phase for name, end in ends.items()}):
            return End("Omitted")
        known = {f"tasks.{name}.outputs.parameters.{k}": v for name in before for k, v in ends[name].parameters.items()}
        task = substituted(task, {**scope, **known})
        reference = task.get("templateRef", {"name": owner, "template": task.get("template")})
        templates = self.objects["WorkflowTemplate", reference["name"]]["spec"]["templates"]
        called = next(t for t in templates if t["name"] == reference["template"])
        if "when" in task and not is_met(task["when"]):
            outputs = called.get("outputs", {}).get("parameters", ())
            return End("Skipped", {p["name"]: p["valueFrom"]["default"] for p in outputs})
        arguments = task.get("arguments", {})
        parameters = {p["name"]: p["value"] for p in arguments.get("parameters", ())}
        artifacts = {}
        for artifact in arguments.get("artifacts", ()):
            if handed := re.fullmatch(r"\{\{inputs\.artifacts\.(.*)\}\}", artifact["from"]):
                artifacts[artifact["name"]] = given[handed[1]]
                continue
            producer, output = re.fullmatch(r"\{\{tasks\.(.*)\.outputs\.artifacts\.(.*)\}\}", artifact["from"]).groups()
            assert producer in before, f"{producer} is no ancestor of {task['name']}"
            if output in ends[producer].artifacts:
                artifacts[artifact["name"]] = ends[producer].artifacts[output]
            elif not artifact.get("optional"):
                self.errors.append(f"{task['name']}: no artifact {artifact['name']}")
                return End("Errored")
        return self.template(reference["name"], reference["template"], parameters, artifacts, task["name"])

    # -- a pod -------------------------------------------------------------------------------------------------------

    def leaf(self, task, leaf, artifacts):
        retry = leaf.get("retryStrategy", {})
        for attempt in range(1 + int(retry.get("limit", 0))):
            self.attempts[task] = attempt + 1
            if self.exits.get(task):
                end, (code, message, status) = End(""), self.exits[task].pop(0)
            else:
                end, (code, message, status) = self.attempt(task, leaf, artifacts, attempt)
            if code == 0 and status == "Succeeded":
                return End("Succeeded", end.parameters, end.artifacts)
            if not (retry and again(retry["expression"], code, message, status)):
                break
        return End("Errored" if status == "Error" else "Failed")

    def attempt(self, task, leaf, artifacts, number):
        root = (self.folder or Path("/nowhere")) / "pods" / f"{task}-{number}"
        if self.folder is not None:
            for artifact in leaf.get("inputs", {}).get("artifacts", ()):
                key = artifact.get("s3", {}).get("key") or artifacts.get(artifact["name"])
                source = self.folder / "bucket" / (key or "nothing")
                if source.exists():
                    move(source, root / artifact["path"].lstrip("/"))
                elif not artifact.get("optional"):
                    return End(""), (64, f"no artifact {artifact['name']}", "Error")
        container = leaf["container"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= self.volumes | {
            volume["name"] for volume in leaf.get("volumes", ())
        }
        found = self.pod(self, task, container, root, leaf)
        return (self.kept(leaf, root) if found[0] == 0 else End("")), found

    def variables(self, container):
        """The variables of a container, secrets looked up."""
        found = {}
        for variable in container["env"]:
            taken = variable.get("valueFrom", {})
            if "fieldRef" in taken:
                assert taken == {"fieldRef": {"fieldPath": "metadata.name"}}
                found[variable["name"]] = "pod-of-this-step"
                continue
            source = taken.get("secretKeyRef")
            found[variable["name"]] = self.secrets[source["name"], source["key"]] if source else variable["value"]
        return found

    def arguments(self, container, variables):
        """The arguments of a container as they reach its program."""
        return [expanded(argument, variables) for argument in container["args"]]

    def kept(self, leaf, root):
        outputs, end = leaf.get("outputs", {}), End("")
        for parameter in outputs.get("parameters", ()):
            path = root / parameter["valueFrom"]["path"].lstrip("/")
            end.parameters[parameter["name"]] = path.read_text().removesuffix("\n") if self.folder else "pass"
        for artifact in outputs.get("artifacts", ()):
            assert artifact["archive"] == {"none": {}}
            end.artifacts[artifact["name"]] = artifact["s3"]["key"]
            if self.folder:
                place = self.folder / "bucket" / artifact["s3"]["key"]
                assert not place.exists(), "two outputs under one key"
                move(root / artifact["path"].lstrip("/"), place)
        return end


def fake(cluster, task, container, root, leaf):
    """A pod that does nothing, and well."""
    del cluster, task, container, root, leaf
    return 0, "", "Succeeded"


def real(code, api=None):
    """Pods that run the step program here, its paths below the pod's own root, and the code at `--code`.

    `api` is what stands in for the cluster's API where one makes jobs in it.
    """

    def pod(cluster, task, container, root, leaf):
        del leaf
        assert container["command"] == ["python", "-m", "clspec.step"]
        assert container["volumeMounts"][0]["mountPath"] == "/tmp"
        variables = cluster.variables(container)
        arguments = [
            re.sub(r"^([-\w]+=)?/tmp/clspec/", lambda m: f"{m[1] or ''}{root}/tmp/clspec/", argument)
            for argument in cluster.arguments(container, variables)
        ]
        arguments[arguments.index("--code") + 1] = str(code)
        (root / "tmp").mkdir(parents=True, exist_ok=True)
        surroundings = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV")}
        surroundings |= {**variables, "HOME": str(root / "tmp"), "TMPDIR": str(root / "tmp")}
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        surroundings |= {**dict.fromkeys(threads, "1"), "OMP_WAIT_POLICY": "passive"}
        command = [sys.executable, "-m", "clspec.step", *arguments]
        if "--trainjob" in arguments:
            surroundings |= api.variables
            main = "import sys; from clspec.step.program import main; sys.exit(main(sys.argv[1:]))"
            command[1:3] = ["-c", f"{api.prelude}; {main}"]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, env=surroundings, cwd=root / "tmp")
        if ran.returncode:
            cluster.errors.append(f"{task}: {ran.stdout}{ran.stderr}")
        return ran.returncode, "main: Error", "Succeeded" if ran.returncode == 0 else "Failed"

    return pod


def ancestors(name, parents):
    found, waiting = set(), list(parents[name])
    while waiting:
        if (parent := waiting.pop()) not in found:
            found.add(parent)
            waiting += parents[parent]
    return found


def branch(name, parents, ends):
    """The phase that a branch of a DAG comes to: a node that did not run passes on that of those before it."""
    if ends[name].phase in COMPLETED:
        return ends[name].phase
    failed = [parent for parent in parents[name] if branch(parent, parents, ends) != "Succeeded"]
    return "Failed" if failed else "Succeeded"


def move(source, target):
    """Copy a file or a folder, as an artifact that is no archive is copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir()
        for item in source.iterdir():
            move(item, target / item.name)
    else:
        target.write_bytes(source.read_bytes())
