"""A manifest from anywhere: its objects, and the line on which each part of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from clspec.diagnostic import START, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Place = tuple[str | int, ...]
"""Where something stands in an object: keys and list indices from its root."""
Finding = tuple[Place, str]
"""A place, and what is wrong there."""
Object = dict[str, Any]
Part = Mapping[Any, Any]
"""What stands at some place in an object, read and never changed."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotYaml(Exception):
    """The text cannot be read as YAML objects."""

    def __init__(self, message: str, span: Span) -> None:
        self.span = span
        super().__init__(message)


@dataclass(frozen=True)
class Manifest:
    """One object of a file. `value` is as it was read; `node` knows the lines."""

    value: Object
    node: Any

    def span(self, place: Place) -> Span:
        """Where a place stands; the nearest part above it that is there, if it is not."""
        node = self.node
        for step in place:
            found = _below(node, step)
            if found is None:
                break
            node = found
        begin, end = node.start_mark, node.end_mark
        return Span(begin.line + 1, begin.column + 1, end.line + 1, end.column + 1)


def _below(node: Any, step: str | int) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def read(text: str) -> Iterator[Manifest]:
    """The objects of a text; JSON is YAML too.

    Raises:
        NotYaml: it cannot be read, or holds something else than objects, or a key twice.
    """
    try:
        loader = _LOADER(text)
        while loader.check_node():
            node: Any = loader.get_node()
            _look_for_doubles(node)
            value = loader.construct_document(node)
            if value is None:
                continue
            if not isinstance(value, dict):
                message = f"an object is a mapping, not a {type(value).__name__}"
                raise NotYaml(message, _at(node.start_mark))
            yield Manifest(value, node)
    except yaml.MarkedYAMLError as error:
        raise NotYaml(f"not YAML: {error.problem}", _at(error.problem_mark)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYaml(f"not YAML: {error}", START) from error


def _at(mark: Any) -> Span:
    if mark is None:
        return START
    return Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def _look_for_doubles(root: Any) -> None:
    """PyYAML takes the last of two equal keys; Kubernetes' strict reading refuses them.

    Raises:
        NotYaml: there are some.
    """
    waiting = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise NotYaml("a key is a text, not a list or a mapping", _at(key.start_mark))
                if key.value in keys and key.value != "<<":
                    raise NotYaml(f"the key `{key.value}` stands twice", _at(key.start_mark))
                keys.add(key.value)
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def mapping(value: Any) -> Part:
    """A part as a mapping; what is none has no keys, and is told of by whoever knows the fields' types."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A part as a list; what is none has no items."""
    return value if isinstance(value, list) else []


def items(value: Any, *place: str) -> Sequence[tuple[Place, Part]]:
    """The mappings of a list that lies at a place below a value, each with its place."""
    for key in place:
        if not isinstance(value, dict) or key not in value:
            return ()
        value = value[key]
    if not isinstance(value, list):
        return ()
    if len(value) == 1:  # most have one, and this is asked for a hundred times for each step
        return [((*place, 0), value[0])] if isinstance(value[0], dict) else ()
    return [((*place, index), item) for index, item in enumerate(value) if isinstance(item, dict)]


def texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text in a value, keys included, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*place, key), str(key)
            yield from texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*place, index))
