"""What is made of image vectors: rows beside the functions that they come from, repeats on one host, and the limits."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from safetensors.numpy import save_file

from weft.pipeline.runners import beam_options
from weft.schemas.config import Pack, Score
from weft.schemas.parameters import ConfigError
from weft.schemas.records import ImageScore
from weft.schemas.tables import IMAGE_SCORES
from weft.transforms.io.parquet import read, write_table
from weft.transforms.score import heads, image_scores, neighbours
from weft.transforms.score.image_scores import Answers, AskImages, Repeats

WIDTH = 16
RNG = np.random.default_rng(4)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


VECTORS = unit(RNG.normal(size=(30, WIDTH)))
PICTURES = [(f"http://h{n % 3}.test/{n}.jpg", (100 - n, VECTORS[n].tobytes())) for n in range(30)]
PROMPTS = {"nude": ("a nude", "naked skin"), "other": ("a landscape",)}
ASKED = dict(zip(["a nude", "naked skin", "a landscape"], unit(RNG.normal(size=(3, WIDTH))), strict=True))


@pytest.fixture
def config(tmp_path):
    one = {"weight": RNG.normal(size=(1, WIDTH)).astype(np.float32)}
    two = {
        "a.weight": RNG.normal(size=(8, WIDTH)).astype(np.float32),
        "b.weight": RNG.normal(size=(1, 8)).astype(np.float32),
    }
    save_file(one, tmp_path / "aesthetic")
    save_file(two, tmp_path / "unsafe")
    np.save(tmp_path / "eval.npy", VECTORS[20:22].astype(np.float16))
    return Score(
        unsafe_head=str(tmp_path / "unsafe"),
        aesthetic_head=str(tmp_path / "aesthetic"),
        prompts=PROMPTS,
        evaluation_embeddings=(str(tmp_path / "eval.npy"),),
        buckets=3,
    )


def check(config, pictures, expected):
    with beam_options.pipeline((), 1) as p:
        inputs = {
            "vectors": p | "Vectors" >> beam.Create([(key, vector) for key, (_, vector) in pictures]),
            "prompts": p
            | "Prompts"
            >> beam.Create([(image_scores.prompt_id(text), vector.tobytes()) for text, vector in ASKED.items()]),
            "of_pairs": p | "OfPairs" >> beam.Create(pictures),
        }
        assert_that(inputs | AskImages(config, "weft-tiny", config.buckets), equal_to(expected))


def expected_rows(config):
    unsafe = heads.load("unsafe", config.unsafe_head, WIDTH)(VECTORS)
    aesthetic = heads.load("aesthetic", config.aesthetic_head, WIDTH)(VECTORS)
    told = heads.ask(VECTORS, {name: [ASKED[text] for text in said] for name, said in PROMPTS.items()})
    known = neighbours.load(config.evaluation_embeddings, WIDTH).find(VECTORS)
    return [
        ImageScore(
            PICTURES[n][0], "weft-tiny", float(unsafe[n]), float(aesthetic[n]), None, told[n].name,
            tuple(sorted(told[n].shares.items())), tuple(sorted(told[n].cosines.items())), *known[n], "", None,
        )
        for n in range(30)
    ]  # fmt: skip


def test_each_image_has_one_row_of_all_that_was_asked(config):
    expected = expected_rows(config)
    check(config, PICTURES[::-1], expected)
    assert expected[20].evaluation == "eval.npy:0" and expected[20].evaluation_similarity > 0.999
    assert {row.prompt for row in expected} == set(PROMPTS)


def test_what_nobody_asked_is_empty():
    row = ImageScore(PICTURES[0][0], "weft-tiny", None, None, None, "", (), (), "", None, "", None)
    check(Score(near_images=0.999), PICTURES[:1], [row])


def test_repeats_are_in_the_rows_of_their_pictures():
    copies = [("http://h0.test/copy.jpg", (500, VECTORS[0].tobytes())), *PICTURES[:2]]
    blank = ("weft-tiny", None, None, None, "", (), (), "", None)
    expected = [ImageScore(key, *blank, "", None) for key, _ in (copies[0], copies[2])]
    expected.append(ImageScore(PICTURES[0][0], *blank, "http://h0.test/copy.jpg", 1.0))
    check(Score(near_images=0.99), copies, expected)


def test_a_row_survives_its_table(config, tmp_path):
    rows = expected_rows(config)
    write_table(str(tmp_path / "rows.parquet"), rows, IMAGE_SCORES)
    for row, made in zip(read(str(tmp_path / "rows.parquet"), ImageScore), rows, strict=True):
        found = Answers.of_row(row)
        assert (found.unsafe, found.aesthetic, found.watermark) == (made.unsafe, made.aesthetic, None)
        assert found.prompts == dict(made.prompt_shares)
        assert (found.evaluation, found.evaluation_similarity) == (made.evaluation, made.evaluation_similarity)


def test_pictures_of_one_host_repeat_the_largest_and_other_hosts_do_not_count():
    same = VECTORS[0].tobytes()
    pictures = [
        ("http://a.test/small.jpg", (10, same)), ("http://a.test/large.jpg", (90, same)),
        ("http://a.test/other.jpg", (50, VECTORS[1].tobytes())), ("http://b.test/small.jpg", (10, same)),
        ("http://A.test:80/again.jpg", (90, same)),
    ]  # fmt: skip
    with beam_options.pipeline((), 1) as p:
        found = p | beam.Create(pictures * 2) | Repeats(0.95)
        assert_that(
            found,
            equal_to(
                [
                    ("http://a.test/small.jpg", ("http://A.test:80/again.jpg", 1.0)),
                    ("http://a.test/large.jpg", ("http://A.test:80/again.jpg", 1.0)),
                ]
            ),
        )


def test_a_host_with_too_many_is_split_and_each_part_keeps_one():
    pictures = [(f"http://a.test/{n}.jpg", (n, VECTORS[0].tobytes())) for n in range(2_000)]
    with beam_options.pipeline((), 1) as p:
        found = (
            p
            | beam.Create(pictures)
            | Repeats(0.95, 200)
            | beam.Values()
            | beam.Distinct()
            | beam.combiners.Count.Globally()
        )

        def few(counts):
            assert 5 < counts[0] < 20, counts

        assert_that(found, few)


ANSWERS = Answers(0.5, 5.0, 0.8, {"nude": 0.3, "other": 0.7}, "e.npy:1", 0.6, "")


@pytest.mark.parametrize(
    ("limits", "reason", "detail"),
    [
        ({}, "", ""),
        ({"max_unsafe": 0.5, "min_aesthetic": 5.0, "max_watermark": 0.8}, "", ""),
        ({"max_prompt": {"nude": 0.3}, "max_evaluation_similarity": 0.61}, "", ""),
        ({"max_unsafe": 0.49}, "unsafe", "0.50000"),
        ({"min_aesthetic": 5.01}, "unaesthetic", "5.00000"),
        ({"max_watermark": 0.79}, "watermarked", "0.80000"),
        ({"max_prompt": {"nude": 0.29, "other": 0.9}}, "prompted_out", "nude 0.30000"),
        ({"max_evaluation_similarity": 0.6, "max_unsafe": 0.0}, "evaluation_embedding", "e.npy:1 0.60000"),
    ],
)
def test_each_limit_has_its_fate(limits, reason, detail):
    assert image_scores.judge(ANSWERS, Pack(**limits)) == (reason, detail)
    assert image_scores.judge(Answers(), Pack(**limits)) == ("", "")
    assert image_scores.judge(None, Pack(**limits)) == ("unscored" if limits else "", "")


@pytest.mark.parametrize(
    "limits",
    [
        {"max_unsafe": 0.5}, {"min_aesthetic": 4.5}, {"max_watermark": 0.8}, {"max_evaluation_similarity": 0.6},
        {"drop_near_images": True}, {"max_prompt": {"nude": 0.5}},
    ],
)  # fmt: skip
def test_a_limit_on_what_nobody_measures_is_refused(limits):
    with pytest.raises(ConfigError, match=f"pack.{next(iter(limits))}"):
        image_scores.check(Score(), Pack(**limits))


def test_what_can_be_is_not_refused(config):
    image_scores.check(Score(), Pack())
    image_scores.check(
        config, Pack(max_unsafe=0.5, min_aesthetic=4.5, max_prompt={"nude": 0.4}, max_evaluation_similarity=0.6)
    )
