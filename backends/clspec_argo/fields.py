"""Which fields Argo's objects have, of what type: from a schema that the user gives, or from hera's models.

Argo's own JSON Schema is open, so that a slip in a name passes, and asks for texts where Argo takes numbers as well.
What is read here is closed, and widened where Kubernetes is wider.
"""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from clspec.diagnostic import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.manifest import Finding, Object, Place

Schema = dict[str, Any]

_KINDS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
_EVENTS = ("EventSource", "Sensor", "EventBus")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EITHER = {"type": ["integer", "string"]}
_QUANTITY = {"type": ["integer", "number", "string"]}
_WIDER = {"IntOrString": _EITHER, "Quantity": _QUANTITY}
"""What Kubernetes reads from a number too, by the last word of its name in a schema."""
_SPARED = {"Container": ("image", "name"), "ScriptTemplate": ("image", "source"), "UserContainer": ("image",)}
"""What `templateDefaults` can give, or only some of Argo's objects need: our own rules know when."""
_NEWER = {
    "Template": ("pendingTimeout", "podResources", "resourceClaims"),
    "WorkflowSpec": ("executorPlugins", "podResources", "resourceClaims"),
    **dict.fromkeys(("Container", "ContainerNode", "ScriptTemplate", "UserContainer"), ("restartPolicyRules",)),
    "EnvVarSource": ("fileKeyRef",),
    "HTTPArtifact": ("saveStreamViaFile",),
    **dict.fromkeys(("S3Artifact", "S3ArtifactRepository"), ("addressingStyle",)),
    "VolumeProjection": ("podCertificate",),
}
"""Fields of Argo 4.1 that hera 7.1 does not know yet: they are taken as they are."""
_SAID = {"title", "description", "default", "example", "format"}
_KNOWN_AS = re.compile(r"[^A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Known:
    """The fields of one kind of object."""

    schema: Schema
    validator: Any

    def findings(self, document: Object) -> Iterator[Finding]:
        """What an object says that its kind does not know, or says in another form."""
        for error in self.validator.iter_errors(_said(document)):
            yield from self._told(error)

    def _told(self, error: Any) -> Iterator[Finding]:
        place, kind = tuple(error.instance_path), error.kind.name
        if kind == "additionalProperties":
            known = self._properties(error)
            for name in error.kind.unexpected:
                hint = did_you_mean(name, known)
                yield (*place, name), f"there is no field `{name}` here" + (f": {hint}" if hint else "")
        elif kind == "required":
            yield place, f"`{error.kind.property}` is missing"
        else:
            yield place, f"{_name(place)}: {_short(error.message)}"

    def _properties(self, error: Any) -> list[str]:
        """The names of the fields that there are where an error stands."""
        return sorted(_at(self.schema, error.schema_path[:-1]).get("properties", ()))


def _at(schema: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def _name(place: Place) -> str:
    return f"`{place[-1]}`" if place and isinstance(place[-1], str) else "this"


def _short(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:120]} ... {message[-70:]}"  # noqa: PLR2004  # a line


def _said(value: Any) -> Any:
    """A value without what is null: to Kubernetes it was not said."""
    if isinstance(value, dict):
        return {str(key): _said(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_said(item) for item in value if item is not None]
    return value if isinstance(value, (str, int, float)) else str(value)


class Fields:
    """The fields of all kinds that are known: those of the schemas given, else those of hera's models.

    Of Argo Events nothing says all: its schema leaves out the fields of what is embedded, as hera's models do. So those
    kinds are only judged by a schema that is given, and names that it does not have are let be.
    """

    def __init__(self, schemas: Sequence[str] = ()) -> None:
        self._given = [(path, _read(path)) for path in schemas]
        self._found: dict[str, Known | None] = {}

    def of(self, kind: str) -> Known | None:
        """The fields of a kind, or nothing where nobody knows them."""
        if kind not in self._found:
            self._found[kind] = self._look(kind)
        return self._found[kind]

    def _look(self, kind: str) -> Known | None:
        for path, schema in self._given:
            if (found := _chosen(path, schema, kind)) is not None:
                return _known(found, closed=kind in _KINDS)
        return _of_hera(kind) if kind in _KINDS else None

    def knows_all(self, kind: str) -> bool:
        """Whether a name that nobody knows would be told of."""
        return kind in _KINDS and self.of(kind) is not None


@cache
def fields(schemas: tuple[str, ...]) -> Fields:
    """The fields that these files and hera tell of; a file is read once.

    Raises:
        UsageError: a file is no schema.
    """
    return Fields(schemas)


@cache
def _of_hera(kind: str) -> Known | None:
    try:
        models = importlib.import_module("hera.workflows.models")
    except ImportError:
        return None
    schema = getattr(models, kind).model_json_schema(by_alias=True)
    for name, part in schema["$defs"].items():
        last = name.rpartition("__")[2]
        for newer in _NEWER.get(last, ()):
            part["properties"].setdefault(newer, {})
        if last == "HTTPGetAction":  # a port may have a name
            part["properties"]["port"] = _EITHER
    return _known(schema, closed=True)


def _read(path: str) -> list[Schema]:
    """The documents of a schema's file.

    Raises:
        UsageError: it cannot be read as JSON or YAML objects.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        is_json = path.endswith(".json")
        found = [json.loads(text)] if is_json else list(yaml.load_all(text, Loader=_LOADER))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        message = f"--schema {path} cannot be read: {getattr(error, 'strerror', None) or str(error).splitlines()[0]}"
        raise UsageError(message) from error
    found = [each for each in found if each is not None]
    if not found or not all(isinstance(each, dict) and _is_schema(each) for each in found):
        message = f"--schema {path} is neither a JSON Schema nor a CustomResourceDefinition"
        raise UsageError(message)
    return found


def _is_schema(document: Schema) -> bool:
    told = {"properties", "definitions", "$defs", "oneOf", "$ref", "type"}
    return bool(told & document.keys()) or document.get("kind") == "CustomResourceDefinition"


def _chosen(path: str, documents: list[Schema], kind: str) -> Schema | None:
    """What a file says of a kind, if it does."""
    for document in documents:
        if document.get("kind") == "CustomResourceDefinition":
            spec = document.get("spec", {})
            if spec.get("names", {}).get("kind") == kind:
                for version in spec.get("versions", ()):
                    return dict(version["schema"]["openAPIV3Schema"])
            continue
        for word in ("definitions", "$defs"):
            for name in document.get(word, {}):
                if name.rpartition(".")[2] == kind:
                    return {"$ref": f"#/{word}/{name}", word: document[word]}
        if "properties" in document and _is_of(path, document, kind):
            return document
    return None


def _is_of(path: str, document: Schema, kind: str) -> bool:
    """Whether a bare schema is of a kind: it says so, or its file's name does, or nothing speaks against it."""
    said = document["properties"].get("kind", {})
    if "const" in said or "enum" in said:
        return kind in (said.get("const"), *said.get("enum", ()))
    words = {word.lower().removesuffix("s") for word in _KNOWN_AS.split(Path(path).name)}
    named = {each for each in (*_KINDS, *_EVENTS) if each.lower() in words}
    return kind in named if named else True


def _known(schema: Schema, *, closed: bool) -> Known:
    made = _Reading(closed=closed).of(schema, "")
    root = _at(made, made["$ref"].removeprefix("#/").split("/")) if "$ref" in made else made
    root.pop("required", None)  # what an object must have at all, our own rules say better
    for name in ("apiVersion", "kind", "metadata", "status"):
        root["properties"].setdefault(name, {})
    validators = importlib.import_module("jsonschema_rs")
    return Known(made, validators.Draft202012Validator(made))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A schema as Kubernetes reads it; `closed` if it takes only what it names."""

    closed: bool

    def of(self, schema: Any, name: str) -> Any:
        """A part of a schema, which is called so where it has a name."""
        last = name.rpartition(".")[2]
        if not isinstance(schema, dict):
            return schema
        if last in _WIDER or schema.get("x-kubernetes-int-or-string"):
            return _WIDER.get(last, _EITHER)
        kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
        if len(kinds) == 1:  # what may be null may be left out, and null is not looked at
            return self.of({**{k: v for k, v in schema.items() if k not in ("anyOf", "default")}, **kinds[0]}, name)
        made = {k: self._part(k, v) for k, v in schema.items() if k not in _SAID and not k.startswith("x-")}
        if last in _SPARED:
            made["required"] = [each for each in made.get("required", ()) if each not in _SPARED[last]]
        open_ = "additionalProperties" in made or schema.get("x-kubernetes-preserve-unknown-fields")
        if self.closed and "properties" in made and not open_:
            made["additionalProperties"] = False
        return made

    def _part(self, key: str, value: Any) -> Any:
        if key in ("properties", "definitions", "$defs") and isinstance(value, dict):
            return {each: self.of(part, "" if key == "properties" else each) for each, part in value.items()}
        if key in ("items", "additionalProperties"):
            return self.of(value, "")
        return [self.of(each, "") for each in value] if key in ("anyOf", "oneOf", "allOf") else value
