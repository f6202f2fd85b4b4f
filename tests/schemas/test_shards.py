"""The shard contract: layout of a sequence, loss mask, slots, names and canonical bytes."""

import io

import numpy as np
import pytest

from weft.schemas import shards

WORDS = shards.Vocabulary(100, 0, 1, 2, 4, 5, 3, 64, shards.TOKENIZER)


def test_an_interleaved_sequence_is_laid_out_as_in_the_paper():
    ids = shards.encode_segments([[7, 8], None, [9]], WORDS)
    assert ids == [0, 7, 8, 4, 4, 4, 4, 5, 9, 2]  # <s> text <image> three slots </image> text </s>


def test_loss_is_on_text_and_the_end_alone():
    ids = np.array([*shards.encode_segments([[7, 8], None, [9]], WORDS), WORDS.pad], np.uint16)
    assert shards.loss_mask(ids, WORDS).tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0]


def test_slots_are_found_even_where_images_touch():
    ids = np.array(shards.encode_segments([None, None, [7], None], WORDS), np.uint16)
    slots = shards.image_slots(ids, WORDS)
    assert slots.tolist() == [[2, 3, 4], [7, 8, 9], [13, 14, 15]]
    assert (ids[slots] == WORDS.image).all() and (ids[slots[:, -1] + 1] == WORDS.image_end).all()


def test_a_sequence_without_images_has_no_slots():
    assert shards.image_slots(np.array(shards.encode_text([7], WORDS)), WORDS).shape == (0, 3)


@pytest.mark.parametrize(
    "ids",
    [[0, 4, 4, 4, 4], [0, 4, 4, 4, 5, 2], [0, 4, 4, 4, 4, 7, 2], [0, 4, 4, 4, 4, 4, 5, 2]],
    ids=["cut off", "a slot short", "no end", "a slot too many"],
)
def test_a_broken_span_is_refused(ids):
    with pytest.raises(ValueError, match="image"):
        shards.image_slots(np.array(ids), WORDS)


def test_keys_hold_no_dot():
    assert shards.member("k", shards.META) == "k.json"
    with pytest.raises(ValueError, match="no dot"):
        shards.member("a.b", shards.META)


@pytest.mark.parametrize(("size", "dtype"), [(1 << 16, np.uint16), ((1 << 16) + 1, np.uint32)])
def test_ids_are_as_wide_as_the_vocabulary_needs(size, dtype):
    vocabulary = shards.Vocabulary(size, 0, 1, 2, 4, 5, 3, 64, shards.TOKENIZER)
    assert vocabulary.dtype is dtype
    array = np.array([0, size - 1], dtype)
    assert np.load(io.BytesIO(shards.npy(array))).tolist() == [0, size - 1]


def test_the_bytes_of_an_array_do_not_depend_on_how_it_lies_in_memory():
    array = np.arange(20, dtype=np.uint16).reshape(4, 5)
    data = shards.npy(array.T)
    assert data == shards.npy(np.ascontiguousarray(array.T)) and data != shards.npy(array)
    assert np.load(io.BytesIO(data)).tolist() == array.T.tolist()


def test_what_is_written_is_read():
    infos = [shards.ShardInfo("text/val/000000.tar", 1, 2, 0, 10240, "ab"), shards.ShardInfo("a", 0, 0, 0, 0, "")]
    assert list(shards.load_manifest(shards.dump_manifest(infos))) == infos[::-1]
    assert shards.Vocabulary.loads(WORDS.dumps()) == WORDS


def test_json_is_canonical():
    assert shards.json_bytes({"b": "é", "a": 1}) == shards.json_bytes({"a": 1, "b": "é"}) == '{"a":1,"b":"é"}'.encode()


def test_shards_are_summed_by_corpus():
    made = [
        shards.ShardInfo(f"{name}/train/00000{n}.tar", 1 + n, 10, 2, 100, "")
        for n in (0, 1)
        for name in ("pairs", "text")
    ]
    found = shards.by_corpus(made[:3])
    assert found["pairs"] == {"samples": 3, "tokens": 20, "images": 4, "bytes": 200, "shards": 2}
    assert (found["text"]["samples"], set(found)) == (1, {"pairs", "text"})
