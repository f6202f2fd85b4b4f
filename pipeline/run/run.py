"""One run: its stages in their order, each skipped, gone on with or begun, then audited and closed.

begin (what is on disk?) ─► job (the stage's function) ─► close (sweep, books, manifest)
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence

import weft.schemas.config as configuration
from weft.pipeline.run import books, manifest, pages
from weft.pipeline.run.context import Context
from weft.pipeline.run.progress import Progress
from weft.pipeline.run.registry import STAGES, Input, Stage, fingerprints
from weft.pipeline.runners import beam_options, errors, local_workers, orphans
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files

SMALL_BYTES = 16 << 20  # of archives: a core is through sooner than a worker process has imported Beam for each stage
RESTARTS = 2  # of a stage whose worker process was killed


class Submitted(Exception):
    """A stage's job was handed over and nobody waits for it: the run ends here, well."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One output directory, its input and its configuration."""

    output: str
    inputs: tuple[Input, ...]
    config: Config
    flags: tuple[str, ...] = ()
    quiet: bool = False
    say: Callable[[str], None] = lambda line: None
    finished: str = ""  # see Context

    def go(self, names: Sequence[str]) -> None:
        """Run the named stages in their order, skipping what is done.

        Raises:
            ConfigError: a stage before the first one named has not been run with this configuration, or the input of
                several stages holds not one page.
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
            if stage.name == "extract" and len(names) > 1:
                pages.check(self.output, [path for path, _ in self.inputs])

    def _run(self, stage: Stage, fingerprint: str) -> None:
        if not self._begin(stage, fingerprint):
            return
        begun, spent = time.monotonic(), _cpu_seconds()
        progress = Progress(self.output, stage.name, self.quiet)
        context = self._context(stage, fingerprint, progress)
        if flag := beam_options.submit_only(self.flags):
            self._submit(stage, context, flag)
        entered = self._job(stage, context, progress)
        self._close(stage, context, entered, time.monotonic() - begun, _cpu_seconds() - spent)

    def _begin(self, stage: Stage, fingerprint: str) -> bool:
        """Make the stage's directories ready; whether there is anything to do."""
        done = manifest.read(self.output, stage.name)
        if done and done["fingerprint"] == fingerprint:
            self._tell(stage, "done before, skipped")
            return False
        if manifest.started(self.output, stage.name) == fingerprint and not done:
            self._tell(stage, "was interrupted: going on with what is left")
            _sweep(self.output, stage)
        else:
            if done:
                self._tell(stage, "was made from another configuration or input: doing it again")
            for name in stage.owned:
                files.remove_tree(files.join(self.output, name))
        manifest.start(self.output, stage.name, fingerprint)
        return True

    def _context(self, stage: Stage, fingerprint: str, progress: Progress) -> Context:
        names = {one.name: orphans.job_name(self.output, one.name) for one in STAGES}
        if not beam_options.is_direct(self.flags) and (ended := orphans.cancel(self.flags, names.values())):
            self._tell(stage, f"cancelled {ended} job(s) of a run of this directory that was killed")
        heard = sys.stderr  # the stage's own is hushed while it runs

        def tell(line: str) -> None:
            with contextlib.redirect_stderr(heard):
                self._tell(stage, line)

        inputs = tuple(path for path, _ in self.inputs)
        sizes = [size for _, size in self.inputs]
        small = all(sizes) and sum(sizes) < SMALL_BYTES
        return Context(
            self.output, inputs, self.config, fingerprint, self.flags, progress.expect, tell, names[stage.name], small,
            self.finished,
        )  # fmt: skip

    def _submit(self, stage: Stage, context: Context, flag: str) -> None:
        if not stage.one_job:
            raise ConfigError(f"{stage.name} looks at what one job found before the next: {flag} does not suit it")
        with _hushed(), contextlib.suppress(FileNotFoundError):  # of what the job would have written
            stage.load()(context)
        self._tell(stage, f"submitted; once it has ended, the same command without {flag} closes its books")
        raise Submitted

    def _job(self, stage: Stage, context: Context, progress: Progress) -> dict[str, int]:
        with progress.shown(), _hushed():
            try:
                return _persist(stage.load(), context)
            except (RuntimeError, ValueError) as error:
                if isinstance(error, ConfigError) or beam_options.is_direct(self.flags):
                    raise
                said = files.join(self.output, stage.name, "error.txt")
                files.write_atomic(said, "".join(traceback.format_exception(error)))
                raise ConfigError(f"{errors.line(error)} (all that was said: {said})") from error

    def _close(self, stage: Stage, context: Context, entered: dict[str, int], seconds: float, cpu: float) -> None:
        _sweep(self.output, stage)  # of workers that were killed and whose work others did
        job = None if beam_options.is_direct(self.flags) else context.pipeline
        account = books.audit(self.output, stage.name, entered, per_file=not stage.needs, job=job)
        for need in stage.needs:
            before = (manifest.read(self.output, need) or {}).get("books", {})
            for kinds in stage.carries:
                books.carry_on(before, account, kinds, (need, stage.name))
        manifest.write(
            self.output,
            stage.name,
            {
                "stage": stage.name,
                "fingerprint": context.fingerprint,
                "config": configuration.to_dict(self.config),
                "inputs": len(self.inputs),
                "entered": entered,
                "books": account,
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu, 1) if beam_options.is_direct(self.flags) else None,
                "versions": manifest.versions(),
            },
        )
        self._tell(stage, f"{seconds:6.1f} s  {_summary(account)}")

    def _tell(self, stage: Stage, line: str) -> None:
        self.say(f"{stage.name:8} {line}")


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


def _hushed() -> contextlib.AbstractContextManager[object]:
    """Beam prints a worker's traceback before it raises it; the user is told once, by whoever catches it."""
    return contextlib.nullcontext() if "WEFT_LOG" in os.environ else contextlib.redirect_stderr(io.StringIO())


def _sweep(output: str, stage: Stage) -> None:
    """Remove what a killed run left half written: temporary files here, uploads in an object store."""
    if not files.is_local(output):
        for name in stage.owned:
            object_files.sweep(files.join(output, name))
        return
    for name in stage.owned:
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
