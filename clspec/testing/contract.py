"""What every backend must keep, as a class of tests: an author subclasses it and says which backend is meant."""

from __future__ import annotations

import dataclasses
import datetime
import inspect
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from clspec import backend as protocol
from clspec import graph
from clspec.codes import CODES
from clspec.diagnostic import has_errors
from clspec.testing import elsewhere, goldens, places
from clspec.testing.features import FEATURES, heard
from clspec.testing.hostile import TEXTS
from clspec.testing.plans import PLANS
from clspec.testing.recovered import ReadPipeline, differences, left_out, lost_labels, lost_triggers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clspec.backend import Backend, Bundle
    from clspec.diagnostic import Diagnostic, Span
    from clspec.plan import Plan

_OPTION_TYPES = {"str", "int", "float", "bool"}
_UNSEEN = re.compile(
    r"[^\n\t\x20-\x7e\xa0-\U0010ffff]|[\u0085\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_REQUIRES: dict[str, frozenset[str]] = {
    "diamond": frozenset({"branches"}),
    "seeds": frozenset({"branches"}),
    "condition": frozenset({"conditions"}),
    "gpu": frozenset({"gpus"}),
    "secrets": frozenset({"secrets"}),
    "regression": frozenset({"branches", "conditions", "gpus"}),
}
"""What a target must support to take a plan; it takes the others whatever it supports."""
_SHORTEST = 5
"""A path of fewer letters could stand in any file by chance."""


class BackendContract:
    """Override the fixture `backend` and `read_back`; declare limits by class attributes."""

    supports_branches = True
    """Whether several steps may hang on one, and one on several."""
    supports_conditions = True
    """Whether a step may depend on a word that an earlier one wrote."""
    supports_gpus = True
    """Whether a step with hints about its machine is taken, be it with warnings."""
    supports_secrets = True
    """Whether a step may have secrets."""
    indifferent_to: frozenset[str] = frozenset()
    """Features (see `clspec.testing.features`) that have no meaning on this target, and so need no diagnostic."""
    golden_plans: tuple[str, ...] = ("single-step", "regression")
    """The plans whose bundles are kept as golden files."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend, as its distribution's entry point names it."""
        pytest.fail("override the fixture `backend` to return the backend that is to be tested")

    @pytest.fixture
    def options(self, backend: Backend) -> Any:
        """The options that it is tested with."""
        return backend.options()

    def read_back(self, bundle: Bundle) -> Mapping[str, ReadPipeline]:
        """The pipelines by name, as a reader of the emitted files finds them."""
        del bundle
        pytest.skip("nothing shows that steps and texts survive: override `read_back`")

    def golden_folder(self, plan: str) -> Path:
        """Where a plan's golden files lie: `tests/goldens/<plan>` in the repository of this class."""
        return goldens.folder_of(Path(inspect.getfile(type(self))).resolve()) / plan

    # -- what it is --------------------------------------------------------------------------------------------------

    def test_is_a_backend(self, backend: Backend) -> None:
        """It has what the protocol asks for, in the protocol's version."""
        assert isinstance(backend, protocol.Backend)
        assert not isinstance(backend, type), "give an instance, not the class"
        assert backend.api_version == protocol.API_VERSION
        assert re.fullmatch(r"[a-z][a-z0-9-]*", backend.name), "the name is a plain word, for the command line"

    def test_is_found_under_its_name(self, backend: Backend) -> None:
        """An installed distribution offers it, so that `clspec compile --target` finds it."""
        assert type(protocol.load(backend.name)) is type(backend)

    def test_says_what_it_can_and_cannot(self, backend: Backend) -> None:
        """`clspec targets` shows both."""
        assert isinstance(backend.capabilities, protocol.Capabilities)
        assert backend.capabilities.can
        for line in (*backend.capabilities.can, *backend.capabilities.cannot):
            assert line.strip()
            assert line.isprintable(), f"{line!a} is not one plain line"

    def test_options_are_a_frozen_dataclass(self, backend: Backend) -> None:
        """Their fields are what `--set KEY=VALUE` can say."""
        assert isinstance(backend.options, type)
        assert dataclasses.is_dataclass(backend.options)
        assert backend.options.__dataclass_params__.frozen, "options are values: frozen=True"  # type: ignore[attr-defined]
        for field in dataclasses.fields(backend.options):
            kind = field.type if isinstance(field.type, str) else field.type.__name__
            assert kind in _OPTION_TYPES, f"`--set {field.name}` gives a text, number or boolean, never a {kind}"

    # -- what it emits -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", [name for name in PLANS if name != "hostile"])
    def test_takes_what_it_supports_and_refuses_the_rest(self, backend: Backend, options: Any, name: str) -> None:
        """A plan is refused, with an error, exactly where it needs what the class says is not supported."""
        lacking = {word for word in _REQUIRES.get(name, ()) if not getattr(self, f"supports_{word}")}
        errors = [found.message for found in backend.check(PLANS[name](), options) if found.is_error]
        if lacking:
            assert errors, f"the target does not support {sorted(lacking)}, and `check` does not say so"
        else:
            assert not errors

    @pytest.mark.parametrize("name", PLANS)
    def test_paths_are_safe_and_files_plain_text(self, backend: Backend, options: Any, name: str) -> None:
        """Files stay in the folder that they are written to, on every file system, and can be reviewed."""
        bundle = _bundle(backend, options, name)
        assert bundle, "nothing is emitted"
        assert not [complaint for path in bundle for complaint in _unsafe(path)]
        assert len({path.lower() for path in bundle}) == len(bundle), "two paths differ in case alone"
        folders = {str(parent) for path in bundle for parent in PurePosixPath(path).parents}
        assert not folders & set(bundle), "a file and a folder have one name"
        for path, text in bundle.items():
            assert isinstance(text, str)
            assert text.strip(), f"{path} is empty"
            found = _UNSEEN.search(text)
            assert found is None, f"{path}: {found[0]!a} at {found.start()} is a character that nobody sees"

    @pytest.mark.parametrize("name", PLANS)
    def test_the_same_plan_gives_the_same_bytes(self, backend: Backend, options: Any, name: str) -> None:
        """Twice in one process, the second time for another object that is equal."""
        first = _bundle(backend, options, name)
        assert list(_bundle(backend, options, name).items()) == list(first.items())

    @pytest.mark.parametrize("seed", ["0", "4242"])
    def test_nothing_of_this_machine_is_emitted(
        self, backend: Backend, options: Any, seed: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Another hash seed, host, user, home, place, process, time zone and date give the same bytes."""
        there = _elsewhere(backend, options, seed, tmp_path_factory)["bundles"]
        texts = [(name, path, text) for name, bundle in there.items() for path, text in (bundle or {}).items()]
        for canary in elsewhere.CANARIES:
            assert [(name, path) for name, path, text in texts if canary in text] == [], f"{canary} is emitted"
        for name, make in PLANS.items():
            here = None if has_errors(backend.check(make(), options)) else backend.emit(make(), options)
            assert there[name] == here, f"plan {name} gives other bytes in another process"

    @pytest.mark.parametrize("name", PLANS)
    def test_home_place_and_date_are_not_written(self, backend: Backend, options: Any, name: str) -> None:
        """The same for what this process believes in."""
        bundle = _bundle(backend, options, name)
        today = datetime.datetime.now(tz=datetime.UTC).date()
        words = {str(Path.home()), str(Path.cwd())}
        words |= {today.isoformat(), today.strftime("%Y%m%d"), today.strftime("%d/%m/%Y")}
        for word in sorted(word for word in words if len(word) >= _SHORTEST):
            assert [path for path, text in bundle.items() if word in text] == [], f"{word} is emitted"

    def test_compiling_loads_nothing_heavy(
        self, backend: Backend, options: Any, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Neither loading the backend nor emitting with it imports the libraries that only a run needs."""
        assert _elsewhere(backend, options, "0", tmp_path_factory)["heavy"] == []

    @pytest.mark.parametrize("name", PLANS)
    def test_the_plan_stays_as_it_is(self, backend: Backend, options: Any, name: str) -> None:
        """Neither `check` nor `emit` changes the plan or the options."""
        plan, before = PLANS[name](), dataclasses.asdict(options)
        if not has_errors(backend.check(plan, options)):
            backend.emit(plan, options)
        assert plan == PLANS[name]()
        assert dataclasses.asdict(options) == before

    # -- what it means -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", PLANS)
    def test_every_step_and_edge_is_there(self, backend: Backend, options: Any, name: str) -> None:
        """Whoever reads the files finds every step with its kind, configuration, inputs, outputs and condition."""
        assert differences(PLANS[name](), self.read_back(_bundle(backend, options, name))) == []

    def test_every_start_is_there_or_reported(self, backend: Backend, options: Any) -> None:
        """Every trigger can be read back, or a diagnostic names its place."""
        plan = PLANS["triggers"]()
        read = self.read_back(_bundle(backend, options, "triggers"))["regression"]
        assert lost_triggers(plan, read, backend.check(plan, options)) == []

    @pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:16]))
    @pytest.mark.parametrize("place", places.PLACES)
    def test_hostile_texts_arrive_or_are_refused(self, backend: Backend, options: Any, place: str, text: str) -> None:
        """A text reaches the step as it was written, or an error refuses it; it never changes unseen."""
        plan = places.plan_with(place, text)
        found = backend.check(plan, options)
        _agree(plan, found)
        if has_errors(found):
            return
        read = self.read_back(backend.emit(plan, options))
        assert differences(plan, read) == []
        assert lost_triggers(plan, read["regression"], found) == []
        assert lost_labels(plan, read["regression"], found) == []

    @pytest.mark.parametrize("name", FEATURES)
    def test_nothing_is_dropped_in_silence(self, backend: Backend, options: Any, name: str) -> None:
        """What a plan says, GPU hints included, changes the files or adds a diagnostic, unless declared otherwise."""
        found = heard(backend, options, FEATURES[name])
        if name in self.indifferent_to:
            assert not found, f"`{name}` is expressed or reported: take it out of `indifferent_to`"
        else:
            assert found, f"`{name}` changes neither the files nor what `check` finds"

    def test_only_known_features_are_declared(self) -> None:
        """A slip in `indifferent_to` would declare nothing."""
        assert self.indifferent_to <= FEATURES.keys()

    @pytest.mark.parametrize("name", ["always", "optional"])
    def test_what_is_left_out_is_reported(self, backend: Backend, options: Any, name: str) -> None:
        """A step that runs however the others end, or may find an input missing, is there, or a diagnostic names it."""
        plan = FEATURES[name].after()
        found = backend.check(plan, options)
        if not has_errors(found):
            assert left_out(plan, self.read_back(backend.emit(plan, options)), found) == []

    @pytest.mark.parametrize("name", [*PLANS, *(f"feature {name}" for name in FEATURES)])
    def test_diagnostics_can_be_looked_up(self, backend: Backend, options: Any, name: str) -> None:
        """Each has a code that `clspec explain` knows, its weight, a message, and the path and a place of the plan."""
        make = PLANS.get(name) or FEATURES[name.removeprefix("feature ")].after
        plan = make()
        found = tuple(backend.check(plan, options))
        _agree(plan, found)
        assert tuple(backend.check(make(), options)) == found, "not the same twice"

    @pytest.mark.parametrize("name", ["single-step", "chain", "regression"])
    def test_lint_takes_what_is_emitted_and_passes_nothing_else(
        self, backend: Backend, options: Any, name: str
    ) -> None:
        """Where the target judges files from anywhere, its own are right, and one without anything of its is not."""
        judge = getattr(backend, "lint", None)
        if judge is None:
            return
        path, text = next(iter(_bundle(backend, options, name).items()))
        assert [found.message for found in judge(text, path) if found.is_error] == []
        for nothing in ("", "a: 1\n", "- a\n", "a: [\n"):
            assert has_errors(judge(nothing, "nothing.yaml")), f"{nothing!r} holds nothing of the target's, and passes"

    def test_goldens(self, backend: Backend, options: Any) -> None:
        """The emitted files are those that somebody has looked at; `CLSPEC_WRITE_GOLDENS=1` writes them."""
        for name in self.golden_plans:
            graph.check_edges(PLANS[name]().pipelines[0])
            bundle = _bundle(backend, options, name)
            if goldens.wanted():
                goldens.write(bundle, self.golden_folder(name))
            assert "\n".join(goldens.differences(bundle, self.golden_folder(name))) == ""


def _bundle(backend: Backend, options: Any, name: str) -> Bundle:
    """The files of one of the kit's plans; where the target refuses the plan, the test has nothing to look at."""
    plan = PLANS[name]()
    if refused := [found for found in backend.check(plan, options) if found.is_error]:
        pytest.skip(f"the target refuses the plan `{name}`: {refused[0].message}")
    return backend.emit(plan, options)


def _elsewhere(backend: Backend, options: Any, seed: str, folders: pytest.TempPathFactory) -> dict[str, Any]:
    return elsewhere.emitted(backend.name, elsewhere.options_text(options), seed, folders.getbasetemp())


def _unsafe(path: str) -> list[str]:
    """Why a path is not a relative one that every file system takes."""
    parts = path.split("/")
    complaints = {
        "is absolute": path.startswith("/"),
        "has an empty part": "" in parts,
        "leaves its folder or has a part too many": bool({".", ".."} & set(parts)),
        "has signs that some file system refuses": re.search(r'[\\:*?"<>|]|[^\x20-\x7e]', path) is not None,
        "has a part that some file system shortens": any(part != part.strip(" ").rstrip(".") for part in parts),
    }
    return [f"{path!a} {complaint}" for complaint, holds in complaints.items() if holds]


def _agree(plan: Plan, found: Iterable[Diagnostic]) -> None:
    """Each diagnostic says what, how bad and where, in terms of this plan."""
    spans: set[Span | None] = {None}
    for pipeline in plan.pipelines:
        spans |= {pipeline.origin, *(step.origin for step in pipeline.steps), *(t.origin for t in pipeline.triggers)}
    for diagnostic in found:
        assert diagnostic.code in CODES, f"`clspec explain` does not know {diagnostic.code}"
        assert diagnostic.severity is CODES[diagnostic.code].severity
        assert diagnostic.message.strip()
        assert diagnostic.path == plan.spec
        assert diagnostic.span in spans, "the span is of no step, trigger or pipeline of the plan"
