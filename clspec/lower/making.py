"""How a step is made: its configuration as canonical JSON, its place in the spec, and what it runs on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from clspec import plan, spec
from clspec.lower import judging
from clspec.lower.parts import listed, placed, source_config
from clspec.plan import Artifact, Input, Kind, canonical, joined

if TYPE_CHECKING:
    from clspec.check import Facts
    from clspec.diagnostic import Pointer

_FEW = 16
"""So many items are as quickly written out again as looked up."""


class Maker:
    """Makes the steps of one spec, whichever pipeline they are for."""

    def __init__(self, facts: Facts, code_digest: str) -> None:
        assert facts.lock is not None  # the checks have seen every pin
        self.facts = facts
        self.spec = facts.spec
        self.lock = facts.lock
        self.code = code_digest
        self._texts: dict[int, tuple[Any, str]] = {}
        """Values with their texts, by what they are: as long as a value is kept, nothing else has its number."""
        self.training_data = self.spec.training.dataset
        self.golden_data = self.spec.golden.dataset

    def step(  # noqa: PLR0913  # a step has this many parts
        self,
        name: str,
        kind: Kind,
        config: dict[str, Any],
        at: Pointer,
        *,
        inputs: tuple[Input, ...] = (),
        outputs: tuple[Artifact, ...] = (),
        needs: tuple[str, ...] = (),
        parameters: tuple[str, ...] = (),
        when: plan.Condition | None = None,
        place: spec.Place | None = None,
        pure: bool = True,
        always: bool = False,
    ) -> plan.Step:
        """One step; it needs what it reads and what its condition asks, besides `needs`."""
        conditions = (when.step,) if when else ()
        return plan.Step(
            id=name,
            kind=kind,
            config=joined(
                {name: self._text(value) for name, value in ({"spec": self.spec.metadata.name, **config}).items()}
            ),
            needs=tuple(sorted({*needs, *conditions, *(i.step for i in inputs)})),
            inputs=inputs,
            outputs=outputs,
            parameters=parameters,
            when=when,
            image=self.image(),
            pure=pure,
            always=always,
            origin=self.span(at),
            where=self.facts.document.where(at),
            **({} if place is None else placed(place)),
        )

    def _text(self, value: Any) -> str:
        """A value's canonical text; of what many steps are told, such as all scenarios, it is made once."""
        large = isinstance(value, list) and len(value) > _FEW
        if not large:
            return canonical(value)
        if id(value) not in self._texts:
            self._texts[id(value)] = value, canonical(value)
        return self._texts[id(value)][1]

    @cached_property
    def measured(self) -> dict[str, Any]:
        """What every evaluation counts."""
        return judging.measured_golden(self.spec)

    @cached_property
    def demanded(self) -> dict[str, Any]:
        """What every gate demands."""
        return judging.demanded_golden(self.spec)

    @cached_property
    def _selections(self) -> list[dict[str, Any]]:
        return [
            {"id": s.id, "select": s.select, "guard": s.guard.select if s.guard else None}
            for s in self.spec.golden.scenarios
        ]

    def span(self, at: Pointer) -> Any:
        """Where something stands in the spec."""
        return self.facts.document.key_span(at)

    def image(self) -> str:
        """The image by digest; a tag that the lock does not know stays a tag, which a cluster's target refuses."""
        image = self.spec.code.image
        digest = self.lock.images.get(image)
        return f"{image.partition('@')[0]}@{digest}" if digest else image

    def pinned(self, name: str) -> str:
        """A dataset's digest in the lock."""
        return self.lock.datasets[name].digest

    def shape(self, name: str) -> dict[str, Any]:
        """What a dataset is: its columns, what names a row, which rows belong together."""
        dataset = self.facts.dataset(name)
        return {"name": name, "columns": dataset.columns, "key": dataset.key, "group": dataset.group}

    def dataset(self, name: str) -> dict[str, Any]:
        """What a step must know of a pinned dataset: digest, shape, and where a first version comes from."""
        shape = self.shape(name)
        del shape["name"]
        origin = source_config(self.spec, self.facts.dataset(name).from_)
        return {"digest": self.pinned(name), **shape, "from": origin}

    def shown(self) -> dict[str, Any]:
        """What names a golden row, and the column that holds what a person would look at, if there is one."""
        dataset = self.facts.dataset(self.golden_data)
        source = self.spec.sources.get(dataset.from_) if dataset.from_ else None
        media = source.roles.media if source else None
        return {"key": dataset.key, "media": media if media in (dataset.columns or {}) else None}

    def task(self) -> dict[str, Any]:
        """What the model predicts."""
        task = self.spec.task
        return {
            "type": task.type,
            "label": task.label,
            "classes": list(task.classes),
            "prediction": task.prediction,
            "score": task.score,
        }

    def protected(self) -> tuple[str, ...]:
        """The datasets that nothing may leak from, the golden one first."""
        guard = self.spec.feedback.leakage_guard if self.spec.feedback else None
        return tuple(dict.fromkeys((self.golden_data, *(guard.against if guard else ()))))

    def record(self, pipeline: str) -> dict[str, Any]:
        """What moved and what was pinned: the facts that a model's record and a report state.

        What the improvement pipeline trains on is known only when it has been appended to: its digest is None here.
        """
        moving = {self.training_data} if pipeline == "improvement" else set()
        names = (self.training_data, self.golden_data)
        return {
            "pipeline": pipeline,
            "code": self.code,
            "image": self.image(),
            "params": {name: listed(value) for name, value in self.spec.training.params.items()},
            "seeds": list(self.spec.training.seeds),
            "datasets": {name: None if name in moving else self.pinned(name) for name in names},
            "roles": {"training": self.training_data, "golden": self.golden_data},
            "scenarios": self._selections,
        }

    def triggers(self, pipeline: str) -> tuple[plan.Trigger, ...]:
        """What starts a pipeline."""
        named = enumerate(self.spec.triggers)
        return tuple(self._trigger(index, trigger) for index, trigger in named if trigger.run == pipeline)

    def _trigger(self, index: int, trigger: spec.Trigger) -> plan.Trigger:
        at: Pointer = ("triggers", index)
        known = {
            key: getattr(trigger, key) for key in ("paths", "cron", "time_zone", "source") if hasattr(trigger, key)
        }
        event = plan.Event(type(trigger).__struct_config__.tag)
        return plan.Trigger(event=event, origin=self.span(at), where=self.facts.document.where(at), **known)
