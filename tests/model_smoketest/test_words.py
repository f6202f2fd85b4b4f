"""The tokenizer beside the shards gives what the packer's gave."""

import io

import pytest

from weft.model_smoketest.words import Words
from weft.schemas.parameters import ConfigError
from weft.transforms.pack import tokenizer

TEXTS = ["A red circle on a grey background", "Zwei Dörfer, 1841", "“quoted” text"]
SPELLED = "a <image> between <s> and </s>, <pad>"


def trained(name: str) -> bytes:
    if name == "tokenizer.json":
        return tokenizer.train(TEXTS * 20, 400)
    import sentencepiece

    out = io.BytesIO()
    sentences = iter([f"{text} {n}" for n in range(60) for text in TEXTS])
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences, model_writer=out, vocab_size=80, hard_vocab_limit=False, minloglevel=2
    )
    return out.getvalue()


@pytest.mark.parametrize("name", ["tokenizer.json", "sentencepiece.model"])
def test_words_are_the_packers(tmp_path, name):
    (tmp_path / name).write_bytes(trained(name))
    encoder = tokenizer.Encoder(str(tmp_path / name), 4, 64)
    words = Words(str(tmp_path), encoder.vocabulary)
    for text in TEXTS:
        assert words.encode(text) == encoder.encode(text)
        assert words.decode(encoder.encode(text)) == encoder.decode(encoder.encode(text)) == text
    v = encoder.vocabulary
    assert words.encode(SPELLED) == encoder.encode(SPELLED)
    assert not {v.bos, v.pad, v.eos, v.image, v.image_end} & set(words.encode(SPELLED))
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="is no tokenizer"):
        Words(str(tmp_path), encoder.vocabulary)
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match="is missing"):
        Words(str(tmp_path), encoder.vocabulary)
