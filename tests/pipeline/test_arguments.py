"""What the command says of names that there are not, and of itself."""

import subprocess
import sys

import pytest

from weft.pipeline import arguments, cli


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["rnu"], "no command 'rnu' (did you mean run?)"),
        (["xyz"], "no command 'xyz' (there are demo, run, extract"),
        (["--versoin"], "no option --versoin (did you mean --version?)"),
        (["run", "--ouput=x"], "no option --ouput (did you mean --output?)"),
        (["run", "--output", "x", "--recipee", "raw"], "no option --recipee (did you mean --recipe?)"),
        (["completion", "fsh"], "no SHELL 'fsh' (did you mean fish?)"),
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


def test_python_m_weft_is_the_command():
    found = subprocess.run([sys.executable, "-m", "weft", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("weft 0.")
