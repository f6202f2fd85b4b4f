"""How records travel between workers: field by field in the coder of each field's type, in bytes that no runner reads.

Beam's own RowCoder says to the runner what is in a row, and one written in Java then decodes and encodes every row that
it shuffles. Where its Beam is not quite the workers' that goes wrong (Spark's 2.70 against 2.77: it takes fields for
lengths and runs out of memory), and elsewhere it is work for nothing: weft's keys are plain strings or bytes, and its
rows are nobody's business but the workers'. It also takes the annotations of a module with `from __future__ import
annotations` for unknown types: each field then says of itself what it is, and a record inside a record is pickled.
"""

from __future__ import annotations

import collections.abc
from typing import Any, get_args, get_origin, get_type_hints

import apache_beam as beam
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

_PICKLES = (beam.coders.FastPrimitivesCoder, beam.coders.PickleCoder)


class RecordCoder(beam.coders.RowCoder):
    """RowCoder's layout with each field in the coder of its type, opaque to runners, and decoded to the record itself.

    RowCoder travels as a schema, of which a worker process makes a class of its own: equal fields, but another name and
    no methods. This one travels as a reference to the class.
    """

    def __init__(self, schema: Any) -> None:
        super().__init__(schema)
        self.components = [_whole(_coder(hint)) for hint in get_type_hints(self.to_type_hint()).values()]

    def __reduce__(self) -> Any:
        return RecordCoder.from_type_hint, (self.to_type_hint(), None)

    def __repr__(self) -> str:
        return str(self.to_type_hint().__name__)

    def to_runner_api_parameter(self, context: Any) -> Any:
        """The coder itself, pickled, in place of a schema."""
        return beam.coders.Coder.to_runner_api_parameter(self, context)


def register(record: type) -> None:
    """Let elements of this NamedTuple travel in RecordCoder's bytes."""
    beam.coders.registry.register_coder(record, RecordCoder)


def register_within(hint: Any) -> None:
    """Register the NamedTuples in a type."""
    if hasattr(hint, "_make"):
        register(hint)
    elif isinstance(hint, typehints.TypeConstraint):
        for inner in hint._inner_types():
            register_within(inner)


def is_typed(coder: beam.coders.Coder) -> bool:
    """Whether a coder, and each that it is made of, is for one type: the others write down what is what, or pickle."""
    parts = [*coder._get_component_coders(), *getattr(coder, "parts", ()), *getattr(coder, "components", ())]
    return not isinstance(coder, _PICKLES) and all(map(is_typed, parts))


def _whole(coder: beam.coders.Coder) -> beam.coders.Coder:
    """Without what says whether there is a value: the layout says that of all fields, whatever their hints."""
    return coder._get_component_coders()[0] if isinstance(coder, beam.coders.coders.NullableCoder) else coder


def _coder(hint: Any) -> beam.coders.Coder:
    inner = [each for each in get_args(hint) if each not in (type(None), Ellipsis)]
    origin = get_origin(hint)
    if hasattr(hint, "_make"):
        return RecordCoder.from_type_hint(hint, beam.coders.registry)
    if origin in (list, collections.abc.Sequence):
        return beam.coders.coders.ListCoder(_coder(inner[0]))
    if origin is tuple:
        if Ellipsis in get_args(hint):
            return beam.coders.coders.TupleSequenceCoder(_coder(inner[0]))
        return beam.coders.TupleCoder([_coder(each) for each in inner])
    if origin is dict:
        return beam.coders.coders.MapCoder(*map(_coder, inner))
    if type(None) in get_args(hint) and len(inner) == 1:
        return beam.coders.coders.NullableCoder(_coder(inner[0]))
    return beam.coders.registry.get_coder(convert_to_beam_type(hint))


# Beam has a coder for tuples of any length and one type, and does not use it by itself.
beam.coders.registry.register_coder(typehints.TupleHint.TupleSequenceConstraint, beam.coders.coders.TupleSequenceCoder)
