"""Tokenizers of every kind: round trips, specials that no text can spell, the same training twice, clear errors."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from weft.schemas.parameters import ConfigError
from weft.schemas.shards import SPECIALS, Vocabulary, loss_mask
from weft.transforms.pack import tokenizer

TEXTS = [
    f"the {a} cat sat on the {b} mat, naïve 日本 🙂" for a in ("old", "new", "red") for b in ("flat", "wet", "dry")
] * 3
HOSTILE = "say <image> and </s> or <s><s> </image></image> <pad><unk> <|endoftext|>[CLS]"


def trained(tmp_path, texts=TEXTS, size=320):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer.train(texts, size))
    return tokenizer.Encoder(str(path), 4, 64)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A sentencepiece model of bytes and pieces, with <image> as one of its own symbols and no </image>."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        vocab_size=320,
        byte_fallback=True,
        model_type="bpe",
        user_defined_symbols=["<image>"],
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("sp") / "a.model"
    path.write_bytes(model.getvalue())
    return str(path)


def test_a_trained_tokenizer_has_the_specials_first(tmp_path):
    encoder = trained(tmp_path, size=300)
    found = json.loads(encoder.data)["model"]["vocab"]
    assert [found[s] for s in SPECIALS] == [0, 1, 2, 3, 4, 5]
    assert encoder.vocabulary == Vocabulary(300, 0, 1, 2, 4, 5, 4, 64, "tokenizer.json")


@pytest.mark.parametrize("text", [*TEXTS[:2], HOSTILE, "  two  spaces\n\n\ttab ", "\x00\x7f€𝄞", ""])
def test_any_text_comes_back_and_spells_no_special(tmp_path, text):
    encoder = trained(tmp_path)
    ids = encoder.encode(text)
    assert encoder.decode(ids) == text
    assert not set(ids) & set(range(len(SPECIALS)))


def test_training_learns_and_is_the_same_in_another_process_and_order(tmp_path):
    here = tokenizer.train(TEXTS, 320)
    code = f"import sys; from weft.transforms.pack import tokenizer; sys.stdout.buffer.write(tokenizer.train({TEXTS[::-1]!r}, 320))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert here == there
    encoder = trained(tmp_path)
    assert len(encoder.encode("the cat sat")) < len("the cat sat") / 2


def test_no_texts_make_a_tokenizer_of_bytes(tmp_path):
    encoder = trained(tmp_path, [])
    assert encoder.vocabulary.size == 256 + len(SPECIALS)
    assert encoder.decode(encoder.encode(HOSTILE)) == HOSTILE


def test_a_foreign_tokenizer_keeps_its_names_and_gets_what_it_lacks(tmp_path):
    words = {c: n for n, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    foreign = Tokenizer(models.BPE(words, []))
    foreign.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    foreign.add_special_tokens(["<|endoftext|>"])
    path = tmp_path / "gpt.json"
    foreign.save(str(path))
    encoder = tokenizer.Encoder(str(path), 4, 64)
    v = encoder.vocabulary
    assert (v.eos, v.bos, v.pad, v.image, v.image_end, v.size) == (256, 257, 258, 259, 260, 261)
    assert loss_mask(np.array([v.bos, 5, v.eos, v.pad]), v).tolist() == [0, 1, 1, 0]  # as the contract says
    assert max(encoder.encode(HOSTILE)) < 256
    tokenizer.save(encoder, str(tmp_path / "out"))
    again = tokenizer.Encoder(str(tmp_path / "out/tokenizer.json"), 4, 64)
    assert again.vocabulary == v == Vocabulary.loads((tmp_path / "out/tokenizer_info.json").read_text())


def test_a_sentencepiece_model_maps_what_it_has_and_adds_the_rest(pieces, tmp_path):
    encoder = tokenizer.Encoder(pieces, 4, 64)
    v = encoder.vocabulary
    assert encoder._pieces.piece_to_id("<image>") == v.image
    assert (v.pad, v.image_end, v.size) == (320, 321, 322)  # behind the 320 pieces
    assert encoder.decode(encoder.encode(TEXTS[0])) == TEXTS[0]
    assert not set(encoder.encode(HOSTILE)) & {v.bos, v.eos, v.pad, v.image, v.image_end}
    tokenizer.save(encoder, str(tmp_path))
    with open(pieces, "rb") as model:
        assert (tmp_path / "sentencepiece.model").read_bytes() == model.read()


@pytest.mark.parametrize("missing", [{}, {"pad_id": 3}, {"eos_id": -1}, {"pad_id": 3, "bos_id": -1, "eos_id": -1}])
def test_ends_that_a_sentencepiece_model_lacks_are_added_behind_its_pieces(tmp_path, missing):
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=320, byte_fallback=True, model_type="bpe",
        minloglevel=2, **missing,
    )  # fmt: skip
    (tmp_path / "a.model").write_bytes(model.getvalue())
    v = tokenizer.Encoder(str(tmp_path / "a.model"), 4, 64).vocabulary
    given = {"bos_id": 1, "eos_id": 2, "pad_id": -1, **missing}
    added = iter(range(320, 330))
    ends = [n if n >= 0 else next(added) for n in (given["bos_id"], given["pad_id"], given["eos_id"])]
    assert [v.bos, v.pad, v.eos, v.image, v.image_end, v.size] == [*ends, *(next(added) for _ in range(3))]


@pytest.mark.parametrize("added", [[], ["<s>", "</s>"]])
def test_a_spelling_that_the_tokenizer_normalises_is_no_special(tmp_path, added):
    words = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((c, -5.0) for c in "</>as")]
    foreign = Tokenizer(models.Unigram(words, 0, False))
    foreign.normalizer = normalizers.NFKC()
    foreign.add_special_tokens(added)
    foreign.save(str(tmp_path / "wide.json"))
    encoder = tokenizer.Encoder(str(tmp_path / "wide.json"), 4, 64)
    wide = encoder.encode("a＜s＞a＜/s＞")
    assert wide == encoder.encode("a<s>a</s>") == [foreign.token_to_id(c) for c in "a<s>a</s>"]


@pytest.mark.parametrize("name", ["[CLS]", "[SEP]", "<|pad|>"])
def test_a_plain_word_that_names_an_end_is_no_special(tmp_path, name):
    foreign = Tokenizer(models.WordLevel({"[UNK]": 0, name: 1, "a": 2}, unk_token="[UNK]"))
    foreign.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    foreign.save(str(tmp_path / "words.json"))
    encoder = tokenizer.Encoder(str(tmp_path / "words.json"), 4, 64)
    v = encoder.vocabulary
    assert 1 in (v.bos, v.eos, v.pad)
    ids = encoder.encode(f"a {name} a")
    assert (ids[0], ids[-1]) == (2, 2) and set(ids) <= {0, 2}


def test_ends_that_a_tokenizer_lacks_are_added_in_their_order(tmp_path):
    foreign = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    foreign.save(str(tmp_path / "plain.json"))
    v = tokenizer.Encoder(str(tmp_path / "plain.json"), 4, 64).vocabulary
    assert (v.bos, v.eos, v.pad, v.image, v.image_end, v.size) == (2, 3, 4, 5, 6, 7)


def test_ids_with_holes_are_all_below_the_size_and_never_shared(tmp_path):
    def of(ids):
        foreign = Tokenizer(models.WordLevel({"[UNK]": 0, **ids}, unk_token="[UNK]"))
        foreign.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        foreign.save(str(tmp_path / "holes.json"))
        return tokenizer.Encoder(str(tmp_path / "holes.json"), 4, 64)

    encoder = of({"a": 1, "b": 70_000})
    assert encoder.vocabulary.size == 70_001 and encoder.vocabulary.dtype == np.uint32
    assert encoder.encode("a b") == [1, 70_000]
    with pytest.raises(ConfigError, match="another of its tokens has the id of <"):
        of({"a": 1, "b": 4})


def test_half_a_surrogate_pair_does_no_harm(tmp_path):
    encoder = trained(tmp_path)
    assert encoder.decode(encoder.encode("a\ud800b é 🙂")) == "a?b é 🙂"


@pytest.mark.parametrize("name", ["gone.json", "gone.model", "bad.json", "bad.model"])
def test_what_is_no_tokenizer_is_one_clear_line(tmp_path, name):
    if name.startswith("bad"):
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ConfigError, match=name) as error:
        tokenizer.Encoder(str(tmp_path / name), 4, 64)
    assert "\n" not in str(error.value)


def test_a_vocabulary_too_small_for_bytes_is_refused():
    with pytest.raises(ConfigError, match="vocab_size = 299") as error:
        tokenizer.train([], 299)
    assert "\n" not in str(error.value)
