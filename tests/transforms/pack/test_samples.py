"""Which shard a sample belongs to, and what is made of a document and a pair."""

import json

import pytest

from weft.schemas.parameters import Sequencing
from weft.transforms.pack import tokenizer
from weft.transforms.pack.samples import PackDocument, PackPair, PlacedImage, SampleMaker, ShardLayout

IMAGE = PlacedImage(1, "blob", 0, 9, '{"position":1,"sha256":"s"}')


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
    made = maker(path).make(row._replace(images=[IMAGE]))
    assert len({shard for shard, _ in made}) == 1 and made[0][0].startswith("interleaved/")
    assert [sample.key for _, sample in made] == [f"d-{n:03d}" for n in range(len(made))] and len(made) > 2
    told = [json.loads(sample.meta) for _, sample in made]
    assert {meta["chunks"] for meta in told} == {len(made)}
    assert [image for meta in told for image in meta["images"]] == [json.loads(IMAGE.meta)]
    assert len(maker(path, max_document_chunks=2).make(row._replace(images=[IMAGE]))) == 2


def test_a_pair_tells_what_it_and_its_picture_do(path):
    ((shard, sample),) = maker(path).make(PackPair("p", "d", "a red fox", IMAGE, '{"text":"a red fox"}'))
    assert shard.startswith("pairs/") and sample.key == "p-d" and sample.images == [IMAGE]
    assert json.loads(sample.meta) == {"text": "a red fox", "position": 1, "sha256": "s"}
