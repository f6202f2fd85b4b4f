"""The demo's small web: a few hundred pages of many kinds as WARC files, their other pictures on a server, and the truth.

`make_web` writes into a directory
    warcs/        WARC files (gzip and plain) and one ARC file; the last WARC file is cut off in its last record
    www/          pictures that no WARC file holds, for `server.serve`
    truth.jsonl   a line a capture: what each page holds, what should become of it and why (read by `truth.judge`)
The same arguments give the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pipeline.demo import archive, media
from pipeline.demo.media import Answer, Picture
from pipeline.demo.pages import HOSTS, Author, Made, mirror_url, own_text, perturb
from pipeline.demo.prose import Dice
from pipeline.demo.server import BEHAVIOUR, file_of
from pipeline.demo.templates import Block, Furniture, Shown, render
from transforms import files

VERSION = 1  # of what is made: a change here makes a directory of an older version be made again
TRUTH = "truth.jsonl"
_DONE = "web.json"

# Of 600 page captures, how many are of each kind; other totals are in proportion, with at least one of each.
ORIGINALS = {"news": 124, "gallery": 50, "forum": 45, "product": 65, "docs": 35, "blog": 50, "text": 60}
FILTERED = {"language": 36, "gibberish": 25, "too_short": 15, "opt_out": 20}
COPIES = {"near": 36, "exact": 18, "url": 20}
CUT_OFF = 1

WARCS = ("crawl-0.warc.gz", "crawl-1.warc.gz", "crawl-2.warc", "crawl-3.arc.gz", "crawl-4.warc.gz")
_SHARES = (0.3, 0.28, 0.14, 0.08, 0.2)
_CHARSETS = ("utf-8",) * 8 + ("windows-1252", "iso-8859-15")
_FOREIGN_CHARSETS = {"ru": "windows-1251", "ja": "shift_jis", "de": "iso-8859-1", "fr": "windows-1252"}
_CODINGS = ("",) * 5 + ("chunked", "gzip", "gzip chunked")
_COPY_WORDS = 190  # a near-duplicate is made of pages with at least so many words, so that one word is under a tenth


@dataclasses.dataclass
class Capture:
    """A page as the crawler got it."""

    made: Made
    url: str
    date: str
    how: str = ""  # near, exact or url where it is a copy
    cluster: str = ""  # URL of the original where it is one of several


def make_web(directory: str, pages: int = 600, salt: str = "demo") -> None:
    """Write the web of `pages` page captures into `directory`; nothing happens where it is already there."""
    wanted = json.dumps({"version": VERSION, "pages": pages, "salt": salt}) + "\n"
    marker = files.join(directory, _DONE)
    if files.exists(marker):
        if files.read_bytes(marker).decode() == wanted:
            return
        files.remove_tree(marker)
    for part in ("warcs", "www"):
        files.remove_tree(files.join(directory, part))
    captures, lost = plan(pages, salt)
    rendered = [(capture, *render(_as_captured(capture))) for capture in [*captures, lost]]
    answers = _answers(rendered)
    _write_server(directory, answers)
    truth = _write_archives(directory, rendered, answers, salt)
    files.write_atomic(files.join(directory, TRUTH), "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in truth))
    files.write_atomic(marker, wanted)


def counts(pages: int) -> dict[str, int]:
    """Captures of each kind: in proportion, at least one each; `news` takes what is left over.

    Raises:
        ValueError: fewer pages than a web of all kinds needs.
    """
    shares = {**ORIGINALS, **FILTERED, **COPIES}
    whole = sum(shares.values())
    made = {kind: max(1, (pages - CUT_OFF) * share // whole) for kind, share in shares.items()}
    made["news"] += pages - CUT_OFF - sum(made.values())
    if made["news"] < 2:
        raise ValueError(f"a demo web needs at least 30 pages, not {pages}")
    return made


def plan(pages: int, salt: str) -> tuple[list[Capture], Capture]:
    """Every page capture, and the one that is cut off."""
    author = Author(salt)
    number = counts(pages)
    captures = [
        Capture(author.page(kind, index, date), "", date)
        for kind in (*ORIGINALS, *FILTERED)
        for index in range(number[kind])
        for date in (_date(f"{salt} {kind} {index}"),)
    ]
    for capture in captures:
        capture.url = capture.made.page.url
    originals = [c for c in captures if c.made.expect == "kept"]
    _quote_each_other(originals, salt)
    long = [c for c in originals if sum(len(t.split()) for t in own_text(c.made.page) if isinstance(t, str)) >= _COPY_WORDS]
    chosen = Dice(f"{salt} copied").sample(long, len(long))
    for how in COPIES:
        for index in range(number[how]):
            if index % 4 == 3 and captures[-1].how == how:  # now and then a third one in a cluster
                original = next(c for c in originals if c.url == captures[-1].cluster)
            else:
                original = chosen.pop()
            captures.append(_copy(original, how, f"{salt} {how} {index}"))
            original.cluster = original.url
    lost = author.page("news", 10**6, _date(f"{salt} lost"))
    return captures, Capture(dataclasses.replace(lost, expect="truncated"), lost.page.url, _date(f"{salt} lost"))


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
    date = _shift(original.date, days if dice.chance(0.5) else -days, dice.number(0, 86_399))
    if how == "url":
        mark = "&" if "?" in page.url else "?"
        shapes = (page.url, page.url.replace("https://", "http://"), f"{page.url}{mark}utm_source=letter", page.url.replace("://", "://www."))
        url = dice.pick(shapes)
        changed = perturb(page, seed) if dice.chance(0.5) else page
    else:
        url = mirror_url(page, seed)
        changed = perturb(page, seed) if how == "near" else page
    made = dataclasses.replace(original.made, page=changed, headers={})
    return Capture(made, url, date, how, original.url)


def _as_captured(capture: Capture) -> Any:
    """The page under the URL of the capture: a copy elsewhere stands in another frame and names pictures in full."""
    page = capture.made.page
    if capture.url == page.url:
        return page
    blocks = tuple(
        dataclasses.replace(b, shown=dataclasses.replace(b.shown, src=b.shown.url)) if b.shown is not None else b for b in page.blocks
    )
    return dataclasses.replace(page, url=capture.url, blocks=blocks)


def _answers(rendered: list[tuple[Capture, str, Furniture]]) -> dict[str, list[Answer]]:
    """What the web answers for every picture that a page names; key: the picture's URL."""
    found: dict[str, list[Answer]] = {}
    for capture, html, frame in rendered:
        for made, _ in capture.made.pictures:
            if made.url not in found:
                found[made.url] = media.serve_or_archive(made)
        host = urlsplit(capture.url).netloc
        more = [block.texts[1] for block in capture.made.page.blocks if block.kind == "avatar"]
        more += [f"http://{host}/static/blank.gif"] if "/static/blank.gif" in html else []
        for url in (*frame.images, *more):
            if url not in found:
                found[url] = [media.furniture(url, capture.date)]
    return found


def _write_server(directory: str, answers: dict[str, list[Answer]]) -> None:
    behaviour: dict[str, Any] = {}
    for answer in (a for found in answers.values() for a in found):
        parts = urlsplit(answer.url)
        name = file_of(parts.netloc, parts.path + (f"?{parts.query}" if parts.query else ""))
        if answer.archived:
            continue
        behaviour[name] = {"status": answer.status, "headers": answer.headers}
        files.write_atomic(files.join(directory, "www", name), answer.body)
    files.write_atomic(files.join(directory, "www", BEHAVIOUR), json.dumps(behaviour, indent=0, sort_keys=True))


def _write_archives(
    directory: str, rendered: list[tuple[Capture, str, Furniture]], answers: dict[str, list[Answer]], salt: str
) -> Iterator[dict[str, Any]]:
    """Write the archive files; returns the lines of truth."""
    shelf = _Shelf(salt)
    lines = []
    newest = _newest([capture for capture, _, _ in rendered])
    for capture, html, frame in rendered[:-1]:
        lines.append(_page_truth(capture, frame, newest) | shelf.page(capture, html))
    for answer in (a for found in answers.values() for a in found if a.archived):
        shelf.response(answer.url, answer.date, answer.headers, answer.body)
    lines += _oddities(shelf, [capture for capture, _, _ in rendered], salt)
    capture, html, frame = rendered[-1]
    lines.append(_page_truth(capture, frame, newest) | shelf.page(capture, html, last=True))
    shelf.write(files.join(directory, "warcs"))
    return iter(lines)


def _page_truth(capture: Capture, frame: Furniture, newest: dict[str, Capture]) -> dict[str, Any]:
    made = capture.made
    flow = own_text(made.page)
    specs: dict[str, Picture] = {picture.url: picture for picture, _ in made.pictures}
    images = []
    for at, item in enumerate(flow):
        if isinstance(item, Shown):
            before = next((text for text in reversed(flow[:at]) if isinstance(text, str)), "")
            after = next((text for text in flow[at:] if isinstance(text, str)), "")
            images.append(_image_truth(item, specs[item.url], before, after))
    seen = [block.texts[1] for block in made.page.blocks if block.kind == "avatar"]
    role: dict[str, str] = {"role": "none"}
    if capture.cluster and made.expect == "kept":
        kept = newest[capture.cluster]
        role = {"role": "kept", "cluster": capture.cluster}
        if kept is not capture:
            role = {"role": "duplicate", "cluster": capture.cluster, "of": kept.url, "how": capture.how or kept.how}
    return {
        "url": capture.url,
        "date": capture.date,
        "kind": made.page.kind,
        "expect": made.expect,
        "language": made.page.language,
        "dedup": role,
        "title": made.page.title,
        "main_text": [text for text in flow if isinstance(text, str)],
        "boilerplate": list(frame.texts),
        "images": images,
        "boilerplate_images": list(frame.images),
        "avatars": sorted(set(seen)),
    }


def _image_truth(shown: Shown, spec: Picture, before: str, after: str) -> dict[str, Any]:
    """An image's line: `after` is the sentence that it comes after, `before` the one that it comes before."""
    return {
        "url": shown.url,
        "also": [url for url, _ in shown.also],
        "alt": shown.alt,
        "caption": shown.caption,
        "style": shown.style,
        "role": "main",
        "expect": spec.expect,
        "kind": spec.kind,
        "width": spec.width,
        "height": spec.height,
        "archived": spec.archived,
        "after": before,
        "before": after,
        "pairs": [{"text": text, "source": source, "expect": _pair_fate(text)} for source, text in (("figcaption", shown.caption), ("alt", shown.alt)) if text],
    }


def _pair_fate(text: str) -> str:
    if "<PERSON>" in text:
        return "tagged"
    return "kept" if " " in text and not text.startswith("picture ") else "useless"


def _newest(captures: list[Capture]) -> dict[str, Capture]:
    """Cluster → its newest capture, which is the one to keep."""
    found: dict[str, Capture] = {}
    for capture in captures:
        if capture.cluster and (capture.cluster not in found or capture.date > found[capture.cluster].date):
            found[capture.cluster] = capture
    return found


def _oddities(shelf: _Shelf, captures: list[Capture], salt: str) -> Iterator[dict[str, Any]]:
    """Records that are no pages: answers of other types, errors, revisits, metadata."""
    dice = Dice(f"{salt} oddities")
    host = HOSTS["docs"][0]
    bodies = {
        "application/pdf": b"%PDF-1.4\n%%EOF\n",
        "application/json": b'{"items": [1, 2, 3]}',
        "text/css": b"body { margin: 0 }\n",
        "text/plain": b"User-agent: *\nDisallow:\n",
    }
    for index in range(max(2, len(captures) // 75)):
        for mime, body in bodies.items():
            url = f"http://{host}/files/{index}.{mime.rsplit('/', 1)[1]}"
            date = _date(f"{salt} {url}")
            yield {"url": url, "date": date, "expect": "not_html", **shelf.response(url, date, {"Content-Type": mime}, body)}
        for status in (404, 301, 500):
            url = f"http://{dice.pick(HOSTS['news'])}/gone/{status}-{index}.html"
            body = f"<!DOCTYPE html><html><body><h1>{archive.REASONS[status]}</h1></body></html>".encode()
            headers = {"Content-Type": "text/html", **({"Location": "/"} if status == 301 else {})}
            date = _date(f"{salt} {url}")
            yield {"url": url, "date": date, "expect": "http_error", **shelf.response(url, date, headers, body, status)}
        again = dice.pick(captures)
        yield {"url": again.url, "date": _shift(again.date, 9, 7), "expect": "revisit", **shelf.revisit(again.url, _shift(again.date, 9, 7))}


class _Shelf:
    """The archive files in the making: a list of records for each."""

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self.records: dict[str, list[bytes]] = {
            name: [archive.arc_header(name) if ".arc" in name else archive.warcinfo(name)] for name in WARCS
        }

    def page(self, capture: Capture, html: str, last: bool = False) -> dict[str, str]:
        """Add a page; the last one goes to the file that is cut off. Returns where it is, for the truth."""
        dice = Dice(f"{self.salt} record {capture.url} {capture.date}")
        charset = dice.pick(_CHARSETS)
        language = capture.made.page.language
        if language != "en":
            charset = _FOREIGN_CHARSETS.get(language, "utf-8") if dice.chance(0.5) else "utf-8"
        try:
            body = html.replace('<meta charset="utf-8">', f'<meta charset="{charset}">').encode(charset)
        except UnicodeEncodeError:
            charset, body = "utf-8", html.encode()
        told = f"text/html; charset={charset}" if dice.chance(0.7) else "text/html"
        headers = {"Content-Type": told, **capture.made.headers}
        return self.response(capture.url, capture.date, headers, body, coding=dice.pick(_CODINGS), name=WARCS[-1] if last else "")

    def response(
        self, url: str, date: str, headers: dict[str, str], body: bytes, status: int = 200, coding: str = "", name: str = ""
    ) -> dict[str, str]:
        """Add a response record, and now and then the request and metadata that belong to it."""
        dice = Dice(f"{self.salt} shelf {url} {date}")
        luck = dice.unit()
        name = name or WARCS[sum(luck >= sum(_SHARES[: i + 1]) for i in range(len(WARCS) - 1))]
        payload = archive.http_response(status, headers, body, coding)
        records = self.records[name]
        if ".arc" in name:
            records.append(archive.arc_record(url, date, headers["Content-Type"].split(";")[0], payload))
            return {"file": name, "record_id": ""}
        identity = archive.record_id(self.salt, url, date)
        if dice.chance(0.3):
            parts = urlsplit(url)
            asked = archive.http_request(parts.netloc, url.split(parts.netloc, 1)[1] or "/")
            more = f"WARC-Concurrent-To: {identity}\r\n"
            request = archive.record_id(self.salt, "request", url, date)
            records.append(archive.warc_record("request", request, date, "application/http; msgtype=request", asked, url, more))
        records.append(archive.warc_record("response", identity, date, "application/http; msgtype=response", payload, url))
        if dice.chance(0.2) and name != WARCS[-1]:
            note = archive.record_id(self.salt, "metadata", url, date)
            records.append(archive.warc_record("metadata", note, date, "application/warc-fields", b"fetchTimeMs: 42\r\n", url))
        return {"file": name, "record_id": identity}

    def revisit(self, url: str, date: str) -> dict[str, str]:
        """Add a record that says: as before."""
        identity = archive.record_id(self.salt, "revisit", url, date)
        payload = archive.http_response(200, {"Content-Type": "text/html"}, b"")
        more = "WARC-Profile: http://netpreserve.org/warc/1.0/revisit/identical-payload-digest\r\n"
        self.records[WARCS[0]].append(
            archive.warc_record("revisit", identity, date, "application/http; msgtype=response", payload, url, more)
        )
        return {"file": WARCS[0], "record_id": identity}

    def write(self, directory: str) -> None:
        """Write all files; the last one without the second half of its last record."""
        for name, records in self.records.items():
            parts = [archive.member(record) if name.endswith(".gz") else record for record in records]
            if name == WARCS[-1]:
                parts[-1] = parts[-1][: len(parts[-1]) // 2]
            files.write_atomic(files.join(directory, name), b"".join(parts))


def _date(seed: str) -> str:
    """A moment in the first half of 2025."""
    dice = Dice(f"date {seed}")
    return f"2025-{dice.number(3, 6):02}-{dice.number(1, 28):02}T{dice.number(0, 23):02}:{dice.number(0, 59):02}:{dice.number(0, 59):02}Z"


def _shift(date: str, days: int, seconds: int) -> str:
    moved = datetime.fromisoformat(date.replace("Z", "+00:00")) + timedelta(days=days)
    return (moved.replace(hour=0, minute=0, second=0) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
