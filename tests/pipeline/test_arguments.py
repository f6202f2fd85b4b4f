"""What the command says of names that there are not, and of itself."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.pipeline import arguments, cli
from weft.pipeline.demo import captures
from weft.pipeline.run import registry
from weft.pipeline.run.books import BooksError


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["rnu"], "no command 'rnu' (did you mean 'run'?)"),
        (["xyz"], "no command 'xyz' (there are demo, run, extract"),
        (["--versoin"], "no option --versoin (did you mean '--version'?)"),
        (["run", "--ouput=x"], "no option --ouput (did you mean '--output'?)"),
        (["run", "--output", "x", "--recipee", "raw"], "no option --recipee (did you mean '--recipe'?)"),
        (["completion", "fsh"], "no SHELL 'fsh' (did you mean 'fish'?)"),
        (["recipes", "--", "--runner=x"], "recipes takes no Beam flags"),
        (["run", "--runner=SparkRunner"], "Beam's flags go after `--`: -- --runner=SparkRunner"),
        (["run", "--direct_num_workers", "1"], "Beam's flags go after `--`: -- --direct_num_workers"),
        (["demo", "--pages", "15"], "--pages: takes a number from 16 on, not '15'"),
        (["demo", "--pages=-5"], "--pages: takes a number from 16 on, not '-5'"),
        (["demo", "--questions", "-3"], "--questions: takes a number from 0 on, not '-3'"),
        (["demo", "--instructions", "-3"], "--instructions: takes a number from 0 on, not '-3'"),
        (["compare", "a", "b", "--output", "x", "--seeds", "0"], "--seeds: takes a number from 1 on, not '0'"),
        (["card", "--output", "x", "--published", "yesterday"], "--published: takes a day such as 2026-01-31, not"),
        (["card", "--output", "x", "--url", "notaurl"], "--url: takes an http or https address, not 'notaurl'"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(argv, told, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert told in said and said.count("\n") == 1 and said.startswith("weft")


def test_the_smallest_demo_is_the_smallest_web():
    assert captures.LEAST == arguments.DEMO_PAGES and len(captures.plan(captures.LEAST, "weft")[0]) == 15
    with pytest.raises(ValueError, match="at least 16 pages, not 15"):
        captures.counts(captures.LEAST - 1)


def test_values_that_look_like_options_are_values():
    options = arguments.parser().parse_args(["html", "-", "--url", "x", "--set=extract.pair_forbidden=['--x']"])
    assert (options.file, options.set) == ("-", ["extract.pair_forbidden=['--x']"])


def test_flags_of_beam_are_apart():
    assert arguments.split(["run", "--quiet", "--", "--runner=x", "--"]) == (["run", "--quiet"], ["--runner=x", "--"])
    assert arguments.split(["run"]) == (["run"], [])


def test_every_command_has_a_call_and_every_argument_help():
    commands = next(action.choices for action in arguments.parser()._actions if action.dest == "command")
    assert set(commands) == set(cli._CALLS)
    for name, command in commands.items():
        assert all(action.help for action in command._actions), name


def advised() -> Iterator[str]:
    """Every command that a message or a page names."""
    root = Path(__file__).parents[2]
    kinds = [
        f"{folder}/**/*.{ending}"
        for folder in ("pipeline", "transforms", "schemas", "model_smoketest", "docs", "deploy", "examples", "configs")
        for ending in ("py", "md", "html", "sh", "toml")
    ]
    for path in (path for kind in ("*.md", *kinds) for path in sorted(root.glob(kind))):
        text = path.read_text("utf-8")
        for said in re.findall(r"(?:`|<code>)weft ([a-z{][^`<]*)", text):
            yield from (said.replace("{stage}", one) for one in (registry.BY_NAME if "{stage}" in said else [""]))
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.DOTALL):
            yield from re.findall(r"^\s*(?:\S*/)?weft ([a-z][^\n]*)", re.sub(r"\\\n\s*", "", block), re.MULTILINE)
    for stage in (*registry.BY_NAME, "crawl"):
        yield re.findall("`weft (.*?)`", str(BooksError("", stage)))[0]


def test_every_command_that_is_advised_is_one():
    found = set(advised())
    assert len(found) > 100
    commands = arguments.commands()
    unknown = []
    for command in sorted(found):
        named = command.split()[0].partition("{")[0]
        for name in named.split("|") if named else ():
            options = commands[name]._option_string_actions if name in commands else {}
            said = re.split(r" -- | [|&;#>] ?", command)[0]
            wrong = [one for one in re.findall(r" (--[a-z-]+)", said) if one not in options]
            unknown += [command] if wrong or name not in commands else []
    assert unknown == []


def test_python_m_weft_is_the_command():
    found = subprocess.run([sys.executable, "-m", "weft", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("weft 0.")
