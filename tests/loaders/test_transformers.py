"""transformers on an exported model: the tokens, pixels, logits and sentences that weft's own has.

Beside test_loaders.py, which tells of the environments; this one is about the model.
"""

import io
import json
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from weft.model_smoketest import hugging_face
from weft.model_smoketest.data import collate, tars_of
from weft.model_smoketest.evaluate import load_model
from weft.model_smoketest.lm import LanguageModel
from weft.model_smoketest.tars import Sample, Tar
from weft.model_smoketest.train import train
from weft.model_smoketest.vision import StemCache
from weft.model_smoketest.words import Words
from weft.schemas.config import Train

MOST = 8
OFFLINE = {"HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """A model of the demo's shards, and the directory that it was written to."""
    shards, root = str(finished / "shards"), tmp_path_factory.mktemp("exported")
    small = Train(steps=40, width=64, heads=2, ffn=128, warmup_steps=5)
    train(shards, str(root / "model"), small, lambda line: None)
    model, vocabulary = load_model(shards, str(root / "model"))
    hugging_face.export(model, shards, str(root / "out"))
    return LanguageModel(model, Words(shards, vocabulary)), root / "out"


def cropped_alike(jpeg, height, width):
    """Whether transformers' centre crop, which rounds its place down, is torchvision's and weft's."""
    with Image.open(io.BytesIO(jpeg)) as image:
        longer = max(image.width * height // image.height - width, image.height * width // image.width - height)
    return longer % 4 != 3


def test_transformers_reads_and_says_what_the_model_does(finished, exported, read):
    lm, out = exported
    model, vocabulary, shards = lm.model, lm.vocabulary, str(finished / "shards")
    tar = Tar(tars_of(shards, "pairs", "val")[0])
    every = (tar.read("pairs", key, vocabulary).images[0] for key in sorted(tar.samples))
    pictures = list(islice((image for image in every if cropped_alike(image, *model.tower.size)), 3))
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
    found = read("transformers", out, **OFFLINE)
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
        assert len(got["first"]) == 3  # each beam sees all pictures of the prompt, in their order
        for beam in got["first"]:
            assert beam == pytest.approx(got["logits"], abs=1e-3)
        assert got["said"]["1"] == said[i]
        assert set(got["said"]) == {"1", "3"}  # beams end otherwise there: that they are searched is all


TASK = """
task: asked
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
output_type: multiple_choice
test_split: test
doc_to_text: "<s>{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


def test_lm_evaluation_harness_finds_the_likelihoods_that_weft_finds(exported, read):
    lm, out = exported
    items = [
        {"question": "a red circle on a", "choices": [" green ground", " blue", " yellow"], "answer": 0},
        {"question": "There are two squares", "choices": [" left of", " and"], "answer": 1},
    ]
    (out / "task").mkdir()
    (out / "task/items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (out / "task/asked.yaml").write_text(TASK.format(items=out / "task/items.jsonl"))
    found = read("lm_eval", out, "transformers", HF_DATASETS_CACHE=str(out.parent / "datasets"), **OFFLINE)
    assert len(found) == len(items)
    right = 0
    for item, got in zip(items, found, strict=True):
        want = [one.total for one in lm.loglikelihood([([item["question"]], text) for text in item["choices"]])]
        assert got["likelihoods"] == pytest.approx(want, abs=1e-3)
        right += max(range(len(want)), key=want.__getitem__) == item["answer"]
    assert found[0]["accuracy"]["acc,none"] == right / len(items)
