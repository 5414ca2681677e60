"""What Kubernetes refuses in the pod of an executor, or Kubeflow makes nothing of."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec_kfp.rules_containers import QUANTITY
from clspec_kfp.rules_inputs import whole
from clspec_kfp.text import LABEL, LABEL_KEY, OBJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Part, Place

_EFFECTS = frozenset({"", "NoSchedule", "PreferNoSchedule", "NoExecute"})
_TOLERATES = frozenset({"", "Exists", "Equal"})
_COMPARES = {"In": 1, "NotIn": 1, "Exists": 0, "DoesNotExist": 0, "Gt": 1, "Lt": 1}
_PULLS = frozenset({"", "Always", "IfNotPresent", "Never"})
_MODES = frozenset({"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"})
_MEDIA = re.compile(r"|Memory|HugePages(-\d+(Mi|Gi))?")
_SECRETS = {"secretAsEnv": "secretName", "secretAsVolume": "secretName", "imagePullSecret": "secretName"}
_NAMED = _SECRETS | {"configMapAsEnv": "configMapName", "configMapAsVolume": "configMapName"}
_MAX_WEIGHT = 100


def judge(place: Place, pod: Part, known: set[str] | None) -> Iterator[Finding]:
    """What is wrong with a pod; `known` are the inputs of the graphs that its tasks stand in, None if it has none."""
    for field, word in _NAMED.items():
        for at, source in items(pod, field):
            yield from _named((*place, *at), source, word)
            yield from _variables((*place, *at), source, field)
    yield from _labels(place, pod)
    for at, toleration in items(pod, "tolerations"):
        yield from _toleration((*place, *at), toleration)
    for at, term in items(pod, "nodeAffinity"):
        yield from _affinity((*place, *at), term)
    yield from _mounts(place, pod)
    yield from _rest(place, pod)
    for at, name in _asked(pod, ()):
        if known is not None and name not in known:
            yield (*place, *at), f"asks for `{name}`, which is no input of a graph that runs this"


def _asked(value: Any, at: Place) -> Iterator[tuple[Place, str]]:
    """Each place that refers to an input of the graph around the task."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "componentInputParameter" and isinstance(item, str):
                yield (*at, key), item
            yield from _asked(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _asked(item, (*at, index))


def _named(place: Place, source: Part, word: str) -> Iterator[Finding]:
    name, parameter = source.get(word), mapping(source.get(f"{word}Parameter"))
    constant = mapping(parameter.get("runtimeValue")).get("constant")
    if not name and not parameter:
        yield place, f"nothing names it: `{word}` or `{word}Parameter`"
    if name and constant and name != constant:
        yield place, f"`{word}` says {name!r} and `{word}Parameter` {constant!r}: which holds depends on the backend"
    for said in {name, constant} - {None, ""}:
        if isinstance(said, str) and "{{" not in said and not OBJECT.fullmatch(said):
            yield place, f"{said!r} is no name of an object in a cluster"


def _variables(place: Place, source: Part, field: str) -> Iterator[Finding]:
    if not field.endswith("AsEnv"):
        return
    key = "secretKey" if field == "secretAsEnv" else "configMapKey"
    pairs = items(source, "keyToEnv")
    if not pairs:
        yield place, "nothing of it becomes a variable: `keyToEnv` is empty"
    for at, pair in pairs:
        if not pair.get(key) or not re.fullmatch(r"[-._A-Za-z0-9]+", pair[key]):
            yield (*place, *at), f"{pair.get(key)!r} can be no key of it"
        name = pair.get("envVar") or ""
        if not name or "=" in name or not name.isprintable():
            yield (*place, *at), f"{name!r} is no name of a variable"


def _labels(place: Place, pod: Part) -> Iterator[Finding]:
    for words in (("nodeSelector", "labels"), ("podMetadata", "labels"), ("podMetadata", "annotations")):
        for key, value in mapping(mapping(pod.get(words[0])).get(words[1])).items():
            if not LABEL_KEY.fullmatch(key):
                yield (*place, *words, key), f"{key!r} can be no key of a label or annotation"
            if words[1] == "labels" and not LABEL.fullmatch(value or ""):
                yield (*place, *words, key), f"{value!r} can be no value of a label"


def _toleration(place: Place, said: Part) -> Iterator[Finding]:
    if "tolerationJson" in said:
        return
    operator = said.get("operator") or ""
    if operator not in _TOLERATES:
        yield place, f"{operator!r} is no operator of a toleration"
    if (said.get("effect") or "") not in _EFFECTS:
        yield place, f"{said['effect']!r} is no effect of a taint"
    if operator == "Exists" and said.get("value"):
        yield place, "a toleration of whatever `Exists` has no value"
    if operator != "Exists" and not said.get("key"):
        yield place, "a toleration without a key tolerates everything, and then its operator is `Exists`"
    if said.get("tolerationSeconds") is not None and said.get("effect") != "NoExecute":
        yield place, "`tolerationSeconds` goes with the effect `NoExecute` alone"


def _affinity(place: Place, term: Part) -> Iterator[Finding]:
    weight = term.get("weight")
    if weight is not None and not 1 <= (whole(weight) or 0) <= _MAX_WEIGHT:
        yield (*place, "weight"), f"{weight!r} is no weight: 1 to {_MAX_WEIGHT}"
    for word in ("matchExpressions", "matchFields"):
        for at, said in items(term, word):
            operator, values = said.get("operator"), listed(said.get("values"))
            if not said.get("key"):
                yield (*place, *at), "an expression compares a label by its key"
            if operator not in _COMPARES:
                yield (*place, *at), f"{operator!r} is no operator of an expression"
            elif bool(values) != bool(_COMPARES[operator]):
                yield (*place, *at), f"`{operator}` compares with {'some' if _COMPARES[operator] else 'no'} values"
            elif operator in {"Gt", "Lt"} and not (len(values) == 1 and re.fullmatch(r"-?\d+", values[0])):
                yield (*place, *at), f"`{operator}` compares with one whole number"


def _mounts(place: Place, pod: Part) -> Iterator[Finding]:
    fields = ("secretAsVolume", "configMapAsVolume", "pvcMount", "emptyDirMounts", "genericEphemeralVolume")
    mounts = [(at, mount) for field in fields for at, mount in items(pod, field)]
    paths = Counter(mount.get("mountPath") for _, mount in mounts)
    volumes = Counter(mount["volumeName"] for _, mount in mounts if mount.get("volumeName"))
    for at, mount in mounts:
        path = mount.get("mountPath")
        if not path or ":" in path:
            yield (*place, *at), f"{path!r} is no place to mount at"
        elif paths[path] > 1:
            yield (*place, *at), f"two volumes are mounted at {path!r}"
        if volumes[mount.get("volumeName")] > 1:
            yield (*place, *at), f"two volumes are called {mount['volumeName']!r}"
        if not _MEDIA.fullmatch(mount.get("medium") or ""):
            yield (*place, *at, "medium"), f"{mount['medium']!r} is no medium of a volume"
    yield from _volumes(place, pod)


def _volumes(place: Place, pod: Part) -> Iterator[Finding]:
    for field, word in (("emptyDirMounts", "sizeLimit"), ("genericEphemeralVolume", "size")):
        for at, mount in items(pod, field):
            if mount.get(word) and not QUANTITY.fullmatch(mount[word]):
                yield (*place, *at, word), f"{mount[word]!r} is no size"
            for mode in sorted(set(listed(mount.get("accessModes"))) - _MODES):
                yield (*place, *at, "accessModes"), f"{mode!r} is no mode of access"
    references = ("taskOutputParameter", "constant", "componentInputParameter", "pvcNameParameter")
    for at, mount in items(pod, "pvcMount"):
        if not any(word in mount for word in references):
            yield (*place, *at), "nothing names the volume claim"


def _rest(place: Place, pod: Part) -> Iterator[Finding]:
    if (pod.get("imagePullPolicy") or "") not in _PULLS:
        yield (*place, "imagePullPolicy"), f"{pod['imagePullPolicy']!r} is no policy"
    seconds = pod.get("activeDeadlineSeconds")
    if seconds is not None and not whole(seconds):
        yield (*place, "activeDeadlineSeconds"), f"{seconds!r} is no number of seconds"
    context = mapping(pod.get("securityContext"))
    if context.get("runAsNonRoot") and whole(context.get("runAsUser")) == 0:
        yield (*place, "securityContext"), "the user 0 is root, which `runAsNonRoot` forbids"
    for word in ("runAsUser", "runAsGroup"):
        if context.get(word) is not None and whole(context[word]) is None:
            yield (*place, "securityContext", word), f"{context[word]!r} is no identifier"
    for at, field in items(pod, "fieldPathAsEnv"):
        if not field.get("name") or not field.get("fieldPath"):
            yield (*place, *at), "a variable with a name, and the field that it is taken from"
    for at, term in items(pod, "podAffinity"):
        if not term.get("topologyKey"):
            yield (*place, *at), "an affinity to pods has a `topologyKey`"


def judge_pipeline(place: Place, kubernetes: Part) -> Iterator[Finding]:
    """What is wrong with what holds for a whole run."""
    config = mapping(kubernetes.get("pipelineConfig"))
    size = mapping(config.get("workspace")).get("size")
    if "workspace" in config and not (isinstance(size, str) and QUANTITY.fullmatch(size)):
        yield (*place, "workspace"), f"{size!r} is no size of a workspace"
    for word, value in config.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            yield (*place, word), f"{value} is no number of seconds or runs"
