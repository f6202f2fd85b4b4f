"""Foreign loaders on weft's own shards, without an export: Hugging Face's webdataset, and open_clip's trainer.

Beside test_loaders.py, which tells of the environments. open_clip stands in its own with the webdataset that it asks for.
"""

import hashlib
import io
import json

import pytest
from PIL import Image

from weft.model_smoketest.tars import Tar
from weft.schemas import shards


def pixels(data):
    return hashlib.sha256(Image.open(io.BytesIO(data)).convert("RGB").tobytes()).hexdigest()


@pytest.fixture(scope="module")
def samples(finished):
    """Corpus → (key, ids, texts, pixels) of each sample of its train split, as weft's trainer reads them."""
    home, found = finished / "shards", {}
    vocabulary = shards.Vocabulary.loads((home / shards.TOKENIZER_INFO).read_text())
    for corpus in shards.CORPORA:
        rows = found[corpus] = []
        for path in sorted((home / corpus / "train").glob("*.tar")):
            tar = Tar(path)
            for key in tar.samples:
                one, told = tar.read(corpus, key, vocabulary), json.loads(tar.part(key, shards.META))
                texts = [text for of in told.get("documents", [told]) for text in of.get("texts") or [of.get("text")]]
                images = list(map(pixels, one.images))
                rows.append({"key": key, "ids": one.ids.tolist(), "texts": texts, "images": images})
    return found


def test_hugging_face_reads_all_three_corpora(finished, samples, read, tmp_path):
    found = read("hf_webdataset", finished / "shards", "hf", HOME=str(tmp_path))
    assert all(len(rows) > 5 for rows in samples.values())
    assert found == [row for corpus in shards.CORPORA for row in samples[corpus]]


def test_open_clips_trainer_reads_pairs(finished, samples, read):
    wanted = [{"key": "", "texts": row["texts"], "images": row["images"]} for row in samples["pairs"]]
    assert read("openclip", finished / "shards") == sorted(wanted, key=lambda row: (row["texts"], row["images"]))
