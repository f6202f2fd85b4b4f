import json
from pathlib import Path

import numpy as np
import pytest

from weft.pipeline.view import samples
from weft.schemas import shards
from weft.schemas.parameters import ConfigError
from weft.transforms.io.tar import write_tar
from weft.transforms.pack import tokenizer

TEXT = "The potting shed is shady, naïve façade 東京の猫 🦊 and so on."


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A shard of one interleaved sample."""
    home = tmp_path_factory.mktemp("samples")
    (home / "shards").mkdir()
    (home / "any.json").write_bytes(tokenizer.train(["The potting shed is shady"] * 20, 300))
    encoder = tokenizer.Encoder(str(home / "any.json"), 4, 64)
    tokenizer.save(encoder, str(home / "shards"))
    ids = np.array(
        shards.encode_segments([encoder.encode(TEXT), None, encoder.encode("shed")], encoder.vocabulary), np.uint16
    )
    members = {
        **shards.document_images([b"\xff\xd8\xff picture"]),
        shards.INPUT_IDS: shards.npy(ids),
        shards.LOSS_MASK: shards.npy(shards.loss_mask(ids, encoder.vocabulary)),
        shards.META: json.dumps({"doc_id": "d"}).encode(),
    }
    write_tar(
        str(home / "shards/interleaved/train/000000.tar"),
        iter([(f"key.{name}", data) for name, data in members.items()]),
    )
    return str(home)


def test_a_sample_is_its_tokens_and_pictures_in_order(output: str) -> None:
    assert samples.keys(output, "interleaved/train/000000.tar") == ["key"]
    (sample,) = samples.samples(output, "interleaved/train/000000.tar", ["key"], samples.encoder(output))
    assert (sample.number, sample.doc_ids) == (1, ["d"])
    at = next(n for n, piece in enumerate(sample.pieces) if piece.slots)
    assert "".join(piece.text for piece in sample.pieces[1:at]) == TEXT
    assert sample.pieces[0] == samples.Piece(shards.BOS, False, True)
    assert sample.pieces[-1] == samples.Piece(shards.EOS, True, True)
    assert sample.pieces[at].slots == 4 and not sample.pieces[at].predicted
    assert sample.pieces[at].picture.startswith("/bytes/shards/interleaved/train/000000.tar?from=")
    assert sample.tokens == len(sample.pieces) - 1 + 6
    assert sample.predicted == sum(piece.predicted for piece in sample.pieces)


def test_each_token_spells_what_it_adds_and_a_character_comes_whole(output: str) -> None:
    encoder = samples.encoder(output)
    ids = encoder.encode(TEXT)
    found = samples.spelled(ids, encoder.decode)
    assert len(found) == len(ids) and "".join(found) == TEXT and "\ufffd" not in "".join(found)
    assert "🦊" in found and samples.spelled([], encoder.decode) == []
    assert "".join(samples.spelled(ids[:-1][: ids.index(ids[-1])], encoder.decode)) != TEXT


def test_a_damaged_shard_is_said_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "shards/text/val/000000.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 10_240)
    with pytest.raises(ConfigError, match=r"000000\.tar is damaged"):
        samples.keys(str(tmp_path), "text/val/000000.tar")
