"""PackShards in somebody else's pipeline: rows in, shards out that webdataset reads; a blob that is cut is an error."""

import io
import tarfile

import apache_beam as beam
import numpy as np
import pytest
import webdataset as wds
from apache_beam.testing.util import assert_that, equal_to
from PIL import Image

from weft.schemas import shards
from weft.schemas.parameters import Sequencing
from weft.transforms.fetch.blobs import Damaged, digest
from weft.transforms.io import files
from weft.transforms.pack import pack_shards, tokenizer
from weft.transforms.pack.pack_shards import PackShards
from weft.transforms.pack.samples import PackDocument, PackPair, PlacedImage, ShardLayout


def test_rows_become_shards_in_a_pipeline_of_ones_own(tmp_path):
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    (tmp_path / "blob").write_bytes(b"x" + out.getvalue())
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.train(["a red fox", "the fox is red"] * 9, 320))
    image = PlacedImage(1, str(tmp_path / "blob"), 1, len(out.getvalue()), '{"sha256":"s"}')
    rows = [
        PackDocument("page", ["a red fox", None], [image], '{"doc_id":"page"}'),
        PackDocument("words", ["the fox is red"], [], '{"doc_id":"words"}'),
        PackPair("pair", "page", "a fox", image, '{"text":"a fox"}'),
    ]
    with beam.Pipeline(runner="FnApiRunner") as p:
        layout = ShardLayout(train=1, val_fraction=0.0)
        infos = (
            p
            | beam.Create(rows)
            | PackShards(str(tmp_path), str(tmp_path / "tokenizer.json"), Sequencing(64, 4), layout)
        )
        samples = infos | beam.Map(lambda info: (info.name.split("/")[1], info.samples)) | beam.CombinePerKey(sum)
        assert_that(samples, equal_to([("train", 3), ("val", 0)]))
    for corpus, key, members in (
        ("interleaved", "page-000", {"image_bytes.npy", "images", "input_ids.npy", "json", "loss_mask.npy"}),
        ("pairs", "pair-page", {"jpg", "input_ids.npy", "json", "txt"}),
        ("text", "text-train-000000-00000000", {"input_ids.npy", "json"}),
    ):
        (sample,) = wds.WebDataset(str(tmp_path / f"shards/{corpus}/train/000000.tar"), shardshuffle=False)
        assert sample["__key__"] == key and {name for name in sample if not name.startswith("__")} == members
        assert len(np.load(io.BytesIO(sample["input_ids.npy"]))) > 3
        assert (tmp_path / f"shards/{corpus}/val/000000.tar").exists(), "empty shards are there too"
        index = shards.load_index((tmp_path / f"shards/{corpus}/train/000000.idx").read_text())
        with tarfile.open(tmp_path / f"shards/{corpus}/train/000000.tar") as tar:
            there = {info.name: (info.offset_data, info.size) for info in tar}
        assert {f"{k}.{suffix}": tuple(place) for k, parts in index.items() for suffix, place in parts.items()} == there


def test_half_a_picture_is_an_error(tmp_path):
    (tmp_path / "blob").write_bytes(b"short")
    with pytest.raises(Damaged, match="blob: bytes 0 to 9 are not the image"):
        pack_shards.take([PlacedImage(0, "blob", 0, 9, "{}")], str(tmp_path)).__enter__()


def test_pictures_are_read_once_in_the_order_in_which_they_lie(tmp_path, monkeypatch):
    bodies = [bytes([n]) * 1_000 for n in range(200)]
    for name in "ab":
        (tmp_path / name).write_bytes(b"".join(bodies))
    images = [PlacedImage(n, name, 1_000 * n, 1_000, "{}", digest(bodies[n])) for n in range(200) for name in "ab"]
    opened = []
    open_read = files.open_read
    monkeypatch.setattr(files, "open_read", lambda path: opened.append(path) or open_read(path))
    with pack_shards.take(images[::-1] + images, str(tmp_path)) as taken:
        assert all(taken.data(image) == bodies[image.position] for image in images)
    assert opened == [str(tmp_path / "a"), str(tmp_path / "b")]
