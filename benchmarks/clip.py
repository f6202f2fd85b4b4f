"""CLIP embeddings per second on one core, beside a plain open_clip loop on the same model, files and texts.

The peer is what one would write first: for each batch decode the JPEG files, preprocess, `encode_image`; tokenize,
`encode_text`; float32, inference mode, one thread. weft's handlers do the same from references into a blob and keep
going at broken files; the goal is to lose nothing to that. Counts are whole batches: padding costs a run at most one
batch in each bucket. What weft saves by embedding a repeated caption once is not counted either. ViT-B-32 has random
weights here: speed does not depend on them, and no network is needed. CPU time of the process, the two in turn, best of
REPEATS; loading apart. The vectors of the two are compared.

Run: python benchmarks/clip.py [--batches 1]
"""

from __future__ import annotations

import argparse
import functools
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # per core; before torch is imported

import numpy as np
import open_clip
import torch
from PIL import Image

from pipeline.demo import pictures
from schemas.config import Score
from transforms import clip, files
from transforms.clip import Clip, ImageHandler, ImageRef, TextHandler, TextRef

REPEATS = 3
BATCH = 32
SIZE = (400, 300)  # of a stored image: fetch's limit is 512
MODELS = {"ViT-B-32 (random weights)": (1, 1), "weft-tiny": (16, 32)}  # batches of images, of texts
CONFIG = Score(device="cpu", batch_size=BATCH, buckets=1)


def models() -> dict[str, Clip]:
    """The public architecture without its weights, and the model that weft ships."""
    torch.manual_seed(0)
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns of random weights; here they are meant
    plain, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    public = Clip(plain.eval(), preprocess, open_clip.get_tokenizer("ViT-B-32"), "cpu")
    return dict(zip(MODELS, (public, clip.load(CONFIG)), strict=True))


def store(folder: str, count: int) -> list[ImageRef]:
    """`count` JPEG pictures in one blob."""
    path, refs = Path(folder, "blob.bin"), []
    with path.open("wb") as blob:
        for number in range(count):
            out = io.BytesIO()
            pictures.draw(pictures.sample_scene(f"bench-{number}"), *SIZE).save(out, "JPEG", quality=90)
            refs.append(ImageRef(f"{number:06d}", str(path), blob.tell(), len(out.getvalue())))
            blob.write(out.getvalue())
    return refs


def told(count: int) -> list[TextRef]:
    """`count` distinct texts: captions with a sentence after them."""
    scenes = [pictures.sample_scene(f"bench-{number}") for number in range(count)]
    return [TextRef(f"{n:06d}", f"{pictures.caption(s, n)}. {n}: {pictures.sentence(s)}") for n, s in enumerate(scenes)]


def plain_images(model: Clip, refs: Sequence[ImageRef]) -> np.ndarray:
    made = []
    for start in range(0, len(refs), BATCH):
        tensors = []
        for ref in refs[start : start + BATCH]:
            with Image.open(io.BytesIO(files.read_range(ref.path, ref.offset, ref.length))) as image:
                tensors.append(model.preprocess(image))
        with torch.inference_mode():
            made.append(model.model.encode_image(torch.stack(tensors), normalize=True).numpy())
    return np.concatenate(made)


def plain_texts(model: Clip, refs: Sequence[TextRef]) -> np.ndarray:
    made = []
    for start in range(0, len(refs), BATCH):
        tokens = model.tokenizer([ref.text for ref in refs[start : start + BATCH]])
        with torch.inference_mode():
            made.append(model.model.encode_text(tokens, normalize=True).numpy())
    return np.concatenate(made)


def handled(handler: ImageHandler | TextHandler, model: Clip, refs: Sequence[ImageRef | TextRef]) -> np.ndarray:
    made = [
        found for n in range(0, len(refs), BATCH) for found in handler.run_inference(list(refs[n : n + BATCH]), model)
    ]
    return np.stack([np.frombuffer(found.vector, np.float32) for found in made])


def rates(works: Sequence[Callable[[], np.ndarray]], count: int) -> list[float]:
    """Things per second of CPU time for each of `works`, in turn so that a busy moment meets all, best of REPEATS."""
    best = [float("inf")] * len(works)
    for _ in range(REPEATS):
        for place, work in enumerate(works):
            begun = time.process_time()
            work()
            best[place] = min(best[place], time.process_time() - begun)
    return [count / seconds for seconds in best]


def main() -> None:
    """Print the table and the ratio where weft leads least."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", type=int, default=1, help="times as many batches as usual")
    options = parser.parse_args()
    torch.set_num_threads(1)
    most_images, most_texts = (BATCH * options.batches * max(counts) for counts in zip(*MODELS.values(), strict=True))
    texts, ratios = told(most_texts), []
    print(f"{'per second and core':46}{'open_clip loop':>16}{'weft':>10}{'ratio':>8}{'largest difference':>20}")
    with tempfile.TemporaryDirectory() as folder:
        images = store(folder, most_images)
        for name, model in models().items():
            image_count, text_count = (BATCH * options.batches * batches for batches in MODELS[name])
            for what, refs, plain, handler in (
                ("images", images[:image_count], plain_images, ImageHandler(CONFIG)),
                ("texts", texts[:text_count], plain_texts, TextHandler(CONFIG)),
            ):
                works = [functools.partial(plain, model, refs), functools.partial(handled, handler, model, refs)]
                far = float(np.abs(works[0]() - works[1]()).max())  # the first, unmeasured round of both
                peer, ours = rates(works, len(refs))
                ratios.append(ours / peer)
                print(f"{name + ', ' + what:46}{peer:>16,.1f}{ours:>10,.1f}{ours / peer:>7.2f}x{far:>20.1e}")
                assert far < 1e-4, "the two embed differently"
    print(f"ratio: {min(ratios):.2f}x")


if __name__ == "__main__":
    main()
