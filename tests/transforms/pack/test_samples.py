"""Which shard a sample belongs to, and what is made of a document and a pair."""

import json

import pytest

from weft.schemas.parameters import Sequencing
from weft.transforms.pack import tokenizer
from weft.transforms.pack.samples import PackDocument, PackPair, PlacedImage, SampleMaker, ShardLayout

IMAGE = PlacedImage(1, "blob", 0, 9, '{"position":1,"sha256":"s"}')
LAST = PlacedImage(3, "blob", 0, 9, '{"position":3,"sha256":"t"}')


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    found.write_bytes(tokenizer.train(["a red fox on a hill", "the fox is red"] * 9, 320))
    return str(found)


def maker(path, **sequencing):
    return SampleMaker(path, Sequencing(**{"context_length": 32, "image_tokens": 4, **sequencing}), ShardLayout(3))


def test_the_split_follows_the_fraction():
    held = sum(ShardLayout(4, 0.1, "s").split_of(f"{n}") == "val" for n in range(5000))
    assert 400 < held < 600
    assert {ShardLayout(4, 0.0, "s").split_of(f"{n}") for n in range(500)} == {"train"}


def test_a_document_without_pictures_is_text_and_one_with_them_as_many_sequences_as_it_takes(path):
    row = PackDocument("d", ["a red fox " * 30, None, "the end"], [], '{"doc_id":"d"}')
    ((shard, sample),) = maker(path).make(row)
    assert shard.startswith("text/") and (sample.key, sample.images) == ("d", [])
    long = row._replace(texts=["a red fox " * 30, None, "the end. " * 40, None, "a fox"], images=[IMAGE, LAST])
    made = maker(path).make(long)
    assert [(shard.split("/")[0], sample.key) for shard, sample in made] == [
        ("interleaved", "d-000"), ("interleaved", "d-001"), ("text", "d-000"), ("text", "d-001"),
    ]  # fmt: skip
    assert len({shard.split("/", 1)[1] for shard, _ in made}) == 1  # a passage lies in the shard of the same number
    told = [json.loads(sample.meta) for _, sample in made]
    assert [meta["chunks"] for meta in told[:2]] == [2, 2]
    assert [image for meta in told[:2] for image in meta["images"]] == [json.loads(IMAGE.meta), json.loads(LAST.meta)]
    assert [(meta["passage"], meta["places"][0][0]) for meta in told[2:]] == [(0, 0), (1, 2)]
    assert all(meta["text"] == meta["text"].lstrip() and "lead" in meta for meta in told[2:])


def test_what_is_near_no_picture_may_go_and_a_document_end_after_some_sequences(path):
    row = PackDocument("d", ["a red fox " * 30, None, "the end. " * 40, None], [IMAGE, LAST], '{"doc_id":"d"}')

    def keys(**sequencing):
        return [(shard[0], sample.key) for shard, sample in maker(path, **sequencing).make(row)]

    assert keys(passages="drop") == [("i", "d-000"), ("i", "d-001")]
    assert keys(max_document_chunks=1) == [("i", "d-000"), ("t", "d-000")]  # what stands before it, not after
    assert keys(max_document_chunks=1, passages="drop") == [("i", "d-000")]


def test_a_pair_tells_what_it_and_its_picture_do(path):
    ((shard, sample),) = maker(path).make(PackPair("p", "d", "a red fox", IMAGE, '{"text":"a red fox"}'))
    assert shard.startswith("pairs/") and sample.key == "p-d" and sample.images == [IMAGE]
    assert json.loads(sample.meta) == {"text": "a red fox", "position": 1, "sha256": "s"}
