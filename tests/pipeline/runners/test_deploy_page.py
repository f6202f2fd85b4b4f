"""Every Beam flag that a page names is one that Beam takes."""

import re
from pathlib import Path

import pytest

from weft.pipeline.runners import beam_options

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("page", ["deploy/README.md", "docs/spark.md", "docs/dataflow.md"])
def test_beam_takes_the_flags_of_the_page(page):
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    commands = [command for block in blocks for command in re.sub(r"\\\n\s*", "", block).splitlines()]
    given = [command.partition(" -- ")[2] for command in commands if command.lstrip().startswith(("weft", ".venv"))]
    flags = {flag for text in given for flag in re.findall(r"--[a-z_0-9]+(?==|\s|$)", text)}
    assert len(flags) > 3
    for flag in sorted(flags):
        try:
            beam_options.check([flag])
        except beam_options.FlagError as error:  # that a value is missing is no fault of the page
            assert not str(error).startswith("no Beam option"), error
