"""The contact sheet: up to a thousand of a run's images on one page, so that a person can look at what was fetched.

Reads   images/index, images/blobs, images/repeated, fates of fetch and pack
Writes  report/images.html   no script, no request to anywhere

Images are chosen by hash, and laid out by hash too, as a trainer would meet them. A sheet is one JPEG of a hundred
small pictures with a link over each: what is known of a picture is shown where the pointer or the keyboard is. Below
are those that pack left out, a few for each reason, and addresses that gave no picture.
"""

from __future__ import annotations

import base64
import html
import io
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any

import pyarrow.compute as pc
from PIL import Image

from weft.pipeline.explain import reasons
from weft.pipeline.report import image_figures, samples
from weft.pipeline.report.charts import text
from weft.pipeline.report.exhibits import link
from weft.pipeline.report.figures import tables
from weft.schemas.config import Config
from weft.schemas.records import DROPPED
from weft.transforms.fetch.blobs import Damaged
from weft.transforms.io import files
from weft.transforms.urls import image_key

ACROSS, CELL = 10, 96  # pictures in a row of a sheet, and pixels of each
_GAP, _QUALITY, _GROUND = 3, 72, (128, 128, 128)
_OF_ONE_REASON = 20
_ADDRESSES = 5  # of one reason, where there are no pictures
_ORIGINS = {"warc": "from the archives", "http": "over HTTP"}
_HOME = Path(__file__).parent

Row = dict[str, Any]


def write(output: str, config: Config) -> str:
    """Write the page; returns where it is, "" where fetch has not run."""
    found = image_figures.gather(output)
    if not found:
        return ""
    lead = f"<h1>Images</h1><p class='lead'>{_said(found)}</p>"
    kept = _chosen(output, config)
    about = f"{len(kept):,} of {found['stored']:,}, chosen by hash. Point at one, or reach it with the tab key."
    parts = [f'<section id="kept"><h2>Fetched</h2><p class="about">{about}</p>{sheets(output, kept)}</section>']
    parts += [_left_out(output, config), _no_picture(output, config)]
    path = files.join(output, "report", "images.html")
    page = Template((_HOME / "report.html").read_text("utf-8")).substitute(
        title="weft: images",
        css=(_HOME / "report.css").read_text("utf-8") + (_HOME / "contact_sheet.css").read_text("utf-8"),
        header=lead + '<p><a href="index.html">Back to the report</a></p>',
        nav='<li><a href="#kept">Fetched</a></li><li><a href="#left-out">Left out by pack</a></li>'
        '<li><a href="#none">No picture</a></li>',
        first="kept",
        main="\n".join(parts),
    )
    files.write_atomic(path, page)
    return path


def sheets(output: str, rows: Sequence[Row]) -> str:
    """Rows of the index as sheets of a hundred."""
    most = ACROSS * ACROSS
    return "".join(_sheet(output, rows[at : at + most]) for at in range(0, len(rows), most))


def _sheet(output: str, rows: Sequence[Row]) -> str:
    lines = -(-len(rows) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * CELL, lines * CELL), _GROUND)
    links = []
    for at, row in enumerate(rows):
        small = _small(output, row)
        left, top = at % ACROSS * CELL, at // ACROSS * CELL
        if small is not None:
            sheet.paste(small, (left + (CELL - small.width) // 2, top + (CELL - small.height) // 2))
        told = _told(row) + ("" if small is not None else " · unreadable")
        links.append(f'<a href="{_safe(row["image_url"])}" rel="noopener noreferrer nofollow" data-told="{text(told)}">'
                     f'<span>{text(told)}</span></a>')  # fmt: skip
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_QUALITY)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return (
        f'<div class="sheet"><img src="data:image/jpeg;base64,{data}" alt="{len(rows)} small pictures" '
        f'loading="lazy" decoding="async" '
        f'width="{sheet.width}" height="{sheet.height}">'
        f'<div class="cells" style="--lines:{lines}">{"".join(links)}</div></div>'
    )


def _small(output: str, row: Row) -> Image.Image | None:
    try:
        data = samples.stored(output, row)
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            image.thumbnail((CELL - _GAP, CELL - _GAP))
            return image.convert("RGB")
    except Damaged:
        raise
    except Exception:  # a blob that is gone, or a picture that is broken, is said in its place
        return None


def _told(row: Row) -> str:
    parts = [f"{row['width']}×{row['height']}", row["origin"], (row["mime"] or "").removeprefix("image/")]
    parts += [row["why"]] if row.get("why") else []
    return " · ".join([*parts, (row["image_id"] or "")[:12], row["image_url"][:120]])


def _safe(url: str) -> str:
    return html.escape(url) if url.startswith(("http://", "https://")) else "#"


def _chosen(output: str, config: Config) -> list[Row]:
    keys: list[str] = []
    for table in tables(output, "images/index", ["image_url", "status"]):
        keys += table.filter(pc.field("status") == "ok")["image_url"].to_pylist()
    chosen = samples.choose(keys, config.report.images, config.salt)
    rows = _rows(output, chosen)
    return [rows[key] for key in chosen]


def _rows(output: str, keys: Collection[str]) -> dict[str, Row]:
    return {row["image_url"]: row for row in samples.rows_by(output, "images/index", "image_url", keys)}


def _left_out(output: str, config: Config) -> str:
    """Pictures that fetch stored and pack put into no document, by reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    totals, places = Counter[str](), Counter[str]()
    for table in tables(output, "fates/pack", ["kind", "key", "fate", "reason", "detail"]):
        rows = table.filter((pc.field("kind") == "image") & (pc.field("fate") == DROPPED))
        for row in rows.select(["key", "reason", "detail"]).to_pylist():
            reason = row["reason"]
            if not reason.startswith("image_"):
                totals[reason] += 1
                by_reason[reason] = samples.choose([*by_reason[reason], row["key"]], 4 * _OF_ONE_REASON, config.salt)
            if reason == "repeated":
                places[image_key(row["detail"])] += 1
    ids = {key.split(":")[0] for keys in by_reason.values() for key in keys}
    documents = samples.documents(output, ids)
    parts = []
    for reason, keys in sorted(by_reason.items(), key=lambda item: (-totals[item[0]], item[0])):
        urls = dict.fromkeys(image_key(url) for url in filter(None, (_url(documents, key) for key in keys)))
        if reason == "repeated":
            urls = dict.fromkeys(sorted(places, key=lambda key: (-places[key], key))[:_OF_ONE_REASON])
        why = {key: f"{reason}: {places[key]:,} places" for key in urls} if reason == "repeated" else {}
        if reason == "placeholder":
            behind = samples.rows_by(output, "images/repeated", "image_url", urls)
            why = {row["image_url"]: f"{reason}: {row['urls']:,} addresses" for row in behind}
        found = _rows(output, urls)
        rows = [{**found[k], "why": why.get(k, reason)} for k in urls if k in found and found[k]["status"] == "ok"]
        parts.append(_heading(reason, f"{totals[reason]:,} places", config) + sheets(output, rows[:_OF_ONE_REASON]))
    body = "".join(parts) or '<p class="none">Nothing, or pack has not run.</p>'
    return f'<section id="left-out"><h2>Left out by pack</h2>{body}</section>'


def _heading(reason: str, count: str, config: Config) -> str:
    words = reasons.of_image(reason, config)
    about = f'<p class="about">{text(words)}</p>' if words else ""
    return f'<h3><span class="reason">{text(reason)}</span> {count}</h3>{about}'


def _url(documents: dict[str, Row], key: str) -> str | None:
    doc_id, _, position = key.partition(":")
    return documents[doc_id]["images"][int(position)] if doc_id in documents else None


def _no_picture(output: str, config: Config) -> str:
    """What gave no picture: reasons, with some addresses and what was said of them."""
    chosen: dict[str, list[str]] = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    details: dict[str, str] = {}
    for table in tables(output, "fates/fetch", ["key", "fate", "reason", "detail"]):
        for row in table.filter(pc.field("fate") == DROPPED).to_pylist():
            totals[row["reason"]] += 1
            details[row["key"]] = row["detail"]
            chosen[row["reason"]].append(row["key"])
        for reason, keys in chosen.items():
            chosen[reason] = samples.choose(keys, _ADDRESSES, config.salt)
        details = {key: details[key] for keys in chosen.values() for key in keys}
    parts = [
        f'{_heading(reason, f"{totals[reason]:,}", config)}<ul class="addresses">'
        f"{_listed(chosen[reason], details)}</ul>"
        for reason in sorted(chosen, key=lambda name: (-totals[name], name))
    ]
    return f'<section id="none"><h2>No picture</h2>{"".join(parts) or "<p class=none>Every image came.</p>"}</section>'


def _listed(keys: Iterable[str], details: dict[str, str]) -> str:
    return "".join(f"<li>{link(key)} <small>{text(details[key])}</small></li>" for key in keys)


def _said(found: dict[str, Any]) -> str:
    """The figures in sentences."""
    told = (
        f"Of {found['wanted']:,} addresses {found['stored']:,} gave a picture "
        f"({', '.join(f'{count:,} {_ORIGINS[origin]}' for origin, count in found['origins'].items())}). They are "
        f"{found['distinct_sha256']:,} different files and {found['distinct_looks']:,} different looks."
    )
    odd = [f"{count:,} {name}" for name, count in found["odd"].items() if count]
    return told + (f" Among them: {', '.join(odd)}." if odd else "")
