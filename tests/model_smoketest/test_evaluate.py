"""Evaluation as a whole: what is written, what is missing, and which model on which shards."""

import json
import math

import planted
import pytest
from generated import quiet

from weft.model_smoketest import census, data, evaluate
from weft.model_smoketest import tars as tars_
from weft.model_smoketest import train as training
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_bucket
from weft.schemas.shards import CORPORA


def test_what_is_found_is_written_and_bits_per_byte_are_of_the_texts(kit, tmp_path):
    training.train(str(kit.shards), str(tmp_path), kit.config(steps=2), quiet)
    result = evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config())
    assert json.loads((tmp_path / evaluate.RESULT).read_text()) == result
    assert result["samples"] == {"pairs": 16, "interleaved": 4, "text": 2}
    for corpus in ("pairs", "interleaved", "text"):
        nats = result["loss"][corpus] * result["tokens"][corpus]
        assert result["bits_per_byte"][corpus] == pytest.approx(nats / math.log(2) / result["bytes"][corpus], abs=1e-3)
    assert result["bytes"]["text"] == 2 * (39 * 4 - 1)  # words of three letters and spaces, after <s>
    for gap in result["grounding"].values():  # a share of samples, not of samples and draws
        won = gap["win_rate"] * gap["samples"]
        assert gap["rotations"] > 1 and won == pytest.approx(round(won), abs=0.01)
    assert result["failed"] == sorted({check["name"] for check in result["checks"] if check["failed"]})


def test_without_held_out_samples_figures_are_null_with_a_note(kit, tmp_path):
    shards = kit.write_shards(tmp_path / "s", {"pairs": (8, 1), "interleaved": (2, 0), "text": (2, 1)})
    training.train(str(shards), str(tmp_path / "m"), kit.config(steps=1), quiet)
    result = evaluate.evaluate(str(shards), str(tmp_path / "m"), kit.config())
    assert result["loss"]["interleaved"] is None and result["bits_per_byte"]["interleaved"] is None
    assert result["loss"]["pairs"] > 0
    assert result["grounding"] == {"interleaved": None, "pairs": None}
    assert any("no held-out interleaved" in note for note in result["notes"])
    assert any("pairs: too few different held-out images" in note for note in result["notes"])


def test_evaluating_without_or_with_another_model_is_one_clear_line(kit, tmp_path):
    with pytest.raises(ConfigError, match="run `weft train` first"):
        evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config())
    training.train(str(kit.shards), str(tmp_path), kit.config(steps=1), quiet)
    other = kit.write_shards(tmp_path / "s", {"pairs": (8, 4)})
    with pytest.raises(ConfigError, match="run `weft train` again"):
        evaluate.evaluate(str(other), str(tmp_path), kit.config())
    elsewhere = evaluate.evaluate(str(other), str(tmp_path), kit.config(eval_samples=3), "other.json", own=False)
    assert elsewhere["samples"]["pairs"] == 3 and (tmp_path / "other.json").exists()
    name = kit.vocabulary.file
    (other / name).write_text((other / name).read_text().replace('"red"', '"rot"'))
    with pytest.raises(ConfigError, match="another tokenizer"):
        evaluate.evaluate(str(other), str(tmp_path), kit.config(), "other.json", own=False)


def test_with_folds_a_sample_is_judged_by_a_model_that_was_trained_without_its_document(kit, tmp_path):
    config = kit.config(steps=2, audit_folds=2)
    training.train(str(kit.shards), str(tmp_path), config, quiet)
    before = (tmp_path / training.WEIGHTS).read_bytes()
    result = evaluate.evaluate(str(kit.shards), str(tmp_path), config)
    assert result["folds"] == 2 and (tmp_path / training.WEIGHTS).read_bytes() == before
    assert next(one for one in result["checks"] if one["name"] == "pairs.mismatched")["samples"] == 48 + 16
    assert {move: one["texts"] for move, one in result["moves"].items()} == {"-1": 12, "+1": 12}
    tars = [tars_.Tar(p) for corpus in CORPORA for p in data.tars_of(str(kit.shards), corpus, "train")]
    documents = {document for tar in tars for key in tar.samples for document in tars_.documents_of(tar, key)}
    parts = [frozenset(d for d in documents if hash_bucket(d, 2, "fold") == n) for n in range(2)]
    for number, without in enumerate(parts):  # whoever says what it was trained without is held to it
        where = str(tmp_path / f"folds/{number + 1}-of-2")
        for told in (without, None):
            evaluate.load_model(str(kit.shards), where, without=told)
        for other in (parts[1 - number], frozenset()):
            with pytest.raises(ConfigError, match="other shards"):
                evaluate.load_model(str(kit.shards), where, without=other)


def test_instructions_have_figures_and_checks_of_their_own(kit, tmp_path):
    counts = {"pairs": (20, 8), "interleaved": (4, 2), "text": (4, 2), "instructions": (60, 12)}
    shards = kit.write_shards(tmp_path / "s", counts)
    training.train(str(shards), str(tmp_path / "m"), kit.config(steps=2), quiet)
    assert "instructions" in json.loads((tmp_path / "m" / training.LOG).read_text().splitlines()[-1])["loss"]
    result = evaluate.evaluate(str(shards), str(tmp_path / "m"), kit.config())
    assert result["samples"]["instructions"] == 12 and result["tokens"]["instructions"] == 12 * 4
    assert result["bytes"]["instructions"] == 12 * (3 * 4 - 1)  # the three words of the answer, and not the question
    names = {check["name"] for check in result["checks"] if not check["failed"]}
    assert {"instructions.tokens", "instructions.mask", "instructions.leaked"} <= names
    world = planted.World(shards)
    planted.mask_shifted(world)
    moved = world.write(tmp_path / "moved", shards)
    checks = {check.name: check for check in census.take(str(moved), kit.vocabulary)}
    assert checks["instructions.mask"].failed and checks["instructions.mask"].value == 1.0


def test_a_model_that_reads_instructions_answers_unseen_ones_better_than_one_that_does_not(kit, tmp_path):
    shards = kit.write_shards(tmp_path / "s", {"pairs": (60, 8), "text": (8, 2), "instructions": (400, 60)})
    found = {}
    for name, mix in (("with", 1.0), ("without", 0.0)):
        config = kit.config(mix_instructions=mix, steps=60, batch_tokens=512, learning_rate=5e-3, warmup_steps=10)
        training.train(str(shards), str(tmp_path / name), config, quiet)
        found[name] = evaluate.evaluate(str(shards), str(tmp_path / name), config)["loss"]
    # Who knows the twelve words of answers and where they end, and neither their order nor the question, pays log 12
    # for three of four tokens.
    assert found["with"]["instructions"] < 3 / 4 * math.log(12) < found["without"]["instructions"], found
    assert found["with"]["pairs"] < 2 * found["without"]["pairs"], found
