import json

import pytest

from weft.model_smoketest.data import read_vocabulary
from weft.model_smoketest.tars import Tar
from weft.schemas import shards
from weft.schemas.parameters import ConfigError
from weft.transforms.export import items
from weft.transforms.io.tar import write_tar
from weft.transforms.pack.tokenizer import Encoder


def letters(text):
    return "".join(text.split())


@pytest.mark.parametrize("corpus", shards.CORPORA)
def test_items_say_what_the_tokens_say(finished, corpus):
    home = finished / "shards"
    vocabulary = read_vocabulary(str(home))
    encoder = Encoder(str(home / vocabulary.file), vocabulary.image_tokens, vocabulary.context_length)
    for path in sorted((home / corpus).rglob("*.tar")):
        tar = Tar(path)
        samples = [tar.read(corpus, key, vocabulary) for key in sorted(tar.samples)]
        ids = [i for sample in samples for i in sample.ids if i not in (vocabulary.image, vocabulary.image_end)]
        found = list(items.read(str(path), corpus))
        assert letters(encoder.decode(ids)) == letters("".join(item.text for item in found))
        assert [p.data for item in found for p in item.pictures] == [data for s in samples for data in s.images]
        for item in found:
            assert len(item.texts) == len(item.images) and "." not in item.key
            assert all((text is None) != (image is None) for text, image in zip(item.texts, item.images, strict=True))


def test_a_document_in_several_sequences_comes_as_one(finished):
    chunks, documents = 0, 0
    for path in sorted((finished / "shards/interleaved").rglob("*.tar")):
        chunks += len(Tar(path).samples)
        documents += len(list(items.read(str(path), "interleaved")))
    assert 0 < documents < chunks


def test_shards_without_texts_are_refused_in_one_line(tmp_path):
    told = {"doc_id": "d", "chunk": 0, "images": [], "spans": [[0, 1, 3]]}
    write_tar(str(tmp_path / "old.tar"), [("d-000.json", json.dumps(told).encode())])
    with pytest.raises(ConfigError, match="holds no 'texts': it was packed by an older version"):
        list(items.read(str(tmp_path / "old.tar"), "interleaved"))


def test_sequences_of_a_document_come_in_their_order(tmp_path):
    def chunk(number):
        told = {"doc_id": "d", "chunk": number, "images": [], "spans": [[number, 1, 2]], "texts": [f"text {number}"]}
        return f"d-{number:03d}.json", json.dumps(told).encode()

    write_tar(str(tmp_path / "long.tar"), [chunk(101), chunk(1_000), chunk(102)])
    (made,) = items.read(str(tmp_path / "long.tar"), "interleaved")
    assert made.texts == ["text 101", "text 102", "text 1000"]


def test_half_a_shard_is_refused_in_one_line(finished, tmp_path):
    whole = next(path for path in (finished / "shards/pairs/train").glob("*.tar") if path.stat().st_size > 20_000)
    half = tmp_path / "half.tar"
    half.write_bytes(whole.read_bytes()[:9_000])
    with pytest.raises(ConfigError, match=r"half\.tar is damaged"):
        list(items.read(str(half), "pairs"))
