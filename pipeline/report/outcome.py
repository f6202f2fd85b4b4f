"""What came out, for the report: the shards, and how a model trained on them does.

Figures → markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.pipeline.report import charts, figures
from weft.pipeline.report.charts import size, text
from weft.schemas.shards import TRAINED

NOT_RUN = '<p class="none">Not run.</p>'
_SHARDS_SHOWN = 24


def gaps(found: dict[str, Any]) -> dict[str, Any]:
    """Corpus → its grounding, where it could be measured."""
    return {name: gap for name, gap in ((found["eval"] or {}).get("grounding") or {}).items() if gap}


def first_rows(found: dict[str, Any], *tables: str) -> str:
    """What a section must say where it was made from the beginning of these tables, or of some of them."""
    cut = [table for table in tables if table in found["cut"]]
    if not cut:
        return ""
    return (
        f'<p class="about cut">Of the first {figures.MOST_ROWS:,} rows of {text(" and ".join(cut))} alone: shares tell '
        "of the whole, counts do not.</p>"
    )


def verdict(found: dict[str, Any]) -> str:
    """What the checks of the evaluation came to, in words."""
    failed = (found["eval"] or {}).get("failed", [])
    if failed:
        return f"of the corpus' checks {', '.join(failed)} {'fails' if len(failed) == 1 else 'fail'}"
    return "the model looks at the pictures, and every check of the corpus passes"


def shards(found: dict[str, Any]) -> str:
    """Shards per corpus, and each."""
    if not found["shards"]:
        return NOT_RUN if found["stages"]["pack"]["state"] == "not run" else '<p class="none">No shard was written.</p>'
    rows = [
        [name, *(f"{mine[key]:,}" for key in ("shards", "samples", "tokens", "images")), size(mine["bytes"])]
        for name, mine in ((name, found["corpora"][name]) for name in TRAINED if name in found["corpora"])
    ]
    total = _table(("corpus", "shards", "samples", "tokens", "images", "size"), rows)
    rows = [
        [
            f"<code>{text(s['name'])}</code>",
            *(f"{s[key]:,}" for key in ("samples", "tokens", "images")),
            size(s["bytes"]),
            f'<code title="{text(s["sha256"])}">{text(s["sha256"][:16])}</code>',
        ]
        for s in found["shards"][:_SHARDS_SHOWN]
    ]
    each = _table(("shard", "samples", "tokens", "images", "size", "sha256 begins"), rows)
    more = len(found["shards"]) - _SHARDS_SHOWN
    left = f'<p class="soft">… and {more:,} more, in shards/manifest.jsonl</p>' if more > 0 else ""
    return f"{total}<h3>Each shard</h3>{each}{left}"


def domains(found: dict[str, Any]) -> str:
    """The domains that most documents are of, with what was read of them."""
    if not found["domains"]:
        return NOT_RUN
    rows = [
        [text(row["domain"]), *(f"{row[key]:,}" for key in ("pages", "documents", "images"))]
        for row in found["domains"]
    ]
    table = _table(("domain", "pages read", "documents that came out", "images in them"), rows)
    about = f"The {len(rows)} with most documents. Images are those of extract, before fetch and pack."
    return f'<p class="about">{about}</p>{first_rows(found, "fates/extract", "fates/pack", "documents")}{table}'


def _curves(log: list[dict[str, Any]], key: str) -> dict[str, list[tuple[int, float]]]:
    """Corpus → (step, value) of each line of the log that has one."""
    found = {name: [(line["step"], line[key][name]) for line in log if name in line.get(key, {})] for name in TRAINED}
    return {name: points for name, points in found.items() if points}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is words and whose others are numbers, of cells that are markup already."""
    top = "".join(f'<th scope="col"{" class=n" if i else ""}>{text(name)}</th>' for i, name in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if i else ''}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def training(found: dict[str, Any]) -> str:
    """Loss curve, validation losses and grounding gaps."""
    log, evaluated = found["training"], found["eval"]
    if not log and not evaluated:
        return NOT_RUN
    parts = [
        '<p class="about">A small Kosmos-1 on the shards: proof that they train and that pictures kept their texts.</p>'
    ]
    if curves := _curves(log, "loss"):
        drawn = charts.lines(curves, "Training loss", "step", "nats per target token")
        parts.append(f'<figure class="chart wide"><h3>Training loss, nats per target token</h3>{drawn}</figure>')
    if curves := _curves(log, "gap"):
        drawn = charts.lines(curves, "Grounding gap in training", "step", "nats per target token")
        parts.append(
            f'<figure class="chart wide"><h3>Grounding gap in training, nats per target token</h3>{drawn}<figcaption>'
            "What the right pictures were worth at that step, on a few held-out samples: a trend, not a verdict."
            "</figcaption></figure>"
        )
    if evaluated:
        rows = [
            [
                name,
                *(
                    "–" if value is None else f"{value:.3f}"
                    for value in (loss, evaluated.get("bits_per_byte", {}).get(name))
                ),
                f"{evaluated['samples'][name]:,}",
                f"{evaluated['tokens'][name]:,}",
            ]
            for name, loss in sorted(evaluated["loss"].items())
        ]
        parts.append("<h3>Validation loss, held-out shards</h3>")
        parts.append(_table(("corpus", "nats per target token", "bits per byte", "samples", "target tokens"), rows))
        parts.append(
            '<h3>Grounding gap</h3><p class="about">Loss with the pictures of other samples minus loss with the right '
            "ones, on what follows a picture. A model that ignores pictures has 0, and so has a corpus that mixed them "
            "up.</p>"
        )
        for name, gap in sorted(gaps(found).items()):
            parts.append(
                f"<p><b>{text(name)}: {gap['gap']:+.3f}</b> ± {gap['standard_error']:.3f} nats a token: "
                f"{gap['right']:.3f} with the right pictures, {gap['wrong']:.3f} with wrong ones, which are worse "
                f"on average in {100 * gap['win_rate']:.0f} % of {gap['samples']:,} samples.</p>"
            )
        rows = [
            [
                f"{text(check['name'])}: {text(check['told'])}",
                *(f"{check[key]:.3f}" for key in ("value", "allowed")),
                f"{check['p']:.2g}",
                "fails" if check["failed"] else "passes",
            ]
            for check in evaluated.get("checks", [])
        ]
        parts.append(
            '<h3>Checks of the corpus</h3><p class="about">p is the probability of a figure so bad where the truth is '
            "what is allowed; of <code>ungrounded</code>, of a gap so high where pictures are worth nothing: it fails "
            "where p is not below .01. Pairs that look mismatched are in model/suspects.jsonl.</p>"
        )
        parts.append(_table(("check", "value", "allowed", "p", ""), rows))
        parts += [f'<p class="soft">{text(note)}</p>' for note in evaluated["notes"]]
    return "".join(parts)
