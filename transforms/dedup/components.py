"""Connected components of a graph too large for one machine: edges → stars around each component's smallest node.

Alternating large-star and small-star (Kiveris et al., "Connected Components in MapReduce and Beyond", SoCC 2014):
each round links every node to the smallest one that it or a neighbour knows of, until every component is a star. Beam
has no loops, so a number of rounds is unrolled in one job, which also counts the nodes that are not where they belong
yet; while there are any, another job can go on with its edges. Graphs of near-duplicates are shallow: one job of three
rounds is enough for them, and a chain of a thousand documents takes a few.

A node with very many neighbours is split (beam/hot_keys.py); the smallest of them, which all parts have to know, is
found by a combiner and handed to each.

Edges are (child, parent) with parent < child once a round has run; nodes that no edge names do not occur.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import apache_beam as beam

from weft.transforms.beam import hot_keys
from weft.transforms.beam.folds import Fold

Edge = tuple[str, str]
_Seen = tuple[str, str, bool]  # a node's smallest and largest parent ("" for none), whether it is a parent itself


def large_star(node: str, neighbours: Iterable[str]) -> Iterator[Edge]:
    """Link every larger neighbour to the smallest of the neighbourhood."""
    around = set(neighbours)
    smallest = min(min(around), node)
    for other in around:
        if other > node:
            yield other, smallest


def small_star(node: str, smaller: Iterable[str]) -> Iterator[Edge]:
    """Link the node and its smaller neighbours to the smallest of them."""
    around = set(smaller)
    smallest = min(around)
    for other in {*around, node} - {smallest}:
        yield other, smallest


@dataclasses.dataclass
class Stars(beam.PTransform):
    """(node, node) in any order → ((child, parent) after some rounds, one number: of nodes that are not settled yet).

    Where that number is 0, the first output is (node, smallest node of its component) for every node but the smallest
    ones.

    Args:
        rounds: of large-star and small-star; 1 or more.
        most: neighbours of a node before it is split.
    """

    rounds: int
    most: int = hot_keys.MOST

    def expand(self, edges: beam.PCollection[Edge]) -> tuple[beam.PCollection[Edge], beam.PCollection[int]]:
        current = edges | "NoLoops" >> beam.Filter(lambda e: e[0] != e[1]).with_output_types(Edge)
        for number in range(self.rounds):
            both = current | f"Mirror{number}" >> beam.FlatMap(lambda e: (e, (e[1], e[0]))).with_output_types(Edge)
            linked = both | f"LargeStar{number}" >> _Star(large_star, self.most)
            # large-star's edges point at the smaller end already
            current = linked | f"SmallStar{number}" >> _Star(small_star, self.most)
        unsettled = (
            current
            | "Ends" >> beam.FlatMap(_ends).with_output_types(tuple[str, tuple[str, str, bool]])
            | "AtNode" >> Fold(_merge)
            | "Unsettled" >> beam.Filter(_unsettled)
            | "Count" >> beam.combiners.Count.Globally()
        )
        return current, unsettled


@dataclasses.dataclass
class _Star(beam.PTransform):
    """Edges by their first node → what `link` makes of each node's neighbours."""

    link: Any
    most: int

    def expand(self, edges: beam.PCollection[Edge]) -> beam.PCollection[Edge]:
        hot = edges | "Hot" >> hot_keys.HotKeys(self.most)
        smallest = (
            edges
            | "OfHot" >> beam.Filter(lambda e, parts: e[0] in parts, beam.pvalue.AsDict(hot)).with_output_types(Edge)
            | "Smallest" >> Fold(min)
        )
        return (
            edges
            | "Neighbours" >> hot_keys.GroupInParts(hot=hot)
            | "Link" >> beam.FlatMap(_link, self.link, beam.pvalue.AsDict(smallest)).with_output_types(Edge)
        )


@dataclasses.dataclass
class Labels(beam.PTransform):
    """Edges that Stars made → (node, label), one a node: equal labels are one component.

    Where all is settled a label is the component's smallest node, and each component has one. Where it is not, a
    component may have several labels, but none is shared with another component.
    """

    def expand(self, edges: beam.PCollection[Edge]) -> beam.PCollection[tuple[str, str]]:
        return (
            edges
            | "Parents" >> beam.FlatMap(lambda e: (e, (e[1], e[1]))).with_output_types(tuple[str, str])
            | "Smallest" >> Fold(min)
        )


def _link(item: tuple[str, Iterable[str]], link: Any, smallest: dict[str, str]) -> Iterator[Edge]:
    node = hot_keys.whole(item[0])
    known = (smallest[node],) if node in smallest else ()
    yield from link(node, chain(item[1], known))


def _ends(edge: Edge) -> Iterator[tuple[str, _Seen]]:
    child, parent = edge
    yield child, (parent, parent, False)
    yield parent, ("", "", True)


def _merge(one: _Seen, other: _Seen) -> _Seen:
    smallest = min(filter(None, (one[0], other[0])), default="")
    return smallest, max(one[1], other[1]), one[2] or other[2]


def _unsettled(item: tuple[str, _Seen]) -> bool:
    """A leaf has one parent and no children; a centre has no parent."""
    smallest, largest, is_parent = item[1]
    return bool(smallest) and (is_parent or smallest != largest)
