"""A graph in layers: where its nodes stand so that every edge leads down and few of them cross.

The method of Sugiyama, Tagawa and Toda (1981): layers by the longest path, an edge that skips layers goes through a
place in each of them, the order within a layer by the mean of the neighbours, and positions as near to them as the gaps
allow (isotonic regression by pooling adjacent violators).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SWEEPS = 8
_BOTH_WAYS = 2
"""After so many sweeps that moved nothing, one down and one up, no other one would."""
_SLIM = 0.3
"""How wide the place is that an edge goes through, where a node's is 1."""


class Laid(msgspec.Struct, frozen=True, kw_only=True):
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
    least = min([place - _half(name) for name, place in x.items()])
    most = max([place + _half(name) for name, place in x.items()])
    return Laid(
        nodes={name: (x[name] - least, level) for name, level in depth.items()},
        edges=tuple(
            tuple([(x[place] - least, level) for level, place in enumerate(chain, depth[chain[0]])]) for chain in chains
        ),
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


def _half(place: str) -> float:
    return (_SLIM if "\0" in place else 1.0) / 2


def _layers(depth: Mapping[str, int], chains: Sequence[Sequence[str]]) -> list[list[str]]:
    """The places of each layer: its nodes, then those that edges go through."""
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, level in depth.items():
        layers[level].append(name)
    for chain in chains:
        for level, place in enumerate(chain[1:-1], depth[chain[0]] + 1):
            layers[level].append(place)
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
    place = {name: float(index) for layer in layers for index, name in enumerate(layer)}
    wide = [layer for layer in layers if len(layer) > 1]
    still = 0
    for sweep in range(_SWEEPS):
        beside, walk = (above, wide) if sweep % 2 == 0 else (below, wide[::-1])
        before = [layer[:] for layer in wide]
        for layer in walk:
            means = {name: _mean(place, beside.get(name, ()), name) for name in layer}
            layer.sort(key=lambda name: (means[name], name))
            place |= {name: float(index) for index, name in enumerate(layer)}
        still = still + 1 if wide == before else 0
        if still == _BOTH_WAYS:
            return


def _mean(places: Mapping[str, float], beside: Sequence[str], name: str) -> float:
    """Where the neighbours are in the mean; where there is none, where the place itself is."""
    return sum([places[each] for each in beside]) / len(beside) if beside else places[name]


def _across(
    layers: Sequence[Sequence[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> dict[str, float]:
    """Positions near the neighbours' means, no two nearer than they are wide."""
    rows = [(layer, _offsets(layer)) for layer in layers]
    x = {name: offset - row[-1] / 2 for layer, row in rows for name, offset in zip(layer, row, strict=True)}
    still = 0
    for sweep in range(_SWEEPS):
        beside, walk = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        before = x.copy()
        for layer, offsets in walk:
            wanted = [_mean(x, beside.get(name, ()), name) for name in layer]
            x |= zip(layer, _apart(wanted, offsets) if len(wanted) > 1 else wanted, strict=True)
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


def _apart(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The positions nearest to the wanted ones at which no place lies on another."""
    placed = _isotonic([want - offset for want, offset in zip(wanted, offsets, strict=True)])
    return [place + offset for place, offset in zip(placed, offsets, strict=True)]


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
