"""Joins by key: several collections side by side under each key, every element in the coder of its own type.

Beam's CoGroupByKey puts (name, value) of all inputs into one collection, whose type is then a union of theirs, and for
a union Beam has no coder: it pickles every record (168 bytes and 2.4 µs where its own takes 117 bytes and 0.4 µs).
Here what crosses is a Tagged: a byte that says of which input a value is, and the value in that input's coder.

    Join    (key, {name: [values]})    all values of a key in lists: for keys that have few
    Gather  (key, tagged values)       as they come: for keys that have many
    Attach  (hot_keys.py)              one value of a key to any number of rows
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import coder_impl
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from weft.transforms.beam import coders


class Tagged(typehints.TypeConstraint):
    """The type of (number of an input, value of that input's type)."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = tuple(parts)

    def __repr__(self) -> str:
        return f"Tagged[{', '.join(map(repr, self.parts))}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def type_check(self, instance: Any) -> None:
        """Nothing is checked while it runs: the coder of the part fails on what it is not for."""


class _TaggedImpl(coder_impl.StreamCoderImpl):
    def __init__(self, parts: Sequence[coder_impl.CoderImpl]) -> None:
        self._parts = parts

    def encode_to_stream(self, value: tuple[int, Any], out: Any, nested: bool) -> None:
        out.write_byte(value[0])
        self._parts[value[0]].encode_to_stream(value[1], out, nested)

    def decode_from_stream(self, stream: Any, nested: bool) -> tuple[int, Any]:
        number = stream.read_byte()
        return number, self._parts[number].decode_from_stream(stream, nested)


class TaggedCoder(beam.coders.coders.FastCoder):
    """A byte for the number of the input, and the value as that input's coder has it; opaque to runners."""

    def __init__(self, parts: Sequence[beam.coders.Coder]) -> None:
        self.parts = tuple(parts)

    def _create_impl(self) -> _TaggedImpl:
        return _TaggedImpl([part.get_impl() for part in self.parts])

    @classmethod
    def from_type_hint(cls, typehint: Tagged, registry: Any) -> TaggedCoder:
        return cls([registry.get_coder(part) for part in typehint.parts])

    def to_type_hint(self) -> Tagged:
        return Tagged([part.to_type_hint() for part in self.parts])

    def is_deterministic(self) -> bool:
        return all(part.is_deterministic() for part in self.parts)

    def __repr__(self) -> str:
        return f"TaggedCoder[{', '.join(map(repr, self.parts))}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaggedCoder) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


beam.coders.registry.register_coder(Tagged, TaggedCoder)


@dataclasses.dataclass
class Gather(beam.PTransform):
    """{name: (key, value)} → (key, (number of the input, value) of all inputs as they come), for values that are many.

    Raises:
        TypeError: when the graph is built: an input whose keys or values Beam would pickle.
    """

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[Any, Iterable[Any]]]:
        names = tuple(inputs)
        keys, values = zip(*(_types(name, rows) for name, rows in inputs.items()), strict=True)
        if len(set(keys)) > 1:
            raise TypeError(f"keys of different types are never equal: {dict(zip(names, keys, strict=True))}")
        row = typehints.Tuple[keys[0], Tagged(values)]
        tagged = [
            rows | f"Tag[{name}]" >> beam.Map(_tag, number).with_output_types(row)
            for number, (name, rows) in enumerate(inputs.items())
        ]
        return tagged | "Together" >> beam.Flatten() | "Group" >> beam.GroupByKey()


@dataclasses.dataclass
class Join(beam.PTransform):
    """{name: (key, value)} → (key, {name: [values]}), with an empty list for an input that has none. See Gather."""

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[Any, dict[str, list[Any]]]]:
        return inputs | "Gather" >> Gather() | "Split" >> beam.Map(_split, tuple(inputs))


def _types(name: str, rows: beam.PCollection[Any]) -> tuple[Any, Any]:
    """Types of the keys and the values of one input."""
    hint = convert_to_beam_type(rows.element_type)
    if not isinstance(hint, typehints.TupleConstraint) or len(hint.tuple_types) != 2:
        raise TypeError(f"input {name!r} of a join is no (key, value), but {rows.element_type}")
    coders.register_within(hint)
    if not coders.is_typed(beam.coders.registry.get_coder(hint)):
        raise TypeError(f"input {name!r} of a join would be pickled: {hint}; give it types that have a coder")
    key, value = hint.tuple_types
    return key, value


def _tag(row: tuple[Any, Any], number: int) -> tuple[Any, tuple[int, Any]]:
    return row[0], (number, row[1])


def _split(item: tuple[Any, Iterable[tuple[int, Any]]], names: Sequence[str]) -> tuple[Any, dict[str, list[Any]]]:
    found: list[list[Any]] = [[] for _ in names]
    for number, value in item[1]:
        found[number].append(value)
    return item[0], dict(zip(names, found, strict=True))
