"""The two papers in words: a dataset card for Hugging Face, and the public summary that the EU's AI Act asks for.

The summary follows the AI Office's template for Article 53(1)(d) of Regulation (EU) 2024/1689 (C(2025) 8311), part by
part. It is of the model's provider, who trains on more than this: what a run cannot know is left to be filled in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.card.facts import Facts, small
from weft.schemas import shards
from weft.schemas.shards import by_corpus
from weft.transforms.export.contents import Content
from weft.transforms.io import files

DATASET_CARD, SUMMARY = "README.md", "public-summary.md"
OPEN = "*to be filled in by the provider*"
# The template's ranges.
_TOKENS = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))
_IMAGES = ((10**6, "less than 1 million images"), (10**9, "1 million to 1 billion images"))
_SIZES = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B"]
_SIZES += ["10B<n<100B", "100B<n<1T", "n>1T"]  # the hub's names
_ASKED_OUT = ("opt_out", "robots")  # beginnings of reasons that mean that somebody objects
_TAKEN = ("excluded", "personal_data", "unsafe", "licence")


def description(facts: Facts) -> str:
    """What the corpus is, in a paragraph."""
    total = facts.total
    when = f" captured from {facts.period[0]} to {facts.period[1]}" if facts.period else ""
    asked = by_corpus(facts.infos)[shards.INSTRUCTIONS]["samples"]
    beside = f"; beside them {_many(asked, 'instruction')} that come from elsewhere" if asked else ""
    return (
        f"{_many(total.documents, 'document')} and {_many(total.pairs, 'pair')} of image and text with "
        f"{_many(total.images, 'image')}, out "
        f"of web pages{when}, from {_many(facts.sites, 'site')}{beside}. "
        f"Made by weft {facts.versions.get('weft', '')} with recipe {facts.config.recipe}."
    )


def dataset_card(facts: Facts) -> str:
    """README.md of a data set on the Hugging Face hub."""
    samples = sum(info.samples for info in facts.infos)
    made = by_corpus(facts.infos)
    held = [corpus for corpus in shards.corpora_of(facts.infos) if made[corpus]["samples"]]
    size = _SIZES[min(max(len(str(samples)) - 3, 0), len(_SIZES) - 1)]
    head: dict[str, Any] = {
        "pretty_name": facts.said.name,
        "license": facts.said.licence or "other",
        "language": [code for code, _ in facts.languages if code != "undecided"],
        "size_categories": [size],
        "task_categories": ["image-text-to-text", "text-generation"],
        "tags": [
            "webdataset",
            "multimodal",
            *(["common-crawl"] if any("CC-MAIN" in path for path in facts.inputs) else []),
        ],
        "configs": [
            {
                "config_name": corpus,
                "data_files": [
                    {"split": "validation" if split == "val" else split, "path": f"shards/{corpus}/{split}/*.tar"}
                    for split in shards.SPLITS
                ],
            }
            for corpus in held
        ],
    }
    rows = [[name, *(f"{made[name][key]:,}" for key in ("samples", "tokens", "images", "bytes"))] for name in held]
    said = [
        "---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()), "---", "",
        f"# {facts.said.name}", "", description(facts), "",
        "## What there is", "",
        *_table(("corpus", "samples", "tokens", "images", "bytes"), rows), "",
        "A sample is one training sequence with its images beside it, in webdataset tars. `KEY.json` names the page,",
        "the archive and the record that it comes from.", "",
        "## Languages", "", *_contents(facts.languages[:20], "language"), "",
        "## Largest sites", "", *_contents(facts.top[:20], "site"), "",
        f"Of {facts.sites:,}; all are in `contents/`.", "",
        "## How it was made", "",
        *_funnel(facts), "",
        "The whole configuration, from which the same bytes can be made again:", "",
        "```json", json.dumps(configuration.to_dict(facts.config), indent=1, ensure_ascii=False), "```", "",
        "## Consent, persons, licences", "",
        *_respect(facts), "",
        "Pages and pictures belong to their authors; the licence above is of the collection. Each sample names its",
        "page, so that a work can be found and taken out (`weft remove`).", "",
    ]  # fmt: skip
    return "\n".join(said)


def summary(facts: Facts) -> str:
    """The public summary of training content, in so far as it concerns this corpus."""
    tokens, images = sum(info.tokens for info in facts.infos), facts.total.images
    spoken = ", ".join(code for code, _ in facts.languages[:20])
    kinds = "text and images" if images else "text"
    said = [
        "# Public summary of training content", "",
        "After the template for Article 53(1)(d) of Regulation (EU) 2024/1689. It covers one corpus; a provider who",
        "trains on more adds the rest.", "",
        "## 1. General information", "",
        "### 1.1 Provider", "", *_said({"Name and contact": facts.said.creator, "Authorised representative": ""}), "",
        "### 1.2 Model", "", *_said({"Versioned name": "", "Models it builds on": "", "Placed on the market": ""}), "",
        "### 1.3 Modalities, size and other characteristics", "",
        *_table(
            ("modality", "size", "counted"),
            [
                ["text", _range(tokens, _TOKENS, "more than 10 trillion tokens"), f"{tokens:,} tokens"],
                ["image", _range(images, _IMAGES, "more than 1 billion images"), f"{images:,} images"],
            ],
        ), "",
        *_said(
            {
                "Types of content": f"web pages as interleaved {kinds}, and captions of pictures",
                "Latest date of acquisition": facts.period[1] if facts.period else "",
                "Linguistic characteristics": f"{_many(len(facts.languages), 'language')}: {spoken}",
            }
        ), "",
        "## 2. Data sources", "",
        "### 2.1 Publicly available data sets", "",
        f"The pages were read from {_many(len(facts.inputs), 'file')} of web archives:", "",
        *_items([f"`{_public(name)}`" for name in facts.inputs[:20]], len(facts.inputs)), "",
        "### 2.2 Private data sets of third parties", "", OPEN, "",
        "### 2.3 Data crawled and scraped from online sources", "",
        *_said(
            {
                "Crawlers": "that of the archives above"
                + (f"; for images `{facts.config.fetch.user_agent}`" if facts.config.fetch.http else ""),
                "Behaviour": _behaviour(facts),
                "Period of collection": " to ".join(facts.period) if facts.period else "",
                "Kind of content": f"{kinds} of {_many(facts.sites, 'site')}",
            }
        ), "",
        f"{_many(len(facts.top), 'site')} (a tenth of all) with most content by bytes of text and images. A small or",
        f"medium enterprise names the first {len(small(facts)):,}.", "",
        *_contents(facts.top, "site"), "",
        "### 2.4 User data", "", OPEN, "",
        "### 2.5 Synthetic data", "", OPEN, "",
        "### 2.6 Other sources", "", OPEN, "",
        "## 3. Data processing", "",
        "### 3.1 Reservations of rights from text and data mining", "", *_respect(facts), "",
        "### 3.2 Removal of illegal content", "", *_removed(facts), "",
        "### 3.3 Other", "", *_funnel(facts), "",
    ]  # fmt: skip
    return "\n".join(said)


def _respect(facts: Facts) -> list[str]:
    """What was read of what sites and files say against their use, and what it took."""
    extract, fetch = facts.config.extract, facts.config.fetch
    read = f"of pages: {', '.join(extract.opt_out) or 'none'}; of images: {', '.join(fetch.opt_out) or 'none'}"
    off = [name for name, section in (("pages", extract), ("images", fetch)) if not section.honour_opt_out]
    lines = [
        f"- Signals that were read, {read}." if not off else f"- What {' and '.join(off)} say is **not** honoured.",
        {
            "off": "- Personal data was not looked for.",
            "mask": f"- Personal data was masked: {', '.join(extract.pii_kinds)}.",
            "drop": f"- Pages with personal data were dropped: {', '.join(extract.pii_kinds)}.",
        }[extract.pii],
        f"- Pages were kept by the licence that they state: {', '.join(extract.licences)}."
        if extract.licences
        else "- Pages were not chosen by licence.",
    ]
    return lines + [f"- {line}" for line in _dropped(facts, _ASKED_OUT)]


def _removed(facts: Facts) -> list[str]:
    lists = len(facts.config.exclude)
    lines = [f"- Lists of what to leave out: {lists:,}."]
    if facts.config.pack.max_unsafe < 1:
        lines.append(f"- Images above {facts.config.pack.max_unsafe} by the detector of unsafe pictures were dropped.")
    return lines + [f"- {line}" for line in _dropped(facts, _TAKEN)]


def _behaviour(facts: Facts) -> str:
    if not facts.config.fetch.http:
        return "no request was made: pages and images are those of the archives"
    robots = "is kept to" if facts.config.fetch.robots else "is not read"
    return f"for images robots.txt {robots}, a host is asked at most every {facts.config.fetch.interval_s:g} s"


def _dropped(facts: Facts, beginnings: tuple[str, ...]) -> list[str]:
    """A line for each reason that begins so: how many of what it took, in which stage."""
    return [
        f"{count:,} {kind}s dropped by {stage} as `{reason}`."
        for stage, books in facts.books.items()
        for kind, account in sorted(books.items())
        for reason, count in sorted(account["dropped"].items())
        if reason.removeprefix("image_").startswith(beginnings)
    ]


def _funnel(facts: Facts) -> list[str]:
    rows = [
        [stage, kind, f"{account['entered']:,}", f"{account['kept']:,}"]
        for stage, books in facts.books.items()
        for kind, account in sorted(books.items())
    ]
    return _table(("stage", "of", "entered", "kept"), rows)


def _contents(rows: Iterable[tuple[str, Content]], what: str) -> list[str]:
    head = (what, "documents", "pairs", "images", "bytes of text", "bytes of images")
    return _table(head, [[name, *(f"{value:,}" for value in content)] for name, content in rows])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _said(what: dict[str, str]) -> list[str]:
    return [f"- {name}: {value or OPEN}" for name, value in what.items()]


def _items(lines: Sequence[str], count: int) -> list[str]:
    more = [f"- … and {count - len(lines):,} more"] if count > len(lines) else []
    return [*(f"- {line}" for line in lines), *more]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _public(name: str) -> str:
    """An archive's name, without where it lay on somebody's disk."""
    return name.rpartition("/")[2] if files.is_local(name) else name


def _range(value: int, ranges: Sequence[tuple[int, str]], above: str) -> str:
    return next((name for most, name in ranges if value < most), above)
