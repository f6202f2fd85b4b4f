"""The stages in their order: what each reads, owns and is decided by.

A stage's fingerprint hashes what decides its output: the configuration's section, the salt, the version, the contents
of files that the section names (decides.py), and the fingerprints of the stages before it (the input, for the first:
path, bytes and both ends of each file). Equal fingerprint, equal bytes: such a stage is skipped.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from weft.pipeline.run import decides, manifest
from weft.schemas.config import Config
from weft.schemas.records import digest

Decided = Mapping[str, Mapping[str, Any]]  # stage name → what beside its keys decides it, by name
NOTHING: Mapping[str, Any] = MappingProxyType({})
Input = tuple[str, int, str] | tuple[str, int]  # path, bytes and, where it was read, `files.ends`


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage: `module`.`function`(Context) → how many of each kind entered.

    Attributes:
        outputs: directories below the output directory that only this stage writes.
        needs: stages whose output it reads.
        doc: for `weft --help` and the report.
        section: of the configuration; the stage's own name where empty.
        how: keys of the section that say how and not what, and so decide no byte.
        more: (configuration, paths of inputs, output, runs of `fingerprints`) → what else decides, such as contents of
            files that the section names.
        carries: (kind, kind) of which the stage before it keeps exactly as many as enter this one.
        one_job: whether it is a single job, which can be submitted and left alone.
        files: what it writes besides into a directory of another stage.
    """

    name: str
    module: str
    function: str
    outputs: tuple[str, ...]
    needs: tuple[str, ...]
    doc: str
    section: str = ""
    how: frozenset[str] = frozenset()
    more: Callable[[Config, Sequence[str], str, Sequence[str] | None], dict[str, Any]] | None = None
    carries: tuple[tuple[str, str], ...] = ()
    one_job: bool = False
    files: tuple[str, ...] = ()

    @property
    def owned(self) -> tuple[str, ...]:
        """Directories below the output that the stage writes and nobody else does; its own is the first."""
        return (self.name, *self.outputs, f"fates/{self.name}")

    def load(self) -> Callable[..., dict[str, int]]:
        """The stage's function; what it imports is imported now."""
        return getattr(importlib.import_module(self.module), self.function)

    def check(self, context: Any) -> None:
        """Ask the stage's module, where it has a `check`, what would stop it.

        Raises:
            ConfigError: models, tokenizers, texts and the like that cannot be used.
        """
        module = importlib.import_module(self.module)
        if hasattr(module, "check"):
            module.check(context)


STAGES = (
    Stage(
        "extract",
        "weft.pipeline.stages.extract",
        "run",
        outputs=("documents", "pairs", "captures", "site_files"),
        needs=(),
        doc="WARC → documents, pairs",
        more=decides.extract,
        one_job=True,
    ),
    Stage(
        "dedup",
        "weft.pipeline.stages.dedup.stage",
        "run",
        outputs=("clusters", "kept", "cuts"),
        needs=("extract",),
        doc="documents, pairs → what is kept",
        more=decides.dedup,
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
            {
                "connect_to",
                "concurrency",
                "per_host",
                "timeout_s",
                "stall_s",
                "interval_s",
                "allow_networks",
                "unit_minutes",
                "host_hours",
            }
        ),
        more=decides.fetch,
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
        more=decides.score,
        carries=(("image", "image"),),
    ),
    Stage(
        "pack",
        "weft.pipeline.stages.pack",
        "run",
        outputs=("shards",),
        needs=("score",),
        doc="everything → tokenized shards",
        more=decides.pack,
        carries=(("pair", "pair"), ("document", "document")),
    ),
    Stage(
        "train",
        "weft.pipeline.stages.training",
        "train",
        outputs=("model",),
        needs=("pack",),
        doc="shards → a small Kosmos-1",
        how=frozenset({"eval_samples", "audit_folds"}),
        more=decides.train,
    ),
    Stage(
        "eval",
        "weft.pipeline.stages.training",
        "evaluate",
        outputs=(),
        files=("model/eval.json",),
        needs=("train",),
        doc="losses, alignment, checks of the corpus",
        section="train",
    ),
)
BY_NAME = {stage.name: stage for stage in STAGES}
CORPUS = tuple(stage.name for stage in STAGES[:5])  # all but those of the smoke model


def before(stage: Stage) -> list[Stage]:
    """The stages whose output a stage builds on, in their order."""
    found = set(stage.needs)
    for one in reversed(STAGES):
        found |= set(one.needs) if one.name in found else set()
    return [one for one in STAGES if one.name in found]


def decided(
    config: Config,
    inputs: Sequence[Input],
    output: str = "",
    runs: Sequence[str] | None = None,
    noted: Decided = NOTHING,
) -> Decided:
    """Stage name → what beside its keys decides it, for a run of `config` on `inputs` into `output`.

    Args:
        runs: in the dedup index, with which it is compared; None asks for them now.
        noted: of stages for which that is known (`decides.recorded`).
    """
    paths = [one[0] for one in inputs]
    return {
        stage.name: noted[stage.name] if stage.name in noted else stage.more(config, paths, output, runs)
        for stage in STAGES
        if stage.more
    }


def fingerprints(
    config: Config,
    inputs: Sequence[Input],
    output: str = "",
    runs: Sequence[str] | None = None,
    more: Decided | None = None,
) -> dict[str, str]:
    """Stage name → fingerprint, for a run of `config` on `inputs` into `output`.

    Args:
        runs: in the dedup index, with which it is compared; None asks for them now.
        more: what `decided` gives; None asks for it now.
    """
    more = decided(config, inputs, output, runs) if more is None else more
    made: dict[str, str] = {}
    for stage in STAGES:
        values = dataclasses.asdict(getattr(config, stage.section or stage.name))
        values = {key: value for key, value in values.items() if key not in stage.how}
        values |= {key: said for key, said in more.get(stage.name, {}).items() if said}
        source: list[Any] = [made[name] for name in stage.needs] or [list(pair) for pair in inputs]
        made[stage.name] = digest(stage.name, manifest.VERSION, config.salt, values, source)
    return made
