"""Rules on a page's text: its length, and signs of gibberish. The first rule that fails is the reason.

Kosmos-1 (arXiv 2302.14045, B.1.3) uses "heuristics to identify and remove gibberish text containing emoji symbols,
hashtags, and URL links" and gives no thresholds: the defaults are weft's own. The default bounds on words are Gopher's
(arXiv 2112.11446, A1.1).
"""

from __future__ import annotations

import re

import numpy as np

from weft.schemas.parameters import TextRules

_EMOJI = re.compile("[\U0001f300-\U0001faff\U0001f000-\U0001f2ff\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23fa]")
_HASHTAG = re.compile(r"(?:^|\s)#\w{2,}")
_URL = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w.-])(?:[\w-]{1,63}\.){1,4}(?:com|net|org|info|biz|ru|cn|xyz)/\S*", re.IGNORECASE
)
_MAY_LINK = re.compile(r"://|www\.|\.(?:com|net|org|info|biz|ru|cn|xyz)/", re.IGNORECASE)  # in all that _URL finds
_RUN = re.compile(r"(\S)\1{4,}")
_LETTER = re.compile(r"[^\W\d_]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_OWN_MARKS = frozenset("|-")


def words(text: str) -> int:
    """Number of words. In scripts written without spaces two characters count as a word.

    >>> words("two words"), words("- two | words"), words("窓辺で寝ている猫")
    (2, 2, 5)
    """
    unspaced = len(_UNSPACED.findall(text))
    return len(_said(text)) + unspaced // 2


def _said(text: str) -> list[str]:
    """What stands between spaces in a text, without the marks of list items and between cells that weft writes."""
    return [word for word in text.split() if word not in _OWN_MARKS]


def judge(text: str, rules: TextRules) -> tuple[str, str]:
    """(reason, detail) of the first rule that a text fails, ("", "") for a text to keep.

    >>> judge("Buy now", TextRules())
    ('too_short', '2 words')
    >>> judge("so true #mood #vibes", TextRules(min_words=0))
    ('gibberish_hashtags', '0.500 a word')
    """
    count = words(text)
    if not rules.gopher_quality:  # which counts words in its own way
        if count < rules.min_words:
            return "too_short", f"{count} words"
        if rules.max_words and count > rules.max_words:
            return "too_long", f"{count} words"
    if rules.gibberish:
        return gibberish(text, count, rules)
    return "", ""


def _may_run(text: str) -> bool:
    """Whether a character stands five times in a row, which is asked of all of a text at once."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    same = codes[1:] == codes[:-1]
    return len(same) > 3 and bool((same[3:] & same[2:-1] & same[1:-2] & same[:-3]).any())


def gibberish(text: str, count: int, rules: TextRules) -> tuple[str, str]:
    """(reason, detail) of the first sign of gibberish in a text of `count` words, ("", "") where there is none."""
    total = max(count, 1)
    for reason, pattern, may, most in (
        ("gibberish_emoji", _EMOJI, not text.isascii(), rules.max_emoji_ratio),
        ("gibberish_hashtags", _HASHTAG, "#" in text, rules.max_hashtag_ratio),
        ("gibberish_links", _URL, _MAY_LINK.search(text) is not None, rules.max_url_ratio),
    ):
        share = sum(1 for _ in pattern.finditer(text)) / total if may else 0.0
        if share > most:
            return reason, f"{share:.3f} a word"
    longest = max((len(found.group(0)) for found in _RUN.finditer(text)), default=0) if _may_run(text) else 0
    if longest > rules.max_symbol_run:
        return "gibberish_run", f"{longest} times one character"
    if said := _said(text):
        share = sum(1 for word in said if word[0].isalpha() or _LETTER.search(word)) / len(said)
        if share < rules.min_alpha_words:
            return "gibberish_symbols", f"{share:.2f} of the words have a letter"
    return "", ""
