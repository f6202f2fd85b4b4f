"""How right a finished run on the demo web is: its tables and fates against the web's known truth.

`judge` reads `truth.jsonl` and what the stages wrote, and gives precision and recall of every page filter, of
deduplication, of image placement, of image validation and of caption pairs. A run's reasons are grouped into the
truth's categories by the tables below, the only place that knows both.

Precision: of those a filter took, the share it should have; recall: of those it should have taken, the share it took.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from weft.schemas.records import KEPT, Document, Fate, ImageRow, Pair, document_id
from weft.transforms.io import files, parquet
from weft.transforms.urls import image_key

Figures = dict[str, Any]

# Reasons of the stages → categories of the truth; a reason that is not listed is a category of its own.
PAGE_CATEGORIES = {
    "gibberish_emoji": "gibberish",
    "gibberish_hashtags": "gibberish",
    "gibberish_links": "gibberish",
    "gibberish_run": "gibberish",
    "gibberish_symbols": "gibberish",
}
IMAGE_CATEGORIES = {
    "too_small": "tiny",
    "min_side": "tiny",
    "single_colour": "single_colour",
    "opt_out": "opt_out",
    "svg": "svg",
    "not_an_image": "html",
    "http_error": "broken",
    "truncated": "truncated",
}
FILTERS = ("language", "gibberish", "too_short", "opt_out")
SPOILED = ("broken", "truncated", "tiny", "single_colour", "svg", "html", "opt_out")
_SPACES = re.compile(r"\s+")


@dataclasses.dataclass(frozen=True)
class _Run:
    """What a run left on disk, keyed for comparison."""

    documents: dict[str, Document]  # by doc_id
    captures: dict[str, dict[str, Any]]  # doc_id → line of truth, for every capture that the run met
    page_drops: dict[str, str]  # doc_id → reason
    document_drops: dict[str, str]
    image_status: dict[str, str]  # image key → "ok" or a reason, fetch's first, then pack's
    pairs: list[Pair]


def judge(output: str, directory: str) -> Figures:
    """Figures for the run in `output` on the web in `directory`: nested dicts of numbers."""
    with files.open_read(files.join(directory, "truth.jsonl")) as stream:
        truth = [line for line in map(json.loads, stream) if "kind" in line]
    run = _read(output, truth)
    return {
        "pages": _pages(run, truth),
        "filters": {name: _filter(run, name) for name in FILTERS},
        "dedup": _dedup(run),
        "placement": _placement(run),
        "images": _images(run, truth),
        "pairs": _pairs(run),
    }


def scores(found: Collection[Any], right: Collection[Any]) -> Figures:
    """Precision and recall of one set against another; 1 where there was nothing to find and nothing was found."""
    common = len(set(found) & set(right))
    return {"precision": _share(common, len(set(found))), "recall": _share(common, len(set(right)))}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def _read(output: str, truth: Sequence[dict[str, Any]]) -> _Run:
    documents = {row.doc_id: row for row in _rows(output, "documents", Document)}
    by_moment = {(line["url"], _moment(line["date"])): line for line in truth}
    captures = {}
    for doc_id, row in documents.items():
        line = by_moment.get((row.url, row.crawl_date))
        if line is not None:
            captures[doc_id] = line
    fates = list(_rows(output, "fates/extract", Fate))
    met = {row.key for row in fates if row.kind == "page"}
    for line in truth:
        for doc_id in _possible_ids(line):
            if doc_id in met:
                captures[doc_id] = line
    status = {image_key(row.image_url): row.status for row in _rows(output, "images/index", ImageRow)}
    for fate in _rows(output, "fates/pack", Fate):
        if fate.kind != "image" or fate.fate == KEPT or fate.reason not in IMAGE_CATEGORIES:
            continue
        doc_id, position = fate.key.rsplit(":", 1)
        url = documents[doc_id].images[int(position)] if doc_id in documents else None
        if url and status.get(image_key(url)) == "ok":
            status[image_key(url)] = fate.reason
    return _Run(
        documents=documents,
        captures=captures,
        page_drops={f.key: f.reason for f in fates if f.kind == "page" and f.fate != KEPT},
        document_drops={
            f.key: f.reason for f in _rows(output, "fates/dedup", Fate) if f.kind == "document" and f.fate != KEPT
        },
        image_status=status,
        pairs=list(_rows(output, "pairs", Pair)),
    )


_Row = TypeVar("_Row")


def _rows(output: str, table: str, record: type[_Row]) -> Iterator[_Row]:
    for path, _ in files.listing(files.join(output, table, "*.parquet")):
        yield from parquet.read(path, record)


def _moment(date: str) -> int:
    return int(datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()) * 1_000_000


def _possible_ids(line: dict[str, Any]) -> Iterator[str]:
    """The doc_id of a capture, whichever way its archive names records."""
    if line["record_id"]:
        bare = line["record_id"].strip("<>")
        yield from (document_id(name, "", "", 0) for name in (f"<{bare}>", bare, bare.removeprefix("urn:uuid:")))
    else:
        digits = "".join(c for c in line["date"] if c.isdigit())
        dates = (line["date"], digits, str(_moment(line["date"])))
        yield from (document_id("", line["url"], date, line["offset"]) for date in dates)


def _pages(run: _Run, truth: Sequence[dict[str, Any]]) -> Figures:
    """How many captures there are, how many the run met, and how well it told pages to keep from others."""
    meant = {doc_id for doc_id, line in run.captures.items() if line["expect"] == "kept"}
    whole = [line for line in truth if line["expect"] != "truncated"]
    return {"captures": len(whole), "met": _share(len(run.captures), len(whole)), **scores(set(run.documents), meant)}


def _filter(run: _Run, name: str) -> Figures:
    took = {key for key, reason in run.page_drops.items() if PAGE_CATEGORIES.get(reason, reason) == name}
    return scores(took, {doc_id for doc_id, line in run.captures.items() if line["expect"] == name})


def _dedup(run: _Run) -> Figures:
    """Duplicates dropped, in all and by how they were made, and the clusters in which the newest alone was kept."""
    clusters: dict[str, list[str]] = defaultdict(list)
    for doc_id in run.documents:
        line = run.captures.get(doc_id)
        if line is not None and "cluster" in line["dedup"]:
            clusters[line["dedup"]["cluster"]].append(doc_id)
    right: set[str] = set()
    well = 0
    for members in clusters.values():
        members.sort(key=lambda doc_id: run.documents[doc_id].crawl_date)
        right.update(members[:-1])
        well += [m for m in members if m not in run.document_drops] == members[-1:]
    took = set(run.document_drops)
    kinds = {how: {d for d in right if run.captures[d]["dedup"].get("how") == how} for how in ("url", "exact", "near")}
    recalls = {f"recall_{how}": _share(len(took & of), len(of)) for how, of in kinds.items()}
    return {**scores(took, right), **recalls, "right_one_kept": _share(well, len(clusters))}


def _placement(run: _Run) -> Figures:
    """Of the pages that were kept: their sentences and pictures, in order, and what came along from around them."""
    n: dict[str, int] = defaultdict(int)
    for doc_id, row in run.documents.items():
        line = run.captures.get(doc_id)
        if line is None or line["expect"] != "kept":
            continue
        _place(row, line, n)
    return {
        "documents": n["documents"],
        "sentence_recall": _share(n["sentences_found"], n["sentences"]),
        "boilerplate_intrusion": _share(n["boilerplate_found"], n["boilerplate"]),
        "image_precision": _share(n["images_found"], n["images_found"] + n["foreign_images"]),
        "image_recall": _share(n["images_found"], n["images"]),
        "image_repeats": _share(n["repeats"], n["images_found"]),
        "largest_chosen": _share(n["largest"], n["images_found"]),
        "order": _share(n["ordered"], n["documents"]),
        "neighbours": _share(n["neighbours"], n["images_found"]),
    }


def _place(row: Document, line: dict[str, Any], n: dict[str, int]) -> None:
    known = {image_key(url): i for i, image in enumerate(line["images"]) for url in (image["url"], *image["also"])}
    flow: list[str | int] = []  # the page's own sentences and the numbers of its pictures, as the document has them
    seen: list[int] = []
    for text, url in zip(row.texts, row.images, strict=True):
        if url is None:
            own = _sentences(text or "", line["main_text"])
            flow += [found for found in own if found not in flow]  # not a quotation
            continue
        number = known.get(image_key(url))
        if number is not None and line["images"][number]["expect"] == "svg":
            continue  # no bitmap: to leave it out at once is as right as to leave that to the fetcher
        if number is None:
            n["foreign_images"] += image_key(url) in map(image_key, line["boilerplate_images"])
            continue
        n["repeats"] += number in seen
        if number not in seen:
            n["largest"] += image_key(url) == image_key(line["images"][number]["url"])
            seen.append(number)
            flow.append(number)
    for at, item in enumerate(flow):
        if isinstance(item, int):
            before = next((text for text in reversed(flow[:at]) if isinstance(text, str)), "")
            after = next((text for text in flow[at:] if isinstance(text, str)), "")
            image = line["images"][item]
            n["neighbours"] += (before, after) == (_plain(image["after"]), _plain(image["before"]))
    whole = _plain("\n".join(text for text in row.texts if text))
    n["documents"] += 1
    n["sentences"] += len(line["main_text"])
    n["sentences_found"] += sum(_plain(text) in whole for text in line["main_text"])
    n["boilerplate"] += len(line["boilerplate"])
    n["boilerplate_found"] += sum(_plain(text) in whole for text in line["boilerplate"])
    n["images"] += sum(image["expect"] != "svg" for image in line["images"])
    n["images_found"] += len(seen)
    n["ordered"] += seen == sorted(seen)


def _sentences(text: str, wanted: Iterable[str]) -> list[str]:
    """Those of `wanted` that stand in `text`, in the order in which they stand there."""
    plain = _plain(text)
    found = {sentence: plain.find(sentence) for sentence in map(_plain, wanted)}
    return sorted((s for s, at in found.items() if at >= 0), key=lambda s: found[s])


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _images(run: _Run, truth: Sequence[dict[str, Any]]) -> Figures:
    """Every picture that the run wanted: was it kept or refused, and for the right reason?"""
    images = [image for line in truth for image in line["images"]]
    meant = {image_key(url): image["expect"] for image in images for url in (image["url"], *image["also"])}
    wanted = {key: status for key, status in run.image_status.items() if key in meant}
    kept = {key for key, status in wanted.items() if status == "ok"}
    figures: Figures = {"wanted": len(wanted), "kept": scores(kept, {key for key in wanted if meant[key] == "ok"})}
    for category in SPOILED:
        of = {key for key in wanted if meant[key] == category}
        if of:
            named = {key for key, status in wanted.items() if IMAGE_CATEGORIES.get(status, status) == category}
            figures[category] = {**scores(named, of), "refused": _share(len(of - kept), len(of))}
    return figures


def _pairs(run: _Run) -> Figures:
    """Captions of the pages' own pictures: those that should be pairs, and those that are but should not."""
    right: set[tuple[str, str, str]] = set()
    wrong: dict[str, set[tuple[str, str, str]]] = {"tagged": set(), "useless": set()}
    own: dict[tuple[str, str], str] = {}
    for doc_id in run.documents:
        line = run.captures.get(doc_id)
        for image in line["images"] if line is not None else ():
            key = image_key(image["url"])
            own |= {(doc_id, image_key(url)): key for url in (image["url"], *image["also"])}
            for pair in image["pairs"]:
                (right if pair["expect"] == "kept" else wrong[pair["expect"]]).add((doc_id, key, _plain(pair["text"])))
    found = {
        (row.doc_id, own[row.doc_id, image_key(row.image_url)], _plain(row.text))
        for row in run.pairs
        if (row.doc_id, image_key(row.image_url)) in own
    }
    return {
        "expected": len(right),
        **scores(found, right),
        "tagged_kept": _share(len(found & wrong["tagged"]), len(wrong["tagged"])) if wrong["tagged"] else 0.0,
        "useless_kept": _share(len(found & wrong["useless"]), len(wrong["useless"])) if wrong["useless"] else 0.0,
    }
