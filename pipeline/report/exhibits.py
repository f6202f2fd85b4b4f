"""The report's samples as HTML: documents in reading order, pairs, dropped things, duplicates.

Rows → markup. All of it comes from strangers' pages: every string is escaped, a link is written only for http and
https, and pictures are thumbnails made here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from weft.pipeline.report.charts import number, text
from weft.pipeline.report.samples import EXCERPT_CHARS, MOST_CHARS, MOST_PICTURES, Lost, Picture, cut
from weft.transforms.urls import image_key

_ORIGINS = {"warc": "from the archive", "http": "over HTTP"}
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")
_HEAD, _TAIL = 400, 250  # characters of a long text that are shown
_DIFF_WORDS = 110  # of each duplicate that are shown and compared

Row = Mapping[str, Any]


def link(url: str, most: int = 90) -> str:
    """A URL as a link where it is one of the web, else as text; at most so many characters of it are shown."""
    shown = text(url if len(url) <= most else url[: most - 1] + "…")
    if url.startswith(("http://", "https://")):
        return f'<a href="{text(url)}" rel="noopener noreferrer nofollow">{shown}</a>'
    return shown


def img(picture: Picture, alt: str) -> str:
    """A thumbnail with its text alternative."""
    return f'<img src="{picture.data}" alt="{text(alt or "picture without a description on its page")}">'


def paragraph(words: str) -> str:
    """Words of a page."""
    shown = text(_EMPTY_LINES.sub("\n\n", words))
    return f'<p class="text" dir="auto">{shown}</p>'


def ends(words: str) -> str:
    """A long text without its middle: what stands beside the pictures is what one wants to see."""
    if len(words) <= _HEAD + _TAIL + 100:
        return words
    left_out = len(words) - _HEAD - _TAIL
    return f"{words[:_HEAD].rstrip()} … [{left_out:,} characters] … {words[-_TAIL:].lstrip()}"


def document(row: Row, corpus: str, pictures: Mapping[str, Picture], lost: Mapping[str, str]) -> str:
    """A document as a reader would meet it, and as the model does: texts and pictures in order."""
    parts = []
    chars, shown, hidden = 0, 0, 0
    for at, (words, url) in enumerate(zip(row["texts"], row["images"], strict=True)):
        if chars >= MOST_CHARS or shown >= MOST_PICTURES:
            hidden += 1
        elif words:
            shortened = ends(words)
            parts.append(paragraph(shortened))
            chars += len(shortened)
        elif url:
            shown += 1
            parts.append(_placed(url, row["image_meta"][at], pictures, lost.get(f"{row['doc_id']}:{at}", "")))
    if hidden:
        parts.append(f'<p class="soft">… and {hidden} more texts or pictures</p>')
    words = sum(len(t.split()) for t in row["texts"] if t)
    told = [link(row["url"]), f"{words:,} words", f"language {text(row['language'] or 'undecided')}"]
    told.append(f"<code>{text(row['doc_id'])}</code>")
    if corpus:
        told.append(f"corpus {text(corpus)}")
    return (
        f'<article class="sample"><h4 dir="auto">{text(row["title"] or "Untitled")}</h4>'
        f'<p class="meta">{" · ".join(told)}<br>from <code>{text(row["warc_file"])}</code> '
        f"at byte {row['warc_offset']:,}</p>{''.join(parts)}</article>"
    )


def pair(row: Row, picture: Picture | None) -> str:
    """An image with its caption and their similarity."""
    shown = img(picture, row["text"]) if picture and picture.data else '<p class="gone">no picture</p>'
    gone = f' <span class="reason">left out: {text(row["reason"])}</span>' if row["reason"] else ""
    return (
        f'<article class="sample">{shown}<p class="text" dir="auto">{text(cut(row["text"], EXCERPT_CHARS))}</p>'
        f'<p class="meta">similarity {row["similarity"]:.3f} · {text(row["source"])} · '
        f"{link(row['page_url'], 48)}{gone}</p>"
        "</article>"
    )


def lost(sample: Lost) -> str:
    """Something dropped, and why."""
    title = f'<h4 dir="auto">{text(sample.title)}</h4>' if sample.title else ""
    instead = "kept instead: " if sample.reason.startswith("duplicate") else ""
    detail = f'<span class="soft">{instead}{text(sample.detail)}</span>'
    why = f'<p><span class="reason">{text(sample.reason)}</span> {detail}</p>'
    thumb = img(sample.picture, "picture of the dropped document") if sample.picture else ""
    words = paragraph(sample.excerpt) if sample.excerpt else ""
    where = f"{link(sample.url)} · " if sample.url else ""
    return (
        f'<article class="sample">{thumb}{why}{title}{words}'
        f'<p class="meta">{where}<code>{text(sample.key)}</code></p></article>'
    )


def duplicate(cluster: Row, kept: Row, gone: Row) -> str:
    """Two documents of a cluster beside each other; words that only one of them has are marked."""
    one, other = marked(words_of(kept["texts"]), words_of(gone["texts"]))
    told = (
        f"found as <b>{text(cluster['how'])}</b> · estimated similarity {cluster['similarity']:.3f} · "
        f"cluster of {number(cluster['cluster_size'])}"
    )
    return (
        f'<article class="sample duplicate"><p class="meta">{told}</p><div class="twins">'
        f"<div><h5>Kept</h5>{_twin(kept, one)}</div><div><h5>Dropped</h5>{_twin(gone, other)}</div></div></article>"
    )


def _placed(url: str, meta: Row | None, pictures: Mapping[str, Picture], reason: str) -> str:
    picture = pictures.get(image_key(url))
    alt, caption = (meta or {}).get("alt") or "", (meta or {}).get("caption") or ""
    if picture is None or not picture.data:
        why = reason or (picture.note if picture else "not fetched")
        return f'<p class="gone">[picture left out: {text(why)}] {text(alt or caption)} <small>{link(url)}</small></p>'
    told = [f"caption: {text(caption)}"] if caption else []
    told += [f"alt: {text(alt)}"] if alt and alt != caption else []
    told.append(f"{picture.width}×{picture.height}, {_ORIGINS.get(picture.note, text(picture.note))}")
    left_out = f'<br><span class="reason">left out: {text(reason)}</span>' if reason else ""
    below = f'<figcaption dir="auto">{" · ".join(told)}{left_out}</figcaption>'
    return f"<figure{' class=off' if reason else ''}>{img(picture, alt or caption)}{below}</figure>"


def _twin(row: Row, shown: str) -> str:
    more = "…" if len(words_of(row["texts"], None)) > _DIFF_WORDS else ""
    pictures = sum(1 for url in row["images"] if url)
    count = "1 picture" if pictures == 1 else f"{pictures} pictures"
    return (
        f'<p class="meta">{link(row["url"])} · {count}</p><p class="text" dir="auto">{shown}{more}</p>'
        f'<p class="meta"><code>{text(row["doc_id"])}</code></p>'
    )


def words_of(texts: Sequence[str | None], most: int | None = _DIFF_WORDS) -> list[str]:
    """The first words of a document."""
    return " ".join(t for t in texts if t).split()[:most]


def marked(left: Sequence[str], right: Sequence[str]) -> tuple[str, str]:
    """Words of two documents as HTML, those that only one of them has marked."""
    one: list[str] = []
    other: list[str] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for parts, some in ((one, left[a:b]), (other, right[c:d])):
            if some:
                told = text(" ".join(some))
                parts.append(told if what == "equal" else f"<mark>{told}</mark>")
    return " ".join(one), " ".join(other)
