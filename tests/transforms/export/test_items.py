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


def write(path, **documents):
    """A tar of documents without pictures: key → what is told of each."""
    parts = {
        key: {**shards.document_images([]), shards.META: json.dumps(told).encode()} for key, told in documents.items()
    }
    write_tar(str(path), [(f"{key}.{name}", data) for key, one in parts.items() for name, data in one.items()])


def test_shards_of_an_older_version_are_refused_in_one_line(tmp_path):
    told = {"doc_id": "d", "chunk": 0, "images": [], "spans": [[0, 1, 3]]}
    write(tmp_path / "old.tar", d=told)
    with pytest.raises(ConfigError, match="holds no 'texts': it was packed by an older version"):
        list(items.read(str(tmp_path / "old.tar"), "interleaved"))
    told |= {"images": [{"position": 0}], "texts": [None]}
    write_tar(str(tmp_path / "older.tar"), [("d.0.jpg", b"\xff\xd8\xff"), ("d.json", json.dumps(told).encode())])
    for read in (lambda path: items.read(path, "interleaved"), items.stored):
        with (
            pytest.raises(ConfigError, match="holds no 'images': it was packed by an older version"),
            items.told_as_damage(str(tmp_path / "older.tar")),
        ):
            list(read(str(tmp_path / "older.tar")))


def test_sequences_of_a_document_come_in_their_order(tmp_path):
    def chunk(number):
        return {"doc_id": "d", "chunk": number, "images": [], "spans": [[number, 1, 2]], "texts": [f"text {number}"]}

    write(tmp_path / "long.tar", **{f"d-{number:03d}": chunk(number) for number in (101, 1_000, 102)})
    (made,) = items.read(str(tmp_path / "long.tar"), "interleaved")
    assert made.texts == ["text 101", "text 102", "text 1000"]


def test_half_a_shard_is_refused_in_one_line(finished, tmp_path):
    whole = next(path for path in (finished / "shards/pairs/train").glob("*.tar") if path.stat().st_size > 20_000)
    half = tmp_path / "half.tar"
    half.write_bytes(whole.read_bytes()[:9_000])
    with pytest.raises(ConfigError, match=r"half\.tar is damaged"):
        list(items.read(str(half), "pairs"))
