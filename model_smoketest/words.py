"""The packer's tokenizer, as it lies beside the shards: text → tokens → text. The trainer itself needs tokens alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.model_smoketest import shard_files
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import Vocabulary


class Words:
    """A tokenizer.json, or a sentencepiece model."""

    def __init__(self, shards: str, vocabulary: Vocabulary) -> None:
        """Loads the file that `vocabulary` names.

        Raises:
            ConfigError: there is none, or it is no tokenizer.
        """
        self.vocabulary = vocabulary
        path = shard_files.join(shards, vocabulary.file)
        self._pieces: Any = None
        self._json: Any = None
        try:
            content = shard_files.read_bytes(path)
        except OSError as error:
            raise ConfigError(f"{path} is missing ({error.strerror or error}): run `weft pack` again") from None
        try:
            if vocabulary.file.endswith(".model"):
                import sentencepiece

                self._pieces = sentencepiece.SentencePieceProcessor(model_proto=content)
            else:
                import tokenizers

                self._json = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
        except Exception as error:  # both libraries raise bare exceptions
            raise ConfigError(f"{path} is no tokenizer: {str(error).splitlines()[0]}") from None

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without those of its ends."""
        if self._pieces is not None:
            return list(self._pieces.encode(text))
        return list(self._json.encode(text, add_special_tokens=False).ids)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens that are none of the special ones."""
        plain = [int(token) for token in tokens]
        if self._pieces is not None:
            return str(self._pieces.decode([token for token in plain if token < len(self._pieces)]))
        return str(self._json.decode(plain, skip_special_tokens=True))
