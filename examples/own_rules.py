"""Filters for weft's own commands: each takes a row and gives the reason to drop it, or None. See docs/filters.md.

weft run --input 'crawl/*.warc.gz' --output out --set 'extract.filters=["own_rules:judge"]' \
    --set 'extract.pair_filters=["own_rules:judge_pair"]'
"""

import re

import weft

_OFFER = re.compile(r"\b(add to cart|buy now|free shipping)\b", re.IGNORECASE)
MOST_OFFERS = 3


def judge(document: weft.Document) -> str | None:
    """Pages of shops go."""
    offers = sum(len(_OFFER.findall(text)) for text in document.texts if text)
    return "shop" if offers > MOST_OFFERS else None


def judge_pair(pair: weft.Pair) -> str | None:
    """Captions that say who took a picture, and not what is on it, go."""
    return "credit" if pair.text.lower().startswith(("photo by ", "photo: ")) else None
