"""Components against union-find, on the shapes that need few rounds and on those that need many."""

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipeline import runners
from schemas.records import hash_bucket
from transforms.components import Components, Edge, connected

CHAIN = [(f"{i:03}", f"{i + 1:03}") for i in range(60)]
STAR = [("500", f"{i:03}") for i in range(400, 560) if i != 500]
RANDOM_TREE = [(f"n{i:04}", f"n{hash_bucket(f'tree{i}', i):04}") for i in range(1, 300)]
CYCLE = [("x1", "x2"), ("x2", "x3"), ("x3", "x1"), ("x1", "x1"), ("x1", "x2"), ("x2", "x1")]
FOREST = CHAIN + STAR + RANDOM_TREE + CYCLE


def naive(edges: list[Edge]) -> dict[str, str]:
    """Smallest reachable node, by breadth: slow and plain."""
    around: dict[str, set[str]] = {}
    for a, b in edges:
        around.setdefault(a, set()).add(b)
        around.setdefault(b, set()).add(a)
    labels = {}
    for node in around:
        seen, queue = {node}, [node]
        while queue:
            for other in around[queue.pop()] - seen:
                seen.add(other)
                queue.append(other)
        labels[node] = min(seen)
    return labels


def run(edges: list[Edge], rounds: int, expected: dict[str, str], residual: list[int] | None) -> None:
    with beam.Pipeline(options=runners.options((), 1)) as p:
        labels, count = p | beam.Create(edges).with_output_types(Edge) | Components(rounds)
        assert_that(labels, equal_to(sorted(expected.items())), label="labels")
        if residual is not None:
            assert_that(count, equal_to(residual), label="residual")


def test_connected_is_right() -> None:
    assert connected(FOREST) == naive(FOREST)
    assert connected([]) == {}


@pytest.mark.parametrize("rounds", [0, 2])
def test_any_number_of_rounds_gives_the_same_answer(rounds: int) -> None:
    run(FOREST, rounds, naive(FOREST), None)


def test_shallow_graphs_leave_nothing_to_one_worker() -> None:
    run(STAR + CYCLE, 3, naive(STAR + CYCLE), [0])


def test_a_chain_is_counted_when_the_rounds_do_not_reach() -> None:
    with beam.Pipeline(options=runners.options((), 1)) as p:
        _, count = p | beam.Create(CHAIN).with_output_types(Edge) | Components(1)
        assert_that(count | beam.Map(lambda n: 0 < n < len(CHAIN)), equal_to([True]))


def test_no_edges_no_components() -> None:
    run([("lonely", "lonely")], 2, {}, [0])
