"""Shards as tars: what was written comes back, by index or without, and nothing is opened before its time."""

import numpy as np
import pytest

from weft.model_smoketest import data, shard_files, tars
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError
from weft.transforms.pack.sequences import pack


def test_a_sample_comes_back_as_it_was_written(kit, tmp_path):
    seeds = (3, 4)
    kit.write_tar(tmp_path / "x.tar", {f"k{s}": kit.pair(s, s) for s in seeds})
    tar = tars.Tar(tmp_path / "x.tar")
    for seed in seeds:
        sample = tar.read("pairs", f"k{seed}", kit.vocabulary)
        assert sample.images == (kit.picture(seed),)
        assert contract.npy(sample.ids.astype(np.uint16)) == kit.pair(seed, seed)[contract.INPUT_IDS]
        assert sample.mask.tolist() == [0] * 7 + [1] * 7  # <s> <image> 4 slots </image>, six words and </s>


def test_a_sequence_of_one_id_is_read_and_teaches_nothing(kit, tmp_path):
    """Shards that stand may end in one."""
    train = tmp_path / "s" / "text" / "train"
    train.mkdir(parents=True)
    ids = {"a": np.array([2], np.uint16), "b": np.arange(20, 30, dtype=np.uint16)}
    kit.write_tar(train / "000000.tar", {key: {contract.INPUT_IDS: contract.npy(row)} for key, row in ids.items()})
    mix = data.Mixture(str(tmp_path / "s"), kit.vocabulary, kit.config(batch_tokens=11), lambda line: None)
    tickets = [ticket for _ in range(4) for ticket in mix.step()]
    assert {ticket.key for ticket in tickets} == {"a", "b"}
    counts = mix.read(data.MicroBatch(tickets, 16)).counts
    assert {(ticket.key, count) for ticket, count in zip(tickets, counts, strict=True)} == {("a", 0), ("b", 9)}


def test_a_document_is_cut_out_of_the_texts_that_it_is_packed_with(kit, tmp_path):
    """Of folds of half the documents half the tokens are left, and each of the other documents whole."""
    rows = {f"d{n}": [20 + n] * (5 + 3 * n) for n in range(12)}
    packed = list(pack(rows.items(), kit.vocabulary))
    samples = {
        f"k{n}": {
            contract.INPUT_IDS: contract.npy(np.array(one.ids, kit.vocabulary.dtype)),
            contract.META: contract.json_bytes(
                {"documents": [{"doc_id": of, "span": [start, end]} for of, start, end in one.documents]}
            ),
        }
        for n, one in enumerate(packed)
    }
    assert len(samples) > 3
    folder = tmp_path / "s" / "text" / "train"
    folder.mkdir(parents=True)
    kit.write_tar(folder / "000000.tar", samples)
    for without in (frozenset(list(rows)[::2]), frozenset(list(rows)[:9])):
        tar = tars.Tar(folder / "000000.tar", without)
        read = [tar.read("text", key, kit.vocabulary) for key in sorted(tar.samples)]
        ids = [i for sample in read for i in sample.ids.tolist()]
        assert [i for i in ids if i >= 20] == [i for name, row in rows.items() if name not in without for i in row]
        assert [len(one.ids) for one in read] == [tar.length(one.key, kit.vocabulary) for one in read]
        assert all(len(one.ids) > 1 and one.mask.shape == one.ids.shape for one in read)
    mix = data.Mixture(str(tmp_path / "s"), kit.vocabulary, kit.config(), lambda line: None, frozenset(rows) - {"d3"})
    assert {ticket.length for ticket in mix.step()} == {16}
    with pytest.raises(ConfigError, match="holds no training sample"):
        data.Mixture(str(tmp_path / "s"), kit.vocabulary, kit.config(), lambda line: None, frozenset(rows))


def test_a_sample_goes_with_its_document(kit, tmp_path):
    kit.write_tar(tmp_path / "x.tar", {f"k{s}": kit.pair(s, s) for s in range(3)})
    assert list(tars.Tar(tmp_path / "x.tar", frozenset({"k1"})).samples) == ["k0", "k2"]


def test_images_of_a_document_are_read_in_order(kit, tmp_path):
    images = [kit.picture(i) for i in range(12)]
    ids = kit.ids_of([[20], *[None] * 12])
    parts = contract.document_images(images) | {contract.INPUT_IDS: contract.npy(ids)}
    parts[contract.LOSS_MASK] = contract.npy(contract.loss_mask(ids, kit.vocabulary))
    kit.write_tar(tmp_path / "x.tar", {"k": parts})
    assert list(tars.Tar(tmp_path / "x.tar").read("interleaved", "k", kit.vocabulary).images) == images
    parts[contract.DOCUMENT_IMAGES] += b"more"
    kit.write_tar(tmp_path / "y.tar", {"k": parts})
    with pytest.raises(ConfigError, match=r"y\.tar is damaged \(sample k: images of"):
        tars.Tar(tmp_path / "y.tar").read("interleaved", "k", kit.vocabulary)


def test_a_broken_shard_is_named(kit, tmp_path):
    (tmp_path / "x.tar").write_bytes(b"not a tar" * 100)
    with pytest.raises(ConfigError, match=r"x\.tar is damaged"):
        tars.Tar(tmp_path / "x.tar").samples  # noqa: B018 - read when it is asked for
    parts = kit.pair(1, 1)
    del parts[contract.IMAGE]
    kit.write_tar(tmp_path / "y.tar", {"k": parts})
    with pytest.raises(ConfigError, match=r"y\.tar is damaged \(sample k"):
        tars.Tar(tmp_path / "y.tar").read("pairs", "k", kit.vocabulary)


def index(path, kit, samples):
    """Write the index that the packer would."""
    sizes = [(name, len(content)) for name, content in kit.members(samples)]
    path.with_suffix(f".{contract.INDEX}").write_text(contract.dump_index(sizes))


def test_an_index_says_what_the_headers_say(kit, tmp_path, monkeypatch):
    samples = {f"k{s}": kit.pair(s, s) for s in range(5)}
    kit.write_tar(tmp_path / "x.tar", samples)
    without = tars.Tar(tmp_path / "x.tar").samples
    index(tmp_path / "x.tar", kit, samples)
    monkeypatch.setattr(tars, "_headers", None)
    indexed = tars.Tar(tmp_path / "x.tar")
    assert indexed.samples == without and len(without) == 5
    assert indexed.read("pairs", "k3", kit.vocabulary).images == (kit.picture(3),)


@pytest.mark.parametrize(
    "damage", [lambda t: t[:-30], lambda t: t.replace("v1.2 ", "v1.1 "), lambda t: "", lambda t: t + "x\n"]
)
def test_a_torn_index_is_named(kit, tmp_path, damage):
    samples = {f"k{s}": kit.pair(s, s) for s in range(3)}
    kit.write_tar(tmp_path / "x.tar", samples)
    index(tmp_path / "x.tar", kit, samples)
    path = tmp_path / "x.idx"
    path.write_text(damage(path.read_text()))
    with pytest.raises(ConfigError, match=r"x\.idx is damaged"):
        tars.Tar(tmp_path / "x.tar").samples  # noqa: B018


def test_many_tars_are_opened_one_by_one_and_forgotten(kit, tmp_path, monkeypatch):
    """A corpus of 3,000 tars, of which only indexes exist: planning opens those that it reaches, and holds a few."""
    folder = tmp_path / "s" / "text" / "train"
    folder.mkdir(parents=True)
    row = contract.npy(np.zeros(20, kit.vocabulary.dtype))
    text = contract.dump_index((f"k{k}.{contract.INPUT_IDS}", len(row)) for k in range(4))
    for number in range(3_000):
        (folder / f"{number:06d}.tar").touch()
        (folder / f"{number:06d}.idx").write_text(text)
    opened = []
    monkeypatch.setattr(
        shard_files, "read_text", lambda path, real=shard_files.read_text: opened.append(path) or real(path)
    )
    tars._samples.cache_clear()
    mix = data.Mixture(str(tmp_path / "s"), kit.vocabulary, kit.config(batch_tokens=800), lambda line: None)
    assert len([path for path in opened if path.endswith("idx")]) == 1
    for _ in range(5):
        mix.step()  # 40 samples of ten tars
    assert len([path for path in opened if path.endswith("idx")]) <= 52
    assert tars._samples.cache_info().currsize <= tars.OPEN
