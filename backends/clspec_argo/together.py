"""What must hold between the objects of a bundle: what one names, another one is, or gives, or lets it do.

The objects are looked at one after another, and only what they say of each other is kept: those of a long pipeline are
never all there at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec.trainjob import TRAINJOBS
from clspec_argo import memo
from clspec_argo.parts import doubles, required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Object


@dataclass(slots=True)
class Together:
    """What the objects looked at so far say of each other."""

    names: list[str] = field(default_factory=list)
    """Kind and name of each."""
    asked: dict[str, list[str]] = field(default_factory=dict)
    """The parameters that a run of each WorkflowTemplate must be given."""
    flows: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The parameters that each DAG must be given, by object and template."""
    begins: dict[str, str] = field(default_factory=dict)
    """The file of each WorkflowTemplate without an entrypoint, by its name."""
    calls: list[tuple[str, tuple[str, str], set[str]]] = field(default_factory=list)
    """Tasks that call another object: the task, object and template, and what it gives."""
    crons: list[tuple[str, str, set[str]]] = field(default_factory=list)
    """Schedules: the file, the object that they start, and what they give."""
    kept: set[str] = field(default_factory=set)
    """The keys that outputs are kept under."""
    fetched: dict[str, str] = field(default_factory=dict)
    """What is fetched by a key."""
    caches: set[str] = field(default_factory=set)
    granted: set[str] = field(default_factory=set)
    memoized: list[str] = field(default_factory=list)
    """The caches that there are, that may be changed, and that templates name."""
    launches: bool = False
    launchers: int = 0
    """Whether a job on several machines is made, and how many roles let somebody make one."""

    def look(self, file: str, document: Object) -> None:
        """Keep what an object says of others."""
        for one in document["items"] if document["kind"] == "List" else (document,):
            kind, name, spec = one["kind"], one["metadata"]["name"], mapping(one.get("spec"))
            self.names.append(f"{kind} {name}")
            if kind == "WorkflowTemplate":
                self._workflow(file, name, spec)
            elif kind == "CronWorkflow":
                self._cron(file, mapping(spec.get("workflowSpec")))
            elif kind == "ConfigMap" and memo.is_cache(one):
                self.caches.add(name)
            elif kind == "Role":
                self.granted.update(memo.granted(one))
                self.launchers += all(rule in one["rules"] for rule in TRAINJOBS)

    def _workflow(self, file: str, name: str, spec: Mapping[str, Any]) -> None:
        parameters = items(spec, "arguments", "parameters")
        self.asked[name] = [str(parameter.get("name")) for _, parameter in parameters if "value" not in parameter]
        if "entrypoint" not in spec:
            self.begins[name] = file
        for _, template in items(spec, "templates"):
            if "memoize" in template:
                self.memoized.append(str(template["memoize"]["cache"]["configMap"]["name"]))
            if "dag" in template:
                self.flows[name, str(template.get("name"))] = list(required(template, "parameters"))
                self._calls(template)
                continue
            self.launches |= "--trainjob" in listed(mapping(template.get("container")).get("args"))
            self.kept.update(_key(artifact) for _, artifact in items(template, "outputs", "artifacts"))
            for _, artifact in items(template, "inputs", "artifacts"):
                if "s3" in artifact:
                    self.fetched[_key(artifact)] = f"input {artifact.get('name')} of {template.get('name')}"

    def _calls(self, template: Mapping[str, Any]) -> None:
        for _, task in items(template, "dag", "tasks"):
            if "templateRef" in task:
                called = task["templateRef"]
                given = {str(p.get("name")) for _, p in items(task, "arguments", "parameters")}
                place = (str(called.get("name")), str(called.get("template")))
                self.calls.append((f"task {task.get('name')}", place, given))

    def _cron(self, file: str, workflow: Mapping[str, Any]) -> None:
        given = {str(p.get("name")) for _, p in items(workflow, "arguments", "parameters")}
        named = str(mapping(workflow.get("workflowTemplateRef")).get("name"))
        self.crons.append((file, named, given))

    def findings(self) -> Iterator[str]:
        """What does not fit together, once all objects were looked at."""
        yield from (text for _, text in doubles("object", (((), name) for name in self.names)))
        yield from self._started()
        if self.launchers != (1 if self.launches else 0):
            yield f"{self.launchers} roles let a launcher make its job"
        called = {place[0] for _, place, _ in self.calls}
        yield from (f"{file}: no entrypoint" for name, file in self.begins.items() if name not in called)
        yield from (f"{what} is kept nowhere" for key, what in self.fetched.items() if key not in self.kept)
        yield from (f"no such cache as {name}: nothing is kept" for name in self.memoized if name not in self.caches)
        yield from (f"nobody may change {name}: nothing is kept" for name in self.memoized if name not in self.granted)
        yield from (text for _, text in doubles("templates with the cache", (((), name) for name in self.memoized)))

    def _started(self) -> Iterator[str]:
        """Whatever is called or started is there, and is given all it must be."""
        for task, (name, template), given in self.calls:
            if (name, template) not in self.flows:
                yield f"{task}: no template {template} of {name}"
            missing = (each for each in self.flows.get((name, template), ()) if each not in given)
            yield from (f"{task}: is not given {each}" for each in missing)
        for file, name, given in self.crons:
            if name not in self.asked:
                yield f"{file}: no WorkflowTemplate {name}"
            yield from (f"{file}: never given {each}" for each in self.asked.get(name, ()) if each not in given)


def _key(artifact: Mapping[str, Any]) -> str:
    return str(mapping(artifact.get("s3")).get("key"))
