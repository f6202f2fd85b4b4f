"""The exported directory, read as somebody reads it who has PyTorch and no weft: the same logits."""

import importlib.util
import json

import numpy as np
import pytest
import torch

from weft.model_smoketest import data, hugging_face
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.train import build
from weft.model_smoketest.vision import StemCache
from weft.schemas.parameters import ConfigError


@pytest.fixture(scope="module", params=["attention", "flamingo"])
def exported(request, kit, tmp_path_factory):
    """A model whose every weight has moved, and the directory that it was written to."""
    folder = tmp_path_factory.mktemp("exported")
    model = build(kit.config(resampler=request.param), kit.vocabulary)[0].eval()
    torch.manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    names = hugging_face.export(model, str(kit.shards), str(folder))
    assert names == sorted(path.name for path in folder.iterdir())
    return model, folder


def written(folder):
    """The module that lies in the directory."""
    spec = importlib.util.spec_from_file_location("modeling_kosmos1_of_a_test", folder / "modeling_kosmos1.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@torch.inference_mode()
def test_the_written_file_gives_the_models_logits(kit, exported):
    model, folder = exported
    rows = [kit.ids_of(s).astype(np.int64) for s in ([[20, 21], None, [22], None], [[23], None, [24, 25]])]
    shown = [kit.picture(i) for i in range(3)]
    samples = [
        Sample(str(i), ids, np.ones(len(ids), np.uint8), tuple(images))
        for i, (ids, images) in enumerate(zip(rows, (shown[:2], shown[2:]), strict=True))
    ]
    batch = data.collate(samples, kit.vocabulary)
    seen = model.see(StemCache(model.tower)(batch.images))
    want = model.logits(model.hidden(batch.ids, batch.rows, batch.slots, seen))
    pixels = torch.stack([model.tower.pixels(jpeg) for jpeg in batch.images])
    other = written(folder).load(str(folder))
    got = other(batch.ids, pixels)
    assert got.shape == (2, len(rows[0]), kit.vocabulary.size)
    torch.testing.assert_close(got, want, atol=2e-5, rtol=2e-5)
    # Padding on the left, which a mask hides, moves nothing: xPos knows distances alone.
    room = len(rows[0]) - len(rows[1])
    moved = batch.ids[1:].roll(room, 1)
    mask = torch.arange(len(rows[0]))[None] >= room
    left = other(moved, pixels[2:], attention_mask=mask)
    torch.testing.assert_close(left[0, room:], want[1, : len(rows[1])], atol=2e-5, rtol=2e-5)


def test_what_lies_beside_the_weights_says_what_is_special(kit, exported):
    _, folder = exported
    config, said, asked = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("config", "generation_config", "tokenizer_config")
    )
    assert config["auto_map"]["AutoModelForCausalLM"] == "modeling_kosmos1.Kosmos1ForCausalLM"
    assert (config["vocab_size"], config["vision"]["layers"]) == (kit.vocabulary.size, 2)
    assert said["eos_token_id"] == kit.vocabulary.eos and kit.vocabulary.image in said["suppress_tokens"]
    assert (asked["bos_token"], asked["eos_token"], asked["pad_token"]) == ("<s>", "</s>", "<pad>")
    assert (folder / "tokenizer.json").read_bytes() == (kit.shards / "tokenizer.json").read_bytes()
    source = (folder / "modeling_kosmos1.py").read_text()
    assert "import weft" not in source and "from weft" not in source


def test_a_tower_of_another_form_is_one_line_and_not_other_numbers(kit, exported, tmp_path):
    model = exported[0]
    gelu = model.tower.visual.transformer.resblocks[0].mlp
    kept, gelu.gelu = gelu.gelu, torch.nn.Tanh()
    try:
        with pytest.raises(ConfigError, match="no plain ViT"):
            hugging_face.export(model, str(kit.shards), str(tmp_path / "no"))
    finally:
        gelu.gelu = kept
    assert not (tmp_path / "no").exists()
