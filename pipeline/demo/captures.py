"""Which pages the demo's crawl met: originals of every kind, copies of some, and when each was captured.

A number of pages → captures. Copies are near-duplicates (a few words changed, on another site), exact duplicates
(elsewhere, word for word) and the same URL on another day; of each cluster the newest is the one to keep. Some
news quote a paragraph of earlier news, which does not make them duplicates.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from weft.pipeline.demo.pages import HOSTS, Author, Made, own_text
from weft.pipeline.demo.prose import Dice
from weft.pipeline.demo.templates import Block, Page

# Of 600 page captures, how many are of each kind; other totals are in proportion, with at least one of each.
ORIGINALS = {"news": 124, "gallery": 50, "forum": 45, "product": 65, "docs": 35, "blog": 50, "text": 60}
FILTERED = {"language": 36, "gibberish": 25, "too_short": 15, "opt_out": 20}
COPIES = {"near": 36, "exact": 18, "url": 20}
CUT_OFF = 1
LEAST = CUT_OFF + len({**ORIGINALS, **FILTERED, **COPIES}) + 1  # captures: one of each kind, and a second of news

_COPY_WORDS = 190  # a near-duplicate is made of pages with at least so many words, so that one word is under a tenth
_CHANGES = ("other", "former", "certain", "second", "so-called", "famous", "nearby", "same")
_WORDS_PER_CHANGE = 130  # a change costs five of the 5-grams on each side: Jaccard stays above 0.9


@dataclasses.dataclass
class Capture:
    """A page as the crawler got it."""

    made: Made
    url: str
    date: str
    how: str = ""  # near, exact or url where it is a copy
    cluster: str = ""  # URL of the original where it is one of several


def counts(pages: int) -> dict[str, int]:
    """Captures of each kind: in proportion, at least one each; `news` takes what is left over.

    Raises:
        ValueError: fewer pages than a web of all kinds needs.
    """
    shares = {**ORIGINALS, **FILTERED, **COPIES}
    whole = sum(shares.values())
    made = {kind: max(1, (pages - CUT_OFF) * share // whole) for kind, share in shares.items()}
    made["news"] += pages - CUT_OFF - sum(made.values())
    if pages < LEAST:
        raise ValueError(f"a demo web needs at least {LEAST} pages, not {pages}")
    return made


def plan(pages: int, salt: str, questions: int = 0) -> tuple[list[Capture], Capture]:
    """Every page capture, with so many pages of lessons besides; and the one that is cut off."""
    author = Author(salt)
    number = counts(pages)
    captures = [
        Capture(author.page(kind, index, date), "", date)
        for kind in (*ORIGINALS, *FILTERED)
        for index in range(number[kind])
        for date in (moment(f"{salt} {kind} {index}"),)
    ]
    for capture in captures:
        capture.url = capture.made.page.url
    originals = [c for c in captures if c.made.expect == "kept"]
    _quote_each_other(originals, salt)
    long = [
        c for c in originals if sum(len(t.split()) for t in own_text(c.made.page) if isinstance(t, str)) >= _COPY_WORDS
    ]
    chosen = Dice(f"{salt} copied").sample(long, len(long))
    for how in COPIES:
        for index in range(number[how]):
            if index % 4 == 3 and captures[-1].how == how:  # now and then a third one in a cluster
                original = next(c for c in originals if c.url == captures[-1].cluster)
            else:
                original = chosen.pop()
            captures.append(_copy(original, how, f"{salt} {how} {index}"))
            original.cluster = original.url
    lost = author.page("news", 10**6, moment(f"{salt} lost"))
    for index in range(questions):  # last, so that all other pages are what they are without
        date = moment(f"{salt} quiz {index}")
        made = author.page("quiz", index, date)
        captures.append(Capture(made, made.page.url, date))
    return captures, Capture(dataclasses.replace(lost, expect="truncated"), lost.page.url, moment(f"{salt} lost"))


def _quote_each_other(originals: list[Capture], salt: str) -> None:
    """Some news take over a paragraph of earlier news: alike in part, and yet no duplicates."""
    news = [c for c in originals if c.made.page.kind == "news"]
    for index in range(6, len(news), 12):
        page, earlier = news[index].made.page, news[index - 5].made.page
        taken = next(b for b in earlier.blocks if b.kind == "p" and len(b.texts) >= 2)
        blocks = (*page.blocks, Block("p", taken.texts[:3]))
        news[index].made = dataclasses.replace(news[index].made, page=dataclasses.replace(page, blocks=blocks))


def _copy(original: Capture, how: str, seed: str) -> Capture:
    """A copy of a page: with a few words changed, word for word elsewhere, or the same URL on another day."""
    dice = Dice(f"copy {seed}")
    page = original.made.page
    days = dice.number(3, 60)
    date = shift(original.date, days if dice.chance(0.5) else -days, dice.number(0, 86_399))
    if how == "url":
        mark = "&" if "?" in page.url else "?"
        shapes = (
            page.url,
            page.url.replace("https://", "http://"),
            f"{page.url}{mark}utm_source=letter",
            page.url.replace("://", "://www."),
        )
        url = dice.pick(shapes)
        changed = perturb(page, seed) if dice.chance(0.5) else page
    else:
        url = mirror_url(page, seed)
        changed = perturb(page, seed) if how == "near" else page
    made = dataclasses.replace(original.made, page=changed, headers={})
    return Capture(made, url, date, how, original.url)


def as_captured(capture: Capture) -> Page:
    """The page under the URL of the capture: a copy elsewhere stands in another frame and names pictures in full."""
    page = capture.made.page
    if capture.url == page.url:
        return page
    blocks = tuple(
        dataclasses.replace(b, shown=dataclasses.replace(b.shown, src=b.shown.url)) if b.shown is not None else b
        for b in page.blocks
    )
    return dataclasses.replace(page, url=capture.url, blocks=blocks)


def perturb(page: Page, seed: str) -> Page:
    """The page with a few words changed: one of every _WORDS_PER_CHANGE words of its own text."""
    dice = Dice(f"perturb {seed}")
    places = [
        (i, j) for i, block in enumerate(page.blocks) if block.kind in ("p", "list") for j in range(len(block.texts))
    ]
    words = sum(len(page.blocks[i].texts[j].split()) for i, j in places)
    blocks = list(page.blocks)
    for i, j in dice.sample(places, max(1, words // _WORDS_PER_CHANGE)):
        texts = list(blocks[i].texts)
        split = texts[j].split(" ")
        at = dice.number(1, max(1, len(split) - 2))
        split[at] = dice.pick([word for word in _CHANGES if word != split[at]])
        texts[j] = " ".join(split)
        blocks[i] = dataclasses.replace(blocks[i], texts=tuple(texts))
    return dataclasses.replace(page, blocks=tuple(blocks))


def mirror_url(page: Page, seed: str) -> str:
    """Where a copy of the page stands: on a mirror, under another path."""
    dice = Dice(f"mirror {seed}")
    source = urlsplit(page.url).netloc.split(".")[0]
    return f"http://{dice.pick(HOSTS['copy'])}/{source}/{dice.number(1000, 99999)}.html"


def newest_of(captures: list[Capture]) -> dict[str, Capture]:
    """Cluster → its newest capture, which is the one to keep."""
    found: dict[str, Capture] = {}
    for capture in captures:
        if capture.cluster and (capture.cluster not in found or capture.date > found[capture.cluster].date):
            found[capture.cluster] = capture
    return found


def moment(seed: str) -> str:
    """A moment in the first half of 2025."""
    dice = Dice(f"date {seed}")
    return f"2025-{dice.number(3, 6):02}-{dice.number(1, 28):02}T{dice.number(0, 23):02}:{dice.number(0, 59):02}:00Z"


def shift(date: str, days: int, seconds: int) -> str:
    """The moment `seconds` after midnight of the day that is `days` later (or earlier)."""
    moved = datetime.fromisoformat(date.replace("Z", "+00:00")) + timedelta(days=days)
    return (moved.replace(hour=0, minute=0, second=0) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
