"""mlcroissant on the card of a run: the document is valid, and its records are the shards' own samples."""

import json
import shutil

from weft.pipeline.card import card, facts
from weft.schemas import shards


def test_the_card_is_valid_and_reads_the_samples(finished, tmp_path, read):
    shutil.copytree(finished, tmp_path / "run")
    card.write(str(tmp_path / "run"), "", facts.Said("x", "y", "cc-by-4.0", "", "2026-01-31"), ())
    path = tmp_path / "run/card/croissant.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "url": "https://example.org"}))  # of a run that is published nowhere
    (found,) = read("mlcroissant", path, HOME=str(tmp_path))  # it keeps what it has unpacked there, by address alone
    assert found["errors"] == found["warnings"] == []
    infos = list(shards.load_manifest((finished / "shards/manifest.jsonl").read_text()))
    assert [row["name"] for row in found["shards"]] == [info.name for info in infos]
    assert [row["tokens"] for row in found["shards"]] == [info.tokens for info in infos]
    for corpus in shards.CORPORA:
        samples = sum(info.samples for info in infos if info.name.startswith(f"{corpus}/"))
        assert len({row["member"] for row in found.get(corpus, [])}) == samples
        assert all(json.loads(row["json"]) for row in found.get(corpus, []))
