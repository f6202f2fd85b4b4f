"""The first hour's commands are commands, and their configuration is one."""

import re
import shlex
from pathlib import Path

import pytest

import weft.schemas.config as configuration
from weft.pipeline import arguments

PAGE = (Path(__file__).parent.parent / "docs/first-hour.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_is_taken_as_it_stands(line: str) -> None:
    name, *given = shlex.split(line)
    options = arguments.parser().parse_args(given)
    assert name == "weft" and options.command == given[0]
    configuration.load(overrides=getattr(options, "set", []))
