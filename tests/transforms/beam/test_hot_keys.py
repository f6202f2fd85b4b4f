"""Hot keys: all of them and no others are found, whatever the order; splitting a key changes no join."""

import pickle
from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from weft.pipeline.runners import beam_options
from weft.schemas.records import hash_bucket, hash_unit
from weft.transforms.beam import hot_keys
from weft.transforms.beam.hot_keys import Attach, GroupInParts, HotKeys


def collected(folder: Path, rows: list[Any], transform: beam.PTransform) -> list[Any]:
    def save(found: Any) -> None:
        (folder / "rows").write_bytes(pickle.dumps(list(found)))

    with beam_options.pipeline((), 1) as p:
        assert_that(p | beam.Create(rows) | transform, save)
    return pickle.loads((folder / "rows").read_bytes())


def crowd(key: Any, size: int) -> list[tuple[Any, str]]:
    return [(key, f"member{i}") for i in range(size)]


def shuffled(rows: list[Any], salt: str) -> list[Any]:
    return sorted(rows, key=lambda row: hash_unit(repr(row), salt))


def test_exactly_the_hot_keys_are_found_where_all_is_counted(tmp_path: Path) -> None:
    sizes = {f"key{size}": size for size in (1, 2, 7, 8, 9, 16, 17, 80)}
    rows = shuffled([row for key, size in sizes.items() for row in crowd(key, size)], "a")
    found = collected(tmp_path, rows, HotKeys(most=8, sample=1))
    assert sorted(found) == [("key16", 2), ("key17", 3), ("key80", 10), ("key9", 2)]


@pytest.mark.parametrize("kind", [str, bytes])
def test_a_sample_finds_the_hot_keys_and_no_cold_ones(tmp_path: Path, kind: type) -> None:
    def key(name: str) -> Any:
        return name if kind is str else name.encode()

    hot_sizes = {key(f"hot{i}"): 1_024 + 350 * i for i in range(5)}
    cold_sizes = {key(f"cold{i}"): 1 + hash_bucket(str(i), 64) for i in range(100)}
    rows = [row for name, size in {**hot_sizes, **cold_sizes}.items() for row in crowd(name, size)]
    found = collected(tmp_path, rows, HotKeys(most=256, sample=16))
    assert {name for name, _ in found} == hot_sizes.keys() and len(found) == len(hot_sizes)
    for name, parts in found:
        assert 0.6 * hot_sizes[name] < 256 * parts < 1.5 * hot_sizes[name] + 256
    assert sorted(collected(tmp_path, shuffled(rows, "again"), HotKeys(most=256, sample=16))) == sorted(found)


def test_members_of_the_default_sample_are_about_one_in_sixty_four() -> None:
    counted = Counter(key for row in crowd("key", 64_000) for key, _ in hot_keys._sampled(row, hot_keys.SAMPLE))
    assert 900 < counted["key"] < 1_100


def test_parts_are_even_and_know_their_whole() -> None:
    sizes = Counter(hot_keys.split("key", hot_keys.part_of(f"member{i}", 10)) for i in range(10_000))
    assert len(sizes) == 10 and min(sizes.values()) > 850
    assert {hot_keys.whole(part) for part in sizes} == {"key"}
    assert sum(map(hot_keys.is_first, sizes)) == 1 and hot_keys.is_first("key")
    assert hot_keys.whole("key") == "key" and hot_keys.split(b"key", 0) != b"key"


SIZES = {"large": 500, "small": 5, "lonely": 3}


@pytest.mark.parametrize(
    ("sizes", "most"),
    [({}, 100), (SIZES, 100), (SIZES, 1), (SIZES | {"nobody's": 4, "absent": 5}, 2), (None, 1)],
    ids=["unsplit", "large split", "all split", "keys without rows", "sampled"],
)
def test_attach_is_a_join_for_hot_and_cold_keys(tmp_path: Path, sizes: dict[str, int] | None, most: int) -> None:
    rows = [row for key, size in SIZES.items() for row in crowd(key, size)] + [("small", "member0")]
    ones = [("large", ("x", 1)), ("small", ("y", 2)), ("nobody's", ("z", 3))]
    values = dict(ones)
    expected = sorted((member, values[key]) for key, member in rows if key in values)

    class Joined(beam.PTransform):
        def expand(self, everything: Any) -> Any:
            p = everything.pipeline
            inputs = {
                "rows": everything | "Rows" >> beam.Map(tuple).with_output_types(tuple[str, str]),
                "one": p | "One" >> beam.Create(ones).with_output_types(tuple[str, tuple[str, int]]),
            }
            if sizes is not None:
                inputs["sizes"] = p | "Sizes" >> beam.Create(list(sizes.items())).with_output_types(tuple[str, int])
            return inputs | Attach(most=most)

    for salt in ("a", "b"):
        assert sorted(collected(tmp_path, shuffled(rows, salt), Joined())) == expected


def test_groups_in_parts_are_the_groups_and_none_is_large(tmp_path: Path) -> None:
    rows = [(key, (member, 1)) for key, size in SIZES.items() for key, member in crowd(key, size)]

    class Grouped(beam.PTransform):
        def expand(self, everything: Any) -> Any:
            typed = everything | "Rows" >> beam.Map(tuple).with_output_types(tuple[str, tuple[str, int]])
            return typed | GroupInParts(itemgetter(0), 64, sample=1) | beam.MapTuple(lambda key, found: (key, [*found]))

    found = collected(tmp_path, shuffled(rows, "a"), Grouped())
    assert max(len(members) for _, members in found) < 2 * 64
    assert sorted((hot_keys.whole(key), member) for key, members in found for member in members) == sorted(rows)
    assert sum(hot_keys.is_first(key) for key, _ in found) == len(SIZES) and len(found) == 8 + 2
