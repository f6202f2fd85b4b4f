"""The way of one page, document, image, pair or sample through the stages, in words.

A URL, an id, a key or the name of a sample → the rows that fates/ and the tables have of it → lines. Each drop is told
with its reason, what was measured, and the value of the configuration that decided.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import weft.schemas.config as configuration
from weft.pipeline.explain import find, reasons, rows, shard
from weft.pipeline.explain.rows import Page
from weft.pipeline.run import manifest
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, KEPT, Cluster, Fate, ImageRow, Pair, PairKey
from weft.transforms.io import files
from weft.transforms.io.work_units import unit_name
from weft.transforms.urls import image_key

_ID = "[0-9a-f]{32}"
_DOCUMENT = re.compile(_ID)
_PAIR_SAMPLE = re.compile(rf"({_ID})-({_ID})")
_PAIR = re.compile(rf"({_ID}):({_ID})")
_SAMPLE = re.compile(rf"({_ID})-\d+")
_PART = re.compile(rf"({_ID}):(\d+)(:\w+)?")
_SHOWN = 40  # images and pairs of a page that are told one by one


class _Address(NamedTuple):
    doc_id: str
    url: str


class _Uses(NamedTuple):
    doc_id: str
    images: list[str | None]
    image_keys: list[str | None]


def explain(output: str, thing: str, blocks: bool = False) -> list[str]:
    """Lines on a thing.

    Args:
        output: of a run, finished or not.
        thing: URL of a page or an image, doc_id, pair_id, doc_id:pair_id, doc_id:position, sha256 of an image,
            archive:offset, key of an instruction, or the key of a sample in a shard.
        blocks: show every block of the page, read again from its archive.

    Raises:
        ConfigError: the directory holds no run, or nothing of that name.
    """
    known = manifest.known_run(output)
    story = _Story(output, configuration.from_dict(known["config"]), blocks)
    lines = list(story.told(thing.strip()))
    if not lines:
        raise ConfigError(
            f"nothing in {output} is called {thing!r}: it was in none of the archives that were read, and is no sample "
            "that was made. A page goes by its whole address"
        )
    return lines


class _Story:
    def __init__(self, output: str, config: Config, blocks: bool) -> None:
        self._output, self._config, self._blocks = output, config, blocks

    def told(self, thing: str) -> Iterator[str]:
        if "://" in thing and not re.search(r":\d+(#\d+)?$", thing.split("://", 1)[1].partition("/")[2]):
            yield from self._pages(url=_spellings(thing))
            yield from self._images(image_url=image_key(thing))
        elif found := _PAIR_SAMPLE.fullmatch(thing):
            yield from self._pair(PairKey(found[2], found[1]))
        elif found := _PAIR.fullmatch(thing):
            yield from self._pair(PairKey(*found.groups()))
        elif found := _SAMPLE.fullmatch(thing):
            lines = list(self._pages(key=found[1]))
            yield from lines if any(line.endswith(f" key {thing}") for line in lines) else ()
        elif found := _PART.fullmatch(thing):
            yield from self._part(thing, found[1])
        elif re.fullmatch(r"text-(train|val)-\d{6}-\d+", thing):
            yield from self._text(thing)
        elif re.fullmatch("[0-9a-f]{64}", thing):
            yield from self._images(image_id=thing)
        elif _DOCUMENT.fullmatch(thing):
            yield from self._pages(key=thing)
            for row in self._rows("pairs", Pair, pair_id=thing):
                yield from self._pair(PairKey(row.doc_id, row.pair_id))
            for fate in self._rows("fates/pack", Fate, kind="instruction", key=thing):
                yield self._said("pack", fate)
                yield from (line for _, line in self._samples(fate.detail, thing)) if fate.fate == KEPT else ()
        else:
            yield from self._record(thing)

    def _rows(self, table: str, record: type[Any], name: str = "*", **wanted: str | Sequence[str]) -> list[Any]:
        return find.rows(self._output, table, record, name, **wanted)

    def _said(self, stage: str, fate: Fate) -> str:
        """One fate in words, with what was measured and the thresholds that decided."""
        if fate.fate == KEPT:
            return f"{stage:8} {fate.kind} kept" + (f" ({fate.detail})" if fate.detail else "")
        why, keys = reasons.meaning(stage, fate.kind, fate.reason) or ("", ())
        measured = f"; {fate.detail}" if fate.detail and fate.detail != fate.url else ""
        rules = "".join(f"; {key} = {self._value(key)}" for key in keys)
        return f"{stage:8} {fate.kind} dropped, {fate.reason}: {why or 'see docs/fates.md'}{measured}{rules}"

    def _value(self, key: str) -> str:
        return reasons.value(self._config, key)

    # pages

    def _pages(self, **wanted: str | Sequence[str]) -> Iterator[str]:
        for fate in self._rows("fates/extract", Fate, "*.pages", **wanted):
            yield from self._page(fate)
        if "key" in wanted:  # the same record again has a key of its own
            for fate in self._rows("fates/dedup", Fate, kind="document", key=wanted["key"]):
                if fate.reason == "duplicate_record":
                    yield self._said("dedup", fate)

    def _page(self, fate: Fate) -> Iterator[str]:
        yield f"page     {fate.url}"
        yield f"archive  {_place(fate.place)}; doc_id {fate.key}"
        yield self._said("extract", fate)
        archive = fate.place.rpartition(":")[0]
        parts = self._rows("fates/extract", Fate, f"{unit_name(archive)}.parts", place=fate.place)
        parts = [part for part in parts if part.key.startswith(f"{fate.key}:")]
        for kind in ("image", "pair"):
            mine = [part for part in parts if part.kind == kind]
            if mine:
                lost = Counter(part.reason for part in mine if part.fate == DROPPED)
                told = "".join(f", {n} {reason}" for reason, n in lost.most_common())
                yield f"{'':8} {kind}s on the page: {len(mine)}, kept {len(mine) - lost.total()}{told}"
        if self._blocks:
            yield from self._shown(fate)
        if fate.fate != KEPT:
            return
        found = self._rows("documents", Page, unit_name(archive), doc_id=fate.key)
        for document in found[:1]:
            words = sum(len(text.split()) for text in document.texts if text)
            rules = self._config.extract
            yield (f"{'':8} {words:,} words (extract.min_words = {rules.min_words}); “{document.title}”")
            limits = f"extract.languages = {self._value('extract.languages')}, {rules.min_language_score} or surer"
            yield f"{'':8} language {document.language or 'undecided'} {document.language_score:.2f} ({limits})"
            for name, score in document.quality or ():
                yield f"{'':8} quality {name} {score}"
            yield from self._document(document)

    def _shown(self, fate: Fate) -> Iterator[str]:
        from weft.pipeline import one_page  # half of a start-up, for this alone
        from weft.transforms.archives.read import read_captures

        if fate.reason == "opt_out":
            yield f"{'':8} it asked not to be used: its blocks are not shown"
            return
        archive, _, offset = fate.place.rpartition(":")
        try:
            record = next((record for _, record in read_captures(archive, [int(offset)])), None)
        except (OSError, ValueError) as error:
            yield f"{'':8} its archive cannot be read any more: {error}"
            return
        if record is None:
            yield f"{'':8} no record of {archive} can be shown there"
        else:
            yield f"{'':8} + is content, - is not; the number is how sure that is"
            yield from (f"{'':8} {line}" for line in one_page.blocks(record.body, record.url))

    def _document(self, document: Page) -> Iterator[str]:
        doc_id = document.doc_id
        kept = True
        for fate in self._rows("fates/dedup", Fate, kind="document", key=doc_id):
            yield self._said("dedup", fate)
            kept = fate.fate == KEPT
            if _is_twin(fate):
                yield from self._twin(fate.detail)
        for row in self._rows("clusters", Cluster, doc_id=doc_id):
            what = (
                "it is the one that stays" if row.kept_id == doc_id else f"{row.similarity:.2f} like the one that stays"
            )
            yield f"{'':8} cluster {row.cluster_id} of {row.cluster_size} ({row.how}): {what}"
        if not kept:
            return
        yield from self._packed(document)
        pairs = self._rows("pairs", Pair, unit_name(document.warc_file), doc_id=doc_id)
        yield from self._pair_fates(pairs[:_SHOWN])
        if len(pairs) > _SHOWN:
            yield f"{'':8} … and {len(pairs) - _SHOWN} more pairs"

    def _twin(self, doc_id: str) -> Iterator[str]:
        for row in self._rows("documents", _Address, doc_id=doc_id)[:1]:
            yield f"{'':8} the one that stays: {row.url}"

    def _packed(self, document: Page) -> Iterator[str]:
        """Images of a document with their similarities, and where it ended."""
        doc_id = document.doc_id
        best, fates = rows.best_texts(self._output, doc_id), rows.image_fates(self._output, document)
        for n in [n for n, url in enumerate(document.images) if url][:_SHOWN]:
            near = f"; best text {best[n].text_position}, similarity {best[n].similarity:.3f}" if n in best else ""
            told = fates.get(n)
            if told is not None:
                detail = told._replace(detail="" if told.detail == document.images[n] else told.detail)
                yield f"{self._said('pack', detail)} — at position {n}: {document.images[n]}{near}"
            else:
                yield f"{'score':8} image at position {n}: {document.images[n]}{near or '; not compared'}"
        for fate in self._rows("fates/pack", Fate, kind="document", key=doc_id):
            yield self._said("pack", fate._replace(detail="" if fate.fate == KEPT else fate.detail))
            if fate.fate == KEPT and fate.detail:
                of_text = fate.detail.startswith("text/")  # there a sample is a sequence of several documents
                found = self._samples(fate.detail, "" if of_text else f"{doc_id}-", doc_id if of_text else "")
                yield from (line for _, line in found)
                if not of_text:  # its passages without pictures lie in the shard of the same number there
                    aside = self._samples(fate.detail.replace("interleaved/", "text/", 1), "", doc_id)
                    yield from (line for key, line in aside if key)

    def _samples(self, name: str, begins: str | tuple[str, ...], holds: str = "") -> Iterator[tuple[str, str]]:
        """(key, line) of each sample of a shard; "" for a key where there is no such shard."""
        if not files.exists(files.join(self._output, "shards", name)):
            yield "", f"{'shard':8} shards/{name}, which is not there"
            return
        for place in shard.samples(self._output, name, begins, holds):
            yield place.key, f"{'shard':8} shards/{name}, sample {place.number}, key {place.key}"

    # pairs, images, records, samples

    def _pair(self, key: PairKey) -> Iterator[str]:
        for pair in self._rows("pairs", Pair, pair_id=key.pair_id, doc_id=key.doc_id)[:1]:
            yield f"pair     {pair.image_url}"
            yield f"{'':8} on {pair.page_url} (doc_id {pair.doc_id})"
            yield from self._pair_fates([pair])

    def _pair_fates(self, pairs: Sequence[Pair]) -> Iterator[str]:
        """The way of each pair; a table is read once for all of them."""
        keys = {str(PairKey(pair.doc_id, pair.pair_id)): pair for pair in pairs}
        stages = ("dedup", "score", "pack")
        fates = {stage: self._by_key(f"fates/{stage}", sorted(keys)) for stage in stages}
        scores = rows.pair_scores(self._output, {pair.pair_id for pair in pairs})
        twins = {fate.detail for fate in fates["dedup"].values() if _is_twin(fate)}
        urls = {row.doc_id: row.url for row in self._rows("documents", _Address, doc_id=sorted(twins))}
        packed = {fate.detail for fate in fates["pack"].values() if fate.fate == KEPT}
        begins = tuple(f"{pair.pair_id}-{pair.doc_id}" for pair in pairs)
        samples = {name: list(self._samples(name, begins)) for name in sorted(packed)}
        for key, pair in keys.items():
            yield f"{'pair':8} “{pair.text}” ({pair.source}, {pair.language} {pair.language_score:.2f}), {key}"
            for stage in stages:
                fate = fates[stage].get(key)
                if fate is None:
                    continue
                if stage == "score" and fate.fate == KEPT and pair.pair_id in scores:
                    least = self._value("pack.pair_min_similarity")
                    told = f"similarity {scores[pair.pair_id]:.3f}; pack.pair_min_similarity = {least}"
                    fate = fate._replace(detail=told)
                place = fate.detail if stage == "pack" and fate.fate == KEPT else ""
                yield self._said(stage, fate._replace(detail="") if place else fate)
                named = f"{pair.pair_id}-{pair.doc_id}"
                yield from (line for key, line in samples.get(place, ()) if key in ("", named))
                if fate.detail in urls:
                    yield f"{'':8} the one that stays: {urls[fate.detail]}"

    def _by_key(self, table: str, keys: Sequence[str]) -> dict[str, Fate]:
        return {fate.key: fate for fate in self._rows(table, Fate, kind="pair", key=keys)}

    def _images(self, **wanted: str) -> Iterator[str]:
        for row in self._rows("images/index", ImageRow, **wanted):
            key = row.image_url
            yield f"image    {key}"
            for fate in self._rows("fates/fetch", Fate, kind="image", key=key):
                http = f"HTTP {row.http_status}" if row.http_status else ""
                told = f"{row.mime} {row.width}x{row.height} from {row.origin}" if row.status == "ok" else ""
                detail = told or fate.detail or http
                yield self._said("fetch", fate._replace(detail=detail))
            if row.status == "ok":
                yield f"{'':8} sha256 {row.image_id}, phash {row.phash}, {row.blob} at {row.offset:,}"
            if row.final_url and row.final_url != key:
                yield f"{'':8} {'taken from' if row.origin == 'warc' else 'redirected to'} {row.final_url}"
            for fate in self._rows("fates/score", Fate, kind="image", key=key):
                yield self._said("score", fate)
            yield from self._uses(key)

    def _uses(self, key: str) -> Iterator[str]:
        yield from self._pair_fates(self._rows("pairs", Pair, image_url=[*_spellings(key), key])[:_SHOWN])
        places = {
            f"{row.doc_id}:{n}": row.images[n] or ""
            for row in self._rows("documents", _Uses, image_keys=key)
            for n, one in enumerate(row.image_keys)
            if one == key
        }
        keys = sorted(places, key=_in_reading_order)[:_SHOWN]
        fates = self._rows("fates/pack", Fate, kind="image", key=keys)
        for fate in sorted(fates, key=lambda fate: _in_reading_order(fate.key)):
            doc_id, _, n = fate.key.partition(":")
            detail = "" if fate.detail == places[fate.key] else fate.detail
            yield f"{self._said('pack', fate._replace(detail=detail))} — in document {doc_id} at {n}"
        if len(places) > len(keys):
            yield f"{'':8} … and in {len(places) - len(keys):,} more places"

    def _part(self, key: str, doc_id: str) -> Iterator[str]:
        """An image or pair by its key in fates/extract, or an image by its position in fates/pack."""
        for fate in self._rows("fates/extract", Fate, "*.parts", key=key):
            yield f"{fate.kind:8} {fate.url}"
            yield f"archive  {_place(fate.place)}"
            yield self._said("extract", fate)
        for fate in self._rows("fates/pack", Fate, kind="image", key=key):
            yield f"{self._said('pack', fate)} — at position {key.partition(':')[2]} of document {doc_id}"

    def _record(self, place: str) -> Iterator[str]:
        for fate in self._rows("fates/extract", Fate, "*.records", key=place):
            yield f"record   {fate.url}"
            yield self._said("extract", fate)
        if re.search(r":\d+$", place):
            for fate in self._rows("fates/extract", Fate, "*.pages", place=place):
                yield from self._page(fate)

    def _text(self, key: str) -> Iterator[str]:
        """A packed sequence of text/: its documents."""
        name = f"text/{'/'.join(key.split('-')[1:3])}.tar"
        if not files.exists(files.join(self._output, "shards", name)):
            return
        for place in shard.samples(self._output, name, key):
            if place.key != key:  # of -10, -11, … it is the beginning
                continue
            yield f"shard    shards/{place.shard}, sample {place.number}, key {key}"
            for one in place.meta["documents"]:
                yield f"{'':8} tokens {one['span'][0]} to {one['span'][1]}: {one['url']} (doc_id {one['doc_id']})"


def _in_reading_order(key: str) -> tuple[str, int]:
    """Of an image by its document and position."""
    doc_id, _, position = key.partition(":")
    return doc_id, int(position)


def _is_twin(fate: Fate) -> bool:
    """Whether the detail names the one that stays."""
    return fate.fate == DROPPED and _DOCUMENT.fullmatch(fate.detail) is not None


def _place(place: str) -> str:
    archive, _, offset = place.rpartition(":")
    return f"{archive}, offset {int(offset):,}" if offset.isdecimal() else place


def _spellings(url: str) -> list[str]:
    """The same address with the other scheme, and with and without a slash at its end."""
    rest = url.partition("://")[2]
    other = rest.rstrip("/") if rest.endswith("/") else f"{rest}/"
    return [f"{scheme}://{end}" for scheme in ("http", "https") for end in (rest, other)]
