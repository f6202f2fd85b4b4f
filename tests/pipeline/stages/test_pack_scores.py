"""pack on similarities: thresholds by language, the top share, and documents whose images fit their texts."""

import collections
import json

import pytest
from pack_world import LOCAL, OVERRIDES, World, fates, run, samples, url

import weft.schemas.config as configuration
from weft.pipeline.run.context import Context
from weft.pipeline.stages import pack
from weft.schemas.parameters import ConfigError
from weft.schemas.records import ImageScore, Score

OFF = ("pack.pair_min_similarity=-1.0", "pack.min_document_similarity=-1.0", "pack.val_fraction=0.0", "pack.shards=1")


def make(similarities, languages=("en",)):
    """A page with a picture, and a pair for each similarity; languages take turns."""
    world = World()
    world.document("page", "a text", ("i0",), "another text")
    for n, similarity in enumerate(similarities):
        world.image(f"i{n}")
        world.pair(f"p{n}", "page", f"i{n}", f"caption {n} of a long enough text", similarity)
        world.pairs[-1] = world.pairs[-1]._replace(language=languages[n % len(languages)])
    return world


def kept(output):
    found = {key: row for (kind, key), row in fates(output).items() if kind == "pair"}
    assert {row["reason"] for row in found.values()} <= {"", "low_similarity"}
    return sorted(int(key.removeprefix("page:p")) for key, row in found.items() if not row["reason"])


def test_a_language_has_its_own_threshold(tmp_path):
    world = make([0.28, 0.27, 0.26, 0.25, 0.26, 0.2], ["en", "en", "de"])
    output = world.write(tmp_path)
    run(output, *OFF, "pack.pair_min_similarity=0.26", "pack.pair_min_similarity_by_language.en=0.28")
    assert kept(output) == [0, 2]  # 0.28 and 0.26, which as float32 is below 0.26


def test_the_top_share_is_of_all_that_were_scored_and_ties_stay(tmp_path):
    values = [0.1, 0.3, 0.2, 0.3, 0.25, 0.3, 0.15, 0.05, 0.22, 0.24]
    output = make(values).write(tmp_path)
    run(output, *OFF, "pack.pair_top_share=0.4")
    assert kept(output) == [1, 3, 4, 5]
    run(output, *OFF, "pack.pair_top_share=0.2")
    assert kept(output) == [1, 3, 5]
    run(output, *OFF, "pack.pair_top_share=1")
    assert kept(output) == list(range(10))


def test_the_top_share_does_not_lift_a_threshold(tmp_path):
    output = make([0.1, 0.3, 0.2]).write(tmp_path)
    run(output, *OFF, "pack.pair_top_share=1", "pack.pair_min_similarity=0.25")
    assert kept(output) == [1]


def test_without_pairs_there_is_no_top(tmp_path):
    world = World()
    world.document("page", "a text", ("i0",), "another text")
    world.image("i0")
    assert run(world.write(tmp_path), *OFF, "pack.pair_top_share=0.3")["pair"] == 0


@pytest.fixture
def matched():
    """Two pages of three pictures and three texts; on the second, two pictures fit the same text alone."""
    world = World()
    for name in "abcdef":
        world.image(name)
    world.document("good", "t", ("a",), "t", ("b",), "t", ("c",))
    world.document("poor", "t", ("d",), "t", ("e",), "t", ("f",))
    for doc_id, names, rows in (
        ("good", "abc", [(0.4, 0.1, 0.1), (0.1, 0.3, 0.1), (0.1, 0.1, 0.2)]),
        ("poor", "def", [(0.4, 0.1, 0.1), (0.39, 0.1, 0.1), (0.1, 0.1, 0.2)]),
    ):
        for row, (name, values) in enumerate(zip(names, rows, strict=True)):
            for column, value in enumerate(values):
                world.scores.append(Score("document", doc_id, 2 * row + 1, 2 * column, url(name), value))
    return world


def test_each_kept_image_says_which_text_is_its_own_and_the_order_stays(matched, tmp_path):
    output = matched.write(tmp_path)
    run(output, *OFF, "pack.max_images=0", "pack.context_length=200")
    found = collections.defaultdict(list)
    for sample in samples(output, "interleaved"):
        meta = json.loads(sample["json"])
        assert [image["position"] for image in meta["images"]] == [1, 3, 5]
        found[meta["doc_id"]] = [(image["matched_text"], image["matched_similarity"]) for image in meta["images"]]
    assert found == {"good": [(0, 0.4), (2, 0.3), (4, 0.2)], "poor": [(0, 0.4), (2, 0.1), (4, 0.2)]}


def test_a_text_is_free_where_the_image_it_fits_best_is_dropped(matched, tmp_path):
    matched.images[3] = matched.images[3]._replace(single_colour=True)
    output = matched.write(tmp_path)
    run(output, *OFF, "pack.max_images=0", "pack.context_length=200")
    metas = [json.loads(sample["json"]) for sample in samples(output, "interleaved")]
    (poor,) = [meta for meta in metas if meta["doc_id"] == "poor"]
    assert [(image["position"], image["matched_text"]) for image in poor["images"]] == [(3, 0), (5, 4)]


@pytest.mark.parametrize(("share", "reasons"), [(0.6, ["", "unmatched"]), (0.3, ["", ""]), (0.7, ["unmatched"] * 2)])
def test_documents_whose_images_do_not_fit_go(matched, tmp_path, share, reasons):
    output = matched.write(tmp_path)
    run(output, *OFF, f"pack.min_matched_share={share}")
    found = fates(output)
    assert [found["document", name]["reason"] for name in ("good", "poor")] == reasons
    assert found["image", "poor:1"]["reason"] == ("document_dropped" if reasons[1] else "")


def answered(name, **said):
    blank = ImageScore("", "m", None, None, None, "", (), (), "", None, "", None)
    return blank._replace(image_url=url(name), **said)


HEADS = tuple(f"score.{kind}_head=head.safetensors" for kind in ("unsafe", "aesthetic", "watermark"))
LIMITS = (
    *HEADS, 'score.prompts.nude=["a nude"]', 'score.prompts.other=["a picture"]', "score.near_images=0.9",
    'score.evaluation_embeddings=["coco.npy"]', "pack.max_unsafe=0.5", "pack.min_aesthetic=4.5",
    "pack.max_watermark=0.8", "pack.max_prompt.nude=0.4", "pack.max_evaluation_similarity=0.6",
    "pack.drop_near_images=true",
)  # fmt: skip


@pytest.fixture
def judged():
    """A page and pairs whose pictures each fail one limit; of the last two one is not known and one is good."""
    world = World()
    names = ("unsafe", "plain", "marked", "nude", "seen", "near", "unknown", "good")
    for name in names:
        world.image(name)
        world.pair(f"p-{name}", "page", name, f"a caption for {name}")
    world.document("page", "words", *[(name,) for name in names])
    world.answers = [
        answered("unsafe", unsafe=0.50001, aesthetic=9.0),
        answered("plain", unsafe=0.5, aesthetic=4.49999),
        answered("marked", watermark=0.81),
        answered("nude", prompt="nude", prompt_shares=(("nude", 0.41), ("other", 0.59))),
        answered("seen", evaluation="coco.npy:7", evaluation_similarity=0.6),
        answered("near", repeat_of=url("good"), repeat_similarity=0.95),
        answered("good", unsafe=0.5, aesthetic=4.5, watermark=0.8, prompt_shares=(("nude", 0.4), ("other", 0.6))),
    ]
    return world


def test_each_limit_on_answers_drops_pairs_and_images_for_its_reason(judged, tmp_path):
    output = judged.write(tmp_path)
    run(output, *OFF, *LIMITS, "pack.max_images=0", "pack.context_length=200")
    found = {key: (row["reason"], row["detail"]) for key, row in fates(output).items()}
    expected = {
        "unsafe": ("unsafe", "0.50001"),
        "plain": ("unaesthetic", "4.49999"),
        "marked": ("watermarked", "0.81000"),
        "nude": ("prompted_out", "nude 0.41000"),
        "seen": ("evaluation_embedding", "coco.npy:7 0.60000"),
        "unknown": ("unscored", url("unknown").replace("http:", "https:")),
    }
    for n, name in enumerate(("unsafe", "plain", "marked", "nude", "seen", "near", "unknown", "good"), 1):
        image, pair = found["image", f"page:{n}"], found["pair", f"page:p-{name}"]
        assert image == expected.get(name, ("", url(name).replace("http:", "https:"))), name
        if name == "good":
            assert pair[0] == "", name
        else:  # what is near another is one picture too many for pairs alone
            told = expected.get(name, ("near_image", url("good")))
            assert pair == (told if name != "unknown" else ("unscored", url(name))), name  # by its address


def test_what_is_answered_drops_nothing_by_itself(judged, tmp_path, sums):
    output = judged.write(tmp_path / "with")
    run(output, *OFF)
    judged.answers = []
    other = judged.write(tmp_path / "without")
    run(other, *OFF)
    assert sums(output / "shards") == sums(other / "shards")
    assert all(row["reason"] in ("", "too_many_images") for row in fates(output).values())


def test_a_limit_without_what_measures_it_is_one_line_before_any_work(tmp_path):
    with pytest.raises(ConfigError, match=r"pack\.max_unsafe needs score\.unsafe_head"):
        run(tmp_path, "pack.max_unsafe=0.5")


@pytest.mark.parametrize(("meant", "said"), [("", 0), ("weft-tiny", 0), ("ViT-B-32-quickgelu", 1)])
def test_thresholds_that_are_meant_for_another_model_are_told(tmp_path, meant, said):
    output = make([0.1]).write(tmp_path)
    told = []
    config = configuration.load(recipe="kosmos1", overrides=[*OVERRIDES, f'pack.similarity_model="{meant}"'])
    pack.run(Context(str(output), (), config, "print", LOCAL, say=told.append))
    assert len(told) == said and all(meant in line for line in told)
