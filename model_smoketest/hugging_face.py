"""A trained model → a directory that transformers loads, by `trust_remote_code`.

modeling_kosmos1.py        the model in one file, without weft
model.safetensors          all weights, the frozen part of CLIP among them
generation_config.json     what ends a text, and what is never said
tokenizer.json …           the packer's tokenizer, and which of its tokens are special
preprocessor_config.json   CLIPImageProcessor's settings; how its crop differs is told in modeling_kosmos1.py
config.json                all sizes; written last
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from weft.model_smoketest import modeling_kosmos1 as exported
from weft.model_smoketest import shard_files
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.vision import Tower
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError

MODEL, CONFIG = "model.safetensors", "config.json"
UNTOLD = ("tower.visual.proj",)  # of open_clip's tower: Kosmos-1 reads its tokens without CLIP's projection


def export(model: Kosmos, shards: str, folder: str) -> list[str]:
    """Write `model`, with the tokenizer of its shards, into `folder`; returns the names of the files.

    Raises:
        ConfigError: the vision tower is of a form that the file does not know.
    """
    config, weights = described(model), exported_weights(model)
    check(model, config, weights)
    vocabulary = model.vocabulary
    tokenizer = shard_files.read_bytes(shard_files.join(shards, vocabulary.file))
    contents: dict[str, bytes] = {
        "modeling_kosmos1.py": Path(exported.__file__).read_bytes(),
        MODEL: save({f"model.{name}": value for name, value in weights.items()}, {"format": "pt"}),
        "generation_config.json": shard_files.json_file(
            {
                "bos_token_id": vocabulary.bos,
                "eos_token_id": vocabulary.eos,
                "pad_token_id": vocabulary.pad,
                "suppress_tokens": [vocabulary.bos, vocabulary.pad, vocabulary.image, vocabulary.image_end],
            }
        ),
        vocabulary.file: tokenizer,
        "preprocessor_config.json": shard_files.json_file(_preprocessor(model.tower)),
        CONFIG: shard_files.json_file(config),
    }
    if vocabulary.file == contract.TOKENIZER:
        contents["tokenizer_config.json"] = shard_files.json_file(_tokenizer(json.loads(tokenizer), model))
    for name in sorted(contents, key=lambda name: name == CONFIG):
        shard_files.write(shard_files.join(folder, name), contents[name])
    return sorted(contents)


def described(model: Kosmos) -> dict[str, Any]:
    """config.json."""
    vocabulary, visual = model.vocabulary, model.tower.visual
    block: Any = visual.transformer.resblocks[0]  # type: ignore[union-attr, index]
    return {
        "architectures": ["Kosmos1ForCausalLM"],
        "auto_map": {
            "AutoConfig": "modeling_kosmos1.Kosmos1Config",
            "AutoModelForCausalLM": "modeling_kosmos1.Kosmos1ForCausalLM",
        },
        "model_type": "kosmos1",
        "dtype": "float32",
        "vocab_size": vocabulary.size,
        "hidden_size": model.config.width,
        "num_hidden_layers": model.config.layers,
        "num_attention_heads": model.config.heads,
        "intermediate_size": model.config.ffn,
        "max_position_embeddings": vocabulary.context_length,
        "resampler": model.config.resampler,
        "image_tokens": vocabulary.image_tokens,
        "image_token_id": vocabulary.image,
        "image_end_token_id": vocabulary.image_end,
        "bos_token_id": vocabulary.bos,
        "eos_token_id": vocabulary.eos,
        "pad_token_id": vocabulary.pad,
        "vision": {
            "image_size": list(model.tower.size),
            "patch_size": list(visual.conv1.kernel_size),  # type: ignore[union-attr, arg-type]
            "width": model.tower.width,
            "layers": len(visual.transformer.resblocks),  # type: ignore[union-attr, arg-type]
            "heads": block.attn.num_heads,
            "hidden": block.mlp.c_fc.out_features,
            "quick_gelu": type(block.mlp.gelu).__name__ == "QuickGELU",
            "ln_pre": not isinstance(visual.ln_pre, torch.nn.Identity),
            "mean": list(model.tower.mean),
            "std": list(model.tower.std),
        },
    }


def exported_weights(model: Kosmos) -> dict[str, Tensor]:
    """Name in the exported file's model → weights; of the embedding, the rows that have logits."""
    weights = {}
    for name, value in model.state_dict().items():
        if name not in UNTOLD:
            weights[name.replace("tower.visual.", "vision.", 1)] = value.detach().cpu().float().contiguous()
    weights["embedding.weight"] = weights["embedding.weight"][: model.vocabulary.size].clone()
    return weights


@torch.inference_mode()
def check(model: Kosmos, config: dict[str, Any], weights: dict[str, Tensor]) -> None:
    """Raise ConfigError where the exported file would make something else of an image than the model does."""
    written = exported.Kosmos1(SimpleNamespace(**config)).eval()
    try:
        written.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{model.config.vision} has a vision tower that is no plain ViT: {error}") from None
    pixels = torch.rand(1, 3, *model.tower.size, generator=torch.Generator().manual_seed(0))
    device = next(model.parameters()).device
    want = model.see(model.tower.stem(pixels.to(device))).cpu()
    if not torch.allclose(written.resampler(written.vision(pixels)), want, atol=1e-3, rtol=1e-3):
        raise ConfigError(f"{model.config.vision} has a vision tower that is no plain ViT: its numbers are others")


def _tokenizer(known: dict[str, Any], model: Kosmos) -> dict[str, Any]:
    """tokenizer_config.json."""
    named = {one["id"]: one["content"] for one in known.get("added_tokens", [])}
    vocabulary = model.vocabulary
    special = {"bos_token": vocabulary.bos, "eos_token": vocabulary.eos, "pad_token": vocabulary.pad}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": vocabulary.context_length,
        "clean_up_tokenization_spaces": False,
        **{name: named[token] for name, token in special.items() if token in named},
    }


def _preprocessor(tower: Tower) -> dict[str, Any]:
    """preprocessor_config.json."""
    height, width = tower.size
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "size": {"shortest_edge": min(height, width)},
        "resample": 3,  # bicubic
        "crop_size": {"height": height, "width": width},
        "image_mean": list(tower.mean),
        "image_std": list(tower.std),
    }
