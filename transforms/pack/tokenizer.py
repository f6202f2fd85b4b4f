"""Tokenizers: one trained on the corpus, any Hugging Face tokenizer.json, or a sentencepiece model.

Whatever the tokenizer, text can never become a special id: a page that spells `</s>` or `<image>` is cut inside the
spelling before it is encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from weft.schemas.parameters import ConfigError
from weft.schemas.shards import BOS, EOS, IMAGE_END, IMAGE_START, PAD, SPECIALS, TOKENIZER_INFO, UNK, Vocabulary
from weft.transforms.io import files

MIN_VOCABULARY = 300  # 256 bytes, the specials, and room for something to be learned
SENTENCEPIECE = "sentencepiece.model"
# Names that published tokenizers give the ends of a sequence, in order of preference; each is one end alone.
_NAMES = {
    EOS: ("</s>", "<|end_of_text|>", "<eos>", "[SEP]", "<|endoftext|>"),
    BOS: ("<s>", "<|begin_of_text|>", "<bos>", "[CLS]", "<|endoftext|>"),
    PAD: ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>"),
}


class Encoder:
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
            data = files.read_bytes(path)
        except OSError as error:
            raise ConfigError(f"pack.tokenizer: cannot read {path}: {error.strerror or error}") from None
        self.data = data
        self._pieces: Any = None
        self._json: Any = None
        self._special: list[str] = []
        try:
            ids, size, name = self._load_pieces(data) if path.endswith(".model") else self._load_json(data)
        except Exception as error:  # both libraries raise bare exceptions
            raise ConfigError(f"pack.tokenizer: {path} is no tokenizer: {str(error).splitlines()[0]}") from None
        self.vocabulary = Vocabulary(
            size, ids[BOS], ids[PAD], ids[EOS], ids[IMAGE_START], ids[IMAGE_END], image_tokens, context_length, name
        )
        v = self.vocabulary
        self._reserved = frozenset((v.bos, v.pad, v.eos, v.image, v.image_end))
        spelled = sorted({s for s in (*SPECIALS, *self._special) if len(s) > 1}, key=len, reverse=True)
        self._spellings = spelled
        self._spelled = re.compile("|".join(f"(?<={re.escape(s[0])})(?={re.escape(s[1:])})" for s in spelled))

    def encode(self, text: str) -> list[int]:
        """Ids of a text, none of them special."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        if not any(
            special in text for special in self._spellings
        ):  # far cheaper than the expression, and nearly always
            return self._encode(text) if text else []
        ids: list[int] = []
        for part in self._spelled.split(text):
            if part:
                ids += self._encode(part)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids that `encode` gave."""
        plain = [int(i) for i in ids]
        if self._pieces is not None:
            return str(self._pieces.decode([i for i in plain if i < len(self._pieces)]))
        return str(self._json.decode(plain, skip_special_tokens=True))

    def _encode(self, text: str) -> list[int]:
        if self._pieces is not None:
            ids = list(self._pieces.encode(text))
        else:
            ids = list(self._json.encode(text, add_special_tokens=False).ids)
        if self._reserved.isdisjoint(ids):
            return ids
        # Spelled in a way only the tokenizer knows (full-width letters it normalises, a plain word): halve until cut.
        half = len(text) // 2
        return self._encode(text[:half]) + self._encode(text[half:]) if half else []

    def _load_pieces(self, data: bytes) -> tuple[dict[str, int], int, str]:
        import sentencepiece

        pieces = sentencepiece.SentencePieceProcessor(model_proto=data)
        self._pieces, self._special = pieces, ["<s>", "</s>"]
        size = len(pieces)
        ids = {}
        for special, given in (
            (BOS, pieces.bos_id()),
            (PAD, pieces.pad_id()),
            (EOS, pieces.eos_id()),
            (IMAGE_START, self._piece(IMAGE_START)),
            (IMAGE_END, self._piece(IMAGE_END)),
        ):
            ids[special] = given if given >= 0 else size
            size += given < 0  # what the model lacks is added behind its pieces
        return ids, size, SENTENCEPIECE

    def _piece(self, name: str) -> int:
        """Id of a piece that the model has under this name, or -1."""
        found = int(self._pieces.piece_to_id(name))
        return found if found != self._pieces.unk_id() else -1

    def _load_json(self, data: bytes) -> tuple[dict[str, int], int, str]:
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
        self._json = tokenizer
        self._special = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
        self.data = tokenizer.to_str(pretty=False).encode("utf-8")
        return ids, max(taken) + 1, "tokenizer.json"


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
