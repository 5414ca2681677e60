"""A graph in layers: where its nodes stand so that every edge leads down and few of them cross.

The method of Sugiyama, Tagawa and Toda (1981): layers by the longest path, an edge that skips layers goes through a
place in each of them, the order within a layer by the mean of the neighbours, and positions as near to them as the gaps
allow (isotonic regression by pooling adjacent violators).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SWEEPS = 8
_BOTH_WAYS = 2
"""After so many sweeps that moved nothing, one down and one up, no other one would."""
_SLIM = 0.3
"""How wide the place is that an edge goes through, where a node's is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Where each node stands, across and down, and through which points each edge goes; one is a node's place."""

    nodes: Mapping[str, tuple[float, int]]
    edges: tuple[tuple[tuple[float, int], ...], ...]
    width: float
    depth: int


def reduced(needs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The needs without those that follow from the others, in an order in which each comes after its own needs."""
    number = {name: index for index, name in enumerate(needs)}
    below: dict[str, int] = {}
    kept: dict[str, tuple[str, ...]] = {}
    for name, wanted in needs.items():
        ordered = sorted(set(wanted), key=lambda need: -number[need])
        seen, direct = 0, []
        for need in ordered:
            if not seen >> number[need] & 1:
                direct.append(need)
                seen |= below[need] | 1 << number[need]
        below[name] = seen
        kept[name] = tuple(sorted(direct, key=lambda need: number[need]))
    return kept


def laid(needs: Mapping[str, Sequence[str]]) -> Laid:
    """The places of nodes, given with what each needs in an order in which each comes after its own."""
    if not needs:
        return Laid(nodes={}, edges=(), width=0.0, depth=0)
    depth = _depths(needs)
    chains = [_chain(need, name, depth) for name, wanted in needs.items() for need in wanted]
    layers = _layers(depth, chains)
    above, below = _neighbours(chains)
    _order(layers, above, below)
    x = _across(layers, above, below)
    least = min(x[name] - _half(name) for layer in layers for name in layer)
    most = max(x[name] + _half(name) for layer in layers for name in layer)
    return Laid(
        nodes={name: (x[name] - least, depth[name]) for name in needs},
        edges=tuple(tuple((x[place] - least, _depth(place, depth)) for place in chain) for chain in chains),
        width=most - least,
        depth=len(layers),
    )


def _depths(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, wanted in needs.items():
        found[name] = max((found[need] + 1 for need in wanted), default=0)
    return found


def _chain(need: str, name: str, depth: Mapping[str, int]) -> tuple[str, ...]:
    """The places that an edge goes through; those in between have names that no step can have."""
    between = (f"{need}\0{name}\0{level}" for level in range(depth[need] + 1, depth[name]))
    return (need, *between, name)


def _depth(place: str, depth: Mapping[str, int]) -> int:
    return depth[place] if place in depth else int(place.rpartition("\0")[2])


def _half(place: str) -> float:
    return (_SLIM if "\0" in place else 1.0) / 2


def _layers(depth: Mapping[str, int], chains: Sequence[Sequence[str]]) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for place in dict.fromkeys((*depth, *(place for chain in chains for place in chain))):
        layers[_depth(place, depth)].append(place)
    return layers


def _neighbours(chains: Sequence[Sequence[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _order(layers: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]) -> None:
    """Order each layer by the mean place of the neighbours, down and up again, until nothing moves."""
    still = 0
    for sweep in range(_SWEEPS):
        beside, walk = (above, layers) if sweep % 2 == 0 else (below, layers[::-1])
        before = [layer[:] for layer in layers]
        place = {name: float(index) for layer in layers for index, name in enumerate(layer)}
        for layer in walk:
            layer.sort(key=lambda name: (_mean([place[n] for n in beside.get(name, ())], place[name]), name))
            place |= {name: float(index) for index, name in enumerate(layer)}
        still = still + 1 if layers == before else 0
        if still == _BOTH_WAYS:
            return


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _across(
    layers: Sequence[Sequence[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> dict[str, float]:
    """Positions near the neighbours' means, no two nearer than they are wide."""
    x: dict[str, float] = {}
    for layer in layers:
        offsets = _offsets(layer)
        x |= {name: offset - offsets[-1] / 2 for name, offset in zip(layer, offsets, strict=True)}
    still = 0
    for sweep in range(_SWEEPS):
        beside, walk = (above, layers) if sweep % 2 == 0 else (below, layers[::-1])
        before = x.copy()
        for layer in walk:
            wanted = [_mean([x[n] for n in beside.get(name, ())], x[name]) for name in layer]
            offsets = _offsets(layer)
            placed = _isotonic([want - offset for want, offset in zip(wanted, offsets, strict=True)])
            x |= {name: place + offset for name, place, offset in zip(layer, placed, offsets, strict=True)}
        still = still + 1 if x == before else 0
        if still == _BOTH_WAYS:
            break
    return x


def _offsets(layer: Sequence[str]) -> list[float]:
    """How far right of the first each place is where they stand as near as they may."""
    found = [0.0]
    for left, right in pairwise(layer):
        found.append(found[-1] + _half(left) + _half(right))
    return found


def _isotonic(wanted: Sequence[float]) -> list[float]:
    """The numbers that never fall and are nearest to the wanted ones in the sense of least squares."""
    pools: list[tuple[float, int]] = []
    for want in wanted:
        total, count = want, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, many = pools.pop()
            total, count = total + before, count + many
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]
