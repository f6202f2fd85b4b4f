"""Opt-outs for the report: how many things each signal took, and from which domains.

Fates quote the words that forbid a use; what stands before the quotation says where the words stood.

    fates/extract   pages and their images, by their own answers
    dedup/forbidden pages, by files of their sites
    fates/fetch     images, by their answers, their own bytes, or files of their sites
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from weft.pipeline.report.charts import text
from weft.pipeline.report.figures import tables
from weft.transforms.urls import site_host

MOST_DOMAINS = 10  # that are named for a signal
_DATED = re.compile(r"^(\S+) of (?:\S+|no date): ")


def gather(output: str) -> list[dict[str, Any]]:
    """Signals met in a run, the most frequent first: name, how many of each kind it took, the domains with most."""
    counts: dict[str, Counter[str]] = {}
    domains: dict[str, Counter[str]] = {}
    for kind, words, url in _met(output):
        name = signal(words)
        counts.setdefault(name, Counter())[kind] += 1
        domains.setdefault(name, Counter()).update([site_host(url)] if url else [])
    order = sorted(counts, key=lambda name: (-counts[name].total(), name))
    return [
        {
            "signal": name,
            "taken": dict(sorted(counts[name].items())),
            "domains": sorted(domains[name].items(), key=lambda item: (-item[1], item[0]))[:MOST_DOMAINS],
        }
        for name in order
    ]


def table(signals: list[dict[str, Any]]) -> str:
    """The signals as markup; "" where there are none."""
    if not signals:
        return ""
    rows = "".join(
        f'<tr><td>{text(one["signal"])}</td><td class="n">{one["taken"].get("page", 0):,}</td>'
        f'<td class="n">{one["taken"].get("image", 0):,}</td>'
        f"<td>{', '.join(f'{text(domain)} ({count:,})' for domain, count in one['domains'])}</td></tr>"
        for one in signals
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("signal", "pages", "images", "domains"))
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def signal(words: str) -> str:
    """Where the words of an opt-out stood.

    >>> signal("robots.txt of 2026-01-02: User-agent: GPTBot, Disallow: /"), signal("X-Robots-Tag: noai")
    ('robots.txt: AI agents', 'X-Robots-Tag')
    >>> signal("robots.txt: User-agent: GPTBot, Content-Usage: train-ai=n"), signal("meta robots: noai")
    ('robots.txt: Content-Usage', 'meta element')
    """
    words = _DATED.sub(r"\1: ", words)
    name, _, rest = words.partition(": ")
    if name == "robots.txt":
        found = re.search(r"\b(Content-Usage|Content-Signal): ", rest)
        return f"{name}: {found[1] if found else 'AI agents'}"
    if name.startswith("meta "):
        return "meta element"
    return name.split()[0]


def _met(output: str) -> Iterator[tuple[str, str, str]]:
    """(kind, words, address) of each thing that an opt-out took."""
    columns = ["kind", "reason", "detail", "url"]
    for found in tables(output, "fates/extract", columns):
        rows = found.filter(pc.field("reason") == "opt_out")
        yield from zip(*(rows[name].to_pylist() for name in ("kind", "detail", "url")), strict=True)
    for found in tables(output, "dedup/forbidden", ["words", "url"]):
        for words, url in zip(found["words"].to_pylist(), found["url"].to_pylist(), strict=True):
            yield "page", words, url
    for found in tables(output, "fates/fetch", ["kind", "key", "reason", "detail"]):
        rows = found.filter(pc.field("reason") == "opt_out")
        yield from zip(*(rows[name].to_pylist() for name in ("kind", "detail", "key")), strict=True)
