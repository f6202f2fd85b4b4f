"""What a finished shard holds of each site and of each language, counted from the shard itself.

Only KEY.json of a sample is read; of its images, the sizes. A packed text that runs over several sequences stands whole
where it begins, and each sequence with pictures has its own part, so sums over shards count all once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from courlan import extract_domain

from weft.schemas import shards
from weft.transforms.export import items
from weft.transforms.fetch.rate_limit import bare_host

SITE, LANGUAGE = "site", "language"


class Content(NamedTuple):
    """How much of something there is; sums are exact."""

    documents: int = 0  # interleaved and text
    pairs: int = 0
    images: int = 0  # stored pictures in samples, each time that one stands there
    text_bytes: int = 0  # UTF-8
    image_bytes: int = 0

    def plus(self, other: Content) -> Content:
        """Both together."""
        return Content(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def bytes(self) -> int:
        """Size of the content."""
        return self.text_bytes + self.image_bytes


def site(url: str) -> str:
    """The registered domain of an address, by the public suffix list; its host where there is none.

    >>> site("https://www.news.example.co.uk/x"), site("http://weft.test/x")
    ('example.co.uk', 'weft.test')
    """
    return extract_domain(url) or bare_host(url)


def count(path: str, corpus: str) -> dict[tuple[str, str], Content]:
    """(SITE or LANGUAGE, its name) → what a shard of a corpus holds of it.

    Raises:
        tarfile.TarError, KeyError, ValueError: it is no shard of weft's.
    """
    found: dict[tuple[str, str], Content] = {}
    for url, language, content in _parts(path, corpus):
        for key in ((SITE, site(url)), (LANGUAGE, language or "undecided")):
            found[key] = found.get(key, Content()).plus(content)
    return found


def _parts(path: str, corpus: str) -> Iterator[tuple[str, str, Content]]:
    """(address of the page, language, how much) of each document or pair, or of a sequence of one."""
    if corpus == shards.INSTRUCTIONS:  # not of the web: of files that the configuration names
        return
    for _, told, pictures in items.stored(path):
        sizes = [size for _, size in pictures]
        if corpus == "pairs":
            yield told["page_url"], told["language"], Content(0, 1, len(sizes), _size(told["text"]), sum(sizes))
        elif corpus == "interleaved":
            texts = sum(_size(text) for text in told["texts"] if text)
            first = int(told["chunk"] == 0)
            yield told["url"], told["language"], Content(first, 0, len(sizes), texts, sum(sizes))
        else:
            for entry in told["documents"]:
                if "text" in entry:  # else it goes on from the sequence before
                    first = int("passage" not in entry)  # else its document is one with pictures
                    yield entry["url"], entry["language"], Content(first, 0, 0, _size(entry["text"]), 0)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
