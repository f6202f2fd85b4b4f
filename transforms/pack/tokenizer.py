"""Tokenizers: one trained on the corpus, any Hugging Face tokenizer.json, or a sentencepiece model.

How text becomes ids by them is in schemas/coder.py, as the trainer asks it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from weft.schemas.coder import Coder
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import (
    BOS,
    EOS,
    IMAGE_END,
    IMAGE_START,
    PAD,
    SPECIALS,
    TOKENIZER,
    TOKENIZER_INFO,
    UNK,
    Vocabulary,
)
from weft.transforms.io import files

MIN_VOCABULARY = 300  # 256 bytes, the specials, and room for something to be learned
SENTENCEPIECE = "sentencepiece.model"
# Names that published tokenizers give the ends of a sequence, in order of preference; each is one end alone.
_NAMES = {
    EOS: ("</s>", "<|end_of_text|>", "<eos>", "[SEP]", "<|endoftext|>"),
    BOS: ("<s>", "<|begin_of_text|>", "<bos>", "[CLS]", "<|endoftext|>"),
    PAD: ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>"),
}
_Loaded = tuple[Any, dict[str, int], int, str]  # the model, its special ids, how many ids, the file's name


class Encoder(Coder):
    """Text → ids, and what a trainer must know of the ids."""

    def __init__(self, path: str, image_tokens: int, context_length: int) -> None:
        """Load a tokenizer.json, or a sentencepiece model where the name ends with .model.

        Args:
            path: local or remote.
            image_tokens: ids that stand for one image in a sequence.
            context_length: ids that a sequence has at most.

        Raises:
            ConfigError: no such file, or not a tokenizer.
        """
        try:
            self.data = files.read_bytes(path)
        except OSError as error:
            raise ConfigError(f"pack.tokenizer: cannot read {path}: {error.strerror or error}") from None
        load = self._load_pieces if path.endswith(".model") else self._load_json
        try:
            model, ids, size, name = load(self.data)
        except Exception as error:  # both libraries raise bare exceptions
            raise ConfigError(f"pack.tokenizer: {path} is no tokenizer: {str(error).splitlines()[0]}") from None
        vocabulary = Vocabulary(
            size, ids[BOS], ids[PAD], ids[EOS], ids[IMAGE_START], ids[IMAGE_END], image_tokens, context_length, name
        )
        super().__init__(model, vocabulary)

    def _load_pieces(self, data: bytes) -> _Loaded:
        import sentencepiece

        pieces = sentencepiece.SentencePieceProcessor(model_proto=data)

        def piece(name: str) -> int:
            """Id of a piece that the model has under this name, or -1."""
            found = int(pieces.piece_to_id(name))
            return found if found != pieces.unk_id() else -1

        size = len(pieces)
        ids = {}
        for special, given in (
            (BOS, pieces.bos_id()),
            (PAD, pieces.pad_id()),
            (EOS, pieces.eos_id()),
            (IMAGE_START, piece(IMAGE_START)),
            (IMAGE_END, piece(IMAGE_END)),
        ):
            ids[special] = given if given >= 0 else size
            size += given < 0  # what the model lacks is added behind its pieces
        return pieces, ids, size, SENTENCEPIECE

    def _load_json(self, data: bytes) -> _Loaded:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
        ids: dict[str, int] = {}
        for special, names in _NAMES.items():
            # One id for two ends (GPT-2's) would leave `</s>` without a loss, as it has none on `<s>` and padding.
            known = (i for name in names if (i := tokenizer.token_to_id(name)) is not None and i not in ids.values())
            ids[special] = next(known, -1)
        for special in (BOS, EOS, PAD, IMAGE_START, IMAGE_END):
            if ids.get(special, -1) < 0:
                if tokenizer.token_to_id(special) is None:
                    tokenizer.add_special_tokens([special])
                ids[special] = int(tokenizer.token_to_id(special) or 0)
        taken = list(tokenizer.get_vocab(with_added_tokens=True).values())
        if shared := [name for name, i in ids.items() if taken.count(i) > 1]:
            raise ValueError(f"another of its tokens has the id of {shared[0]}")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.data = tokenizer.to_str(pretty=False).encode("utf-8")
        return tokenizer, ids, max(taken) + 1, TOKENIZER


def train(texts: Iterable[str], vocab_size: int) -> bytes:
    """A byte-level BPE tokenizer.json trained on `texts`; the same texts in the same order give the same bytes.

    Args:
        vocab_size: ids, specials included; fewer come out where the texts do not have as many pairs to merge.

    Raises:
        ConfigError: a vocabulary too small for every byte.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocab_size < MIN_VOCABULARY:
        raise ConfigError(
            f"pack.vocab_size = {vocab_size} is too small: every byte needs an id, so at least {MIN_VOCABULARY}"
        )
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, sort_keys=True).encode("utf-8")


def save(encoder: Encoder, directory: str) -> None:
    """The tokenizer and its Vocabulary beside the shards."""
    files.write_atomic(files.join(directory, encoder.vocabulary.file), encoder.data)
    files.write_atomic(files.join(directory, TOKENIZER_INFO), encoder.vocabulary.dumps())
