"""What crosses from worker to worker, in the graphs of all stages and in a job that has run."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

import weft.schemas.config as configuration
from weft.pipeline.run.context import Context
from weft.pipeline.runners import beam_options, shuffles
from weft.pipeline.stages import extract, fetch, pack, score
from weft.pipeline.stages.dedup import find, link, settle
from weft.pipeline.stages.dedup.work import Work
from weft.schemas import tables
from weft.schemas.records import SiteFile
from weft.transforms.beam import coders
from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join
from weft.transforms.io.parquet import write_table
from weft.transforms.pack import tokenizer
from weft.transforms.score import needs

TABLES = {
    "documents": tables.DOCUMENTS, "pairs": tables.PAIRS, "captures": tables.CAPTURES, "kept": tables.KEPT,
    "cuts": tables.CUTS, "images/index": tables.IMAGES, "images/repeated": tables.REPEATED, "scores": tables.SCORES,
    "image_scores": tables.IMAGE_SCORES, "fates/score": tables.FATES,
}  # fmt: skip
EVERYTHING = (  # that changes which shuffles there are
    "dedup.lines_once=true", "dedup.lines_per_host=3", "dedup.image_sets=true", "fetch.http=false",
    "score.compare='always'", "score.embeddings=true", "score.near_images=0.9", "score.near_hash=3", 'score.prompts={a=["b"], c=["d"]}', "pack.pair_top_share=0.3",
    "pack.pair_same_picture=true",
)  # fmt: skip


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[beam.Pipeline]:
    """Pipelines that were to be run, and were built only."""
    built: list[beam.Pipeline] = []

    class Built(beam.Pipeline):
        def run(self, *arguments: Any, **options: Any) -> Any:
            built.append(self)
            return beam.Pipeline(options=beam_options.options((), 1)).run()

    def pipeline(flags: Any, *_: Any) -> beam.Pipeline:
        return Built(options=beam_options.options(flags, 1))

    monkeypatch.setattr(beam_options, "pipeline", pipeline)
    return built


def build(home: Path, graphs: list[beam.Pipeline], *overrides: str) -> dict[str, list[beam.Pipeline]]:
    """Stage → graphs of its jobs, with the tables before it there, and all but empty."""
    for name, schema in TABLES.items():
        write_table(str(home / name / "part.parquet"), [], schema)
    a_site = SiteFile("h.test", 0, "robots.txt", "Disallow: /")  # where there is none, no page is judged by any
    write_table(str(home / "site_files/part.parquet"), [a_site], tables.SITE_FILES)
    (home / "tokenizer.json").write_bytes(tokenizer.train(["some words"], 300))
    named = f'pack.tokenizer="{home}/tokenizer.json"'
    index = f'dedup.index="{home}/index"'
    ctx = Context(str(home), ("a.warc",), configuration.load(overrides=[*EVERYTHING, named, index, *overrides]), "x")
    work = Work(ctx)
    jobs: dict[str, list[Callable[[], object]]] = {
        "extract": [lambda: extract.run(ctx)],
        "dedup": [
            lambda: find.forbid(work), lambda: find.earlier(work), lambda: find.sketch(work),
            lambda: find.find(work), lambda: link.link(work),
            lambda: link.one_per_bucket(work), lambda: settle.settle(work, "stars-1"),
        ],
        "fetch": [lambda: fetch.run(ctx)],
        "score": [lambda: score.run(ctx), lambda: score.embed(ctx, needs.of(ctx.config.score, ctx.config.pack))],
        "pack": [
            lambda: pack.run(ctx), lambda: pack._training_texts(ctx, pack.shard_layout(ctx)),
        ],
    }  # fmt: skip
    of = {}
    for stage, several in jobs.items():
        before = len(graphs)
        for job in several:
            with contextlib.suppress(FileNotFoundError, KeyError):  # of what the job would have written
                job()
        of[stage] = graphs[before:]
    return of


@pytest.mark.parametrize(
    "overrides", [(), ('dedup.cluster="bucket"', "fetch.http=true", "score.compare='needed'")], ids=["usual", "other"]
)
def test_nothing_that_is_shuffled_is_pickled(
    tmp_path: Path, graphs: list[beam.Pipeline], overrides: tuple[str, ...]
) -> None:
    found = build(tmp_path, graphs, *overrides)
    assert {stage: len(jobs) for stage, jobs in found.items()} == {
        "extract": 1, "dedup": 7, "fetch": 1, "score": 2, "pack": 3,
    }  # fmt: skip
    every = [(stage, *one) for stage, jobs in found.items() for job in jobs for one in shuffles.shuffled(job)]
    assert len(every) > 80
    assert [(stage, name, coder) for stage, name, coder, _ in every if not coders.is_typed(coder)] == []
    looked_up = [name for stage, name, *_ in every if stage == "score" and "FindTexts/Pages" in name]
    assert bool(looked_up) == (not overrides), "texts of documents, where documents are compared"


def test_what_was_shuffled_is_known_of_a_job_that_has_run() -> None:
    found: list[shuffles.Shuffle] = []
    with beam_options.pipeline(("--direct_num_workers=1",), 1, "", found) as p:
        rows = p | beam.Create([(f"key{n % 10}", n) for n in range(1_000)]).with_output_types(tuple[str, int])
        _ = rows | "Sum" >> Fold(max)
        _ = {"rows": rows, "more": rows} | "Join" >> Join()
    of = {one.name.split("/")[0]: one for one in found}
    assert of["Sum"].combined and of["Sum"].rows == 1_000
    assert of["Join"].rows == 2_000 and not of["Join"].combined
    assert of["Join"].row_bytes == 6.9, "a key of 4 bytes, which side it is of in 1, a number in 1 or (above 127) 2"
    assert all(one.typed for one in found)
    assert of["Join"].largest > 500
