"""dedup: documents and pairs → clusters of duplicates, and the list of what is kept.

Reads   documents/*.parquet, pairs/*.parquet, site_files/*.parquet; the index of earlier runs where one is configured
Writes  clusters/   a row for each document in a cluster of two or more
        kept/       the key of every kept document and pair, for the stages that follow
        cuts/       lines that kept documents lose, where the rules on lines are on
        fates/dedup/
        dedup/forbidden/   documents that robots.txt and the like of their own site forbid, where there are such files
        dedup/earlier/, astray/   what earlier runs dropped for something that they keep, and for nothing that they do
        dedup/sketches/    what the rules look at, one file per file of documents
        dedup/drops/       equal URLs, texts, image lists
        dedup/edges/       pairs of similar documents
        dedup/stars-N/     the same as components, after N jobs; for cluster = "bucket" instead
                           seats-N/, buckets of documents that are undecided after N jobs, and near-N/, their drops
        dedup/curve.json   the chosen bands, rows and least similarity ("cut"), and what they find

Six kinds of job; an interrupted run goes on with the first that is not done:

    forbid  documents, site files → documents that may not be used
    earlier index → drops of earlier runs that stand, and those that do not
    sketch  each file of documents → sketches
    find    one copy per record → URL → exact → images → bands → compared pairs
    link    edges → stars; again on its own output until every component is one
            (for cluster = "bucket": buckets → drops, until every document is decided)
    settle  sketches, drops, stars → verdicts on documents → verdicts on pairs → tables, index
"""

from __future__ import annotations

import json

from weft.pipeline.run import decides, discards
from weft.pipeline.run.context import Context
from weft.pipeline.stages.dedup.find import earlier, find, forbid, sketch
from weft.pipeline.stages.dedup.link import link, one_per_bucket
from weft.pipeline.stages.dedup.settle import settle
from weft.pipeline.stages.dedup.work import Work
from weft.schemas.config import Dedup
from weft.schemas.parameters import ConfigError
from weft.transforms.dedup import contamination, index, minhash
from weft.transforms.dedup.rules import STAGE
from weft.transforms.io import files

OUTPUTS = ("clusters", "kept", "cuts")


def run(ctx: Context) -> dict[str, int]:
    """Run the stage.

    Raises:
        ConfigError: no bands reach the configured recall, a foreign index, evaluation texts that cannot be read.
    """
    config = ctx.config.dedup
    check(ctx)
    if config.near:
        _write_curve(ctx, config)
    work = Work(ctx)
    ctx.expect(len(ctx.parts("documents")) + 1 + config.near + work.judged + bool(work.earlier))
    if work.judged:
        work.job("forbid", lambda: forbid(work))
    if work.earlier:
        work.job("earlier", lambda: earlier(work))
    sketch(work)
    work.job("find", lambda: find(work))
    stars = ""
    if config.near and config.cluster == "bucket":
        one_per_bucket(work)
    elif config.near:
        stars = link(work)
    settle(work, stars)
    return work.entered


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for what `run` would."""
    config = ctx.config.dedup
    if config.evaluation:
        contamination.load(config.evaluation, config.evaluation_ngram)
        if 0 < config.evaluation_window < config.evaluation_ngram:
            raise ConfigError(
                f"dedup.evaluation_window = {config.evaluation_window} is too small for one run of "
                f"dedup.evaluation_ngram = {config.evaluation_ngram} words"
            )
    if config.near:
        minhash.bands_for(config)
    if config.index:
        index.check(config.index, config)
        own = index.run_name(ctx.inputs)
        index.parts(config.index, decides.against(ctx.config, ctx.inputs, ctx.output))
        other = discards.in_index(config.index, own, ctx.finished or ctx.output)
        before = index.owner(config.index, own)
        mine = not before or before == index.address(ctx.finished or ctx.output) or ctx.adds == "never"
        if not mine and index.other_marks(config.index, own, ctx.marks):
            raise ConfigError(
                f"the index {config.index} has other files of these names from the run in {before}, and would lose "
                "them: give the files names of their own, or set another dedup.index"
            )
        if other and ctx.adds != "never":
            raise ConfigError(
                f"the index {config.index} has this input from the run in {other}: set another dedup.index, or do that "
                f"one again with `weft run --redo --output {other}`"
            )


def _write_curve(ctx: Context, config: Dedup) -> None:
    how = minhash.bands_for(config)
    points = minhash.curve(how, config.permutations)
    shown = ", ".join(
        f"{100 * found:.0f} % at {similarity:.2f}" for similarity, found in points if 0.6 < similarity < 1
    )
    ctx.say(f"finds {shown} similarity ({how.bands} bands of {how.rows} rows, cut at {how.least:.3f})")
    chosen = {
        "threshold": config.threshold,
        "recall": config.recall,
        "permutations": config.permutations,
        "unit": config.unit,
        "ngram": config.ngram,
        "cluster": config.cluster,
        "bands": how.bands,
        "rows": how.rows,
        "cut": how.least,
        "curve": points,
    }
    files.write_atomic(ctx.path(STAGE, "curve.json"), json.dumps(chosen, sort_keys=True) + "\n")
