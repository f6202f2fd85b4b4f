"""The demo's small web: pages of many kinds as WARC files, their other pictures for a server, and the truth.

`make_web` writes into a directory
    warcs/        WARC files (gzip and plain) and one ARC file; the last WARC file is cut off in its last record
    www/          pictures that no WARC file holds, for `server.serve`
    truth.jsonl   a line a capture: what each page holds, what should become of it and why (read by `truth.judge`)
The same arguments give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from weft.pipeline.demo import media
from weft.pipeline.demo.archive import REASONS, WARCS, Shelf
from weft.pipeline.demo.captures import Capture, as_captured, moment, newest_of, plan, shift
from weft.pipeline.demo.media import Answer, Picture
from weft.pipeline.demo.pages import HOSTS, own_text
from weft.pipeline.demo.prose import Dice
from weft.pipeline.demo.server import BEHAVIOUR, file_of
from weft.pipeline.demo.templates import Furniture, Shown, render
from weft.transforms.io import files

VERSION = 1  # of what is made: a change here makes a directory of an older version be made again
TRUTH = "truth.jsonl"
DONE = "web.json"  # of whoever makes a directory; what it was made from, once it is whole

_DRAWERS = 2  # threads; Pillow and numpy let go of the interpreter for most of the drawing
_CHARSETS = ("utf-8",) * 8 + ("windows-1252", "iso-8859-15")
_FOREIGN_CHARSETS = {"ru": "windows-1251", "ja": "shift_jis", "de": "iso-8859-1", "fr": "windows-1252"}
_CODINGS = ("",) * 5 + ("chunked", "gzip", "gzip chunked")


def make_web(directory: str, pages: int = 600, salt: str = "demo", questions: int = 0) -> None:
    """Write the web of `pages` page captures, and `questions` pages of lessons, into `directory`.

    Nothing happens where it is already there.
    """
    wanted = _made_from(pages, salt, questions)
    marker = files.join(directory, DONE)
    if is_made(directory, pages, salt, questions):
        return
    files.write_atomic(marker, "being made\n")
    for part in ("warcs", "www"):
        files.remove_tree(files.join(directory, part))
    captures, lost = plan(pages, salt, questions)
    rendered = [(capture, *render(as_captured(capture))) for capture in [*captures, lost]]
    answers = _answers(rendered)
    _write_server(directory, answers)
    truth = _write_archives(directory, rendered, answers, salt)
    files.write_atomic(
        files.join(directory, TRUTH), "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in truth)
    )
    files.write_atomic(marker, wanted)


def is_made(directory: str, pages: int, salt: str, questions: int = 0) -> bool:
    """Whether `directory` holds this web, whole."""
    marker = files.join(directory, DONE)
    return files.exists(marker) and files.read_bytes(marker).decode() == _made_from(pages, salt, questions)


def _made_from(pages: int, salt: str, questions: int) -> str:
    more = {"questions": questions} if questions else {}
    return json.dumps({"version": VERSION, "pages": pages, "salt": salt, **more}) + "\n"


def _answers(rendered: list[tuple[Capture, str, Furniture]]) -> dict[str, list[Answer]]:
    """What the web answers for every picture that a page names; key: the picture's URL."""
    found: dict[str, list[Answer]] = {}
    wanted = {made.url: made for capture, _, _ in rendered for made, _ in capture.made.pictures}
    with ThreadPoolExecutor(_DRAWERS) as drawers:
        found.update(zip(wanted, drawers.map(media.serve_or_archive, wanted.values()), strict=True))
    for capture, html, frame in rendered:
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
        files.write_atomic(files.join(directory, "www", name), answer.body, lasting=False)
    files.write_atomic(files.join(directory, "www", BEHAVIOUR), json.dumps(behaviour, indent=0, sort_keys=True))


def _write_archives(
    directory: str, rendered: list[tuple[Capture, str, Furniture]], answers: dict[str, list[Answer]], salt: str
) -> Iterator[dict[str, Any]]:
    """Write the archive files; returns the lines of truth."""
    shelf = Shelf(salt)
    lines = []
    newest = newest_of([capture for capture, _, _ in rendered])
    for capture, html, frame in rendered[:-1]:
        lines.append(_page_truth(capture, frame, newest) | _store(shelf, capture, html))
    for answer in (a for found in answers.values() for a in found if a.archived):
        shelf.response(answer.url, answer.date, answer.headers, answer.body)
    lines += _oddities(shelf, [capture for capture, _, _ in rendered], salt)
    capture, html, frame = rendered[-1]
    lines.append(_page_truth(capture, frame, newest) | _store(shelf, capture, html, WARCS[-1]))
    shelf.write(files.join(directory, "warcs"))
    return iter(lines)


def _store(shelf: Shelf, capture: Capture, html: str, name: str = "") -> dict[str, Any]:
    """Put a page into an archive file, in a charset and a coding of the wild; returns where it is."""
    dice = Dice(f"{shelf.salt} record {capture.url} {capture.date}")
    language = capture.made.page.language
    charset = dice.pick(_CHARSETS)
    if language != "en":
        charset = _FOREIGN_CHARSETS.get(language, "utf-8") if dice.chance(0.5) else "utf-8"
    try:
        body = html.replace('<meta charset="utf-8">', f'<meta charset="{charset}">').encode(charset)
    except UnicodeEncodeError:
        charset, body = "utf-8", html.encode()
    headers = {
        "Content-Type": f"text/html; charset={charset}" if dice.chance(0.7) else "text/html",
        **capture.made.headers,
    }
    return shelf.response(capture.url, capture.date, headers, body, coding=dice.pick(_CODINGS), name=name)


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
        "boilerplate": [*frame.texts, *(block.texts[0] for block in made.page.blocks if block.kind == "aside")],
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
        "pairs": [
            {"text": text, "source": source, "expect": _pair_fate(text)}
            for source, text in (("figcaption", shown.caption), ("alt", shown.alt))
            if text
        ],
    }


def _pair_fate(text: str) -> str:
    if "<PERSON>" in text:
        return "tagged"
    return "kept" if " " in text and not text.startswith("picture ") else "useless"


def _oddities(shelf: Shelf, captures: list[Capture], salt: str) -> Iterator[dict[str, Any]]:
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
            date = moment(f"{salt} {url}")
            yield {
                "url": url,
                "date": date,
                "expect": "not_html",
                **shelf.response(url, date, {"Content-Type": mime}, body),
            }
        for status in (404, 301, 500):
            url = f"http://{dice.pick(HOSTS['news'])}/gone/{status}-{index}.html"
            body = f"<!DOCTYPE html><html><body><h1>{REASONS[status]}</h1></body></html>".encode()
            headers = {"Content-Type": "text/html", **({"Location": "/"} if status == 301 else {})}
            date = moment(f"{salt} {url}")
            yield {"url": url, "date": date, "expect": "http_error", **shelf.response(url, date, headers, body, status)}
        again = dice.pick(captures)
        yield {
            "url": again.url,
            "date": shift(again.date, 9, 7),
            "expect": "revisit",
            **shelf.revisit(again.url, shift(again.date, 9, 7)),
        }
