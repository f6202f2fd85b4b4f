"""Records between workers: whole, small, and nothing that a runner would try to read."""

import pickle
import subprocess
import sys
from typing import NamedTuple

import apache_beam as beam
from apache_beam.transforms import window

from weft.pipeline.runners import beam_options
from weft.schemas.records import PairKey
from weft.transforms.beam import coders


class Row(NamedTuple):
    name: str
    numbers: list[int]
    raw: bytes = b""
    maybe: str | None = None


coders.register(Row)
coders.register(PairKey)
ROWS = [Row("a", [1, 2], b"\x00\xff"), Row("日本", [], b"", "x"), Row("", [2**62, -1])]


def test_a_record_comes_back_as_itself() -> None:
    coder = beam.coders.registry.get_coder(Row)
    assert isinstance(coder, coders.RecordCoder)
    for row in ROWS:
        decoded = coder.decode(coder.encode(row))
        assert (decoded, type(decoded).__name__) == (row, "Row")


def test_another_process_gets_the_record_itself() -> None:
    coder = beam.coders.registry.get_coder(PairKey)
    code = (
        "import pickle, sys\n"
        "coder, raw = pickle.loads(sys.stdin.buffer.read())\n"
        "key = coder.decode(raw)\n"
        "print(type(key).__module__, type(key).__name__, key)"
    )
    sent = pickle.dumps((coder, coder.encode(PairKey("a", "b"))))
    said = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True).stdout
    assert said.decode().split() == ["weft.schemas.records", "PairKey", "a:b"]


def test_runners_see_bytes_and_no_schema() -> None:
    with_schema = beam.coders.RowCoder.from_type_hint(Row, None)
    pipeline = beam_options.pipeline((), 1)
    _ = pipeline | beam.Create(ROWS).with_output_types(Row) | beam.WindowInto(window.GlobalWindows())
    proto = pipeline.to_runner_api(use_fake_coders=False)
    urns = {coder.spec.urn for coder in proto.components.coders.values()}
    assert with_schema.to_runner_api_parameter(None)[0] == "beam:coder:row:v1" not in urns
