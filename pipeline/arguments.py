"""The arguments of the `weft` command: what each command takes, and the nearest name for one that there is not.

Also whether what a configuration names lies where it can be read.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NoReturn

import weft.schemas.config as configuration
from weft.schemas.config import Config
from weft.schemas.parameters import REMOTE, ConfigError, nearest
from weft.transforms.urls import resolve

STAGE_NAMES = ("extract", "dedup", "fetch", "score", "pack")
MODEL = "transformers"  # the export that is of the trained model, not of the shards
EXPORTS = ("obelics", "mint", "mmc4", "energon", "mds", "jsonl", "parquet", "img2dataset", MODEL)
SUITES = ("kosmos",)  # of tasks, in configs/suites
ITEMS = 500  # of each task of a suite, where --items says nothing
RETOKENIZED = ("pack.context_length", "pack.image_tokens")  # what may be otherwise beside the tokenizer
DEMO_PAGES = 16  # the fewest; of demo/captures.py, which is not imported for a help text
# Arguments that are paths, by what stands for them in the help: whether they may be of an object store.
PLACES = {"DIR": True, "GLOB": True, "FILE": True, "LIST": True, "C.toml": True, "FOLDER": False}
SHELLS = ("bash", "zsh", "fish")
_EPILOG = "Beam's flags go after `--`, for example: -- --runner=SparkRunner --spark_master_url=spark://host:7077"


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line, which name the nearest command or option for one that there is not."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse's; each parser is asked with its own arguments, so an unknown option ends here, in its place."""
        known = [option for action in self._actions for option in action.option_strings]
        for argument in args or ():
            if self._subparsers and not argument.startswith("-"):
                break  # a command; the rest is its own
            name = argument.split("=")[0]
            if name.startswith("--") and " " not in name and name not in known:
                if takes_flags(self) and _is_beams(name):
                    self.error(f"Beam's flags go after `--`: -- {argument}")
                self.error(f"no option {name}{nearest(name, known)}")
        return super().parse_known_args(args, namespace)

    def _get_value(self, action: argparse.Action, given: str) -> Any:
        name = action.option_strings[0] if action.option_strings else action.metavar
        if action.metavar in PLACES and not given:
            self.error(f"{name} takes a path, not ''")
        if action.metavar in ("DIR", "FOLDER") and any("\ud800" <= char <= "\udfff" for char in given):
            self.error(f"{name} takes a path in UTF-8, which {given!r} is not")  # no state file could hold it
        if not PLACES.get(str(action.metavar), True) and "://" in given:
            self.error(f"{name} is a directory of this machine, not {given}")
        return super()._get_value(action, given)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = "command" if isinstance(action, argparse._SubParsersAction) else (action.metavar or action.dest)
            near = nearest(str(value), action.choices) or f" (there are {', '.join(action.choices)})"
            self.error(f"no {what} {value!r}{near}")


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command's own arguments, and Beam's flags: what follows `--`."""
    at = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:at]), list(argv[at + 1 :])


def takes_flags(command: Parser) -> bool:
    """Whether Beam's flags are for a command: it runs jobs, or reads from stores that the flags lead to."""
    return any(action.metavar in PLACES for action in command._actions)


def check_stores(options: argparse.Namespace) -> None:
    """Raise ConfigError for a path, as it was given, that is of no kind that can be read."""
    values = (getattr(options, one.dest) for one in commands()[options.command]._actions if one.metavar in PLACES)
    given = [path for value in values for path in ([value] if isinstance(value, str) else value or ())]
    for path in given:
        if REMOTE.match(path) and not path.startswith(("http://", "https://")):
            from weft.transforms.io import object_files

            object_files.store(path)


def commands() -> dict[str, Parser]:
    """The parser of each command."""
    return next(dict(action.choices) for action in parser()._actions if isinstance(action, argparse._SubParsersAction))


def parser() -> Parser:
    """The parser of all commands; `command` of what it gives says which one it was."""
    made = Parser(prog="weft", description="From Common Crawl to a multimodal corpus you can train on.")
    made.add_argument(
        "--version", action="version", version=f"weft {metadata.version('weft-corpus')}", help="print weft's version"
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_: str, **more: Any) -> Parser:
        return commands.add_parser(name, help=help_, description=help_, **more)

    demo = add("demo", "the whole thing on a small web it makes and serves itself; no network, no GPU", epilog=_EPILOG)
    demo.add_argument("--output", default="demo-output", metavar="FOLDER", help="where to write (default: %(default)s)")
    demo.add_argument(
        "--pages",
        type=_at_least(DEMO_PAGES),
        default=600,
        metavar="N",
        help=f"size of the small web, {DEMO_PAGES} at least (default: %(default)s)",
    )
    for option, help_ in (
        ("--questions", "so many pages besides that teach what the suite asks"),
        ("--instructions", "so many instructions in words, with their answers, as a corpus of its own"),
    ):
        demo.add_argument(option, type=_at_least(0), default=0, metavar="N", help=help_)
    _redo(demo)
    _science(demo)
    for name in ("run", *STAGE_NAMES):
        _stage(add(name, "all stages, resumable" if name == "run" else f"the stage {name} alone", epilog=_EPILOG), name)
    for name, help_ in (
        ("train", "train the smoke model on the shards"),
        ("eval", "evaluate the smoke model"),
    ):
        one = add(name, help_)
        one.add_argument("--output", required=True, metavar="DIR", help="output directory of a run")
        if name == "eval":
            one.add_argument("--shards", metavar="DIR", help="evaluate on these shards instead, of the same tokenizer")
            one.add_argument("--suite", choices=SUITES, help="the figures of a suite of tasks instead")
            one.add_argument("--data", metavar="FOLDER", help="directory with a directory for each task of the suite")
            one.add_argument("--items", type=_at_least(1), metavar="N", help=f"of each task, at most: {ITEMS}")
            one.add_argument(
                "--check", action="store_true", help="exit with status 1 where a check of the corpus fails"
            )
        _redo(one)
        _science(one)
    for name, help_, what in (
        ("compare", "which of two or more corpora gives the better model", "runs"),
        ("ablate", "which of two or more configurations gives the better model", "configs"),
    ):
        one = add(name, help_, epilog=_EPILOG if name == "ablate" else None)
        metavar = "DIR" if name == "compare" else "C.toml"
        one.add_argument(
            what, nargs="+", metavar=metavar, help="runs, or their shards" if name == "compare" else "files"
        )
        if name == "ablate":
            one.add_argument("--input", nargs="+", required=True, metavar="GLOB", help="as of `weft run`")
            _redo(one)
        one.add_argument("--output", required=True, metavar="FOLDER", help="where models, figures and the page go")
        one.add_argument(
            "--seeds", type=_at_least(1), default=5, metavar="N", help="models of each corpus (default: %(default)s)"
        )
        one.add_argument("--sizes", default="S", metavar="S,M,L", help="sizes of the model (default: %(default)s)")
        one.add_argument("--neutral", metavar="DIR", help="shards to hold out, instead of each corpus' own val split")
        _science(one, file=name == "compare")
    crawl = add("crawl", "pages and their images → WARC, politely", epilog=_EPILOG)
    crawl.add_argument("--urls", nargs="+", default=[], metavar="LIST", help="files of addresses of pages, one a line")
    crawl.add_argument("--sitemap", nargs="+", default=[], metavar="URL", help="sitemaps whose pages are asked for")
    crawl.add_argument(
        "--seeds",
        nargs="+",
        default=[],
        metavar="LIST",
        help="files of addresses whose links are followed",
    )
    crawl.add_argument("--depth", type=int, metavar="N", help="links from a seed that are followed: crawl.depth")
    crawl.add_argument("--per-host", type=int, metavar="M", help="pages of a host at most: crawl.pages_per_host")
    crawl.add_argument(
        "--since", nargs="+", default=[], metavar="DIR", help="earlier crawls: only what has changed is sent again"
    )
    crawl.add_argument("--output", required=True, metavar="DIR", help="where to write, local or remote")
    _science(crawl)
    report = add("report", "write report/index.html")
    report.add_argument("--output", required=True, metavar="DIR", help="output directory of a run")
    remove = add(
        "remove", "take pages, images or pairs out of finished shards, as if they had never been there", epilog=_EPILOG
    )
    remove.add_argument(
        "list", nargs="+", metavar="LIST", help="files of URLs, domains, ids, sha256 or perceptual hashes, one a line"
    )
    remove.add_argument("--output", required=True, metavar="DIR", help="output directory of a finished run")
    remove.add_argument("--quiet", action="store_true", help="no progress")
    subset = add("subset", "new shards of what a condition holds for, out of finished ones", epilog=_EPILOG)
    subset.add_argument(
        "--where", required=True, metavar="CONDITION", help="such as: language = 'en' and similarity > 0.3"
    )
    subset.add_argument("--output", required=True, metavar="DIR", help="output directory of a finished run")
    subset.add_argument("--to", required=True, metavar="DIR", help="where the new run goes")
    subset.add_argument("--quiet", action="store_true", help="no progress")
    doctor = add("doctor", "what this machine has, and which stages can run on it")
    doctor.add_argument("--output", default=".", metavar="DIR", help="where a run would write (default: here)")
    _science(doctor)
    explain = add("explain", "the way of one thing through the stages, in words", epilog=_EPILOG)
    explain.add_argument(
        "thing",
        metavar="THING",
        help="URL of a page or image, doc_id, pair_id, sha256 of an image, archive:offset, or a sample's key",
    )
    explain.add_argument("--output", required=True, metavar="DIR", help="output directory of a run")
    explain.add_argument("--page", action="store_true", help="show the page's blocks, read again from its archive")
    verify = add("verify", "read every file of a run and compare it with what was written")
    verify.add_argument("output", metavar="DIR", help="output directory of a run")
    view = add("view", "look at a run in a browser: documents, pairs, clusters, images, samples of shards")
    view.add_argument("output", metavar="FOLDER", help="output directory of a run, finished or not")
    view.add_argument("--port", type=int, metavar="N", help="of 127.0.0.1 (default: 8377, or any that is free)")
    plan = add("plan", "how large an input is, and what it will cost by the measure of a run on a sample")
    plan.add_argument("--input", nargs="+", action="extend", default=[], metavar="GLOB", help="say how large this is")
    plan.add_argument("--output", metavar="DIR", help="a run on a sample; with --input or --archives, scaled to that")
    plan.add_argument("--archives", type=int, metavar="N", help="plan for so many archives like these")
    plan.add_argument("--bytes", type=float, metavar="N", help="plan for so many bytes of archives: 90e12")
    plan.add_argument("--smaller", metavar="DIR", help="a run on fewer archives: tells what starting costs")
    plan.add_argument(
        "--rate", action="append", default=[], metavar="NAME=DOLLARS", help="of core_hour, gpu_hour, stored_tb, …"
    )
    plan.add_argument("--documents", type=int, metavar="N", help="plan for so many documents like these")
    _science(plan)
    html = add("html", "one page → its document and pairs as JSON on stdout")
    html.add_argument("file", metavar="FILE", help="an HTML file, - for stdin")
    html.add_argument("--url", default="", metavar="URL", help="address of the page, for relative links")
    html.add_argument(
        "--blocks", action="store_true", help="every block of the page instead: kept or not, and how sure"
    )
    _science(html)
    export = add("export", "a run's shards, or its trained model, in the form of another loader", epilog=_EPILOG)
    export.add_argument("format", metavar="FORMAT", help=f"one of {', '.join(EXPORTS)}")
    export.add_argument("--from", required=True, dest="source", metavar="DIR", help="output directory of a run")
    export.add_argument("--output", required=True, metavar="DIR", help="where to write, local or remote")
    export.add_argument("--corpus", nargs="+", default=[], metavar="CORPUS", help="only these of what the format holds")
    export.add_argument("--quiet", action="store_true", help="no progress")
    card = add("card", "what a corpus is, for its publication: Croissant, dataset card, public summary", epilog=_EPILOG)
    card.add_argument("--output", required=True, metavar="DIR", help="output directory of a finished run")
    card.add_argument("--to", metavar="DIR", help="where to write (default: card/ in it)")
    card.add_argument("--name", default="", metavar="NAME", help="of the corpus (default: the directory's)")
    card.add_argument("--creator", default="", metavar="WHO", help="person or organization that publishes it")
    card.add_argument("--licence", default="", metavar="ID", help="of the collection: an SPDX id or an address")
    card.add_argument("--published", type=_day, default="", metavar="DAY", help="of publication (default: today)")
    card.add_argument(
        "--url", type=_address, default="", metavar="URL", help="where it is published: shards/ lies below"
    )
    retokenize = add("retokenize", "a run's shards by another tokenizer, and nothing else anew", epilog=_EPILOG)
    retokenize.add_argument("--from", required=True, dest="source", metavar="DIR", help="output directory of a run")
    retokenize.add_argument(
        "--tokenizer", required=True, metavar="FILE", help="a tokenizer.json, or a sentencepiece .model"
    )
    retokenize.add_argument("--output", required=True, metavar="DIR", help="where shards/ goes, local or remote")
    retokenize.add_argument(
        "--set", action="append", default=[], metavar="S.KEY=VALUE", help="override pack.context_length or image_tokens"
    )
    retokenize.add_argument("--quiet", action="store_true", help="no progress")
    recipes = add("recipes", "the built-in recipes and their thresholds")
    recipes.add_argument("name", nargs="?", metavar="RECIPE", help="show this recipe's whole configuration")
    completion = add("completion", "a script for your shell: `source <(weft completion bash)`")
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    return made


def _is_beams(name: str) -> bool:
    from weft.pipeline.runners import beam_options

    return beam_options.knows(name)


def _at_least(least: int) -> Callable[[str], int]:
    def number(given: str) -> int:
        if not given.removeprefix("-").isdecimal() or int(given) < least:
            raise argparse.ArgumentTypeError(f"takes a number from {least} on, not {given!r}")
        return int(given)

    return number


def _day(given: str) -> str:
    try:
        if not given or datetime.date.fromisoformat(given).isoformat() == given:
            return given
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"takes a day such as 2026-01-31, not {given!r}")


def _address(given: str) -> str:
    if given and not resolve(given, given):
        raise argparse.ArgumentTypeError(f"takes an http or https address, not {given!r}")
    return given


def _stage(one: Parser, name: str) -> None:
    one.add_argument(
        "--input",
        nargs="+",
        action="extend",
        default=[],
        metavar="GLOB",
        help="WARC/ARC/WACZ files, globs, directories, path lists, or cc:SNAPSHOT[?files=N|language=isl|…]",
    )
    one.add_argument("--output", required=True, metavar="DIR", help="output directory, local or remote")
    _redo(one)
    one.add_argument(
        "--verify", action="store_true", help="check what stages before have made by its digests, not by sizes alone"
    )
    if name in ("run", "fetch"):
        one.add_argument(
            "--retry-failed",
            action="store_true",
            help="ask again for images that did not come (no answer, busy or failing hosts), and for no others",
        )
    if name == "run":
        one.add_argument("--train", action="store_true", help="train and evaluate the smoke model on the shards too")
    _science(one)


def _redo(one: Parser) -> None:
    one.add_argument(
        "--redo",
        action="store_true",
        help="let what is finished be replaced where configuration or input changed; a single stage is done again",
    )


def _science(one: Parser, file: bool = True) -> None:
    if file:
        one.add_argument("--config", metavar="C.toml", help="configuration file")
    one.add_argument("--recipe", metavar="RECIPE", help="built-in recipe, where the file names none (default: kosmos1)")
    one.add_argument(
        "--set", action="append", default=[], metavar="S.KEY=VALUE", help="override one configuration value"
    )
    one.add_argument("--quiet", action="store_true", help="no progress")


def settled(config: Config) -> Config:
    """The configuration, once everything remote that it names is of a kind that can be read and written from here.

    Raises:
        ConfigError: nothing takes such paths, or what does is not installed.
    """
    from weft.transforms.io import secrets

    for key, value, place in configuration.places(config):
        found = REMOTE.search(value)
        if found and not found[0].startswith(("http://", "https://")):
            from weft.transforms.io import object_files

            try:
                object_files.store(found[0])
            except ConfigError as error:
                raise ConfigError(f"{key}: {error}") from None
        elif found and secrets.lets_in(found[0]):
            raise ConfigError(
                f"{key} holds a password or signature, which every manifest would hold too: "
                f"copy {secrets.public(found[0])} to a directory"
            )
        elif found and not place.web:
            raise ConfigError(f"{key} = {value!r}: a web server will not do; copy it to a directory or an object store")
    return config
