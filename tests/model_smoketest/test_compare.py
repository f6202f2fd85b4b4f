"""Which corpus is better: decided where it is so, and not where it is chance."""

import itertools
import json
import shutil

import numpy as np
import pytest

from weft.model_smoketest import compare
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import CORPORA

SEEDS, SAMPLES = 5, 60


def trial(number, better=0.0):
    """Bits of two corpora: each model has its luck, each sample its difficulty, and each of both together some of its own."""
    rng = np.random.default_rng(number)
    difficulty = rng.normal(100, 30, SAMPLES)
    a, b = (difficulty + rng.normal(0, 3, (SEEDS, 1)) + rng.normal(0, 6, (SEEDS, SAMPLES)) for _ in range(2))
    kinds = [np.arange(SAMPLES) % 2 == k for k in (0, 1)]
    return compare.difference(a - better, b, np.full(SAMPLES, 50.0), kinds, np.arange(SAMPLES))


def test_equals_are_undecided_and_a_better_one_is_found():
    decided = sum(trial(n).row("a", "b")["better"] != "undecided" for n in range(20))
    assert decided <= 3  # one is expected of twenty at 95 %
    assert all(trial(n, better=12.0).row("a", "b")["better"] == "a" for n in range(5))
    assert all(trial(n, better=-12.0).row("a", "b")["better"] == "b" for n in range(5))


def test_the_interval_covers_what_is_true_about_95_times_of_100():
    covered = sum(one.low <= -4.0 / 50 <= one.high for one in (trial(n, better=4.0) for n in range(60, 100)))
    assert covered >= 33  # 38 expected of 40


def test_a_fault_of_one_kind_is_seen_there_and_equals_in_none():
    """What all kinds together hide: pairs a little worse, beside documents whose seeds differ much."""
    rng = np.random.default_rng(7)
    held = [
        compare.HeldOut(kind, ("a", "b"), f"{kind}{n}", f"{kind}{n}", ("text",), (), 50)
        for kind in ("pairs", "interleaved") for n in range(SAMPLES)
    ]  # fmt: skip
    noise = np.repeat([1.0, 40.0], SAMPLES)

    def drawn(worse: float) -> compare.Matrix:
        seeds = np.repeat(rng.normal(0, 1, (SEEDS, 2)), SAMPLES, axis=1)
        return 100 + noise * seeds + rng.normal(0, 3, (SEEDS, 2 * SAMPLES)) + np.repeat([worse, 0.0], SAMPLES)

    (pair,) = compare.verdicts({"a": drawn(0.0), "b": drawn(6.0)}, held)["pairs"]
    assert pair["better"] == "undecided" and pair["by_kind"]["pairs"]["better"] == "a"
    assert pair["by_kind"]["interleaved"]["better"] == "undecided"
    found = [compare.verdicts({"a": drawn(0.0), "b": drawn(0.0)}, held)["pairs"][0]["by_kind"] for _ in range(20)]
    assert sum(any(one["better"] != "undecided" for one in kinds.values()) for kinds in found) <= 3


def test_the_same_corpus_twice_differs_by_nothing_and_one_seed_decides_nothing():
    same = np.random.default_rng(0).normal(100, 9, (SEEDS, SAMPLES))
    rest = np.full(SAMPLES, 50.0), [np.ones(SAMPLES, bool)], np.arange(SAMPLES)
    assert compare.difference(same, same, *rest) == (0.0, 0.0, 0.0)
    one = compare.difference(same[:1] - 50, same[:1], *rest)
    assert one.delta < 0 and one.row("a", "b")["better"] == "undecided"
    assert one.row("a", "b")["low"] is one.row("a", "b")["high"] is None  # JSON has no infinity


def test_corpora_are_compared_on_what_neither_has_trained_on(kit, tmp_path):
    a = kit.shards
    b = kit.write_shards(tmp_path / "b", {"pairs": (40, 10), "interleaved": (8, 4)}, lambda seed: seed + 5003)
    config = kit.config(steps=3, max_length=64)
    lines = []
    corpora = {"a": str(a), "b": str(b)}
    found = compare.compare(corpora, str(tmp_path), config, 2, ("S",), log=lines.append)
    assert json.loads((tmp_path / compare.RESULT).read_text()) == json.loads(json.dumps(found))
    assert found["held_out"] == {"pairs": 20, "interleaved": 8, "text": 0}  # as many of each corpus
    assert set(found["sizes"]["S"]["rank"]) == {"a", "b"} and found["rank_holds"]
    assert found["epochs"]["a"].keys() == set(CORPORA) and len(lines) == 4
    means = found["sizes"]["S"]["bits_per_byte"]["a"]
    assert means["overall"] == pytest.approx((means["pairs"] + means["interleaved"]) / 2, abs=1e-4)
    assert compare.compare(corpora, str(tmp_path), config, 2, ("S",), log=lines.append)["sizes"] == found["sizes"]
    with pytest.raises(ConfigError, match="no size 'Z'"):
        compare.compare(corpora, str(tmp_path), config, 2, ("Z",))


def test_a_document_that_is_held_out_is_in_no_training_set(kit, finished):
    from weft.model_smoketest import data, tars

    shards = str(finished / "shards")
    vocabulary = data.read_vocabulary(shards)
    whole = data.Mixture(shards, vocabulary, kit.config(), lambda line: None)
    tar = tars.Tar(data.tars_of(shards, "interleaved", "train")[0])
    some = frozenset(doc for key in list(tar.samples)[:5] for doc in tars.documents_of(tar, key))
    left = data.Mixture(shards, vocabulary, kit.config(), lambda line: None, some)
    assert len(some) >= 4

    def keys(mixture):
        return {key for stream in mixture.streams.values() for one in stream._tars for key in one.samples}

    gone = keys(whole) - keys(left)
    assert gone and all(any(doc in key for doc in some) or key.startswith("text") for key in gone)
    _, documents = compare.hold_out({"a": shards})
    assert not documents & some


def test_what_corpora_hold_alike_is_one_sample_and_a_document_s_samples_stand_together(kit):
    alone, _ = compare.hold_out({"a": str(kit.shards)})
    held, _ = compare.hold_out({"a": str(kit.shards), "b": str(kit.shards)})
    assert [one.key for one in held] == [one.key for one in alone]
    assert all(one.sources == ("a", "b") for one in held)
    rng = np.random.default_rng(0)
    a, b = (rng.normal(100, 9, (SEEDS, SAMPLES)) for _ in range(2))
    rest = np.full(SAMPLES, 50.0), [np.ones(SAMPLES, bool)]
    apart = compare.difference(a, b, *rest, np.arange(SAMPLES))
    twice = compare.difference(*(np.tile(m, 2) for m in (a, b)), np.full(2 * SAMPLES, 50.0), [np.ones(2 * SAMPLES, bool)],
                               np.tile(np.arange(SAMPLES), 2))  # fmt: skip
    assert twice == pytest.approx(apart)  # the same samples once more tell nothing new


def test_no_tokenizer_is_asked_for_less_of_a_text(kit):
    held, _ = compare.hold_out({"a": str(kit.shards)})
    cut = compare.fitted(held, [str(kit.shards)], 30)
    assert len(cut) == len(held) and any(one.size < whole.size for one, whole in zip(cut, held, strict=True))
    vocabulary = kit.vocabulary
    for one in cut:
        words = compare.Words(str(kit.shards), vocabulary)
        assert len(compare._ids(one.segments, words)) <= 30
        assert len(one.images) == one.segments.count(None) and one.segments[-1]
    assert compare.fitted(held, [str(kit.shards)], vocabulary.context_length) == held


SPELLED = [
    "Write <image> and </image> round it, then </s> ends what <s> began",
    "An <unk> word, some <pad> and <image> again",
]
UNSPACED = ["吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で"]


def test_held_out_texts_that_spell_special_tokens_are_told_as_texts(kit, tmp_path):
    shards = str(kit.write_texts(tmp_path / "s", SPELLED))
    vocabulary = compare.data.read_vocabulary(shards)
    words = compare.Words(shards, vocabulary)
    held, _ = compare.hold_out({"a": shards})
    assert sorted(one.segments for one in held) == sorted((text,) for text in SPELLED)
    for one in compare.fitted(held, [shards], 64):
        ids = np.array(compare._ids(one.segments, words))
        assert words.decode(ids[1:-1]) == one.segments[0]
        assert not len(contract.image_slots(ids, vocabulary)) and contract.loss_mask(ids, vocabulary)[1:].all()


def test_scripts_without_spaces_are_shortened_and_not_left_out(kit, tmp_path):
    shards = str(kit.write_texts(tmp_path / "s", UNSPACED))
    words = compare.Words(shards, compare.data.read_vocabulary(shards))
    (held,), _ = compare.hold_out({"a": shards})
    (cut,) = compare.fitted([held], [shards], 20)
    assert 10 < len(compare._ids(cut.segments, words)) <= 20 and held.segments[0].startswith(cut.segments[0])


def test_a_larger_size_is_larger_whatever_is_configured(kit):
    for config in (kit.config(), kit.config(layers=24, width=2048, heads=32, ffn=8192), kit.config(heads=1, width=32)):
        sizes = [compare.sized(config, size) for size in "SML"]
        assert sizes[0] == config
        for small, large in itertools.pairwise(sizes):
            assert all(getattr(small, key) < getattr(large, key) for key in ("layers", "width", "heads", "ffn"))
            assert large.width % large.heads == 0 and large.width // large.heads == small.width // small.heads


def test_each_document_of_a_packed_text_is_held_out_by_itself_and_whole(kit, tmp_path):
    bos, eos = kit.vocabulary.bos, kit.vocabulary.eos
    ids = np.array([20, 21, 22, eos, bos, 23, 24, eos, bos, 25], kit.vocabulary.dtype)  # begins inside a document
    shutil.copytree(kit.shards, tmp_path / "s", ignore=shutil.ignore_patterns("*.tar", "*.idx", "manifest.jsonl"))
    told = contract.json_bytes({"documents": [{"doc_id": doc} for doc in "abc"]})
    some = {f"k{n}": {contract.INPUT_IDS: contract.npy(ids), contract.META: told} for n in range(3)}
    kit.write_tar(tmp_path / "s" / contract.shard_name("text", "val", 0), some)
    held, documents = compare.hold_out({"a": str(tmp_path / "s")})
    words = compare.Words(str(kit.shards), kit.vocabulary)
    assert [one.segments for one in held] == [(words.decode(part),) for part in ([20, 21, 22], [23, 24], [25])]
    assert [one.document for one in held] == ["a", "b", "c"] and documents == {"a", "b", "c"}
