"""Files of vectors as other programs read them: the layout, the rows that belong together, and the same bytes."""

import random
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from weft.pipeline.runners import beam_options
from weft.transforms.score import embedding_files
from weft.transforms.score.embedding_files import WriteVectors

SCHEMA = pa.schema([("image_path", pa.string()), ("caption", pa.string())])


def rows(count, width=16):
    for n in range(count):
        a, b = np.random.default_rng(n).normal(size=(2, width)).astype(np.float32)
        yield f"k{n}", ((a.tobytes(), b.tobytes()), (f"k{n}.jpg", f"caption {n}"))


def run(home, made, buckets):
    with beam_options.pipeline((), 1) as p:
        _ = p | beam.Create(made) | WriteVectors(str(home), SCHEMA, buckets)
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(Path(home).rglob("*")) if path.is_file()}


def test_a_reader_that_sorts_names_finds_each_vector_beside_its_metadata(tmp_path):
    run(tmp_path, list(rows(60)), 12)  # so that 2 and 10 have to be sorted
    parts = {kind: [np.load(path) for path in sorted((tmp_path / kind).iterdir())] for kind in embedding_files.KINDS}
    told = [pq.read_table(path).to_pylist() for path in sorted((tmp_path / "metadata").iterdir())]
    assert {part.dtype for kind in parts.values() for part in kind} == {np.dtype(np.float16)}
    assert [len(a) for a in parts["img_emb"]] == [len(a) for a in parts["text_emb"]] == [len(a) for a in told]
    images, texts = (np.concatenate(parts[kind]) for kind in embedding_files.KINDS)
    expected = {meta[0]: both for _, (both, meta) in rows(60)}
    found = [row for part in told for row in part]
    assert {row["image_path"] for row in found} == set(expected)
    for n, row in enumerate(found):
        for array, vector in zip((images, texts), expected[row["image_path"]], strict=True):
            np.testing.assert_array_equal(array[n], np.frombuffer(vector, np.float32).astype(np.float16))


def test_order_and_repeats_decide_nothing(tmp_path):
    mixed = list(rows(40)) * 2
    random.Random(1).shuffle(mixed)
    assert run(tmp_path / "a", mixed, 3) == run(tmp_path / "b", list(rows(40)), 3)


def test_an_empty_bucket_has_no_files_and_nothing_makes_none(tmp_path):
    made = run(tmp_path / "one", list(rows(1)), 5)
    number = next(iter(made)).split("_")[-1].split(".")[0]
    assert set(made) == {
        f"img_emb/img_emb_{number}.npy", f"text_emb/text_emb_{number}.npy", f"metadata/metadata_{number}.parquet",
    }  # fmt: skip
    assert run(tmp_path / "none", [], 2) == {}


def test_pictures_alone_have_no_texts(tmp_path):
    made = [(key, (both[:1], meta[:1])) for key, (both, meta) in rows(5)]
    embedding_files.write(str(tmp_path), pa.schema([("image_path", pa.string())]), made, 0, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"img_emb", "metadata"}
    assert np.load(tmp_path / "img_emb/img_emb_0.npy").shape == (5, 16)
