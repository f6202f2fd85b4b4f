"""The trainer's reader: contract, order, mixture, position."""

import numpy as np
import pytest
import torch

from weft.model_smoketest import data
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError


def mixture(kit, shards=None, log=lambda line: None, **changes):
    return data.Mixture(str(shards or kit.shards), kit.vocabulary, kit.config(**changes), log)


def same(one, other):
    return all(
        a.corpus == b.corpus
        and a.images == b.images
        and all(torch.equal(getattr(a, n), getattr(b, n)) for n in ("ids", "mask", "rows", "slots"))
        for a, b in zip(one, other, strict=True)
    )


def test_a_sample_comes_back_as_it_was_written(kit, tmp_path):
    seeds = (3, 4)
    kit.write_tar(tmp_path / "x.tar", {f"k{s}": kit.pair(s, s) for s in seeds})
    tar = data.Tar(tmp_path / "x.tar")
    for seed in seeds:
        sample = tar.read("pairs", f"k{seed}", kit.vocabulary)
        assert sample.images == (kit.picture(seed),)
        assert contract.npy(sample.ids.astype(np.uint16)) == kit.pair(seed, seed)[contract.INPUT_IDS]
        assert sample.mask.tolist() == [0] * 7 + [1] * 7  # <s> <image> 4 slots </image>, six words and </s>


def test_images_of_a_document_are_read_in_numeric_order(kit, tmp_path):
    images = [kit.picture(i) for i in range(12)]  # as names, 10.jpg sorts before 2.jpg
    ids = kit.ids_of([[20], *[None] * 12])
    parts = {f"{i}.jpg": image for i, image in enumerate(images)} | {contract.INPUT_IDS: contract.npy(ids)}
    parts[contract.LOSS_MASK] = contract.npy(contract.loss_mask(ids, kit.vocabulary))
    kit.write_tar(tmp_path / "x.tar", {"k": parts})
    assert list(data.Tar(tmp_path / "x.tar").read("interleaved", "k", kit.vocabulary).images) == images


@pytest.mark.parametrize(
    ("length", "tokens", "images"),
    [(99, 16, 2), (16, 16, 2), (15, 15, 2), (14, 14, 2), (13, 8, 1), (8, 8, 1), (7, 2, 0), (3, 2, 0), (2, 2, 0)],
)
def test_a_cut_never_splits_an_image(kit, length, tokens, images):
    ids = kit.ids_of([[20], None, None, [21]]).astype(np.int64)  # 1 + 1 + 6 + 6 + 1 + 1
    sample = data.Sample("k", ids, contract.loss_mask(ids, kit.vocabulary), (b"0", b"1"))
    part = data.cut(sample, 0, length, kit.vocabulary)
    assert (len(part.ids), len(part.mask), part.images) == (tokens, tokens, (b"0", b"1")[:images])
    assert len(contract.image_slots(part.ids, kit.vocabulary)) == images


def test_collate_pads_on_the_right_and_points_at_the_slots(kit):
    long = kit.ids_of([[20, 21], None, [22], None]).astype(np.int64)
    short = kit.ids_of([None]).astype(np.int64)
    samples = [
        data.Sample(str(i), ids, contract.loss_mask(ids, kit.vocabulary), images)
        for i, (ids, images) in enumerate([(long, (b"0", b"1")), (short, (b"2",))])
    ]
    batch = data.collate("interleaved", samples, kit.vocabulary)
    assert batch.tokens == len(long) + len(short)
    assert batch.ids[1, len(short) :].eq(kit.vocabulary.pad).all() and not batch.mask[1, len(short) :].any()
    assert batch.rows.tolist() == [0, 0, 1] and batch.images == [b"0", b"1", b"2"]
    assert batch.ids[batch.rows[:, None], batch.slots].eq(kit.vocabulary.image).all()
    assert batch.slots[:, 0].tolist() == [4, 11, 2]


def test_the_corpora_come_in_their_proportion(kit):
    mix, seen = mixture(kit, batch_tokens=240), dict.fromkeys(contract.CORPORA, 0)
    for _ in range(60):
        for batch in mix.step():
            seen[batch.corpus] += batch.tokens
    total = sum(seen.values())
    assert total == pytest.approx(240 * 60, rel=0.02)
    for corpus, weight in {"text": 0.5, "pairs": 0.5, "interleaved": 0.2}.items():
        assert seen[corpus] / total == pytest.approx(weight / 1.2, rel=0.02)


def test_an_epoch_gives_every_sample_once_and_the_next_in_another_order(kit):
    tars = [data.Tar(path) for path in data.tars_of(str(kit.shards), "pairs", "train")]
    keys = sorted(key for tar in tars for key in tar.samples)
    stream = data.Stream("pairs", tars, kit.vocabulary, 64, seed=0)
    epochs = [[stream._next().key for _ in keys] for _ in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [keys, keys]
    assert epochs[0] != epochs[1]
    other = data.Stream("pairs", tars, kit.vocabulary, 64, seed=1)
    assert [other._next().key for _ in keys] != epochs[0]


def test_a_long_text_gives_whole_windows_that_change_with_the_epoch(kit):
    tars = [data.Tar(path) for path in data.tars_of(str(kit.shards), "text", "train")]
    stream = data.Stream("text", tars, kit.vocabulary, 20, seed=0)
    count = sum(len(tar.samples) for tar in tars)
    first = {s.key: s.ids.tolist() for s in (stream._next() for _ in range(count))}
    second = {s.key: s.ids.tolist() for s in (stream._next() for _ in range(count))}
    assert {len(ids) for ids in [*first.values(), *second.values()]} == {20}
    assert first.keys() == second.keys() and first != second


def test_restoring_a_position_goes_on_with_the_very_next_batch(kit):
    mix, other = mixture(kit), mixture(kit)
    for _ in range(37):  # into later epochs of each corpus
        mix.step()
    assert mix.state()["pairs"]["epoch"] > 0
    other.restore(mix.state())
    for _ in range(10):
        assert same(mix.step(), other.step())


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


def test_a_broken_shard_is_named(kit, tmp_path):
    (tmp_path / "x.tar").write_bytes(b"not a tar" * 100)
    with pytest.raises(ConfigError, match=r"x\.tar is damaged"):
        data.Tar(tmp_path / "x.tar")
    parts = kit.pair(1, 1)
    del parts[contract.IMAGE]
    kit.write_tar(tmp_path / "y.tar", {"k": parts})
    with pytest.raises(ConfigError, match=r"y\.tar is damaged \(sample k"):
        data.Tar(tmp_path / "y.tar").read("pairs", "k", kit.vocabulary)


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
