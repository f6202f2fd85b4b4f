"""The `weft` command.

Science is in one TOML file and `--set section.key=value`; machines are Beam's own flags after `--`. An error that a
user can cause is one line on stderr and exit status 2; a traceback is a bug.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline import arguments
from weft.pipeline.runners import process
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError

# The trainer knows no Beam: what Beam's flags say of a store, it is told as the store's own tools are.
_AS_TOLD = {
    "--s3_endpoint_url": "AWS_ENDPOINT_URL",
    "--s3_region_name": "AWS_DEFAULT_REGION",
    "--s3_access_key_id": "AWS_ACCESS_KEY_ID",
    "--s3_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "--s3_session_token": "AWS_SESSION_TOKEN",
}
CHECK_FAILED, USER_ERROR = 1, 2
MOST_PLANNED = 1e21  # archives, bytes or documents; more than there are anywhere, and sums of them stay numbers
# How an error that a user can mend looks inside the text that a runner wraps around a worker's exception.
_MENDABLE = re.compile(
    r"(?:ConfigError|Damaged|PermissionError|FileNotFoundError|FlagError|Unavailable)\S*: "
    r"(.+?)(?: \[while running|\\n|\n|$)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    process.prepare()  # before anything that imports numpy
    own, flags = arguments.split(sys.argv[1:] if argv is None else argv)
    parser = arguments.parser()
    options = parser.parse_args(own)
    if flags and not arguments.takes_flags(arguments.commands()[options.command]):
        parser.error(f"{options.command} takes no Beam flags")
    try:
        if flags:
            _tell_stores(flags)
        arguments.check_stores(options)
        return _CALLS[options.command](options, flags) or 0
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        line = mendable(error)
        if line is None:
            raise
        print(f"weft: {line}", file=sys.stderr)
        return USER_ERROR


def mendable(error: BaseException) -> str | None:
    """One line for an error that a user can mend, None for a bug. Looks through what runners wrap around it."""
    from weft.pipeline.run.books import BooksError
    from weft.pipeline.runners.beam_options import FlagError
    from weft.pipeline.runners.local import scratch
    from weft.transforms.fetch.blobs import Damaged
    from weft.transforms.io.web_files import Unavailable

    text = str(error)
    if "Errno 28" in text or "No space left" in text:
        disk = "disk of TMPDIR, for what is shuffled" if scratch.SHUFFLE in text else "disk"
        return f"no space left on the {disk}; free some and run the same command again, it goes on where it stopped"
    if "Errno 122" in text or "Errno 27" in text:
        return "a quota or limit on file sizes is reached; lift it and run the same command again, it goes on"
    if isinstance(error, ConfigError | FlagError | Unavailable | Damaged | BooksError):
        return text.splitlines()[0].partition(" [while running")[0]  # Beam says where
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, PermissionError | FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return text.splitlines()[0]
    found = _MENDABLE.search(text)
    return found.group(1) if found else None


def _say(line: str) -> None:
    from weft.pipeline.run import progress

    progress.say(line)


def _tell_stores(flags: Sequence[str]) -> None:
    from weft.pipeline.runners import beam_options
    from weft.transforms.io import object_files

    beam_options.check(flags)
    object_files.configure(flags)
    for name, _, value in (flag.partition("=") for flag in flags):
        if name in _AS_TOLD:
            os.environ[_AS_TOLD[name]] = value


def _run(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.run import lock, registry
    from weft.pipeline.runners import beam_options

    names = [options.command]
    if options.command == "run":
        names = [s.name for s in registry.STAGES if options.train or s.name not in ("train", "eval")]
    with lock.held(options.output):
        run = open_run(options, flags, needs_input=options.command in ("run", "extract"))
        if getattr(options, "retry_failed", False):
            from weft.pipeline.run import retry  # it brings all of fetch: a quarter of the other commands' start

            retry.go(run, names)
        else:
            run.go(names, run.write)
        if options.command == "run" and not beam_options.submit_only(flags):
            from weft.pipeline.report import closing, report

            written = report.write(options.output, run.config)
            print("\n".join(closing.lines(options.output, run.config, written)))


def _eval(options: argparse.Namespace, flags: Sequence[str]) -> int:
    from weft.pipeline.run import lock
    from weft.pipeline.stages import training

    idle = ("check", "shards") if options.suite else ("data", "items")
    for name in idle:
        if getattr(options, name):
            raise ConfigError(f"--{name} is for an evaluation {'without' if options.suite else 'with'} --suite")
    with lock.held(options.output):
        run = open_run(options, flags, needs_input=False)
        if options.suite:
            items = options.items or arguments.ITEMS
            print("\n".join(training.suite(options.suite, options.output, run.config, options.data, items)))
            return 0
        if options.shards:
            found = training.evaluate_on(options.shards, options.output, run.config)
        else:
            run.go(["eval"], run.write)
            found = training.evaluated(options.output)
    print("\n".join(training.verdict(found)))
    return CHECK_FAILED if options.check and found["failed"] else 0


def _compare(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import comparison
    from weft.pipeline.run import progress

    print("\n".join(comparison.told(comparison.compare(options, _config(options), progress.say))))


def _ablate(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import comparison
    from weft.pipeline.run import progress

    names = [os.path.splitext(os.path.basename(path))[0] for path in options.configs]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError("ablate takes two or more configuration files with different names")
    each = [argparse.Namespace(**{**vars(options), "config": path}) for path in options.configs]
    configs = dict(zip(names, map(_config, each), strict=True))
    print("\n".join(comparison.told(comparison.ablate(options, configs, flags, progress.say))))


def _report(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.report import report
    from weft.pipeline.run import manifest

    known = manifest.known_run(options.output)
    print(report.write(options.output, arguments.settled(configuration.from_dict(known["config"]))))


def _verify(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.run import integrity, manifest

    if not manifest.is_run(options.output):
        raise ConfigError(f"{options.output} holds no weft run")
    wrong = list(integrity.everything(options.output))
    for _, line in wrong:
        print(line)
    if wrong:
        order = ["run", *arguments.STAGE_NAMES, "train", "eval"]
        names = sorted({stage for stage, _ in wrong}, key=order.index)
        lost = names[0] == "run"
        if lost and names[1:2] not in ([], ["train"], ["eval"]):  # the first stage of these writes run.json too
            del names[0]
        told = ", ".join(f"`weft {name}{' --redo' * (name != 'run')} --output {options.output}`" for name in names)
        if lost:
            several = len(names) > 1
            but = " but --train" * (names[0] == "run")
            told += f"{', the first' * several} with the --input and the options of that run{but}{',' * several}"
        raise ConfigError(f"{options.output}: {len(wrong)} files are not as they were written; {told} makes them again")
    done = [manifest.read(options.output, stage) for stage in (*arguments.STAGE_NAMES, "train", "eval")]
    told_of = [one["files"] for one in done if one and "files" in one]
    count, size = (sum(one[key] for one in told_of) for key in ("files", "bytes"))
    print(f"{count:,} files of {len(told_of)} stages, {size:,} bytes: as they were written")


def _demo(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.demo import run
    from weft.pipeline.run import lock

    with lock.held(options.output):
        run.demo(options, _config(options, run.SMALL), flags)


def _plan(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.planning import dedup_plan, estimate, money
    from weft.pipeline.run import inputs, manifest

    scaled = _is_scaled(options)
    if options.input:
        print(f"input: {inputs.describe(inputs.of_config(options.input, _config(options)))}")
    if not options.output:
        if not options.input:
            raise ConfigError("nothing to plan: name an --input, or the --output of a run that has been extracted")
        return
    known = manifest.known_run(options.output)
    given = _chooses(options)
    config = _config(options) if given else arguments.settled(configuration.from_dict(known["config"], options.set))
    if scaled:
        rates = money.rates(options.rate)
        found = inputs.of_config(options.input, config) if options.input else ()
        asked = inputs.Sized(options.archives or 0, options.bytes or 0.0)
        wanted = asked if any(asked) else inputs.sized(found)
        print("\n".join(estimate.make(options.output, config, wanted, smaller=options.smaller or "").lines(rates)))
    else:
        print("\n".join(dedup_plan.measure(options.output, config).plan(options.documents or 0).lines()))


def _is_scaled(options: argparse.Namespace) -> bool:
    """Whether a whole run is planned, and not dedup alone.

    Raises:
        ConfigError: a number that means nothing, or an option that would not be looked at.
    """
    for name in ("archives", "bytes", "documents"):
        given = getattr(options, name)
        if given is not None and not 0 < given <= MOST_PLANNED:
            raise ConfigError(f"--{name} takes a number over 0, and of {MOST_PLANNED:g} at most, not {given}")
    scaled = bool(options.input or options.archives or options.bytes)
    idle = [name for name in ("smaller", "rate") if getattr(options, name) and not (scaled and options.output)]
    if idle:
        raise ConfigError(f"--{idle[0]} is for a plan of a run: name an --output, and --input, --archives or --bytes")
    if options.input and (options.archives or options.bytes):
        raise ConfigError("--archives and --bytes plan for an input that is not listed: name them or --input")
    if scaled and options.documents:
        raise ConfigError("--documents is for a plan of dedup alone, without --input, --archives and --bytes")
    return scaled


def _export(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import export
    from weft.pipeline.run import lock

    with lock.held(options.output):
        made = export.export(options.format, options.source, options.output, flags, options.quiet, options.corpus)
    print("\n".join(made))


def _card(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.card import card, facts
    from weft.pipeline.run import lock

    said = facts.Said(options.name, options.creator, options.licence, options.url, options.published)
    with lock.held(options.output):
        print("\n".join(card.write(options.output, options.to or "", said, flags)))


def _crawl(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import crawl
    from weft.pipeline.run import lock

    given = {"crawl.depth": options.depth, "crawl.pages_per_host": options.per_host}
    config = _config(options, [f"{key}={value}" for key, value in given.items() if value is not None])
    sources = crawl.Sources(tuple(options.urls), tuple(options.sitemap), tuple(options.seeds), tuple(options.since))
    with lock.held(options.output):
        came = crawl.crawl(sources, options.output, config, flags, options.quiet)
    print("\n".join(came))


def _retokenize(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import retokenize
    from weft.pipeline.run import lock, manifest

    for key in (one.partition("=")[0].strip() for one in options.set):
        if key not in arguments.RETOKENIZED:
            raise ConfigError(
                f"retokenize takes {' and '.join(arguments.RETOKENIZED)}, not {key}, which stays the run's"
            )
    config = arguments.settled(configuration.from_dict(manifest.known_run(options.source)["config"], options.set))
    with lock.held(options.output):
        made = retokenize.run(options.source, options.tokenizer, options.output, config, flags, options.quiet)
    print("\n".join(made))


def _html(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import one_page
    from weft.transforms.io import files

    config = _config(options)
    data = sys.stdin.buffer.read() if options.file == "-" else files.read_bytes(options.file)
    if options.blocks:
        print("\n".join(one_page.blocks(data, options.url)))
        return
    found = one_page.describe(data, options.url, config.extract)
    json.dump(found, sys.stdout, ensure_ascii=not (sys.stdout.encoding or "utf-8").lower().startswith("utf"), indent=1)
    print()


def _recipes(options: argparse.Namespace, flags: Sequence[str]) -> None:
    if options.name:
        print(json.dumps(configuration.to_dict(configuration.load(recipe=options.name)), indent=1))
        return
    for name, line in configuration.recipes().items():
        print(f"{name:14} {line}")
        for section, values in configuration.changes(name).items():
            print(f"{'':14}   {section}: " + ", ".join(f"{k} = {configuration.shown(v)}" for k, v in values.items()))


def _remove(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.report import report
    from weft.pipeline.run import idle, lock, removal

    with lock.held(options.output):
        say = (lambda line: None) if options.quiet else _say
        done = removal.remove(options.output, options.list, flags, options.quiet, say)
        written = report.write(options.output, done.config)
    print(f"{len(done.rewritten)} of {done.shards} shards written anew; the report: {written}")
    print("".join(f"  {name}\n" for name in done.rewritten), end="")
    if done.idle:
        print(idle.line(list(done.idle), options.output))


def _subset(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.report import closing, report
    from weft.pipeline.run import lock, manifest, subset
    from weft.transforms.io import files

    if files.place(options.output) == files.place(options.to):
        raise ConfigError("--to must be another directory than --output")
    if not subset.is_begun(options.to):
        manifest.refuse_foreign(options.to, "--to")
    with lock.held(options.output), lock.held(options.to):
        say = (lambda line: None) if options.quiet else _say
        config = subset.subset(options.output, options.to, options.where, flags, options.quiet, say)
        written = report.write(options.to, config)
    print("\n".join(closing.lines(options.to, config, written)))


def _explain(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.explain import story

    print("\n".join(story.explain(options.output, options.thing, options.page)))


def _view(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline.view import serve

    serve.serve(options.output, options.port, _say)


def _doctor(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import doctor

    print("\n".join(doctor.lines(doctor.examine(_config(options), options.output))))


def _completion(options: argparse.Namespace, flags: Sequence[str]) -> None:
    from weft.pipeline import completion

    print(completion.script(options.shell))


_CALLS: dict[str, Callable[[argparse.Namespace, Sequence[str]], int | None]] = {
    "demo": _demo,
    **dict.fromkeys(("run", *arguments.STAGE_NAMES, "train"), _run),
    "eval": _eval,
    "compare": _compare,
    "ablate": _ablate,
    "report": _report,
    "crawl": _crawl,
    "verify": _verify,
    "plan": _plan,
    "export": _export,
    "card": _card,
    "retokenize": _retokenize,
    "html": _html,
    "recipes": _recipes,
    "completion": _completion,
    "explain": _explain,
    "view": _view,
    "doctor": _doctor,
    "remove": _remove,
    "subset": _subset,
}


def _config(options: argparse.Namespace, before: Sequence[str] = ()) -> Config:
    """The configuration that the options name, with the overrides `before` below theirs."""
    asked = (options.config, [*before, *options.set], options.recipe)
    if "://" not in (options.config or ""):
        return arguments.settled(configuration.load(*asked))
    from weft.transforms.io import files

    return arguments.settled(configuration.load(*asked, files.read_bytes))


def _chooses(options: argparse.Namespace) -> bool:
    """Whether the options choose a configuration anew, where they could leave a run's as it is."""
    return options.config is not None or options.recipe is not None or configuration.names_recipe(options.set)


def open_run(options: argparse.Namespace, flags: Sequence[str], needs_input: bool) -> Any:
    """The Run that the options and the output directory name.

    Configuration and input come from the options; where they are silent, from the directory's earlier run.

    Raises:
        ConfigError: the directory belongs to another run, or is not weft's.
    """
    from weft.pipeline.run import inputs, manifest, removal
    from weft.pipeline.run.context import Adds
    from weft.pipeline.run.run import Run

    removal.check(options.output)
    known = manifest.read_run(options.output)
    if known is None and manifest.is_run(options.output):
        if not getattr(options, "input", None):
            manifest.known_run(options.output)  # says how it is written again
    elif known is None:
        manifest.refuse_foreign(options.output)
    if known is None or _chooses(options):
        config = _config(options)
    else:
        config = arguments.settled(configuration.from_dict(known["config"], options.set))
    config = manifest.leaving_out(config, options.output)
    if getattr(options, "input", None):
        given = inputs.marked(inputs.of_config(options.input, config))
        if needs_input and not options.quiet:  # other stages do not read it
            _say(f"input    {inputs.describe([one[:2] for one in given])}")
        found, keys = inputs.named(given)
    elif known is not None:
        found, keys = [tuple(one) for one in known["inputs"]], {}
    elif needs_input:
        raise ConfigError("no input: name WARC files, globs, directories, snapshots or path lists with --input")
    else:
        raise ConfigError(f"{options.output} holds no weft run; start with `weft run --input …`")
    if known is not None and not options.redo:
        if known["config"]["recipe"] != config.recipe:
            raise ConfigError(
                f"{options.output} holds a run of recipe {known['config']['recipe']!r}, not {config.recipe!r}; "
                "name another --output, or --redo to replace it"
            )
        if [list(one) for one in found] != known["inputs"]:
            raise ConfigError(
                f"{options.output} holds a run on other input; name another --output, or --redo to replace it"
            )
    say = (lambda line: None) if options.quiet else _say
    allowed = {"redo": options.redo, "verify": getattr(options, "verify", False)}
    adds: Adds = "never" if known is not None and known.get("apart") else "now"
    return Run(options.output, tuple(found), config, tuple(flags), options.quiet, say, adds=adds, keys=keys, **allowed)


def run() -> None:
    """Run the command and end the process with its status.

    Threads of gRPC and Arrow may still be there when the interpreter is taken down, and then C++'s runtime now and then
    aborts a run that has ended well. So the process ends as soon as Python's own clean-up is over.
    """
    process.open_streams()
    try:
        status = main()
    except SystemExit as end:  # argparse's
        status = end.code if isinstance(end.code, int) else USER_ERROR
    atexit._run_exitfuncs()
    if lost := process.flush_streams():
        status = USER_ERROR
        print(f"weft: {lost}", file=sys.stderr, flush=True)
    os._exit(status)


if __name__ == "__main__":
    run()
