"""Pipelines from anywhere, judged: what Kubeflow refuses or misreads is an error, what we would not write a warning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec import kubernetes, manifest
from clspec.codes import problem
from clspec.diagnostic import START, Span, in_order
from clspec.manifest import mapping
from clspec_kfp import fields, forms, rules, rules_house
from clspec_kfp.spelling import as_written, field_of, spelt, twice
from clspec_kfp.validate import faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clspec.diagnostic import Diagnostic
    from clspec.manifest import Finding, Manifest, Place

REFUSED, UNLIKE_US, NOT_JUDGED = "CLS511", "CLS512", "CLS530"
MAX_FILE = 32 * 1024 * 1024
"""What Kubeflow takes as one upload."""
_SPEC = frozenset({"components", "deploymentSpec", "pipelineInfo", "root", "schemaVersion", "sdkVersion"})
_API = "pipelines.kubeflow.org/"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A document, or what stands at a place in one: a custom resource and a recurring run hold a pipeline within."""

    of: Manifest
    place: Place
    written: dict[str, Any]
    """As it stands in the file."""
    value: dict[str, Any]
    """The same, with all fields in one spelling."""

    @classmethod
    def at(cls, of: Manifest, place: Place, written: dict[str, Any]) -> _Part:
        return cls(of=of, place=place, written=written, value=spelt(written))

    def whole(self, place: Place) -> Place:
        """A place in this part as one in its document."""
        return (*self.place, *as_written(self.written, place))

    def span(self, place: Place) -> Span:
        return self.of.span(self.whole(place))


def lint(text: str, path: str = "pipeline.yaml") -> Sequence[Diagnostic]:
    """What is wrong with the pipeline in a text: its IR, the custom resources that hold it, or a recurring run.

    `path` is the file as the user named it. A text without any pipeline is an error: nothing was judged.
    """
    judge = _Judge(path)
    try:
        judge.documents(list(manifest.read(text)), len(text.encode()))
    except manifest.NotYaml as error:
        judge.found.append(judge.problem(REFUSED, str(error), error.span))
    return in_order(judge.found)


def _is_spec(value: dict[str, Any]) -> bool:
    return not _SPEC.isdisjoint(map(field_of, value)) and "apiVersion" not in value and "platforms" not in value


class _Judge:
    """Gathers what is found in one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.found: list[Diagnostic] = []

    def documents(self, found: Sequence[Manifest], size: int) -> None:
        """Judge the documents of a file of so many bytes."""
        if size > MAX_FILE:
            self._say(f"the file has {size:,} bytes, Kubeflow takes {MAX_FILE:,} in one upload", START)
        specs = [_Part.at(one, (), one.value) for one in found if _is_spec(one.value)]
        platforms = [_Part.at(one, (), one.value) for one in found if "platforms" in one.value]
        for extra, what in ((specs[1:], "a second pipeline"), (platforms[1:], "a second platform document")):
            for part in extra:
                self._say(f"{what} in one file, of which Kubeflow takes one", part.span(()))
        for one in found:
            if _is_spec(one.value) or "platforms" in one.value:
                continue
            if kubernetes.is_one(one.value) and not specs and not platforms:  # a file for kubectl
                self.found += self._beside(one)
            else:
                self._other(one)
        if specs:
            self._pipeline(specs[0], platforms[:1], size)
        elif platforms:
            self._say("a platform document without its pipeline", platforms[0].span(()))
        elif not found:
            self._say("there is no pipeline of Kubeflow's in it", START)

    def _beside(self, one: Manifest) -> Iterator[Diagnostic]:
        """An account or rights that steps need, which clspec writes into a file of their own."""
        part = _Part(of=one, place=(), written=one.value, value=one.value)
        yield from self._told(part, kubernetes.judge(one.value))
        yield from self._told(part, kubernetes.doubts(one.value), UNLIKE_US)

    def _other(self, one: Manifest) -> None:
        """What is no part of an IR by itself."""
        if str(one.value.get("apiVersion", "")).startswith(_API):
            self._resource(one)
        elif "pipeline_spec" in one.value:
            self._recurring(one)
        else:
            message = "neither a pipeline nor its platform: Kubeflow skips such a document or refuses it"
            self._say(message, one.span(()))

    def _resource(self, one: Manifest) -> None:
        kind, spec = one.value.get("kind"), mapping(one.value.get("spec"))
        name = mapping(one.value.get("metadata")).get("name")
        if kind not in {"Pipeline", "PipelineVersion"}:
            self._say(f"Kubeflow has no kind {kind!r} that is judged here", one.span(("kind",)))
            return
        if not name:
            self._say("an object has a name", one.span(("metadata",)))
        if kind == "Pipeline":
            return
        if not spec.get("pipelineName"):
            self._say("a version says whose it is: `spec.pipelineName`", one.span(("spec",)))
        self._within(one, ("spec",), spec, ("pipelineSpec", "platformSpec"))

    def _recurring(self, one: Manifest) -> None:
        said = mapping(one.value["pipeline_spec"])
        place: Place = ("pipeline_spec",)
        if "pipeline_spec" not in said:
            said, place = {"pipeline_spec": said}, ()
        schedule = mapping(mapping(one.value.get("trigger")).get("cron_schedule"))
        if schedule and len(str(schedule.get("cron", "")).split()) not in {5, 6}:
            self._say(f"{schedule.get('cron')!r} is no schedule: six fields, seconds first", one.span(("trigger",)))
        self._within(one, place, said, ("pipeline_spec", "platform_spec"))

    def _within(self, one: Manifest, place: Place, holder: dict[str, Any] | Any, words: tuple[str, str]) -> None:
        parts = [
            [_Part.at(one, (*place, word), holder[word])] if isinstance(holder.get(word), dict) else []
            for word in words
        ]
        if parts[0]:
            self._pipeline(parts[0][0], parts[1], 0)
        else:
            self._say(f"there is no pipeline in it: `{words[0]}`", one.span(place))

    def _pipeline(self, spec: _Part, platforms: Sequence[_Part], size: int) -> None:
        before = len(self.found)
        for part in (spec, *platforms):
            self.found += self._told(part, twice(part.written))
        misfits = [*self._told(spec, forms.misfits(spec.value, forms.SPEC))]
        misfits += [d for part in platforms for d in self._told(part, forms.misfits(part.value, forms.PLATFORM))]
        self.found += misfits
        self.found += self._told(spec, fields.judge(spec.value))
        for part in platforms:
            self.found += self._told(part, fields.judge_platform(part.value))
        if not misfits:
            self.found += self._told(spec, rules.judge(spec.value))
            for part in platforms:
                self.found += self._told(part, rules.judge_platform(part.value, spec.value))
            self.found += self._told(spec, rules_house.judge(spec.value, size), UNLIKE_US)
        self._ours(spec, platforms, is_clean=not any(d.is_error for d in self.found[before:]))
        self._unjudged(spec)

    def _ours(self, spec: _Part, platforms: Sequence[_Part], *, is_clean: bool) -> None:
        """What says that clspec wrote it must be as clspec writes it: somebody changed it by hand."""
        if is_clean and str(spec.value.get("sdkVersion", "")).startswith("clspec-"):
            for line in faults([spec.written, *(part.written for part in platforms)]):
                self._say(f"clspec did not write it like this: {line}", spec.span(()))

    def _unjudged(self, spec: _Part) -> None:
        missing = sorted({"PipelineSpec", "KubernetesExecutorConfig"} - fields.known().keys())
        if missing:
            message = f"the names of fields were not judged: the protobufs of {' and '.join(missing)} are not installed"
            self.found.append(self.problem(NOT_JUDGED, message, spec.span(()), hint="pip install 'clspec[kfp]'"))

    def _told(self, part: _Part, found: Iterable[Finding], code: str = REFUSED) -> Iterator[Diagnostic]:
        for place, message in dict.fromkeys(found):
            yield self.problem(code, message, part.span(place), where=".".join(map(str, part.whole(place))))

    def _say(self, message: str, span: Span) -> None:
        self.found.append(self.problem(REFUSED, message, span))

    def problem(self, code: str, message: str, span: Span, where: str = "", hint: str = "") -> Diagnostic:
        """A problem at a place of this file."""
        return problem(code, message, path=self._path, span=span, where=where, hint=hint)
