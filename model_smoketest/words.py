"""The packer's tokenizer, as it lies beside the shards: text → tokens → text. The trainer itself needs tokens alone."""

from __future__ import annotations

from typing import Any

from weft.model_smoketest import shard_files
from weft.schemas.coder import Coder
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import Vocabulary


class Words(Coder):
    """A tokenizer.json, or a sentencepiece model."""

    def __init__(self, shards: str, vocabulary: Vocabulary) -> None:
        """Loads the file that `vocabulary` names.

        Raises:
            ConfigError: there is none, or it is no tokenizer.
        """
        path = shard_files.join(shards, vocabulary.file)
        try:
            content = shard_files.read_bytes(path)
        except OSError as error:
            raise ConfigError(f"{path} is missing ({error.strerror or error}): run `weft pack` again") from None
        try:
            super().__init__(_loaded(content, vocabulary.file), vocabulary)
        except Exception as error:  # both libraries raise bare exceptions
            raise ConfigError(f"{path} is no tokenizer: {str(error).splitlines()[0]}") from None


def _loaded(content: bytes, name: str) -> Any:
    if name.endswith(".model"):
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=content)
    import tokenizers

    return tokenizers.Tokenizer.from_str(content.decode("utf-8"))
