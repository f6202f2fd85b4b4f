"""C4's rule on bad words (tensorflow_datasets/text/c4_utils.py): a page that holds a listed word of its language goes.

lists by language ──► WordList ──► the word for which a page is dropped, or ""

C4 took https://github.com/LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words: a file a language,
named by it (`en`, `fr-CA-u-sd-caqc`), a word or phrase a line. A word counts where no letter, digit or `_` stands on
either side of it; in Chinese, Japanese and Thai, anywhere. The text is in lower case, the lists as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import language
from weft.transforms.io import files
from weft.transforms.io.loaded import loaded

_LANGUAGE = re.compile(r"([a-z]{2,3})(?:-[\w-]+)?(?:\.txt)?(?:\.gz)?")  # of a file's name
_UNSPACED = ("ja", "th", "zh")
# Parts of other words in scripts without spaces; with each of them a tenth of a language's pages would go (c4.py).
_ALLOWED = {"ja": frozenset(("sm", "グロ", "女の子")), "zh": frozenset("性")}
_WORDS = re.compile(r"\w+")


class WordList(NamedTuple):
    """What is looked for in pages of one language."""

    words: frozenset[str]  # each of letters, digits and _ alone
    phrases: tuple[str, ...]  # all others, sorted
    anywhere: bool  # inside of other words too

    def find(self, text: str) -> str:
        """The first word of the list, by its letters, that a text holds; "" for none."""
        low = text.lower()
        if self.anywhere:
            return min((one for one in (*self.words, *self.phrases) if one in low), default="")
        found = self.words.intersection(_WORDS.findall(low))
        found |= {one for one in self.phrases if one in low and re.search(rf"(?:\W|^){re.escape(one)}(?:\W|$)", low)}
        return min(found, default="")


def find(text: str, code: str, paths: Sequence[str]) -> str:
    """The bad word for which a page is dropped, "" for none.

    Args:
        text: of the page.
        code: of its language; where no list is in it, nothing is looked for.
        paths: lists, and directories of lists.

    Raises:
        ConfigError: as `load`.
    """
    found = load.held(tuple(paths)).get(code) if paths else None
    return found.find(text) if found else ""


def contents(paths: Sequence[str]) -> str:
    """A hash of what the lists say together, whatever their order."""
    told = sorted((code, sorted(one.words), one.phrases) for code, one in load(tuple(paths)).items())
    return hashlib.sha256(repr(told).encode()).hexdigest()


def unasked(rules: PageRules) -> list[str]:
    """Codes of lists that no page is asked of, as no text is found to be in their languages."""
    found = load(rules.bad_words)
    return sorted(found.keys() - language.known(rules.language_model)) if found else []  # else no model is loaded


@loaded(most=4)
def load(paths: tuple[str, ...]) -> dict[str, WordList]:
    """Language → its list; several of a language are one.

    Raises:
        ConfigError: one cannot be read or is empty, its name says no language, or a directory has none.
    """
    said: dict[str, set[str]] = {}
    for path in paths:
        inside = [one for one in files.below(path) if one == path or one.rpartition("/")[0] == path.rstrip("/")]
        named = [(one, code) for one in inside if (code := _language(one))]
        if not named:
            raise ConfigError(
                f"extract.bad_words: no list at {path}: its file is named by its language, as en or de.txt"
            )
        for one, code in named:
            said.setdefault(code, set()).update(_read(one))
    return {code: _list(code, words - _ALLOWED.get(code, set())) for code, words in said.items()}


def _language(path: str) -> str:
    found = _LANGUAGE.fullmatch(path.rpartition("/")[2])
    return language.short(found[1]) if found else ""


def _read(path: str) -> list[str]:
    try:
        words = files.read_list(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"extract.bad_words: cannot read {path}: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not words:
        raise ConfigError(f"extract.bad_words: {path} holds no word")
    return words


def _list(code: str, words: set[str]) -> WordList:
    plain = frozenset(one for one in words if _WORDS.fullmatch(one))
    return WordList(plain, tuple(sorted(words - plain)), code in _UNSPACED)
