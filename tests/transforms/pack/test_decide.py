"""One document or pair once all is known of its pictures: its fates, its shard, what is said of each image."""

import json

import pytest

from weft.schemas.parameters import ConfigError, Recipe, Sequencing
from weft.schemas.records import Fate, ImageMeta, Pair
from weft.transforms.extract import own_filters
from weft.transforms.pack import tokenizer
from weft.transforms.pack.decide import Archived, Compared, ImageUse, Judge, Packer, Page, Stored, archived
from weft.transforms.pack.samples import SampleMaker, ShardLayout

STORED = Stored("sha", "ok", 300, 200, False, "blob", 5, 9, "5555aaaa5555aaaa")
PAGE = Page(
    "d", "http://a.test/", "/in/a.warc.gz", 7, "urn:d", "en", "t", ["a red fox", None, "on a hill", None],
    [None, "http://a.test/1.jpg", None, "http://a.test/2.jpg"], [None, ImageMeta("alt", "cap", "", None, None), None, None],
)  # fmt: skip
PAIR = Pair("p", "d", "http://a.test/", "http://a.test/1.jpg", "a red fox", "alt", "en", 0.9)
RULES = {"one_image_drop": 0.0}


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_bytes(tokenizer.train(["a red fox on a hill", "the fox is red"] * 9, 320))
    return SampleMaker(str(path), Sequencing(context_length=64, image_tokens=4), ShardLayout(3, 0.0))


def document(maker, images, scores=(), page=PAGE, **rules):
    packer = Packer(Judge(Recipe(**{**RULES, **rules}), 512, "s"), maker)
    (made,) = packer.document(page, {"images": images, "scores": scores})
    return made


def pair(maker, stored, similarity=0.3, others=None, **rules):
    packer = Packer(Judge(Recipe(**rules), 512, "s"), maker)
    known = {"page": [Archived("urn:d", "a.warc.gz", 7)], "stored": [stored] if stored else [], "scores": [similarity]}
    (made,) = packer.pair(PAIR, {**known, **(others or {})})
    return made


def test_a_document_is_in_its_shard_and_each_image_has_a_fate(maker):
    samples, fates = document(maker, [ImageUse(1, 1, STORED), ImageUse(3, 1, STORED._replace(height=20))])
    ((shard, sample),) = samples
    assert shard.startswith("interleaved/train/") and [image.position for image in sample.images] == [1]
    assert fates == [
        Fate("pack", "document", "d", "kept", "", shard),
        Fate("pack", "image", "d:1", "kept", "", "http://a.test/1.jpg"),
        Fate("pack", "image", "d:3", "dropped", "too_small", "http://a.test/2.jpg"),
    ]
    told = json.loads(sample.meta)
    assert told["warc_file"] == "a.warc.gz" and told["images"][0]["alt"] == "alt"


def test_similarities_stand_beside_the_image_and_one_text_is_its_own(maker):
    scores = [Compared(1, 0, 0.2), Compared(1, 2, 0.31234567)]
    samples, _ = document(maker, [ImageUse(1, 1, STORED)], scores)
    (image,) = json.loads(samples[0][1].meta)["images"]
    assert image["similarities"] == {"0": 0.2, "2": 0.31235}
    assert (image["matched_text"], image["matched_similarity"]) == (2, 0.31235)


@pytest.mark.parametrize(
    ("rules", "image", "whole"),
    [
        ({"min_document_similarity": 0.15}, "low_similarity", ""),
        ({"min_matched_share": 0.75}, "", "unmatched"),
        ({"min_mean_similarity": 0.2}, "", ""),
    ],
)
def test_an_image_that_clip_could_not_read_fits_no_text(maker, rules, image, whole):
    two = [ImageUse(1, 1, STORED), ImageUse(3, 1, STORED._replace(image_id="other", phash="aaaa5555aaaa5555"))]
    silent = PAGE._replace(texts=[" ", None, None, None])
    for scores, reason, why in (
        ([Compared(1, 0, 0.9), Compared(1, 2, 0.3)], whole, image),
        ([Compared(n, at, 0.9) for n in (1, 3) for at in (0, 2)], "", ""),
    ):
        fates = {fate.key: fate.reason for fate in document(maker, two, scores, **rules)[1]}
        assert fates["d"] == reason and fates["d:3"] == (why or ("document_dropped" if reason else ""))
    fates = {fate.key: fate.reason for fate in document(maker, two, (), silent, require_interspersed=False, **rules)[1]}
    assert fates["d:1"] in ("", "document_dropped"), "where there is no text nothing is asked"


def test_a_mean_of_equal_similarities_is_that_similarity(maker):
    """0.28, three times as a float, is less than 0.28 on average."""
    for value in (0.1, 0.15, 0.2, 0.28, 0.3):
        for count in range(1, 13):
            places = range(1, 2 * count, 2)
            page = PAGE._replace(
                texts=["a fox", None] * count,
                images=[None, "http://a.test/1.jpg"] * count,
                image_meta=[None] * 2 * count,
            )
            uses = [ImageUse(n, 1, STORED._replace(image_id=str(n))) for n in places]
            scores = [Compared(n, at, value) for n in places for at in range(0, 2 * count, 2)]
            _, fates = document(maker, uses, scores, page, min_mean_similarity=value, max_images=0)
            assert fates[0].reason == ""


def test_a_document_whose_images_are_gone_becomes_text_and_its_images_say_so(maker):
    samples, fates = document(maker, [ImageUse(1, 99, STORED)])  # in too many documents; the other was never met
    assert samples[0][0].startswith("text/train/") and samples[0][1].images == []
    assert [(fate.key, fate.reason) for fate in fates] == [("d", ""), ("d:1", "repeated"), ("d:3", "image_missing")]


def test_images_of_a_document_that_is_dropped_go_with_it(maker):
    samples, fates = document(maker, [ImageUse(1, 1, STORED)], min_document_images=2)
    assert samples == [] and [fate.reason for fate in fates] == ["few_images", "document_dropped", "image_missing"]
    assert fates[0].detail == "http://a.test/"


def test_images_past_the_last_sequence_are_cut(maker):
    page = PAGE._replace(texts=[None, None, "the fox is red " * 60, None], images=["u", None, None, "u"])
    page = page._replace(image_meta=[PAGE.image_meta[1], None, None, PAGE.image_meta[1]])
    short = SampleMaker(
        maker._path, Sequencing(context_length=64, image_tokens=4, max_document_chunks=1), ShardLayout(3, 0.0)
    )
    other = STORED._replace(image_id="other")
    _, fates = document(short, [ImageUse(0, 1, STORED), ImageUse(3, 1, other)], page=page)
    assert [fate.reason for fate in fates] == ["", "", "document_cut"]


def test_a_pair_is_kept_with_its_page_s_place_and_its_rounded_similarity(maker):
    samples, fates = pair(maker, STORED, 0.123456789)
    ((shard, sample),) = samples
    assert fates == [Fate("pack", "pair", "d:p", "kept", "", shard)] and shard.startswith("pairs/train/")
    told = json.loads(sample.meta)
    assert told["similarity"] == 0.12346 and told["record_id"] == "urn:d" and told["sha256"] == "sha"


@pytest.mark.parametrize(
    ("stored", "similarity", "others", "rules", "reason", "detail"),
    [
        (None, 0.3, {}, {}, "image_missing", PAIR.image_url),
        (STORED._replace(height=199), 0.3, {}, {}, "too_small", PAIR.image_url),
        (STORED, 0.29999, {}, {"pair_min_similarity": 0.3}, "low_similarity", PAIR.image_url),
        (STORED, 0.2999999, {}, {"pair_min_similarity": 0.3}, "", ""),  # a float32 of 0.3 is below 0.3
        (STORED, None, {}, {"pair_min_similarity": 0.3}, "low_similarity", PAIR.image_url),  # CLIP could not read it
        (STORED, None, {}, {}, "", ""),
        (STORED, 0.3, {"same": ["e:q"]}, {}, "same_picture", "e:q"),
        (STORED._replace(shared=40), 0.3, {}, {}, "placeholder", "40 addresses of its host"),
        (STORED, 0.3, {"near": ["http://a.test/big.jpg"]}, {}, "near_image", "http://a.test/big.jpg"),
        (STORED, 0.3, {"near": ["big"], "same": ["e:q"]}, {}, "near_image", "big"),
    ],
)  # fmt: skip
def test_why_a_pair_is_dropped_and_what_says_so(maker, stored, similarity, others, rules, reason, detail):
    samples, (fate,) = pair(maker, stored, similarity, others, **rules)
    assert fate.reason == reason and (fate.detail == detail or not reason)
    assert bool(samples) == (not reason)


@pytest.mark.parametrize(
    ("scored", "given", "told"), [(0.25, 0.31, 0.25), (None, 0.3100000023841858, 0.31), (None, None, None)]
)
def test_a_pairs_similarity_is_the_one_that_was_scored_else_that_of_its_list(maker, scored, given, told):
    known = {"page": [Archived("urn:d", "a.warc.gz", 7)], "stored": [STORED], "scores": [scored]}
    ((((_, sample),), _),) = Packer(Judge(Recipe(), 512, "s"), maker).pair(PAIR._replace(similarity=given), known)
    assert json.loads(sample.meta)["similarity"] == told


def test_an_archive_is_named_wherever_it_lies():
    assert archived(PAGE) == archived(PAGE._replace(warc_file="s3://other/a.warc.gz")) == ("urn:d", "a.warc.gz", 7)


def test_a_filter_of_ones_own_sees_what_would_be_packed(maker, tmp_path, monkeypatch):
    (tmp_path / "own_pack_rules.py").write_text(
        "import json\n\n\ndef judge(row):\n"
        "    return 'two' if len(row.images) == 2 and 'a red fox' in row.texts else None\n\n\n"
        "def judge_pair(row):\n"
        "    told, size = json.loads(row.meta), json.loads(row.image.meta)\n"
        "    return 'flat' if told['similarity'] < 0.3 and size['height'] < size['width'] else None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    rules = {
        "one_image_drop": 0.0,
        "filters": ("own_pack_rules:judge",),
        "pair_filters": ("own_pack_rules:judge_pair",),
    }
    packer = Packer(Judge(Recipe(**rules), 512, "s"), maker, own_filters.hashes(Recipe(**rules).own_filters))
    for images, reason in (([1, 3], "filter_two"), ([1], "")):
        uses = [ImageUse(n, 1, STORED._replace(image_id=f"sha{n}")) for n in images]
        ((samples, fates),) = packer.document(PAGE, {"images": uses, "scores": []})
        assert (fates[0].reason, bool(samples)) == (reason, not reason)
        assert not reason or (
            fates[0].detail == "own_pack_rules:judge" and {f.reason for f in fates[1:]} == {"document_dropped"}
        )
    wide = STORED._replace(width=2 * STORED.height)
    for stored, similarity, reason in (
        (wide, 0.2, "filter_flat"),
        (wide, 0.3, ""),
        (STORED._replace(height=wide.width), 0.2, ""),
    ):
        ((samples, (fate,)),) = packer.pair(PAIR, {"page": [], "stored": [stored], "scores": [similarity]})
        assert (fate.reason, bool(samples)) == (reason, not reason)
    other = Packer(packer.judge, maker, {"own_pack_rules:judge": "another"})
    with pytest.raises(ConfigError, match="has another source"):
        list(other.pair(PAIR, {"page": [], "stored": [STORED], "scores": [0.3]}))
