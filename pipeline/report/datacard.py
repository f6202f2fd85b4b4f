"""The report's data card: where the corpus comes from, what was done to it, what it may not be used for.

Figures and configuration → markup, after Gebru et al., "Datasheets for Datasets" (arXiv 1803.09010), in so far as a run
can answer its questions by itself.
"""

from __future__ import annotations

import json
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.report import opt_outs, outcome
from weft.pipeline.report.charts import size, text
from weft.schemas.config import Config

_SECTIONS = ("extract", "dedup", "fetch", "score", "pack")
_OPT_OUT = ("opt_out", "optout", "noai", "tdm", "robots")  # in the name of a reason
_LICENCE = (
    "Pages and pictures belong to their authors. Common Crawl and other archives pass copies on; neither they nor "
    "weft grant a licence to them. Whether training on them is allowed depends on where and for what; every sample "
    "names its page and archive record, so that a work can be found and taken out."
)


def card(config: Config, found: dict[str, Any]) -> str:
    """The data card."""
    inputs = found["inputs"]
    names = "".join(f"<li><code>{text(name)}</code></li>" for name in inputs["names"])
    more = inputs["files"] - len(inputs["names"])
    rest = f"<p class='soft'>… and {more:,} more, in run.json</p>" if more > 0 else ""
    versions: dict[str, str] = next((s["versions"] for s in found["stages"].values() if s.get("versions")), {})
    told = ", ".join(f"{text(name)} {text(value)}" for name, value in sorted(versions.items())) or "no stage has run"
    items = (
        (
            "Sources",
            f"<details><summary>{inputs['files']:,} archive files, {size(inputs['bytes'])}</summary>"
            f"<ul>{names}</ul>{rest}</details>",
        ),
        ("Filters", _filters(config)),
        ("Opt-outs", _opt_outs(config, found)),
        ("Licence", _LICENCE),
        ("Known limits", _limits(config, found)),
        ("Against the known truth", _truth(found["truth"])),
        ("Made with", told),
        (
            "Whole configuration",
            "<details><summary>as JSON</summary>"
            f"<pre>{text(json.dumps(configuration.to_dict(config), indent=1))}</pre></details>",
        ),
    )
    return '<dl class="card">' + "".join(f"<dt>{name}</dt><dd>{body}</dd>" for name, body in items if body) + "</dl>"


def _filters(config: Config) -> str:
    """What this configuration sets otherwise than recipe raw, which filters nothing."""
    raw, mine = configuration.to_dict(configuration.load(recipe="raw")), configuration.to_dict(config)
    rows = [
        f"<tr><td><code>{section}.{key}</code></td><td><code>{text(json.dumps(value, ensure_ascii=False))}</code></td>"
        f"<td><code>{text(json.dumps(raw[section][key], ensure_ascii=False))}</code></td></tr>"
        for section in _SECTIONS
        for key, value in mine[section].items()
        if value != raw[section][key]
    ]
    if not rows:
        return "None: this is recipe <code>raw</code>."
    head = '<tr><th scope="col">key</th><th scope="col">here</th><th scope="col">in <code>raw</code></th></tr>'
    body = "".join(rows)
    return (
        f"<p>Recipe <code>{text(config.recipe)}</code>. What it sets otherwise than recipe <code>raw</code>, which "
        f'filters nothing:</p><div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
    )


def _opt_outs(config: Config, found: dict[str, Any]) -> str:
    counted: dict[tuple[str, str, str], int] = {}
    for stage, account in found["stages"].items():
        for kind, book in (account.get("books") or {}).items():
            for reason, count in book["dropped"].items():
                if any(word in reason for word in _OPT_OUT):
                    counted[stage, kind, reason] = count
    honoured = {name: getattr(config, name).honour_opt_out for name in ("extract", "fetch")}
    said = "; ".join(f"{name} {'honours' if on else 'does <b>not</b> honour'} them" for name, on in honoured.items())
    rows = "".join(
        f"<li>{count:,} {text(kind)}s dropped by {text(stage)} as <code>{text(reason)}</code></li>"
        for (stage, kind, reason), count in sorted(counted.items())
    )
    if found["opt_outs_not_honoured"]:
        rows += f"<li><b>{found['opt_outs_not_honoured']:,} pages that opted out were kept all the same</b></li>"
    return (
        "<p>Read are what headers, meta elements and pictures say (noai and the like, TDM reservations, Content-Usage, "
        "Content-Signal, IPTC's Data Mining field), and robots.txt, ai.txt and tdmrep.json of the site where the input "
        f"has them: {said}. {_robots(config)}</p>"
        + (f"<ul>{rows}</ul>" if rows else "<p>None was met.</p>")
        + outcome.first_rows(found, "fates/extract", "fates/fetch", "dedup/forbidden")
        + opt_outs.table(found["opt_outs"])
    )


def _robots(config: Config) -> str:
    pages = "Whether a page may be crawled is the crawler's matter."
    if not config.fetch.http:
        return f"Nothing is asked for over HTTP, so robots.txt is not read. {pages}"
    if not config.fetch.robots:
        return f"robots.txt is <b>not</b> read before an image is asked for. {pages}"
    return f"robots.txt is read before an image is asked for, and kept to. {pages}"


def _limits(config: Config, found: dict[str, Any]) -> str:
    told = [
        "Extraction is tuned for articles and documentation; forums, listings and product pages lose text.",
        "Language and quality rules see text only.",
        {
            "off": "Nothing removes personal data.",
            "mask": "Personal data is masked where a pattern and its checks find it; names stay.",
            "drop": "Pages in which a pattern and its checks find personal data are dropped; names stay.",
        }[config.extract.pii],
    ]
    if config.pack.max_unsafe >= 1:
        told.append("No picture is dropped for being unsafe.")
    if not (config.pack.drop_near_images or config.pack.pair_same_picture):
        told.append("Near-duplicates of pictures are not looked for; equal files with equal captions are.")
    if config.score.model == "weft-tiny":
        told.append(
            "Similarities are of the shipped tiny CLIP, which knows coloured shapes and nothing else: on photographs "
            "they mean nothing."
        )
    if config.extract.languages:
        told.append(f"Only pages in {text(', '.join(config.extract.languages))} by fastText's judgement.")
    missing = [
        name
        for name, account in found["stages"].items()
        if account["state"] == "unfinished" or (account["state"] == "not run" and name in _SECTIONS)
    ]
    if missing:
        told.append(f"Not finished when this was written: {text(', '.join(missing))}.")
    return "<ul>" + "".join(f"<li>{line}</li>" for line in told) + "</ul>"


def _truth(truth: dict[str, Any] | None) -> str:
    """Where the input was made with known truth (the demo): how right each step was."""
    if not truth:
        return ""
    rows = "".join(
        f'<tr><td>{text(name)}</td><td class="n">{value:.3f}</td></tr>'
        if isinstance(value, float)
        else f'<tr><td>{text(name)}</td><td class="n">{text(value)}</td></tr>'
        for name, value in _flat(truth)
    )
    return f"<details><summary>precision and recall of each step</summary><table>{rows}</table></details>"


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, dict):
            found += _flat(item, f"{name} · ")
        elif isinstance(item, int | float | str):
            found.append((name, item))
    return found
