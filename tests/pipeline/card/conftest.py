from pathlib import Path
from typing import NamedTuple

import pytest

from weft.pipeline.card import card, facts


class Made(NamedTuple):
    """A card, and what it was made of."""

    home: Path
    facts: facts.Facts
    lines: list[str]


SAID = facts.Said("Corpus of the test", "A laboratory", "cc-by-4.0", "", "2026-01-31")


@pytest.fixture(scope="session")
def carded(finished, tmp_path_factory):
    """The papers of the shared finished run."""
    home = tmp_path_factory.mktemp("card") / "card"
    found = []
    gather = facts.gather
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "gather", lambda *given: found.append(gather(*given)) or found[-1])
        lines = card.write(str(finished), str(home), SAID, ["--direct_num_workers=1"])
    return Made(home, found[0], lines)
