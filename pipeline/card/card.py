"""`weft card`: a run's finished shards and books → the papers that go with them.

facts (counted from the shards) ─► croissant.json, README.md, public-summary.md, contents/
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from weft.pipeline.card import croissant, facts, texts
from weft.pipeline.card.facts import Said
from weft.transforms.io import files


def write(output: str, to: str, said: Said, flags: Sequence[str]) -> list[str]:
    """Write the papers of the run in `output` below `to`; returns what was written, a line each.

    Called again they are written anew, of what the run is by then.

    Raises:
        ConfigError: no finished shards, or a directory that holds something else.
    """
    output, beside = output.rstrip("/"), not to
    to = to or files.join(output, facts.FOLDER)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    said = said._replace(name=said.name or output.rpartition("/")[2] or "corpus", published=said.published or today)
    found = facts.gather(output, to, said, flags)
    base = f"{said.url.rstrip('/')}/shards" if said.url else "../shards" if beside else f"{output}/shards"
    papers = {
        croissant.NAME: croissant.write(found, texts.description(found), base),
        texts.DATASET_CARD: texts.dataset_card(found),
        texts.SUMMARY: texts.summary(found),
    }
    for name, text in papers.items():
        files.write_atomic(files.join(to, name), text)
    what = ("MLCommons Croissant", "dataset card for Hugging Face", "public summary, EU AI Act Art. 53(1)(d)")
    return [f"{files.join(to, name):40} {kind}" for name, kind in zip(papers, what, strict=True)]
