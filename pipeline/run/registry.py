"""The stages in their order: what each reads, owns and is decided by, and when it has to run.

A stage's fingerprint hashes the configuration sections that decide its output, the salt, the input and the
fingerprints of the stages before it. Equal fingerprint, equal bytes: such a stage is skipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.run import books, manifest
from weft.pipeline.run.context import Context
from weft.pipeline.run.progress import Progress
from weft.pipeline.runners import beam_options, errors, local_workers, orphans
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.transforms.dedup import index
from weft.transforms.io import files
from weft.transforms.score import image_scores


class Submitted(Exception):
    """A stage's job was handed over and nobody waits for it: the run ends here, well."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage: `module`.`function`(Context) → how many of each kind entered."""

    name: str
    module: str
    function: str
    outputs: tuple[str, ...]  # directories below the output directory that only this stage writes
    needs: tuple[str, ...]  # stages whose output it reads
    doc: str


STAGES = (
    Stage(
        "extract",
        "weft.pipeline.stages.extract",
        "run",
        ("documents", "pairs", "captures"),
        (),
        "WARC → documents, pairs",
    ),
    Stage(
        "dedup",
        "weft.pipeline.stages.dedup.stage",
        "run",
        ("clusters", "kept", "cuts"),
        ("extract",),
        "documents, pairs → what is kept",
    ),
    Stage("fetch", "weft.pipeline.stages.fetch", "run", ("images",), ("dedup",), "image URLs → bytes and index"),
    Stage(
        "score",
        "weft.pipeline.stages.score",
        "run",
        ("scores", "image_scores", "baseline", "embeddings"),
        ("fetch",),
        "images × texts → CLIP similarities",
    ),
    Stage("pack", "weft.pipeline.stages.pack", "run", ("shards",), ("score",), "everything → tokenized shards"),
    Stage("train", "weft.pipeline.stages.training", "train", ("model",), ("pack",), "shards → a small Kosmos-1"),
    Stage("eval", "weft.pipeline.stages.training", "evaluate", (), ("train",), "validation loss, grounding gap"),
)
ONE_JOB = ("extract", "fetch")
RESTARTS = 2  # of a stage whose worker process was killed
BY_NAME = {stage.name: stage for stage in STAGES}
_NEVER_DECIDES = {
    "fetch": {"connect_to", "concurrency", "per_host", "timeout_s", "stall_s", "interval_s", "allow_networks"},
    "score": {"accelerator", "min_ram"},
}  # how, not what


def fingerprints(config: Config, inputs: Sequence[tuple[str, int]]) -> dict[str, str]:
    """Stage name → fingerprint, for a run of `config` on `inputs`."""
    made: dict[str, str] = {}
    for stage in STAGES:
        section = "train" if stage.name == "eval" else stage.name
        values = dataclasses.asdict(getattr(config, section))
        for key in _NEVER_DECIDES.get(stage.name, ()):
            values.pop(key)
        if stage.name == "dedup" and config.dedup.index:  # what an index holds is input as much as documents are
            values["against"] = index.against(config.dedup.index, index.run_name([path for path, _ in inputs]))
        if stage.name == "fetch" and config.fetch.earlier:
            values["earlier"] = [
                (manifest.read(path, "fetch") or {}).get("fingerprint") for path in config.fetch.earlier
            ]
        if stage.name == "score":
            values["files"] = image_scores.contents(config.score)
        source = [made[name] for name in stage.needs] or [list(pair) for pair in inputs]
        made[stage.name] = digest(stage.name, manifest.VERSION, config.salt, values, source)
    return made


@dataclasses.dataclass(frozen=True)
class Run:
    """One output directory, its input and its configuration."""

    output: str
    inputs: tuple[tuple[str, int], ...]
    config: Config
    flags: tuple[str, ...] = ()
    quiet: bool = False
    say: Callable[[str], None] = lambda line: None

    def go(self, names: Sequence[str]) -> None:
        """Run the named stages in their order, skipping what is done.

        Raises:
            ConfigError: a stage before the first one named has not been run with this configuration.
            books.BooksError: a stage's books do not balance.
        """
        prints = fingerprints(self.config, self.inputs)
        for stage in STAGES:
            if stage.name not in names:
                continue
            for need in stage.needs:
                if (manifest.read(self.output, need) or {}).get("fingerprint") != prints[need]:
                    raise ConfigError(
                        f"{stage.name} needs {need} with this configuration: run `weft {need}` or `weft run` first"
                    )
            try:
                self._run(stage, prints[stage.name])
            except Submitted:
                return

    def _run(self, stage: Stage, fingerprint: str) -> None:
        done = manifest.read(self.output, stage.name)
        if done and done["fingerprint"] == fingerprint:
            self.say(f"{stage.name:8} done before, skipped")
            return
        if manifest.started(self.output, stage.name) == fingerprint and not done:
            self.say(f"{stage.name:8} was interrupted: going on with what is left")
            _sweep(self.output, stage)
        else:
            if done:
                self.say(f"{stage.name:8} was made from another configuration or input: doing it again")
            for name in (stage.name, *stage.outputs, f"fates/{stage.name}"):
                files.remove_tree(files.join(self.output, name))
        manifest.start(self.output, stage.name, fingerprint)
        begun, spent = time.monotonic(), _cpu_seconds()
        progress = Progress(self.output, stage.name, self.quiet)
        heard = sys.stderr  # the stage's own is hushed below

        def tell(line: str) -> None:
            with contextlib.redirect_stderr(heard):
                self.say(f"{stage.name:8} {line}")

        inputs = tuple(path for path, _ in self.inputs)
        names = {one.name: orphans.job_name(self.output, one.name) for one in STAGES}
        if not beam_options.is_direct(self.flags) and (ended := orphans.cancel(self.flags, names.values())):
            self.say(f"{stage.name:8} cancelled {ended} job(s) of a run of this directory that was killed")
        name = names[stage.name]
        context = Context(self.output, inputs, self.config, fingerprint, self.flags, progress.expect, tell, name)
        # Beam prints a worker's traceback before it raises it; the user is told once, by whoever catches it.
        hushed = contextlib.nullcontext() if "WEFT_LOG" in os.environ else contextlib.redirect_stderr(io.StringIO())
        if flag := beam_options.submit_only(self.flags):
            if stage.name not in ONE_JOB:
                raise ConfigError(f"{stage.name} looks at what one job found before the next: {flag} does not suit it")
            with hushed, contextlib.suppress(FileNotFoundError):  # of what the job would have written
                importlib.import_module(stage.module).run(context)
            self.say(f"{stage.name:8} submitted; once it has ended, the same command without {flag} closes its books")
            raise Submitted
        with progress.shown(), hushed:
            try:
                entered = _persist(getattr(importlib.import_module(stage.module), stage.function), context)
            except (RuntimeError, ValueError) as error:
                if isinstance(error, ConfigError) or beam_options.is_direct(self.flags):
                    raise
                said = files.join(self.output, stage.name, "error.txt")
                files.write_atomic(said, "".join(traceback.format_exception(error)))
                raise ConfigError(f"{errors.line(error)} (all that was said: {said})") from error
        _sweep(self.output, stage)  # of workers that were killed and whose work others did
        account = books.audit(self.output, stage.name, entered, per_file=not stage.needs)
        self._check_chain(stage, account)
        seconds = time.monotonic() - begun
        manifest.write(
            self.output,
            stage.name,
            {
                "stage": stage.name,
                "fingerprint": fingerprint,
                "config": configuration.to_dict(self.config),
                "inputs": len(self.inputs),
                "entered": entered,
                "books": account,
                "seconds": round(seconds, 1),
                "cpu_seconds": round(_cpu_seconds() - spent, 1) if beam_options.is_direct(self.flags) else None,
                "versions": manifest.versions(),
            },
        )
        self.say(f"{stage.name:8} {seconds:6.1f} s  {_summary(account)}")

    def _check_chain(self, stage: Stage, account: books.Books) -> None:
        for need in stage.needs:
            before: Any = (manifest.read(self.output, need) or {}).get("books", {})
            kinds = {"dedup": ("pair",), "score": ("image",), "pack": ("pair", "document")}.get(stage.name, ())
            for kind in kinds:
                books.carry_on(before, account, kind, (need, stage.name))


def _persist(function: Callable[[Context], dict[str, int]], context: Context) -> dict[str, int]:
    """Run a stage, and again with what is left of it when a worker process was killed."""
    for left in range(RESTARTS, -1, -1):
        try:
            return function(context)
        except RuntimeError as error:
            if not local_workers.is_lost(error):
                raise
            if not left:
                raise ConfigError(
                    f"{local_workers.LOST}, for the {RESTARTS + 1}th time; if memory is short, take fewer of them with "
                    "`-- --direct_num_workers=N`. The same command goes on where this one stopped"
                ) from None
            context.say("a worker process was killed: going on with what is left")
    raise AssertionError


def _sweep(output: str, stage: Stage) -> None:
    """Remove the temporary files that a killed run left; only a local file system has any."""
    if not files.is_local(output):
        return
    for name in (stage.name, *stage.outputs, f"fates/{stage.name}"):
        for folder, _, names in os.walk(files.join(output, name)):
            for left in names:
                if ".tmp-" in left:
                    os.unlink(os.path.join(folder, left))


def _cpu_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended, as local workers do."""
    return sum(os.times()[:4])


def _summary(account: books.Books) -> str:
    parts = []
    for kind in sorted(account):
        kept, entered = account[kind]["kept"], account[kind]["entered"]
        parts.append(f"{kind}s {kept:,}" + (f" of {entered:,}" if entered != kept else ""))
    return ", ".join(parts)
