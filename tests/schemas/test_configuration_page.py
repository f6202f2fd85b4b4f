"""docs/configuration.md says what schemas/config.py says."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import weft.schemas.config as configuration

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_page_is_current():
    done = subprocess.run(
        [sys.executable, str(DOCS / "make_configuration.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_key_has_a_row_under_its_section():
    page = (DOCS / "configuration.md").read_text("utf-8")
    sections = dict(re.findall(r"^## \[(\w+)\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for field in dataclasses.fields(configuration.Config):
        value = getattr(configuration.Config(), field.name)
        if dataclasses.is_dataclass(value):
            rows = re.findall(r"^\| `(\w+)` \|", sections.pop(field.name), re.MULTILINE)
            assert rows == [key.name for key in dataclasses.fields(value)]
    assert sections == {}


def test_every_key_has_a_meaning_and_none_is_a_word_to_a_tool():
    rows = re.findall(
        r"^\| `(\w+)` \| .*? \| (.*) \| [^|]* \|$", (DOCS / "configuration.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(rows) > 100
    for key, told in rows:
        meaning = re.split(r" \| ", told)[-1].strip()
        assert meaning and not re.search(r"fmt: skip|noqa|type: ignore", meaning), key
