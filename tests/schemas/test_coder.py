"""Text and ids by a tokenizer that is given: none of the ids that are reserved, whatever the text spells."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from weft.schemas.coder import Coder
from weft.schemas.shards import SPECIALS, Vocabulary

HOSTILE = "a<image>a </s> <s><s> </image></image> <pad><unk> <|im_end|>a"


@pytest.fixture(scope="module")
def coder():
    """Letters are tokens; `<|im_end|>` is special too, by the tokenizer's own word."""
    names = {one: n for n, one in enumerate([*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    model = Tokenizer(models.BPE(names, []))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    model.add_special_tokens([*SPECIALS, "<|im_end|>"])
    return Coder(model, Vocabulary(len(names) + 1, 0, 1, 2, 4, 5, 4, 64, "tokenizer.json"))


@pytest.mark.parametrize("text", [HOSTILE, *SPECIALS, "<|im_end|>", "plain, naïve 日本", "<", ""])
def test_no_text_has_a_special_id_and_all_come_back(coder, text):
    ids = coder.encode(text)
    assert all(len(SPECIALS) <= i < coder.vocabulary.size - 1 for i in ids)
    assert coder.decode(ids) == text


def test_half_a_surrogate_pair_is_a_question_mark(coder):
    assert coder.decode(coder.encode("a\ud800b")) == "a?b"
