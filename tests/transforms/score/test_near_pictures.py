"""Near pictures on any host: by hashes alone, and by embeddings beside them; one stays, whatever the order and parts."""

import json
import os
import random
import tempfile
from pathlib import Path

import apache_beam as beam
import numpy as np

from weft.pipeline.runners import beam_options
from weft.transforms.score.near_pictures import Look, RepeatsAnywhere, node

HASH = 0x0F1E_2D3C_4B5A_6978


def flipped(*bits: int) -> str:
    return f"{HASH ^ sum(1 << bit for bit in bits):016x}"


def found(looks, vectors=None, same_host=(), distance=3, least=0.0, **more) -> dict:
    descriptor, name = tempfile.mkstemp()
    os.close(descriptor)
    with beam_options.pipeline((), 1) as p:
        inputs = {"looks": p | "Looks" >> beam.Create(looks).with_output_types(tuple[str, Look])}
        if vectors is not None:
            pixels = {key: look.pixels for key, look in looks}
            rows = [(key, (pixels[key], unit.astype(np.float32).tobytes())) for key, unit in vectors.items()]
            inputs["vectors"] = p | "Vectors" >> beam.Create(rows).with_output_types(tuple[str, tuple[int, bytes]])
            edges = [tuple(node(key, pixels[key]) for key in edge) for edge in same_host]
            inputs["same_host"] = p | "Edges" >> beam.Create(edges).with_output_types(tuple[str, str])
        answer = inputs | RepeatsAnywhere(distance, least, **more)
        _ = (
            answer
            | beam.combiners.ToList()
            | beam.Map(lambda rows, path: Path(path).write_text(json.dumps(rows)), name)
        )
    made = [tuple(row) for row in json.loads(Path(name).read_text())]
    Path(name).unlink()
    assert len(made) == len(dict(made)) and all(cosine is None for _, (_, cosine) in made)
    return {key: of for key, (of, _) in made}


LOOKS = [
    ("http://a.test/large.jpg", Look(900, flipped())),
    ("http://b.test/copy one.jpg", Look(400, flipped(3, 40, 63))),
    ("http://c.test/same", Look(900, flipped())),
    ("http://d.test/four", Look(50, flipped(5, 15, 25, 35))),
    ("http://e.test/other", Look(9_999, flipped(*range(20, 40)))),
    ("http://f.test/dull", Look(800, "")),
]


def test_what_looks_the_same_on_any_host_repeats_the_largest() -> None:
    expected = {
        "http://b.test/copy one.jpg": "http://a.test/large.jpg",
        "http://c.test/same": "http://a.test/large.jpg",
    }
    assert found(LOOKS) == found(LOOKS[::-1]) == expected
    assert found(LOOKS, distance=4) == {**expected, "http://d.test/four": "http://a.test/large.jpg"}


def test_a_chain_of_small_steps_takes_no_picture_that_is_far_from_the_one_that_stays() -> None:
    chain = [(f"http://h{n}.test/", Look(1_000 - n, flipped(*range(3 * n)))) for n in range(5)]
    assert found(chain) == {"http://h1.test/": "http://h0.test/"}


def test_embeddings_part_what_only_looks_the_same_and_join_what_is_the_same_on_a_host() -> None:
    axes = np.eye(4)
    near = np.array([0.999, np.sqrt(1 - 0.999**2), 0, 0])
    vectors = {LOOKS[0][0]: axes[0], LOOKS[1][0]: near, LOOKS[2][0]: axes[2], LOOKS[3][0]: near, LOOKS[4][0]: axes[3]}
    assert found(LOOKS, vectors, least=0.95) == {LOOKS[1][0]: LOOKS[0][0]}
    # On one host embeddings alone have found it: what its like repeats elsewhere, it repeats.
    assert found(LOOKS, vectors, [(LOOKS[3][0], LOOKS[1][0])], least=0.95) == {
        LOOKS[1][0]: LOOKS[0][0], LOOKS[3][0]: LOOKS[0][0],
    }  # fmt: skip
    del vectors[LOOKS[2][0]]  # the model made nothing of it: its hash decides
    assert found(LOOKS, vectors, least=0.95) == {LOOKS[1][0]: LOOKS[0][0], LOOKS[2][0]: LOOKS[0][0]}


def test_a_bucket_that_is_split_keeps_one_picture() -> None:
    dice = random.Random(1)
    looks = [(f"http://h{n}.test/", Look(n + 1, flipped(*dice.sample(range(64), n % 2)))) for n in range(400)]
    looks += [(f"http://g{n}.test/", Look(n + 1, flipped(*range(9, 30)))) for n in range(400)]
    stay = {"h": "http://h399.test/", "g": "http://g399.test/"}
    expected = {key: stay[key[7]] for key, _ in looks if key not in stay.values()}
    assert found(looks, most=64, distance=2) == expected
