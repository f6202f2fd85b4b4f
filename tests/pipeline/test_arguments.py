"""What the command says of names that there are not, and of itself."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.pipeline import arguments, cli
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
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(argv, told, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert told in said and said.count("\n") == 1 and said.startswith("weft")


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
    for path in (*root.glob("pipeline/**/*.py"), *root.glob("transforms/**/*.py"), *root.glob("docs/*.md")):
        for said in re.findall(r"`weft ([a-z{][^`]*)`", path.read_text("utf-8")):
            yield from (said.replace("{stage}", one) for one in (registry.BY_NAME if "{stage}" in said else [""]))
    for stage in (*registry.BY_NAME, "crawl"):
        yield re.findall("`weft (.*?)`", str(BooksError("", stage)))[0]


def test_every_command_that_is_advised_is_one():
    found = set(advised())
    assert len(found) > 40
    for command in found:
        name = command.split()[0].partition("{")[0]
        options = arguments.commands()[name]._option_string_actions if name else ()
        for option in re.findall(r" (--[a-z-]+)", command.partition(" -- ")[0]) if name else ():
            assert option in options, command


def test_python_m_weft_is_the_command():
    found = subprocess.run([sys.executable, "-m", "weft", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("weft 0.")
