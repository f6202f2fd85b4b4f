"""Text → tokens and back, by a tokenizer that is loaded: the packer and the trainer read text alike.

Whatever the tokenizer, text can never become a special id: a page that spells `</s>` or `<image>` is cut inside the
spelling before it is encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from weft.schemas.shards import SPECIALS, Vocabulary


class Coder:
    """A tokenizer and the ids that no text may have."""

    def __init__(self, model: Any, vocabulary: Vocabulary) -> None:
        """Take a tokenizer as it was loaded.

        Args:
            model: a `tokenizers.Tokenizer`, or a `sentencepiece.SentencePieceProcessor` if its file ends with .model.
            vocabulary: its special ids, and the name of its file.
        """
        self.vocabulary = vocabulary
        self._pieces: Any = None
        self._json: Any = None
        if vocabulary.file.endswith(".model"):
            self._pieces, special = model, ["<s>", "</s>"]
        else:
            self._json = model
            special = [token.content for token in model.get_added_tokens_decoder().values() if token.special]
        v = vocabulary
        self._reserved = frozenset((v.bos, v.pad, v.eos, v.image, v.image_end))
        self._spellings = sorted({s for s in (*SPECIALS, *special) if len(s) > 1}, key=len, reverse=True)
        cuts = (f"(?<={re.escape(s[0])})(?={re.escape(s[1:])})" for s in self._spellings)
        self._spelled = re.compile("|".join(cuts))

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
