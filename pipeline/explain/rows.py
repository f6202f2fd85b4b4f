"""What explain and view both ask of tables: a document, the texts most like its pictures, what pack made of these."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from weft.pipeline.explain import find
from weft.schemas.records import Fate, Score


class Page(NamedTuple):
    """A row of documents/, as far as it is told."""

    doc_id: str
    url: str
    crawl_date: datetime.datetime | None
    warc_file: str
    language: str
    language_score: float
    title: str
    texts: list[str | None]
    images: list[str | None]
    image_meta: list[dict[str, str] | None]
    author: str = ""
    published: str = ""
    licence: str = ""
    publisher: str = ""
    quality: list[tuple[str, float]] | None = None


def best_texts(output: str, doc_id: str) -> dict[int, Score]:
    """Position of a picture → the score of the text of its document that is most like it."""
    best: dict[int, Score] = {}
    for score in find.rows(output, "scores", Score, kind="document", id=doc_id):
        if score.image_position not in best or score.similarity > best[score.image_position].similarity:
            best[score.image_position] = score
    return best


def image_fates(output: str, page: Page) -> dict[int, Fate]:
    """Position of a picture → what pack made of it."""
    keys = [f"{page.doc_id}:{at}" for at, url in enumerate(page.images) if url]
    fates = find.rows(output, "fates/pack", Fate, kind="image", key=keys)
    return {int(fate.key.partition(":")[2]): fate for fate in fates}


def pair_scores(output: str, ids: Iterable[str]) -> dict[str, float]:
    """pair_id → similarity, of those that were scored."""
    return {score.id: score.similarity for score in find.rows(output, "scores", Score, kind="pair", id=[*ids])}
