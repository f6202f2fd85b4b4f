"""New shards out of a finished run, of what a condition holds for: nothing is parsed, fetched or asked for again.

    FINISHED + condition ──► ids of documents and pairs that it is false for ──► excluded from a run into TO

It is a removal into another directory (removal.py), and promises the same: the bytes are those of a run that never had
the others. So the twin of a duplicate that does not fit comes back if it fits itself. In a dedup index the finished run
stays what it was.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import weft.schemas.config as configuration
from weft.pipeline.run import decides, manifest, registry, removal, taken_out, where
from weft.pipeline.run.run import Run
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import PairKey, as_written
from weft.transforms.fetch.rate_limit import bare_host
from weft.transforms.io import files, parquet, state
from weft.transforms.score import needs

NAMES = (
    "url domain language language_score title words images date image_url text source similarity doc_id pair_id"
).split()


class _Document(NamedTuple):
    doc_id: str
    url: str
    crawl_date: int | None
    language: str
    language_score: float
    title: str
    texts: list[str | None]
    images: list[str | None]


class _Pair(NamedTuple):
    pair_id: str
    doc_id: str
    page_url: str
    image_url: str
    text: str
    source: str
    language: str
    language_score: float


class _Score(NamedTuple):
    kind: str
    id: str
    similarity: float


def is_begun(to: str) -> bool:
    """Whether a subset was begun here, be it killed before it said of which run."""
    return (state.read(files.join(to, removal.SOURCE)) or {}).keys() == {"made"}


def subset(
    output: str,
    to: str,
    condition: str,
    flags: Sequence[str] = (),
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Config:
    """Make the shards of what a condition holds for below `to`; called again, it goes on. Returns their configuration.

    Raises:
        ConfigError: the run is not finished, `to` holds another, or the condition means nothing.
    """
    fits, scored = where.parse(condition, NAMES), "similarity" in where.names(condition, NAMES)
    config, found, _ = removal.finished(output)
    against = decides.against(config, [one[0] for one in found], output)
    if scored and not needs.of(config.score, config.pack).pairs:
        raise ConfigError(f"no pair of {output} was scored: `weft run --set score.compare=always` does that first")
    config, mine = taken_out.into(to, output, config, _unfit(output, fits, scored))
    known = manifest.read_run(to)
    if known is not None and known["config"] != configuration.to_dict(config):
        raise ConfigError(f"{to} holds another run; name another --to")
    if known is None and manifest.is_run(to):
        raise ConfigError(f"{to} holds a run whose run.json is damaged or lost; name another --to")
    source, taken = files.join(to, removal.SOURCE), {"made": manifest.made(output, *removal.TAKEN)}
    if known is not None and (state.read(source) or taken) != taken:
        raise ConfigError(f"{to} holds a subset of {output} as it was before; name another --to")
    state.write(source, taken)
    for path in set(taken_out.there(to)) - mine.keys():  # of another condition, which was killed
        files.remove_tree(path)
    for path, text in mine.items():
        files.write_atomic(path, text)
    manifest.write_run(to, config, found, apart=against)
    Run(to, tuple(found), config, tuple(flags), quiet, say, finished=output, adds="never").go(registry.CORPUS)
    return config


def _unfit(output: str, fits: where.Condition, scored: bool = True) -> Iterator[str]:
    """Ids of documents, and keys of pairs, for which the condition is false; similarities are held where it asks."""
    for page in parquet.read_table(files.join(output, "documents"), _Document):
        if fits(_document(page)) is False:
            yield page.doc_id
    scores = parquet.read_table(files.join(output, "scores"), _Score) if scored else ()
    similarity = {row.id: as_written(row.similarity) for row in scores if row.kind == "pair"}
    for pair in parquet.read_table(files.join(output, "pairs"), _Pair):
        told = {"url": pair.page_url or None, "domain": bare_host(pair.page_url) or None}
        if fits(pair._asdict() | told | {"similarity": similarity.get(pair.pair_id)}) is False:
            yield str(PairKey(pair.doc_id, pair.pair_id))


def _document(page: _Document) -> dict[str, Any]:
    """What can be compared; one that only carries pairs (of a list, of WAT) has just what is said of it."""
    moment = datetime.datetime.fromtimestamp((page.crawl_date or 0) / 1e6, datetime.UTC)
    told = page._asdict() | {
        "domain": bare_host(page.url),
        "date": moment.date().isoformat() if page.crawl_date else None,
        "words": sum(len(text.split()) for text in page.texts if text),
        "images": sum(url is not None for url in page.images),
    }
    return told if page.texts else {name: value or None for name, value in told.items()}
