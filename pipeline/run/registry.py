"""The stages in their order: what each reads, owns and is decided by.

A stage's fingerprint hashes what decides its output: the configuration's section, the salt, the version, the contents
of files that the section names, and the fingerprints of the stages before it (the input, for the first). Equal
fingerprint, equal bytes: such a stage is skipped.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from weft.pipeline.run import manifest
from weft.schemas.config import Config
from weft.schemas.records import digest
from weft.transforms.dedup import index
from weft.transforms.extract import exclusions
from weft.transforms.score import image_scores, needs

Input = tuple[str, int]  # path, bytes


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage: `module`.`function`(Context) → how many of each kind entered.

    Attributes:
        outputs: directories below the output directory that only this stage writes.
        needs: stages whose output it reads.
        doc: for `weft --help` and the report.
        section: of the configuration; the stage's own name where empty.
        how: keys of the section that say how and not what, and so decide no byte.
        more: (configuration, inputs) → what else decides, such as contents of files that the section names.
        carries: (kind, kind) of which the stage before it keeps exactly as many as enter this one.
        one_job: whether it is a single job, which can be submitted and left alone.
    """

    name: str
    module: str
    function: str
    outputs: tuple[str, ...]
    needs: tuple[str, ...]
    doc: str
    section: str = ""
    how: frozenset[str] = frozenset()
    more: Callable[[Config, Sequence[Input]], dict[str, Any]] | None = None
    carries: tuple[tuple[str, str], ...] = ()
    one_job: bool = False

    @property
    def owned(self) -> tuple[str, ...]:
        """Directories below the output that the stage writes and nobody else does; its own is the first."""
        return (self.name, *self.outputs, f"fates/{self.name}")

    def load(self) -> Callable[..., dict[str, int]]:
        """The stage's function; what it imports is imported now."""
        return getattr(importlib.import_module(self.module), self.function)


def _extract_decides(config: Config, inputs: Sequence[Input]) -> dict[str, Any]:
    return {"exclude": exclusions.contents(config.exclude)} if config.exclude else {}


def _dedup_decides(config: Config, inputs: Sequence[Input]) -> dict[str, Any]:
    if not config.dedup.index:
        return {}
    return {"against": index.against(config.dedup.index, index.run_name([path for path, _ in inputs]))}


def _fetch_decides(config: Config, inputs: Sequence[Input]) -> dict[str, Any]:
    if not config.fetch.earlier:
        return {}
    return {"earlier": [(manifest.read(path, "fetch") or {}).get("fingerprint") for path in config.fetch.earlier]}


def _score_decides(config: Config, inputs: Sequence[Input]) -> dict[str, Any]:
    return {"files": image_scores.contents(config.score), "needs": needs.of(config.score, config.pack)}


STAGES = (
    Stage(
        "extract",
        "weft.pipeline.stages.extract",
        "run",
        outputs=("documents", "pairs", "captures"),
        needs=(),
        doc="WARC → documents, pairs",
        more=_extract_decides,
        one_job=True,
    ),
    Stage(
        "dedup",
        "weft.pipeline.stages.dedup.stage",
        "run",
        outputs=("clusters", "kept", "cuts"),
        needs=("extract",),
        doc="documents, pairs → what is kept",
        more=_dedup_decides,
        carries=(("page", "document"), ("pair", "pair")),
    ),
    Stage(
        "fetch",
        "weft.pipeline.stages.fetch",
        "run",
        outputs=("images",),
        needs=("dedup",),
        doc="image URLs → bytes and index",
        how=frozenset(
            {"connect_to", "concurrency", "per_host", "timeout_s", "stall_s", "interval_s", "allow_networks"}
        ),
        more=_fetch_decides,
        one_job=True,
    ),
    Stage(
        "score",
        "weft.pipeline.stages.score",
        "run",
        outputs=("scores", "image_scores", "baseline", "embeddings"),
        needs=("fetch",),
        doc="images × texts → CLIP similarities",
        how=frozenset({"accelerator", "min_ram"}),
        more=_score_decides,
        carries=(("image", "image"),),
    ),
    Stage(
        "pack",
        "weft.pipeline.stages.pack",
        "run",
        outputs=("shards",),
        needs=("score",),
        doc="everything → tokenized shards",
        carries=(("pair", "pair"), ("document", "document")),
    ),
    Stage(
        "train",
        "weft.pipeline.stages.training",
        "train",
        outputs=("model",),
        needs=("pack",),
        doc="shards → a small Kosmos-1",
    ),
    Stage(
        "eval",
        "weft.pipeline.stages.training",
        "evaluate",
        outputs=(),
        needs=("train",),
        doc="losses, alignment, checks of the corpus",
        section="train",
    ),
)
BY_NAME = {stage.name: stage for stage in STAGES}
CORPUS = tuple(stage.name for stage in STAGES[:5])  # all but those of the smoke model


def fingerprints(config: Config, inputs: Sequence[Input]) -> dict[str, str]:
    """Stage name → fingerprint, for a run of `config` on `inputs`."""
    made: dict[str, str] = {}
    for stage in STAGES:
        values = dataclasses.asdict(getattr(config, stage.section or stage.name))
        values = {key: value for key, value in values.items() if key not in stage.how}
        if stage.more:
            values |= stage.more(config, inputs)
        source: list[Any] = [made[name] for name in stage.needs] or [list(pair) for pair in inputs]
        made[stage.name] = digest(stage.name, manifest.VERSION, config.salt, values, source)
    return made
