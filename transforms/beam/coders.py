"""How records travel between workers: a NamedTuple as a row, in bytes that no runner tries to read.

Beam's own RowCoder says to the runner what is in a row, and one written in Java then decodes and encodes every row that
it shuffles. Where its Beam is not quite the workers' that goes wrong (Spark's 2.70 against 2.77: it takes fields for
lengths and runs out of memory), and elsewhere it is work for nothing: weft's keys are plain strings or bytes, and its
rows are nobody's business but the workers'.
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam


class RecordCoder(beam.coders.RowCoder):
    """RowCoder's bytes, opaque to runners (they see a length and what it covers), and decoded to the record itself.

    RowCoder travels as a schema, of which a worker process makes a class of its own: equal fields, but another name and
    no methods. This one travels as a reference to the class.
    """

    def __reduce__(self) -> Any:
        return RecordCoder.from_type_hint, (self.to_type_hint(), None)

    def to_runner_api_parameter(self, context: Any) -> Any:
        """The coder itself, pickled, in place of a schema."""
        return beam.coders.Coder.to_runner_api_parameter(self, context)


def register(record: type) -> None:
    """Let elements of this NamedTuple travel as rows."""
    beam.coders.registry.register_coder(record, RecordCoder)
