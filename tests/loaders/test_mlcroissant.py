"""mlcroissant on the card of a run: the document is valid, and its records are the shards' own samples."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from weft.pipeline.card import card, facts
from weft.schemas import shards

ENVIRONMENTS = Path(os.environ.get("WEFT_LOADERS", ".venv-loaders"))
READ = """
import json, sys
import mlcroissant

data = mlcroissant.Dataset(sys.argv[1])
problems = data.metadata.issues
found = {"errors": sorted(problems.errors), "warnings": sorted(problems.warnings)}
for one in data.metadata.record_sets:
    rows = [{name.rpartition("/")[2]: value for name, value in row.items()} for row in data.records(one.name)]
    found[one.name] = [{k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()} for row in rows]
json.dump(found, sys.stdout)
"""


def test_the_card_is_valid_and_reads_the_samples(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    card.write(str(tmp_path / "run"), "", facts.Said("x", "y", "cc-by-4.0", "", "2026-01-31"), ())
    path = tmp_path / "run/card/croissant.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "url": "https://example.org"}))  # of a run that is published nowhere
    python = ENVIRONMENTS / "mlcroissant/bin/python"
    own = {**os.environ, "HOME": str(tmp_path)}  # it keeps what it has unpacked there, by address alone
    done = subprocess.run([python, "-c", READ, path], capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["errors"] == found["warnings"] == []
    infos = list(shards.load_manifest((finished / "shards/manifest.jsonl").read_text()))
    assert [row["name"] for row in found["shards"]] == [info.name for info in infos]
    assert [row["tokens"] for row in found["shards"]] == [info.tokens for info in infos]
    for corpus in shards.CORPORA:
        samples = sum(info.samples for info in infos if info.name.startswith(f"{corpus}/"))
        assert len({row["member"] for row in found.get(corpus, [])}) == samples
        assert all(json.loads(row["json"]) for row in found.get(corpus, []))
