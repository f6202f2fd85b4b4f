"""One run: its stages in their order, each skipped, gone on with or begun, then audited and closed.

prepare (all stages: what would stop them, what they would discard)
    └─► of each: begin (what is on disk?) ─► job (the stage's function) ─► close (sweep, books, manifest)

Nothing is started or removed before all stages are prepared. What replaces finished work is made beside it and takes
its place when it is whole (place.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.run import books, decides, discards, integrity, manifest, pages, place
from weft.pipeline.run.context import Adds, Context
from weft.pipeline.run.progress import Progress
from weft.pipeline.run.registry import BY_NAME, CORPUS, STAGES, Decided, Input, Stage, before, decided, fingerprints
from weft.pipeline.runners import beam_options, errors, orphans
from weft.pipeline.runners.local import pool
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.dedup import index
from weft.transforms.io import files

SMALL_BYTES = 16 << 20  # of archives: a core is through sooner than a worker process has imported Beam for each stage
FILE_BYTES = 16 << 10  # of archives take as long as any file by itself: 25 ms of CPU in extract, 16 waits for the disk
RESTARTS = 2  # of a stage whose worker process was killed


class Submitted(Exception):
    """A stage's job was handed over and nobody waits for it: the run ends here, well."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One output directory, its input and its configuration.

    Attributes:
        redo: whether finished work may be replaced; a stage that is named alone is done again then.
        verify: whether what stands is checked by its digests, and not by sizes and ends of tables alone.
    """

    output: str
    inputs: tuple[Input, ...]
    config: Config
    flags: tuple[str, ...] = ()
    quiet: bool = False
    say: Callable[[str], None] = lambda line: None
    finished: str = ""  # see Context
    adds: Adds = "now"  # see Context
    redo: bool = False
    verify: bool = False
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)  # see Context

    def go(
        self, names: Sequence[str], ready: Callable[[], object] = lambda: None, reopened: Collection[str] = ()
    ) -> None:
        """Run the named stages in their order, skipping what is done.

        Args:
            names: of stages.
            ready: called once nothing stands in the way any more, before anything is started or removed.
            reopened: stages that `ready` makes unfinished.

        Raises:
            ConfigError: a stage cannot run, lacks what comes before it, or would discard finished work unasked; or the
                input of several stages holds not one page.
            books.BooksError: a stage's books do not balance.
        """
        place.sweep_beside(self.output)
        place.recover(self.output)
        self._take_place()
        runs = decides.against(self.config, [one[0] for one in self.inputs], self.output)  # once: others may join them
        more, prints = self._decided(names, runs)
        self._prepare([stage for stage in STAGES if stage.name in names], prints, reopened, more)
        ready()
        for stage in STAGES:
            try:
                if stage.name in names:
                    self._unchanged(stage, more, self._decides(names, runs))
                    told = {"against": tuple(runs), "decides": more.get(stage.name, {})}
                    self._run(stage, prints[stage.name], self.redo and len(names) == 1, told)
            except Submitted:
                return
            if stage.name == "fetch":
                more, prints = self._decided(names, runs)  # more images may have come; then:
                after = [name for name in names if BY_NAME["fetch"] in before(BY_NAME[name])]
                discards.check(self.output, after, self.config, prints, self.redo, more)
            if stage.name == "extract" and len(names) > 1:
                pages.check(self.output, [one[0] for one in self.inputs])

    def check(self, names: Sequence[str]) -> None:
        """Whether nothing stands in the way of the named stages, as `go` finds out before it starts anything.

        Raises:
            ConfigError: something does.
        """
        place.recover(self.output)
        more, prints = self._decided(names)
        self._prepare([stage for stage in STAGES if stage.name in names], prints, (), more)

    def _decided(self, names: Sequence[str], runs: Sequence[str] | None = None) -> tuple[Decided, dict[str, str]]:
        """What decides the stages, and their fingerprints."""
        more = self._decides(names, runs)
        return more, fingerprints(self.config, self.inputs, more=more)

    def _decides(self, names: Sequence[str], runs: Sequence[str] | None = None) -> Decided:
        """What decides the stages; of those that are not made here it is what they say."""
        noted: dict[str, dict[str, Any]] = {}
        if self.finished:
            noted = decides.recorded(self.finished, "extract", "train")
            if "extract" in noted:
                noted["extract"] = {**noted["extract"], "exclude": ""} | decides.excluded(self.config)
        elif not set(names) & set(CORPUS):
            noted = decides.recorded(self.output, *CORPUS)
        return decided(self.config, self.inputs, self.output, runs, noted)

    def _unchanged(self, stage: Stage, begun: Decided, now: Decided) -> None:
        """Raise ConfigError where what decides a stage, or one before it, is not what it was when the run began."""
        for name in (one.name for one in (*before(stage), stage)):
            if words := discards.others(begun.get(name, {}), now.get(name, {}), but=("against", "came_later")):
                raise ConfigError(
                    f"{stage.name}: the run began with {' and '.join(words)}: put back what was there and run it "
                    "again, or let --redo begin with what is there now"
                )

    def write(self) -> None:
        """Say what run the output directory belongs to."""
        paths = [path for path, *_ in self.inputs]
        apart = decides.against(self.config, paths, self.output) if self.adds == "never" else None
        manifest.write_run(self.output, self.config, self.inputs, apart)

    def _prepare(
        self, stages: Sequence[Stage], prints: dict[str, str], reopened: Collection[str], more: Decided
    ) -> None:
        done = {
            stage.name
            for stage in STAGES
            if stage.name not in reopened
            and (manifest.read(self.output, stage.name) or {}).get("fingerprint") == prints[stage.name]
        }
        begun: list[str] = []
        coming: set[str] = set()
        standing: dict[str, Stage] = {}
        for stage in stages:
            for need in stage.needs:
                if need not in done and need not in coming:
                    whole = "weft run --train" if need == "train" else "weft run"
                    raise ConfigError(
                        f"{stage.name} needs {need} with this configuration: run `weft {need}` or `{whole}` first"
                    )
            coming.add(stage.name)
            standing |= {one.name: one for one in before(stage)}
            if stage.name in done and not (self.redo and len(stages) == 1):
                standing[stage.name] = stage
                continue
            paths = tuple(path for path, *_ in self.inputs)
            stage.check(
                Context(
                    self.output,
                    paths,
                    self.config,
                    "",
                    self.flags,
                    finished=self.finished,
                    adds=self.adds,
                    marks=index.marks(self.inputs),
                )
            )
            place.check_writable(self.output, stage)
            place.check_foreign(self.output, stage)
            begun.append(stage.name)
        discards.check(self.output, begun, self.config, prints, self.redo, more)
        for stage in standing.values():
            if stage.name in done:
                self._check_files(stage)

    def _check_files(self, stage: Stage) -> None:
        for problem in integrity.problems(self.output, stage, self.verify):
            raise ConfigError(f"{problem}: `weft {stage.name} --redo --output {self.output}` makes it again")

    def _run(self, stage: Stage, fingerprint: str, again: bool, told: Mapping[str, Any]) -> None:
        home, resumed = self._begin(stage, fingerprint, again)
        if not home:
            return
        begun, spent = time.monotonic(), _cpu_seconds()
        progress = Progress(home, stage.name, self.quiet)
        context = dataclasses.replace(self._context(stage, fingerprint, progress, home), **told)
        if flag := beam_options.submit_only(self.flags):
            self._submit(stage, context, flag)
        entered, at_once = self._job(stage, context, progress)
        # Nobody knows what it took until it was stopped, or what workers took that were killed.
        measured = beam_options.is_direct(self.flags) and not resumed and at_once
        cpu = round(_cpu_seconds() - spent, 1) if measured else None
        self._close(stage, context, entered, time.monotonic() - begun, cpu)

    def _begin(self, stage: Stage, fingerprint: str, again: bool) -> tuple[str, bool]:
        """Make the stage's directories ready: where it is to write ("" where all is done), and whether it goes on."""
        done = manifest.read(self.output, stage.name)
        if done and done["fingerprint"] == fingerprint and not again:
            self._tell(stage, "done before, skipped")
            return "", False
        home = place.aside(self.output, stage) if done and stage.outputs else self.output
        resumed = manifest.started(home, stage.name) == fingerprint
        if resumed:
            self._tell(stage, "was interrupted: going on with what is left")
            place.sweep(home, stage)
        else:
            if done:
                self._tell(stage, "doing it again; what is there stays until that is whole")
            place.clear(home, stage)
        manifest.start(home, stage.name, fingerprint)
        return home, resumed

    def _context(self, stage: Stage, fingerprint: str, progress: Progress, home: str) -> Context:
        names = {one.name: orphans.job_name(self.output, one.name) for one in STAGES}
        if not beam_options.is_direct(self.flags) and (ended := orphans.cancel(self.flags, names.values())):
            self._tell(stage, f"cancelled {ended} job(s) of a run of this directory that was killed")
        heard = sys.stderr  # the stage's own is hushed while it runs

        def tell(line: str) -> None:
            with contextlib.redirect_stderr(heard):
                self._tell(stage, line)

        return Context(
            self.output, tuple(one[0] for one in self.inputs), self.config, fingerprint, self.flags, progress.expect,
            tell, names[stage.name],
            small=is_small([_size(one[0], one[1]) for one in self.inputs]),
            finished=self.finished,
            adds=self.adds,
            aside=home if home != self.output else "",
            slips=files.join(home, stage.name, "slips"),
            keys=self.keys,
            marks=index.marks(self.inputs),
        )  # fmt: skip

    def _submit(self, stage: Stage, context: Context, flag: str) -> None:
        if not stage.one_job:
            raise ConfigError(f"{stage.name} looks at what one job found before the next: {flag} does not suit it")
        with _hushed(), contextlib.suppress(FileNotFoundError):  # of what the job would have written
            stage.load()(context)
        self._tell(stage, f"submitted; once it has ended, the same command without {flag} closes its books")
        raise Submitted

    def _job(self, stage: Stage, context: Context, progress: Progress) -> tuple[dict[str, int], bool]:
        with progress.shown(), _hushed():
            try:
                return _persist(stage.load(), context)
            except (RuntimeError, ValueError) as error:
                if isinstance(error, ConfigError) or beam_options.is_direct(self.flags):
                    raise
                said = context.path(stage.name, "error.txt")
                files.write_atomic(said, "".join(traceback.format_exception(error)))
                raise ConfigError(f"{errors.line(error)} (all that was said: {said})") from error
            finally:
                pool.close()

    def _close(
        self, stage: Stage, context: Context, entered: dict[str, int], seconds: float, cpu: float | None
    ) -> None:
        place.sweep(context.home, stage)  # of workers that were killed and whose work others did
        job = None if beam_options.is_direct(self.flags) else context.pipeline
        account = books.audit(context.home, stage.name, entered, per_file=not stage.needs, job=job)
        for need in stage.needs:
            earlier = (manifest.read(self.output, need) or {}).get("books", {})
            for kinds in stage.carries:
                books.carry_on(earlier, account, kinds, (need, stage.name))
        manifest.write(
            context.home,
            stage.name,
            {
                "stage": stage.name,
                "fingerprint": context.fingerprint,
                "decides": dict(context.decides),
                "config": configuration.to_dict(self.config),
                "inputs": len(self.inputs),
                "entered": entered,
                "books": account,
                "seconds": round(seconds, 1),
                "cpu_seconds": cpu,
                "shuffles": [one._asdict() for one in context.shuffles],
                "versions": manifest.versions(),
                "files": integrity.seal(context.home, stage, context.slips),
            },
        )
        if context.aside:
            place.replace(self.output, stage)
            self._take_place()
        self._tell(stage, f"{seconds:6.1f} s  {books.summary(account)}")

    def _take_place(self) -> None:
        """Let a dedup that was done again have its place in the index, now that its tables have theirs."""
        if self.adds == "now":
            index.publish_noted(files.join(self.output, "dedup", index.LATER), self.output)

    def _tell(self, stage: Stage, line: str) -> None:
        self.say(f"{stage.name:8} {line}")


def is_small(sizes: Sequence[int | None]) -> bool:
    """Whether one process does for inputs of so many bytes; None is of one that nobody has measured."""
    known = [size for size in sizes if size is not None]
    return len(known) == len(sizes) and sum(known) + FILE_BYTES * len(sizes) < SMALL_BYTES


def _size(path: str, said: int) -> int | None:
    """Bytes of an input. One that is said to have none is empty, or its size has not been asked for."""
    return said or (os.path.getsize(path) if files.is_local(path) and os.path.isfile(path) else None)


def _persist(function: Callable[[Context], dict[str, int]], context: Context) -> tuple[dict[str, int], bool]:
    """Run a stage, and again with what is left of it when a worker process was killed; and whether none was."""
    for left in range(RESTARTS, -1, -1):
        try:
            return function(context), left == RESTARTS
        except pool.Lost:
            if not left:
                raise ConfigError(
                    f"{pool.LOST}, for the {RESTARTS + 1}th time; if memory is short, take fewer of them with "
                    "`-- --direct_num_workers=N`. The same command goes on where this one stopped"
                ) from None
            context.say("a worker process was killed: going on with what is left")
    raise AssertionError


def _hushed() -> contextlib.AbstractContextManager[object]:
    """Beam prints a worker's traceback before it raises it; the user is told once, by whoever catches it."""
    return contextlib.nullcontext() if "WEFT_LOG" in os.environ else contextlib.redirect_stderr(io.StringIO())


def _cpu_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended, as local workers do."""
    return sum(os.times()[:4])
