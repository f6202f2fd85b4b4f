"""Shards in somebody else's loop: every sample once, whoever reads it, in an order that can be repeated."""

import itertools
import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from weft.model_smoketest.dataset import ShardDataset
from weft.model_smoketest.pictures import square
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError


@pytest.mark.parametrize("corpus", contract.CORPORA)
def test_samples_are_whole(kit, corpus):
    dataset = ShardDataset(str(kit.shards), corpus)
    samples = list(dataset)
    assert len(samples) == len(dataset) == len({sample["key"] for sample in samples}) > 0
    for sample in samples:
        assert sample["input_ids"].shape == sample["loss_mask"].shape
        assert sample["image_slots"].shape == (len(sample["images"]), kit.vocabulary.image_tokens)
        assert torch.all(sample["input_ids"][sample["image_slots"]] == kit.vocabulary.image)
        assert not sample["loss_mask"][sample["image_slots"]].any()


def test_the_order_is_of_seed_and_epoch(kit):
    dataset = ShardDataset(str(kit.shards), "pairs", seed=1)
    first = [sample["key"] for sample in dataset]
    assert [sample["key"] for sample in dataset] == first
    dataset.epoch = 1
    second = [sample["key"] for sample in dataset]
    assert second != first and sorted(second) == sorted(first)
    assert [s["key"] for s in ShardDataset(str(kit.shards), "pairs", seed=2)] != first


def test_loading_workers_share_the_samples(kit):
    dataset = ShardDataset(str(kit.shards), "interleaved")
    one = sorted(sample["key"] for sample in dataset)
    loader = DataLoader(dataset, batch_size=None, num_workers=2)
    assert sorted(sample["key"] for sample in loader) == one


def test_a_worker_that_is_started_anew_knows_its_process(kit, monkeypatch):
    """As under CUDA, where workers are not forked: what it inherits of the group of processes is nothing."""
    for name, value in (("is_initialized", True), ("get_rank", 1), ("get_world_size", 3)):
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    dataset = ShardDataset(str(kit.shards), "pairs")
    mine = [sample["key"] for sample in dataset]
    loader = DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="spawn")
    assert len(mine) == 16 and [sample["key"] for sample in loader] == mine
    alone = pickle.loads(pickle.dumps(dataset))
    monkeypatch.undo()
    assert len(list(alone)) == 48  # no worker, and no group: all of them


def test_workers_that_persist_hear_of_the_epoch_and_of_what_was_seen(kit):
    dataset = ShardDataset(str(kit.shards), "pairs")
    loader = DataLoader(dataset, batch_size=None, num_workers=1, persistent_workers=True)
    made = []
    for dataset.epoch, dataset.seen in ((0, 0), (1, 0), (1, 5)):
        made.append([sample["key"] for sample in loader])
        assert made[-1] == [sample["key"] for sample in dataset]
    assert made[0] != made[1] and made[2] == made[1][5:]


def test_another_number_of_readers_goes_on_in_mid_epoch(kit, monkeypatch):
    whole = [sample["key"] for sample in ShardDataset(str(kit.shards), "pairs")]
    each, had = 5, []
    for readers, take, seen in ((3, each, 0), (2, None, 3 * each)):
        for number in range(readers):
            monkeypatch.setattr("weft.model_smoketest.dataset._place", lambda _, place=(number, readers): place)
            dataset = ShardDataset(str(kit.shards), "pairs")
            dataset.seen = seen
            had += [sample["key"] for sample in itertools.islice(dataset, take)]
    assert sorted(had) == sorted(whole) and set(had[: 3 * each]) == set(whole[: 3 * each])


@pytest.mark.parametrize("corpus", contract.CORPORA)
def test_pictures_come_as_pixels_where_a_side_is_asked_for(kit, corpus):
    whole = list(ShardDataset(str(kit.shards), corpus))
    for sample, raw in zip(ShardDataset(str(kit.shards), corpus, side=24), whole, strict=True):
        assert sample["images"] == raw["images"] and raw["pixels"].shape == (len(raw["images"]), 3, 0, 0)
        wanted = [square(data, 24) for data in raw["images"]]
        assert sample["pixels"].shape == (len(wanted), 3, 24, 24) and torch.equal(
            sample["pixels"], torch.stack(wanted) if wanted else sample["pixels"][:0]
        )


def test_a_picture_that_does_not_decode_is_one_line(kit, tmp_path):
    kit.write_shards(tmp_path)
    for path in (tmp_path / "pairs/train").glob("*.tar"):
        sound = kit.pair(1, 1)
        kit.write_tar(path, {"a" * 32: {**sound, contract.IMAGE: sound[contract.IMAGE][:200]}})
    with pytest.raises(ConfigError, match=r"is damaged .sample aaaa.*does not decode"):
        list(ShardDataset(str(tmp_path), "pairs", side=24))


def test_what_is_not_there_is_one_line(kit, tmp_path):
    with pytest.raises(ConfigError, match="no video/train in shards"):
        ShardDataset(str(kit.shards), "video")
    with pytest.raises(ConfigError, match="run `weft pack` first"):
        ShardDataset(str(tmp_path), "pairs")
