"""What a run says when it ends: the funnel, what came out, what deserves a second look, and what to do next.

Manifests of an output directory → lines for a terminal; the warnings stand at the top of the report as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.pipeline.report import figures
from weft.pipeline.run import manifest
from weft.pipeline.run.books import Account, Books
from weft.pipeline.run.registry import STAGES
from weft.schemas.config import Config
from weft.schemas.shards import by_corpus
from weft.transforms.fetch.client import UNANSWERED
from weft.transforms.io import files
from weft.transforms.score import needs

_REASONS_SHOWN = 4
_UNREACHABLE = frozenset({*UNANSWERED, "host_unreachable"})
_MANY = 0.3  # a share of images without an answer that a crawl of living sites does not have
_FEW_WORTH_A_SHARE = 20  # below so many a share says nothing
_TINY = "weft-tiny"


def funnel(output: str) -> list[str]:
    """A line for each stage and kind: entered, kept, and what most of the others were dropped for."""
    lines = ["stage     kind       entered     kept  dropped for"]
    for stage in STAGES:
        for kind, account in sorted(_books(output, stage.name).items()):
            reasons = _commonest(account)
            told = ", ".join(f"{reason} {n}" for reason, n in reasons[:_REASONS_SHOWN])
            more = ", …" if len(reasons) > _REASONS_SHOWN else ""
            lines.append(f"{stage.name:9} {kind:9} {account['entered']:8} {account['kept']:8}  {told}{more}")
    return lines


def corpora(output: str) -> list[str]:
    """A line for each corpus that has shards: samples, tokens, images."""
    lines = [
        f"{name:12} {made['samples']:8} {made['tokens']:8} {made['images']:8}"
        for name, made in sorted(by_corpus(figures.shard_infos(output)).items())
    ]
    return ["corpus        samples   tokens   images", *lines] if lines else []


def warnings(output: str, config: Config) -> Iterator[str]:
    """Sentences on what makes the corpus other than it looks."""
    pages = _books(output, "extract").get("page")
    if pages and pages["entered"] and not pages["kept"]:
        told = ", ".join(f"{n:,} {reason}" for reason, n in _commonest(pages)[:_REASONS_SHOWN])
        yield f"no page was kept: {told}"
    images = _books(output, "fetch").get("image")
    if images and images["entered"] >= _FEW_WORTH_A_SHARE:
        gone = sum(n for reason, n in images["dropped"].items() if reason in _UNREACHABLE)
        if gone > _MANY * images["entered"]:
            share = 100 * gone / images["entered"]
            yield f"{share:.0f} % of images unreachable: is there a network? `weft fetch --retry-failed` asks again"
        absent = images["dropped"].get("not_in_warc", 0)
        if absent > _MANY * images["entered"]:
            yield f"{100 * absent / images['entered']:.0f} % of images are in no archive, and fetch.http is false"
    scored = _books(output, "score").get("pair")
    drawn = files.exists(files.join(output, "truth.json"))  # the demo's pictures, which the tiny CLIP was made for
    asked = any(needs.of(config.score, config.pack))
    if asked and scored and scored["kept"] and config.score.model == _TINY and not drawn:
        yield (
            f"scores are by {_TINY}, which knows the pictures of `weft demo` alone: on photographs they mean nothing. "
            "Set score.model, as in docs/scores.md"
        )
    packed = _books(output, "pack")
    for kind, account in sorted(packed.items()):
        # A list of captions makes pairs alone: its documents have neither texts nor images of their own.
        pairs_alone = (
            kind == "document" and set(account["dropped"]) == {"empty"} and packed.get("pair", account)["kept"]
        )
        if account["entered"] and not account["kept"] and not pairs_alone:
            yield f"no {kind} is in the shards: {', '.join(reason for reason, _ in _commonest(account)[:2])}"


def lines(output: str, config: Config, report: str) -> list[str]:
    """All that a run says at its end.

    Args:
        report: where its report is.
    """
    found = ["", *funnel(output), "", *corpora(output)]
    found += [f"\nwarning: {line}" for line in warnings(output, config)]
    trained = manifest.read(output, "eval") is not None
    after = f"weft explain URL --output {output}" if trained else f"weft train --output {output}"
    why = "why a page, image or pair is in or not" if trained else "a small model on the shards"
    look = [f"look     weft view {output}   (in a browser)"] if files.is_local(output) else []
    return [*found, "", f"report   {report}", *look, f"next     {after}   ({why})"]


def _books(output: str, stage: str) -> Books:
    return dict((manifest.read(output, stage) or {}).get("books", {}))


def _commonest(account: Account) -> list[tuple[str, int]]:
    return sorted(account["dropped"].items(), key=lambda item: (-item[1], item[0]))
