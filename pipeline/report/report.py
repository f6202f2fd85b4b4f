"""The report: one self-contained page for a researcher who has five minutes, and the same figures for a program.

Reads   manifests, fates and tables of every stage that has run
Writes  report/index.html   no script, no request to anywhere; every string of a page escaped
        report/images.html  the contact sheet
        report/metrics.json

A stage that has not run is said to have not run. The same output directory gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.report import (
    charts,
    closing,
    contact_sheet,
    datacard,
    exhibits,
    figures,
    image_figures,
    mismatched_pairs,
    opt_outs,
    outcome,
    samples,
)
from weft.pipeline.report.charts import number, percent, size, text
from weft.pipeline.report.samples import first_urls
from weft.pipeline.run.registry import STAGES
from weft.schemas.config import Config
from weft.schemas.shards import TRAINED
from weft.transforms.io import files
from weft.transforms.urls import image_key

_HOME = Path(__file__).parent
_REASONS_SHOWN = 6
_PAIRS_SHOWN = 5  # of each of best, median and worst

_KINDS = {"record": "records", "page": "pages", "document": "documents", "image": "images", "pair": "pairs"}


def write(output: str, config: Config) -> str:
    """Write the report on `output`; returns where its page is."""
    found = figures.gather(output)
    found["images"] = image_figures.gather(output)
    found["opt_outs"] = opt_outs.gather(output)
    metrics = {"recipe": config.recipe, "config": configuration.to_dict(config), **found}
    contact_sheet.write(output, config)
    page = _page(output, config, found)
    files.write_atomic(
        files.join(output, "report", "metrics.json"), json.dumps(metrics, indent=1, sort_keys=True) + "\n"
    )
    path = files.join(output, "report", "index.html")
    files.write_atomic(path, page)
    return path


def _page(output: str, config: Config, found: dict[str, Any]) -> str:
    sections = (
        ("funnel", "Funnel", _funnel(found)),
        ("distributions", "Distributions", _distributions(found, config)),
        ("domains", "Domains", outcome.domains(found)),
        ("documents", "Documents", _documents(output, config, found)),
        ("pairs", "Pairs", _pairs(output, found)),
        ("images", "Images", _images(found)),
        ("dropped", "Dropped", _dropped(output, config, found)),
        ("duplicates", "Duplicates", _duplicates(output, config, found)),
        ("shards", "Shards", outcome.shards(found)),
        ("training", "Training", outcome.training(found)),
        ("card", "Data card", datacard.card(config, found)),
    )
    count = found["inputs"]["files"]
    source = f"{count:,} input file{'s' if count != 1 else ''} ({size(found['inputs']['bytes'])})"
    header = (
        f"<h1>weft: recipe {text(config.recipe)}</h1><p class='soft'>{source}</p>"
        f'<p class="lead">{_summary(found)}</p>{_warnings(output, config)}{_tiles(found)}'
    )
    return Template((_HOME / "report.html").read_text("utf-8")).substitute(
        title=f"weft: recipe {text(config.recipe)}",
        css=(_HOME / "report.css").read_text("utf-8"),
        header=header,
        first="funnel",
        nav="".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in sections),
        main="\n".join(
            f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{title}</h2>{body}</section>'
            for name, title, body in sections
        ),
    )


def _warnings(output: str, config: Config) -> str:
    told = "".join(f"<li>{text(line)}</li>" for line in closing.warnings(output, config))
    return f'<ul class="warnings" role="note" aria-label="Warnings">{told}</ul>' if told else ""


def _kept(found: dict[str, Any], stage: str, kind: str) -> dict[str, Any] | None:
    return (found["stages"][stage].get("books") or {}).get(kind)


def _summary(found: dict[str, Any]) -> str:
    """What came out, in sentences."""
    told = []
    pages, documents = _kept(found, "extract", "page"), _kept(found, "dedup", "document")
    if pages:
        told.append(f"Of {pages['entered']:,} pages, {pages['kept']:,} became documents")
    if documents:
        copies = sum(count for reason, count in documents["dropped"].items() if reason.startswith("duplicate"))
        told[-1:] = [*told[-1:], f"{copies:,} of these were duplicates"]
    lines = [", and ".join(told) + "."] if told else ["No stage has run yet."]
    corpora = found["corpora"]
    if found["shards"]:
        (interleaved, unit), (texts, _) = (_most(corpora[name]) for name in ("interleaved", "text"))
        plain = "plain texts" if unit == "documents" else "sequences of plain text"
        lines.append(
            f"What is left makes {interleaved:,} interleaved {unit} with "
            f"{corpora['interleaved']['images']:,} pictures, {corpora['pairs']['samples']:,} image–caption pairs and "
            f"{texts:,} {plain}: {number(corpora['total_tokens'])} tokens "
            f"({', '.join(name + ' ' + number(corpora[name]['tokens']) for name in TRAINED if name in corpora)})."
        )
    if gaps := outcome.gaps(found):
        worth = " and ".join(f"{gap['gap']:+.2f} in {name}" for name, gap in sorted(gaps.items(), reverse=True))
        lines.append(
            f"The loss of a small Kosmos-1 trained on them changes by {worth} (nats a token) when held-out texts are "
            f"shown with wrong pictures: {outcome.verdict(found)}."
        )
    return " ".join(lines)


def _most(corpus: dict[str, Any]) -> tuple[int, str]:
    """How many documents a corpus is of; else how many sequences.

    There are too many documents to be counted, or it is of none: the text of long ones goes on where no pictures are.
    """
    return (corpus["documents"], "documents") if corpus["documents"] else (corpus["samples"], "sequences")


def _tiles(found: dict[str, Any]) -> str:
    corpora = found["corpora"]
    tiles = []
    pages = _kept(found, "extract", "page")
    if pages:
        tiles.append(("pages read", f"{pages['entered']:,}", f"{percent(pages['kept'], pages['entered'])} kept"))
    images = _kept(found, "fetch", "image")
    if images:
        tiles.append(("images fetched", f"{images['kept']:,}", f"of {images['entered']:,} wanted"))
    if found["shards"]:
        for name in (name for name in TRAINED if name in corpora):
            count, unit = _most(corpora[name]) if name in ("interleaved", "text") else (corpora[name]["samples"], "")
            tokens = f"{charts.short(corpora[name]['tokens'])} tokens"
            tiles.append((name, f"{count:,}", f"sequences, {tokens}" if unit == "sequences" else tokens))
    for name, gap in sorted(outcome.gaps(found).items(), reverse=True):
        tiles.append((f"grounding gap, {name}", f"{gap['gap']:+.2f}", f"± {gap['standard_error']:.2f} nats a token"))
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>" for name, value, more in tiles)
    return f'<dl class="tiles">{shown}</dl>' if shown else ""


def _funnel(found: dict[str, Any]) -> str:
    parts = [
        '<p class="about">Everything that enters a stage leaves it kept, or dropped for one named reason; '
        "the run fails if these books do not balance.</p>"
    ]
    for stage in STAGES[:5]:
        account = found["stages"][stage.name]
        note = {"done": "", "not run": "not run", "unfinished": "unfinished: counted from what it has written so far"}
        told = f"{account['seconds']:,.1f} s" if account.get("seconds") else note[account["state"]]
        first = outcome.first_rows(found, f"fates/{stage.name}") if account["state"] == "unfinished" else ""
        kinds = "".join(_account(kind, account["books"][kind]) for kind in _KINDS if kind in (account["books"] or {}))
        parts.append(
            f'<div class="stage"><h3>{text(stage.name)} <small>{text(stage.doc)} {told and "· "}{told}</small></h3>'
            f'{first}<div class="kinds">{kinds}</div></div>'
        )
    return "".join(parts)


def _account(kind: str, account: dict[str, Any]) -> str:
    kept, entered = account["kept"], account["entered"]
    reasons = sorted(account["dropped"].items(), key=lambda item: (-item[1], item[0]))
    shown = charts.bars(reasons[:_REASONS_SHOWN], entered, "drop") if reasons else ""
    rest = reasons[_REASONS_SHOWN:]
    others = f"{len(rest)} more {'reason' if len(rest) == 1 else 'reasons'}, {sum(n for _, n in rest):,} dropped"
    more = f"<details><summary>{others}</summary>{charts.bars(rest, entered, 'drop')}</details>" if rest else ""
    none = '<p class="soft">nothing dropped</p>' if entered and not reasons else ""
    return (
        f'<div class="kind"><h4><span>{_KINDS[kind]}</span><b>{entered:,} → {kept:,} '
        f"<small>{percent(kept, entered)}</small></b></h4>"
        f"{charts.share_bar(kept, entered, kind)}{shown}{more}{none}</div>"
    )


def _distributions(found: dict[str, Any], config: Config) -> str:
    parts = []
    limits = thresholds(config)
    for name, value in found["distributions"].items():
        if name == "languages":
            whole = sum(value.values())
            body = charts.bars(list(value.items()), whole) + f"<figcaption>{whole:,} documents</figcaption>"
        else:
            labels = [f"{edge:g}" if edge < 1000 else charts.short(edge) for edge in value["from"]]
            drawn = charts.columns(labels, value["counts"], name, _limit(value["from"], limits.get(name)))
            body = f"{drawn}<figcaption>{_described(value)}</figcaption>"
        wide = " two" if len(value.get("counts", ())) > 1 else ""
        parts.append(f'<figure class="chart{wide}"><h3>{text(name[0].upper() + name[1:])}</h3>{body}</figure>')
    if not parts:
        return outcome.NOT_RUN
    about = "Of the documents that came out at the end. A column reaches from its label up to the next one."
    tables = ("documents", "fates/pack", "images/index", "scores", "baseline", "clusters")
    return f'<p class="about">{about}</p>{outcome.first_rows(found, *tables)}<div class="charts">{"".join(parts)}</div>'


def thresholds(config: Config) -> dict[str, tuple[float, str]]:
    """Name of a distribution → the value below which things are dropped, and the key that says so."""
    asked = {
        "words per document": (config.extract.min_words, 0, "extract.min_words"),
        "shorter side of images, px": (config.pack.min_side, 0, "pack.min_side"),
        "CLIP similarity of pairs": (config.pack.pair_min_similarity, -1, "pack.pair_min_similarity"),
        "CLIP similarity in documents": (config.pack.min_document_similarity, -1, "pack.min_document_similarity"),
    }
    return {name: (least, key) for name, (least, off, key) in asked.items() if least > off}


def _limit(edges: list[float], asked: tuple[float, str] | None) -> tuple[float, str] | None:
    """Where a threshold stands among columns that reach from edge to edge, None where it is not among them."""
    if asked is None or not edges or not edges[0] <= asked[0] <= edges[-1]:
        return None
    least, key = asked
    below = max(n for n, edge in enumerate(edges) if edge <= least)
    width = edges[below + 1] - edges[below] if below + 1 < len(edges) else 1
    return below + (least - edges[below]) / width, f"{key} = {number(least)}"


def _described(value: dict[str, Any]) -> str:
    return "<br>".join(
        f"{text(name)}: n {s['n']:,}, median {number(s['median'])}, mean {number(s['mean'])}, "
        f"{number(s['min'])} to {number(s['max'])}"
        for name, s in value["summary"].items()
    )


def _documents(output: str, config: Config, found: dict[str, Any]) -> str:
    corpus_of = figures.corpora(output)
    pool = [key for key, corpus in corpus_of.items() if corpus == "interleaved"] or list(corpus_of)
    rows = samples.documents(output, samples.choose(pool, config.report.samples, config.salt))
    if not rows:
        return outcome.NOT_RUN if not corpus_of else '<p class="none">None came out.</p>'
    thumbs = samples.pictures(output, (url for row in rows.values() for url in first_urls(row)))
    gone = samples.lost_images(output, list(rows.values()))
    shown = [exhibits.document(rows[key], corpus_of[key], thumbs, gone) for key in sorted(rows)]
    about = f"{len(rows)} of {len(pool):,}, chosen by hash, in reading order. Read them: no figure says as much."
    first = outcome.first_rows(found, "fates/pack")
    return f'<p class="about">{about}</p>{first}<div class="samples">{"".join(shown)}</div>'


def _pairs(output: str, found: dict[str, Any]) -> str:
    groups = samples.pairs(output, _PAIRS_SHOWN)
    if not groups:
        return (
            outcome.NOT_RUN if found["stages"]["score"]["state"] == "not run" else '<p class="none">There are none.</p>'
        )
    thumbs = samples.pictures(output, [row["image_url"] for _, rows in groups for row in rows])
    parts = [
        mismatched_pairs.section(found["strangers"]),
        '<p class="about">By CLIP similarity of picture and caption, over the pairs that were scored.</p>',
        outcome.first_rows(found, "scores", "baseline"),
    ]
    for name, rows in groups:
        if rows:
            shown = "".join(exhibits.pair(row, thumbs.get(image_key(row["image_url"]))) for row in rows)
            parts.append(f'<h3>{name.capitalize()} similarity</h3><div class="gallery">{shown}</div>')
    return "".join(parts)


def _images(found: dict[str, Any]) -> str:
    images = found["images"]
    if not images:
        return outcome.NOT_RUN
    rows = {
        "wanted": images["wanted"],
        "fetched": images["stored"],
        "different files (sha256)": images["distinct_sha256"],
        "files behind several addresses": images["shared_sha256"],
        "different looks (perceptual hash)": images["distinct_looks"],
        "looks of several addresses": images["shared_looks"],
        **images["odd"],
    }
    shown = "".join(f'<tr><td>{text(name)}</td><td class="n">{count:,}</td></tr>' for name, count in rows.items())
    sheet = '<p><a href="images.html">The contact sheet: look at them</a></p>' if images["stored"] else ""
    return f"{outcome.first_rows(found, 'images/index')}{sheet}<table>{shown}</table>"


def _dropped(output: str, config: Config, found: dict[str, Any]) -> str:
    groups = samples.dropped(output, config.report.samples, config)
    if not groups:
        return '<p class="none">No page or document was dropped, or no stage has run.</p>'
    what = {
        "extract": "Pages dropped by extract, read again from their archives",
        "dedup": "Documents dropped by dedup",
        "pack": "Documents dropped by pack",
    }
    parts = [
        '<p class="about">As many different reasons as possible, the commonest first.</p>',
        outcome.first_rows(found, "fates/extract", "fates/dedup", "fates/pack"),
    ]
    for stage, lost in groups.items():
        shown = "".join(map(exhibits.lost, lost))
        parts.append(f'<h3>{what[stage]}</h3><div class="samples lost">{shown}</div>')
    return "".join(parts)


def _duplicates(output: str, config: Config, found: dict[str, Any]) -> str:
    if found["stages"]["dedup"]["state"] == "not run":
        return outcome.NOT_RUN
    shown = samples.duplicates(output, max(3, config.report.samples // 2), config.salt)
    if not shown:
        return '<p class="none">No duplicates were found.</p>'
    about = "One pair of each of a few clusters. Words that only one of the two has are marked."
    first = outcome.first_rows(found, "clusters")
    return f'<p class="about">{about}</p>{first}' + "".join(exhibits.duplicate(*item) for item in shown)
