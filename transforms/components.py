"""Connected components of a graph too large for one machine: edges → (node, smallest node of its component).

Alternating large-star and small-star (Kiveris et al., "Connected Components in MapReduce and Beyond", SoCC 2014):
each round links every node closer to the smallest one it knows of, until every component is a star. Beam has no
loops, so a fixed number of rounds is unrolled. Graphs of near-duplicates are shallow (2 to 4 rounds); whatever is not
a star after the last round is finished by one worker, which sees only the edges still in motion. The answer is
therefore right after any number of rounds; more rounds only make the finish smaller.

Edges are (child, parent) with parent < child once a round has run; nodes that no edge names do not occur.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

Edge = tuple[str, str]
_SETTLED, _MOVING = "settled", "moving"


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


def connected(edges: Iterable[Edge]) -> dict[str, str]:
    """Node → smallest node of its component, in memory: union-find with path halving."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, two in edges:
        a, b = find(parent.setdefault(one, one)), find(parent.setdefault(two, two))
        parent[max(a, b)] = min(a, b)
    return {node: find(node) for node in parent}


@dataclasses.dataclass
class Components(beam.PTransform):
    """(node, node) in any order → ((node, smallest node of its component), number of edges finished by one worker).

    The second output has one element; above 0 it says that the graph was deeper than the rounds.

    Args:
        rounds: rounds of large-star and small-star.
    """

    rounds: int

    def expand(self, edges: beam.PCollection[Edge]) -> tuple[beam.PCollection[Edge], beam.PCollection[int]]:
        current = edges | "NoLoops" >> beam.Filter(lambda e: e[0] != e[1]).with_output_types(Edge)
        for number in range(self.rounds):
            current = (
                current
                | f"Mirror{number}" >> beam.FlatMap(lambda e: (e, (e[1], e[0]))).with_output_types(Edge)
                | f"Neighbours{number}" >> beam.GroupByKey()
                | f"LargeStar{number}" >> beam.FlatMapTuple(large_star).with_output_types(Edge)
                | f"Smaller{number}" >> beam.GroupByKey()  # large-star's edges point at the smaller end already
                | f"SmallStar{number}" >> beam.FlatMapTuple(small_star).with_output_types(Edge)
            )
        sorted_out = (
            current
            | "Ends" >> beam.FlatMap(_ends).with_output_types(tuple[str, tuple[bool, str]])
            | "AtNode" >> beam.GroupByKey()
            | "Settled" >> beam.FlatMapTuple(_sort_out).with_outputs(_SETTLED, _MOVING)
        )
        moving = sorted_out[_MOVING] | "Typed" >> beam.Map(lambda e: e).with_output_types(Edge)
        finished = (
            moving
            | "Together" >> beam.Map(lambda edge: ("", edge)).with_output_types(tuple[str, Edge])
            | "OneWorker" >> beam.GroupByKey()
            | "Finish" >> beam.FlatMapTuple(_finish).with_output_types(Edge)
        )
        settled = (  # (parent, child): a leaf's parent may itself have been linked further by the finish
            sorted_out[_SETTLED] | "ByParent" >> beam.Map(lambda e: (e[1], e[0])).with_output_types(Edge)
        )
        labels = (
            {"leaves": settled, "label": finished}
            | "Relabel" >> beam.CoGroupByKey()
            | "Labels" >> beam.FlatMapTuple(_relabel).with_output_types(Edge)
        )
        count = moving | "Count" >> beam.combiners.Count.Globally()
        return labels, count


def _ends(edge: Edge) -> Iterator[tuple[str, tuple[bool, str]]]:
    child, parent = max(edge), min(edge)
    yield child, (True, parent)
    yield parent, (False, "")


def _sort_out(node: str, ends: Iterable[tuple[bool, str]]) -> Iterator[beam.pvalue.TaggedOutput]:
    """A root and a leaf with one parent are settled; any other node's edges to its parents are still moving."""
    parents: set[str] = set()
    has_children = False
    for is_child, parent in ends:
        if is_child:
            parents.add(parent)
        else:
            has_children = True
    if not parents:
        yield beam.pvalue.TaggedOutput(_SETTLED, (node, node))
    elif len(parents) == 1 and not has_children:
        yield beam.pvalue.TaggedOutput(_SETTLED, (node, parents.pop()))
    else:
        for parent in parents:
            yield beam.pvalue.TaggedOutput(_MOVING, (node, parent))


def _finish(_: str, edges: Iterable[Edge]) -> Iterator[Edge]:
    Metrics.counter("dedup", "components_finished_by_one_worker").inc()
    yield from connected(edges).items()


def _relabel(parent: str, groups: dict[str, Iterable[str]]) -> Iterator[Edge]:
    finished = list(groups["label"])  # one, or none where nothing moved the parent
    label = finished[0] if finished else parent
    for node in {*groups["leaves"], *([parent] if finished else [])}:
        yield node, label
