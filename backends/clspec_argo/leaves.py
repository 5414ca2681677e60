"""What a template that runs something itself must have: an image, files that do not collide, outputs from somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from clspec.manifest import items, listed, mapping
from clspec_argo.parts import doubles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Finding, Place

ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")
RESERVED = ("main", "wait", "init")
SOURCES = {
    "container": ("path",),
    "containerSet": ("path",),
    "script": ("path",),
    "resource": ("jqFilter", "jsonPath"),
    "dag": ("parameter", "expression"),
    "steps": ("parameter", "expression"),
}
"""Where an output parameter of each type of template comes from."""
POD_RESOURCES = re.compile(r"cpu|memory|hugepages-.+")

_LOCATIONS = {"artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "raw", "s3", "plugin"}
_WITH_FILES = ("container", "script", "containerSet")
_QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_ANY = ("path", "jqFilter", "jsonPath", "parameter", "expression", "event", "supplied", "configMapKeyRef")


def leaf(template: Mapping[str, Any], kind: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """A container, a script, a resource and their like."""
    yield from outputs(template, kind)
    if kind in ("container", "script"):
        yield from _program(template, kind, spec)
    elif kind == "containerSet":
        yield from _set(template)
    elif kind == "resource":
        yield from _resource(mapping(template.get("resource")))
    if "sidecars" in template or "initContainers" in template:
        yield from _beside(template)
    for amounts in mapping(template.get("podResources")).values():
        wrong = (name for name in mapping(amounts) if not POD_RESOURCES.fullmatch(name))
        yield from ((("podResources",), f"podResources has only cpu, memory and hugepages, not {n}") for n in wrong)


def _beside(template: Mapping[str, Any]) -> Iterator[Finding]:
    """Containers that run before or beside the main one."""
    for key in ("sidecars", "initContainers"):
        found = list(items(template, key))
        for place, one in found:
            yield from _container(one, place)
            if not one.get("name"):
                yield place, f"one of {key} has no name"
            elif one["name"] in RESERVED:
                yield place, f"{one['name']} is reserved"
        yield from doubles(key[:-1], ((place, one.get("name")) for place, one in found))


def outputs(template: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    """Output parameters have one source each, of the right sort; files have places of their own."""
    for place, parameter in items(template, "outputs", "parameters"):
        source, name = mapping(parameter.get("valueFrom")), parameter.get("name")
        has = [key for key in _ANY if key in source]
        if "valueFrom" not in parameter:
            if "value" not in parameter:
                yield place, f"output parameter {name} comes from nowhere"
        elif len(has) != 1:
            yield place, f"output parameter {name} comes from {has or 'nowhere'}, not from one place"
        elif kind in SOURCES and has[0] not in SOURCES[kind]:
            yield place, f"output parameter {name} of a {kind} comes from {' or '.join(SOURCES[kind])}, not {has[0]}"
    yield from _artifacts(template, kind)


def _artifacts(template: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    flow = kind in ("dag", "steps")
    for place, artifact in items(template, "inputs", "artifacts"):
        name = artifact.get("name")
        if "from" in artifact:
            yield place, f"input artifact {name} says `from`, which is for arguments"
        if "git" in artifact and not mapping(artifact["git"]).get("repo"):
            yield place, f"artifact {name} has no git.repo"
        if flow and artifact.get("path"):
            yield place, f"artifact {name} has a path, and a {kind} has no files"
        yield from _location(artifact, place, has_file=not flow)
    for place, artifact in items(template, "outputs", "artifacts"):
        yield from _location(artifact, place, has_file=kind in _WITH_FILES)
        if flow and not artifact.get("from") and not artifact.get("fromExpression"):
            yield place, f"artifact {artifact.get('name')} of a {kind} comes from nowhere"


def _location(artifact: Mapping[str, Any], place: Place, *, has_file: bool) -> Iterator[Finding]:
    if len(found := sorted(_LOCATIONS & artifact.keys())) > 1:
        yield place, f"artifact {artifact.get('name')} lies in {found}"
    if has_file and not artifact.get("path"):
        yield place, f"artifact {artifact.get('name')} has no path"


def _program(template: Mapping[str, Any], kind: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    one = mapping(template.get(kind))
    default = mapping(mapping(spec.get("templateDefaults")).get(kind)).get("image")
    if not one.get("image") and not default:
        yield (kind,), "no image"
    if kind == "script" and "source" not in one:
        yield (kind,), "a script has a source"
    yield from _container(one, (kind,))
    yield from _mounts(template, one, kind, spec)


def _container(one: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    for p, variable in items(one, "env"):
        if not _VARIABLE.fullmatch(str(variable.get("name") or "")):
            yield (*place, *p), f"variable {variable.get('name')!r}"
    if "resources" not in one:
        return
    resources = mapping(one["resources"])
    for sort, amounts in resources.items():
        for name, amount in mapping(amounts).items() if sort in ("requests", "limits") else ():
            if "{{" not in str(amount) and not _QUANTITY.fullmatch(str(amount)):
                yield (*place, "resources", sort, name), f"{sort}.{name} {amount!r} is not a quantity"
    limits = mapping(resources.get("limits"))
    for name, amount in mapping(resources.get("requests")).items():
        if "/" in name and str(limits.get(name)) != str(amount):
            yield (*place, "resources", "requests", name), f"device {name} in requests without the same limit"


def _mounts(
    template: Mapping[str, Any], one: Mapping[str, Any], kind: str, spec: Mapping[str, Any]
) -> Iterator[Finding]:
    mounts = items(one, "volumeMounts")
    paths = [((kind, *p), m.get("mountPath")) for p, m in mounts]
    if len(mounts) > 1:
        yield from doubles("mount", ((place, f"at {path}") for place, path in paths))
    if mounts and "entrypoint" in spec:
        volumes = {str(v.get("name")) for holder in (spec, template) for _, v in items(holder, "volumes")}
        volumes |= {str(mapping(v.get("metadata")).get("name")) for _, v in items(spec, "volumeClaimTemplates")}
        named = ((place, str(mount.get("name"))) for place, mount in mounts)
        unknown = ((place, name) for place, name in named if name not in volumes and "{{" not in name)
        yield from (((kind, *place), f"no volume {name}") for place, name in unknown)
    taken: dict[str, str] = {str(path): "a mount" for _, path in paths}
    for place, artifact in items(template, "inputs", "artifacts"):
        path = str(artifact.get("path", ""))
        if path and path in taken:
            yield ("inputs", *place), f"input {artifact.get('name')} lies at {path}, where {taken[path]} is"
        taken[path] = f"input {artifact.get('name')}"


def _set(template: Mapping[str, Any]) -> Iterator[Finding]:
    found = list(items(template, "containerSet", "containers"))
    if not found:
        yield ("containerSet",), "no containers"
    names = {str(one.get("name")) for _, one in found}
    yield from doubles("container", ((("containerSet", *p), one.get("name")) for p, one in found))
    for place, one in found:
        if not one.get("image") or not one.get("name"):
            yield ("containerSet", *place), "a container has a name and an image"
        for need in listed(one.get("dependencies")):
            if str(need) not in names or need == one.get("name"):
                yield ("containerSet", *place), f"container {one.get('name')} waits for {need}"


def _resource(resource: Mapping[str, Any]) -> Iterator[Finding]:
    action = resource.get("action")
    if action not in ACTIONS and "{{" not in str(action):
        yield ("resource", "action"), f"action {action!r} is none of {', '.join(ACTIONS)}"
    if "manifest" in resource and "manifestFrom" in resource:
        yield ("resource",), "both manifest and manifestFrom"
    manifest = str(resource.get("manifest", ""))
    if manifest and "{{" not in manifest:
        try:
            list(yaml.parse(manifest, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except yaml.YAMLError as error:
            yield ("resource", "manifest"), f"manifest is not YAML: {str(error).splitlines()[0]}"
