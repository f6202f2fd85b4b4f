"""Every Beam flag that a page names is one that Beam takes."""

import re
from pathlib import Path

import pytest

from weft.pipeline.runners import beam_options

ROOT = Path(__file__).parents[3]


def flags_of(page: str) -> set[str]:
    """What follows ` -- ` in the commands of a page: those in blocks and those in the text."""
    text = re.sub(r"\\\n\s*", "", (ROOT / page).read_text("utf-8"))
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [command for block in blocks for command in block.splitlines()]
    commands += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    given = [command.partition(" -- ")[2] for command in commands if re.match(r"\s*(?:\S*/)?weft ", command)]
    return {flag for told in given for flag in re.findall(r"--[a-z_0-9]+(?==|\s|$)", told)}


PAGES = {
    name: flags
    for path in sorted(
        {*ROOT.glob("*.md"), *(p for f in ("docs", "deploy", "examples") for p in (ROOT / f).rglob("*.md"))}
    )
    if (flags := flags_of(name := path.relative_to(ROOT).as_posix()))
}


def test_the_pages_about_runners_are_among_them():
    assert {"deploy/README.md", "docs/spark.md", "docs/dataflow.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_beam_takes_the_flags_of_the_page(page):
    flags = PAGES[page]
    for flag in sorted(flags):
        try:
            beam_options.check([flag])
        except beam_options.FlagError as error:  # that a value is missing is no fault of the page
            assert not str(error).startswith("no Beam option"), error
