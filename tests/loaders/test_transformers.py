"""transformers on an exported model: the tokens, pixels, logits and sentences that weft's own has.

Beside test_loaders.py, which tells of the environments; this one is about the model.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from weft.model_smoketest import hugging_face
from weft.model_smoketest.data import collate, tars_of
from weft.model_smoketest.evaluate import load_model
from weft.model_smoketest.lm import LanguageModel
from weft.model_smoketest.tars import Sample, Tar
from weft.model_smoketest.train import train
from weft.model_smoketest.vision import StemCache
from weft.model_smoketest.words import Words
from weft.schemas.config import Train

ENVIRONMENTS = Path(os.environ.get("WEFT_LOADERS", ".venv-loaders"))
MOST = 8


def test_transformers_reads_and_says_what_the_model_does(finished, tmp_path):
    shards, home, out = str(finished / "shards"), str(tmp_path / "model"), tmp_path / "out"
    train(shards, home, Train(steps=40, width=64, heads=2, ffn=128, warmup_steps=5), lambda line: None)
    model, vocabulary = load_model(shards, home)
    hugging_face.export(model, shards, str(out))
    lm = LanguageModel(model, Words(shards, vocabulary))
    tar = Tar(tars_of(shards, "pairs", "val")[0])
    pictures = [tar.read("pairs", key, vocabulary).images[0] for key in sorted(tar.samples)[:3]]
    prompts = [[pictures[0], "a photo of"], ["first", pictures[1], "then", pictures[2], "an image"]]
    asked = []
    for prompt in prompts:
        names = []
        for part in prompt:
            if isinstance(part, bytes):
                names.append(f"{pictures.index(part)}.jpg")
                (out / names[-1]).write_bytes(part)
        asked.append({"segments": [{} if isinstance(part, bytes) else part for part in prompt], "images": names})
    (out / "asked.json").write_text(json.dumps({"prompts": asked, "most": MOST}))
    reader = [ENVIRONMENTS / "transformers/bin/python", Path(__file__).with_name("readers.py"), "transformers", out]
    done = subprocess.run(reader, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"key"')]
    assert len(found) == len(prompts)
    said = lm.generate_until(prompts, most=MOST)
    for i, (prompt, got) in enumerate(zip(prompts, found, strict=True)):
        ids, images = lm.encode(prompt)
        assert got["ids"] == ids
        pixels = torch.stack([model.tower.pixels(image) for image in images])
        assert got["pixels"] == pytest.approx(pixels.flatten()[::997].tolist(), abs=0.02)  # Pillow there, and here
        sample = Sample("", np.array(ids), np.ones(len(ids), np.uint8), images)
        batch = collate([sample], vocabulary)
        with torch.inference_mode():
            seen = model.see(StemCache(model.tower)(images))
            want = model.logits(model.hidden(batch.ids, batch.rows, batch.slots, seen))[0, -1]
        torch.testing.assert_close(torch.tensor(got["logits"]), want, atol=2e-3, rtol=1e-3)
        assert got["said"]["1"] == said[i]
        assert set(got["said"]) == {"1", "3"}  # beams end otherwise there: that they are searched is all
