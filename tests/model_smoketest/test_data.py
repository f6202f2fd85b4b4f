"""The trainer's reader: contract, order, mixture, position."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from weft.model_smoketest import data, tars
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError


def mixture(kit, shards=None, log=lambda line: None, **changes):
    return data.Mixture(str(shards or kit.shards), kit.vocabulary, kit.config(**changes), log)


@pytest.mark.parametrize(
    ("length", "tokens", "images"),
    [(99, 16, 2), (16, 16, 2), (15, 15, 2), (14, 14, 2), (13, 8, 1), (8, 8, 1), (7, 2, 0), (3, 2, 0), (2, 2, 0)],
)
def test_a_cut_never_splits_an_image(kit, length, tokens, images):
    ids = kit.ids_of([[20], None, None, [21]]).astype(np.int64)  # 1 + 1 + 6 + 6 + 1 + 1
    sample = tars.Sample("k", ids, contract.loss_mask(ids, kit.vocabulary), (b"0", b"1"))
    part = data.cut(sample, 0, length, kit.vocabulary)
    assert (len(part.ids), len(part.mask), part.images) == (tokens, tokens, (b"0", b"1")[:images])
    assert len(contract.image_slots(part.ids, kit.vocabulary)) == images


def test_collate_pads_on_the_right_and_points_at_slots_and_targets(kit):
    long = kit.ids_of([[20, 21], None, [22], None]).astype(np.int64)
    short = kit.ids_of([None]).astype(np.int64)
    samples = [
        tars.Sample(str(i), ids, contract.loss_mask(ids, kit.vocabulary), images)
        for i, (ids, images) in enumerate([(long, (b"0", b"1")), (short, (b"2",))])
    ]
    batch = data.collate(samples, kit.vocabulary, 24, [0, 2])
    assert batch.tokens == len(long) + len(short) and batch.ids.shape == (2, 24)
    assert batch.ids[1, len(short) :].eq(kit.vocabulary.pad).all()
    assert batch.rows.tolist() == [0, 0, 1] and batch.images == [b"0", b"1", b"2"]
    assert batch.ids[batch.rows[:, None], batch.slots].eq(kit.vocabulary.image).all()
    assert batch.slots[:, 0].tolist() == [4, 11, 2]
    assert batch.labels.tolist() == [20, 21, 22, kit.vocabulary.eos, kit.vocabulary.eos]
    assert batch.counts == [4, 1] and batch.corpora.tolist() == [0] * 4 + [2]
    assert torch.equal(batch.ids.flatten()[batch.places + 1], batch.labels)
    assert data.collate(samples, kit.vocabulary).ids.shape == (2, len(long))


def test_the_coming_of_an_image_is_a_target_where_the_config_asks_for_it(kit):
    plain, foretold = (mixture(kit, predict_images=asked) for asked in (False, True))
    part = data.MicroBatch(sorted(plain.step(), key=lambda one: one.corpus), 64)
    one, other = plain.read(part), foretold.read(part)
    image = kit.vocabulary.image
    assert len(one.images) > 2 and not one.labels.eq(image).any()
    assert int(other.labels.eq(image).sum()) == len(one.images)
    assert torch.equal(other.labels[other.labels != image], one.labels)
    starts = other.places[other.labels == image] + 1
    slots = one.rows * one.ids.shape[1] + one.slots[:, 0]
    assert sorted(starts.tolist()) == sorted((slots - 1).tolist())  # the token before the first slot


def ticket(length, key="k"):
    return data.Ticket("text", None, key, length, "")


def test_micro_batches_hold_every_sample_once_with_little_padding():
    rng = np.random.default_rng(0)
    tickets = [ticket(int(n), str(i)) for i, n in enumerate([*rng.integers(70, 120, 600), *rng.integers(9, 2048, 300)])]
    made = data.micro_batches(tickets, 16_384)
    assert sorted(int(t.key) for part in made for t in part.tickets) == list(range(900))
    padded = sum(part.length * len(part.tickets) for part in made)
    assert all(part.length * len(part.tickets) <= 16_384 for part in made)
    assert all(t.length <= part.length for part in made for t in part.tickets)
    assert padded <= 1.125 * sum(t.length for t in tickets)
    assert len({part.length for part in made}) < 40 and len(made) < 60
    assert made == data.micro_batches(tickets[::-1], 16_384)  # the order in which they were planned decides nothing


def test_a_long_sample_is_a_micro_batch_of_its_own_and_a_small_step_is_one():
    assert [len(part.tickets) for part in data.micro_batches([ticket(300), ticket(290)], 256)] == [1, 1]
    assert [len(part.tickets) for part in data.micro_batches([ticket(40), ticket(30), ticket(20)], 1024)] == [3]
    assert [data.rounded(n) for n in (1, 8, 9, 128, 129, 513, 2048)] == [8, 8, 16, 128, 144, 576, 2048]


def test_the_corpora_come_in_their_proportion(kit):
    mix, seen = mixture(kit, batch_tokens=240), dict.fromkeys(contract.CORPORA, 0)
    for _ in range(60):
        for one in mix.step():
            seen[one.corpus] += one.length
    total = sum(seen.values())
    assert total == pytest.approx(240 * 60, rel=0.02)
    for corpus, weight in {"text": 0.5, "pairs": 0.5, "interleaved": 0.2}.items():
        assert seen[corpus] / total == pytest.approx(weight / 1.2, rel=0.02)


def test_a_plan_knows_lengths_without_reading_samples(kit, monkeypatch):
    mix = mixture(kit, max_length=64)  # nothing is cut
    tickets = [one for _ in range(6) for one in mix.step()]
    assert {one.corpus for one in tickets} == set(contract.CORPORA)
    for one in tickets:
        assert len(one.read(kit.vocabulary, 64).ids) == one.length
    monkeypatch.setattr(tars.Tar, "read", None)
    mix.step()


def test_an_epoch_gives_every_sample_once_and_the_next_in_another_order(kit):
    shards = [tars.Tar(path) for path in data.tars_of(str(kit.shards), "pairs", "train")]
    keys = sorted(key for tar in shards for key in tar.samples)
    stream = data.Stream("pairs", shards, kit.vocabulary, 64, seed=0)
    epochs = [[stream._next().key for _ in keys] for _ in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [keys, keys]
    assert epochs[0] != epochs[1]
    other = data.Stream("pairs", shards, kit.vocabulary, 64, seed=1)
    assert [other._next().key for _ in keys] != epochs[0]


def test_a_long_text_gives_whole_windows_that_change_with_the_epoch(kit):
    shards = [tars.Tar(path) for path in data.tars_of(str(kit.shards), "text", "train")]
    stream = data.Stream("text", shards, kit.vocabulary, 20, seed=0)
    count = sum(len(tar.samples) for tar in shards)
    first = {s.key: s.ids.tolist() for s in (stream._next().read(kit.vocabulary, 20) for _ in range(count))}
    second = {s.key: s.ids.tolist() for s in (stream._next().read(kit.vocabulary, 20) for _ in range(count))}
    assert {len(ids) for ids in [*first.values(), *second.values()]} == {20}
    assert first.keys() == second.keys() and first != second


def test_where_a_window_opens_says_nothing_of_when_it_comes(kit, tmp_path):
    shards = kit.write_shards(tmp_path, {"text": (80, 1)}, tars=1)
    stream = data.Stream("text", [tars.Tar(shards / "text/train/000000.tar")], kit.vocabulary, 20, seed=0)
    starts = []
    for ticket in [stream._next() for _ in range(80)]:
        whole, part = (ticket.read(kit.vocabulary, length).ids.tolist() for length in (60, 20))
        starts.append(next(n for n in range(41) if whole[n : n + 20] == part))
    first = starts[:20]
    assert min(first) < 8 and max(first) > 32, first  # of 0 to 40: a short training sees more than beginnings
    assert abs(np.corrcoef(starts, range(80))[0, 1]) < 0.3


def test_restoring_a_position_goes_on_with_the_very_next_sample(kit):
    def told(tickets):
        return [one._replace(tar=one.tar.path) for one in tickets]

    mix, other = mixture(kit), mixture(kit)
    for _ in range(37):  # into later epochs of each corpus
        mix.step()
    assert mix.state()["pairs"]["epoch"] > 0
    other.restore(mix.state())
    for _ in range(10):
        assert told(mix.step()) == told(other.step())


def test_epochs_tell_how_much_of_a_corpus_was_taken_also_within_a_shard(kit):
    mix, taken, told = mixture(kit), Counter(), []
    totals = {"pairs": 48, "interleaved": 8, "text": 6}
    for _ in range(25):
        taken.update(one.corpus for one in mix.step())
        told.append(mix.epochs(mix.state()))
    # Shards of few samples are uneven, and each is an equal part of an epoch.
    apart = {corpus: told[-1][corpus] - taken[corpus] / totals[corpus] for corpus in totals}
    assert abs(apart["pairs"]) < 0.1 and all(abs(one) < 0.5 for one in apart.values()), apart
    assert any(0 < one["pairs"] < 0.5 for one in told), "the first of two shards is half of an epoch"
    assert all(a[corpus] <= b[corpus] for a, b in itertools.pairwise(told) for corpus in totals)


def test_an_empty_corpus_is_told_and_its_share_goes_to_the_others(kit, tmp_path):
    lines = []
    shards = kit.write_shards(tmp_path / "s", {"pairs": (8, 2), "interleaved": (0, 0)})
    mix = mixture(kit, shards, lines.append)
    assert [line for line in lines if "interleaved corpus is empty" in line]
    assert [line for line in lines if "text corpus is empty" in line]
    assert mix.tokens == {"pairs": 256.0}


def test_nothing_at_all_is_one_clear_line(kit, tmp_path):
    with pytest.raises(ConfigError, match="run `weft pack` first"):
        data.read_vocabulary(str(tmp_path))
    shards = kit.write_shards(tmp_path / "s", {"pairs": (0, 0)})
    with pytest.raises(ConfigError, match="no training sample"):
        mixture(kit, shards)
    with pytest.raises(ConfigError, match="leaves no room for an image: 8 at least"):
        mixture(kit, max_length=7)


def listed(shards):
    """Write the manifest of the shards as they are."""
    infos = []
    for path in sorted(shards.glob("*/*/*.tar")):
        name = str(path.relative_to(shards))
        infos.append(contract.ShardInfo(name, 1, 1, 1, path.stat().st_size, "0" * 64))
    (shards / contract.MANIFEST).write_text(contract.dump_manifest(infos))


@pytest.mark.parametrize("corpus", contract.CORPORA)
@pytest.mark.parametrize("fault", ["deleted", "cut", "added"])
def test_shards_that_are_not_those_of_the_manifest_are_refused(kit, tmp_path, corpus, fault):
    shards = kit.write_shards(tmp_path / "s")
    listed(shards)
    assert len(data.tars_of(str(shards), corpus, "train")) == 2
    tar = shards / contract.shard_name(corpus, "train", 1)
    if fault == "deleted":
        tar.unlink()
    elif fault == "cut":
        tar.write_bytes(tar.read_bytes()[:-512])
    else:
        tar.with_name("000002.tar").write_bytes(tar.read_bytes())
    why = {"deleted": "not there", "cut": "bytes", "added": "not listed"}[fault]
    with pytest.raises(ConfigError, match=f"{corpus}/train.*is damaged.*{why}.*weft pack"):
        mixture(kit, shards)


def test_instructions_are_read_with_their_own_mask_and_mixed_in_where_there_are_some(kit, tmp_path):
    counts = {"pairs": (20, 4), "interleaved": (4, 2), "text": (4, 2)}
    without = kit.write_shards(tmp_path / "a", counts)
    lines = []
    assert mixture(kit, without, lines.append).tokens.keys() == set(contract.CORPORA) and not lines
    shards = kit.write_shards(tmp_path / "b", counts | {"instructions": (30, 10)})
    made = mixture(kit, shards, mix_instructions=0.6)
    assert made.tokens["instructions"] == pytest.approx(256 * 0.6 / 1.8)
    assert "instructions" not in mixture(kit, shards, mix_instructions=0.0).tokens
    tickets = [ticket for _ in range(4) for ticket in made.step() if ticket.corpus == "instructions"]
    batch = made.read(data.MicroBatch(tickets, 16))
    assert set(batch.counts) == {4} and not batch.images  # three words and </s>: what is asked teaches nothing
    assert set(batch.corpora.tolist()) == {contract.TRAINED.index("instructions")}
    places = batch.places.reshape(-1, 4) % 16
    assert (places == torch.tensor([6, 7, 8, 9])).all()
    assert data.fingerprint(str(without), kit.vocabulary) != data.fingerprint(str(shards), kit.vocabulary)


@pytest.mark.parametrize("length", [8, 9, 10])
def test_an_instruction_that_is_cut_keeps_its_answer(kit, tmp_path, length):
    shards = str(kit.write_shards(tmp_path, {"instructions": (30, 10)}))
    mix = mixture(kit, shards, max_length=length)
    read = [ticket.read(kit.vocabulary, length) for _ in range(2) for ticket in mix.step()]
    held = list(data.validation(shards, "instructions", kit.vocabulary, kit.config(max_length=length)))
    assert len(held) == 10 and len(read) > 30
    for sample in read + held:  # three words and </s>
        assert len(sample.ids) == length and sample.mask.tolist() == [0] * (length - 4) + [1] * 4
        assert sample.ids[-1] == kit.vocabulary.eos
