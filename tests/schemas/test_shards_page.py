"""The programs of docs/shards.md run, in their order, on shards of the contract."""

import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weft.schemas import shards

PAGE = Path(__file__).parents[2] / "docs/shards.md"
WORDS = shards.Vocabulary(100, 0, 1, 2, 4, 5, 3, 64, shards.TOKENIZER)


def write(path: Path, parts: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(parts):
            member = tarfile.TarInfo(name)
            member.size = len(parts[name])
            tar.addfile(member, io.BytesIO(parts[name]))


def test_the_examples_read_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    pair = np.array(shards.encode_segments([None, [7, 8]], WORDS), np.uint16)
    ids = np.array(shards.encode_segments([[7], None, [8, 9], None, [10]], WORDS), np.uint16)
    home = tmp_path / "out/shards"
    for index in range(4):
        key = f"k{index}"
        write(
            home / shards.shard_name("pairs", "train", index),
            {
                shards.member(key, shards.INPUT_IDS): shards.npy(pair),
                shards.member(key, shards.IMAGE): buffer.getvalue(),
                shards.member(key, shards.META): b"{}",
                shards.member(key, shards.CAPTION): b"a caption",
            },
        )
    write(
        home / shards.shard_name("interleaved", "train", 0),
        {
            **{
                shards.member("k", name): data for name, data in shards.document_images([buffer.getvalue()] * 2).items()
            },
            shards.member("k", shards.INPUT_IDS): shards.npy(ids),
            shards.member("k", shards.LOSS_MASK): shards.npy(shards.loss_mask(ids, WORDS)),
            shards.member("k", shards.META): b"{}",
        },
    )
    (home / shards.TOKENIZER_INFO).write_text(WORDS.dumps())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"({len(pair)},) a caption"] * 4 + [f"k {len(ids)} 2"]
    assert np.asarray(names["slots"]).shape == (2, WORDS.image_tokens)
