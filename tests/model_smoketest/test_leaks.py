"""What stands twice is found wherever in training it stands."""

import shutil

import numpy as np
import pytest

from weft.model_smoketest import census, data, leaks
from weft.schemas import shards as contract


def taken(shards, corpus="pairs"):
    vocabulary = data.read_vocabulary(str(shards))
    return {one.name.partition(".")[2]: one for one in leaks.take(str(shards), corpus, vocabulary)}


def rows(kit, rng, begin, count, corpus):
    """Samples of random words, and of a picture where there is one."""
    made = {}
    for n in range(begin, begin + count):
        ids = kit.ids_of([rng.integers(20, 60, 30).tolist(), *([] if corpus == "text" else [None])])
        made[f"{n:02}"] = {contract.INPUT_IDS: contract.npy(ids)}
        if corpus == "pairs":
            made[f"{n:02}"][contract.IMAGE] = kit.picture(n) + bytes([n])
    return made


@pytest.mark.parametrize("corpus", ["pairs", "text"])
def test_a_leak_is_found_behind_all_that_the_other_checks_look_at(kit, tmp_path, monkeypatch, corpus):
    monkeypatch.setattr(census, "SAMPLES", 2)
    rng = np.random.default_rng(0)
    held, trained = rows(kit, rng, 0, 12, corpus), rows(kit, rng, 20, 30, corpus)
    for name, behind in (("sound", {}), ("faulty", {f"~{key}": parts for key, parts in held.items()})):
        shutil.copytree(kit.shards, tmp_path / name, ignore=shutil.ignore_patterns("*.tar", "*.idx", "manifest.jsonl"))
        kit.write_tar(tmp_path / name / contract.shard_name(corpus, "val", 0), held)
        kit.write_tar(tmp_path / name / contract.shard_name(corpus, "train", 0), trained)
        kit.write_tar(
            tmp_path / name / contract.shard_name(corpus, "train", 1), behind or rows(kit, rng, 60, 3, corpus)
        )
    sound, faulty = (taken(tmp_path / name, corpus) for name in ("sound", "faulty"))
    assert sound["leaked"].value == 0 and not sound["leaked"].failed and not sound["repeated"].failed
    assert faulty["leaked"].value == 1 and faulty["leaked"].failed and faulty["leaked"].samples == 12
    checks = {one.name: one for one in census.take(str(tmp_path / "faulty"), kit.vocabulary)}
    assert checks[f"{corpus}.leaked"].failed


def test_what_was_not_looked_at_is_told(kit, monkeypatch):
    assert "not looked at" not in taken(kit.shards)["leaked"].told
    there = len(list(leaks._samples(str(kit.shards), "pairs", "train", kit.vocabulary, 99)))
    monkeypatch.setattr(leaks, "TRAINED", 5)
    monkeypatch.setattr(leaks, "_there", lambda shards, corpus: there)
    for one in taken(kit.shards).values():
        assert one.told.endswith(f"; {there - 5} training samples were not looked at")
