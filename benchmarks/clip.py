"""CLIP embeddings per second from blob shards, beside the bare model and a plain open_clip loop.

The bare model is given tensors that lie ready: it is the limit, and the goal is 0.95 of it on a CPU, 0.8 on a GPU. The
peer is what one would write first: for each batch decode the JPEG files, preprocess, `encode_image`; tokenize,
`encode_text`. weft's handlers do the same from references into a blob, keep going at broken files, and read, decode and
tokenize the next batches while the model computes one. On a CPU rates are by the process' CPU time, all threads
counted: so it is where each core has a worker. On a GPU they are by the clock. Counts are whole batches: padding costs
a run at most one batch in each bucket. Public architectures have random weights here: speed does not depend on them,
and no network is needed. The three in turn, best of REPEATS, loading apart; the vectors of all are compared.

The stage's row is `score.run` itself, tables in and tables out, on pairs that differ in picture and text; what a pair
costs is the difference of two runs, so that starting and loading do not count. What weft saves by embedding a repeated
caption or picture once counts nowhere. weft-tiny is so small that decoding is most of the work: it is no measure.

Run: python benchmarks/clip.py [--batches 1]
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")  # per core; before torch is imported

import numpy as np
import open_clip
import torch
from PIL import Image

from weft.pipeline.demo import pictures
from weft.pipeline.run.context import Context
from weft.pipeline.stages import score
from weft.schemas.config import Config, Score
from weft.schemas.tables import DOCUMENTS, IMAGES, KEPT, PAIRS
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table
from weft.transforms.score import clip_models
from weft.transforms.score.clip import TOGETHER, ImageHandler, TextHandler
from weft.transforms.score.clip_models import Clip
from weft.transforms.score.vectors import ImageRef, TextRef

T = TypeVar("T")

REPEATS = 2
BATCH = 8
SIZE = (512, 384)  # of a stored image: fetch's limit
MODELS = {"ViT-B-32": (6, 6), "ViT-L-14": (1, 2), "weft-tiny": (32, 64)}  # batches of images, of texts
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CONFIG = Score(device=DEVICE, batch_size=BATCH, buckets=1)  # type: ignore[arg-type]
JUDGED = ("ViT-B-32", "ViT-L-14")  # the ratio is of these
STAGED = (BATCH, 9 * BATCH)  # pairs of the two runs of the stage
seconds = time.process_time if DEVICE == "cpu" else time.perf_counter


def model_of(name: str) -> Clip:
    """A public architecture without its weights, or the model that weft ships."""
    if name == "weft-tiny":
        return clip_models.load(CONFIG)
    torch.manual_seed(0)
    plain, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=None, device=DEVICE)
    return Clip(plain.eval(), preprocess, open_clip.get_tokenizer(name), DEVICE)


def store(folder: str, count: int, size: tuple[int, int] = SIZE) -> list[ImageRef]:
    """`count` JPEG pictures in one blob."""
    path, refs = Path(folder, "blob.bin"), []
    with path.open("wb") as blob:
        for number in range(count):
            out = io.BytesIO()
            pictures.draw(pictures.sample_scene(f"bench-{number}"), *size).save(out, "JPEG", quality=90)
            refs.append(ImageRef(f"{number:06d}", str(path), blob.tell(), len(out.getvalue())))
            blob.write(out.getvalue())
    return refs


def told(count: int) -> list[TextRef]:
    """`count` distinct texts: captions with a sentence after them."""
    scenes = [pictures.sample_scene(f"bench-{number}") for number in range(count)]
    return [TextRef(f"{n:06d}", f"{pictures.caption(s, n)}. {n}: {pictures.sentence(s)}") for n, s in enumerate(scenes)]


def bare_images(model: Clip, ready: Sequence[torch.Tensor]) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate([model.model.encode_image(batch, normalize=True).cpu().numpy() for batch in ready])


def bare_texts(model: Clip, ready: Sequence[torch.Tensor]) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate([model.model.encode_text(batch, normalize=True).cpu().numpy() for batch in ready])


def opened(model: Clip, refs: Sequence[ImageRef]) -> torch.Tensor:
    made = []
    for ref in refs:
        with Image.open(io.BytesIO(files.read_range(ref.path, ref.offset, ref.length))) as image:
            made.append(model.preprocess(image))
    return torch.stack(made).to(DEVICE)


def read(model: Clip, refs: Sequence[TextRef]) -> torch.Tensor:
    return model.tokenizer([ref.text for ref in refs]).to(DEVICE)


def plain_images(model: Clip, refs: Sequence[ImageRef]) -> np.ndarray:
    return np.concatenate([bare_images(model, [opened(model, part)]) for part in in_batches(refs)])


def plain_texts(model: Clip, refs: Sequence[TextRef]) -> np.ndarray:
    return np.concatenate([bare_texts(model, [read(model, part)]) for part in in_batches(refs)])


def in_batches(refs: Sequence[T]) -> list[Sequence[T]]:
    return [refs[start : start + BATCH] for start in range(0, len(refs), BATCH)]


def handled(handler: ImageHandler | TextHandler, model: Clip, refs: Sequence[ImageRef | TextRef]) -> np.ndarray:
    found = [made for part in in_runs(refs) for made in handler.run_inference(part, model)]
    return np.stack([np.frombuffer(made.vector, np.float32) for made in found])


def in_runs(refs: Sequence[T]) -> list[list[T]]:
    """As `weft.transforms.score.clip.batches` hands them over."""
    size = BATCH * TOGETHER
    return [list(refs[start : start + size]) for start in range(0, len(refs), size)]


def rates(works: Sequence[Callable[[], np.ndarray]], count: int) -> list[float]:
    """Things per second for each of `works`, in turn so that a busy moment meets all, best of REPEATS."""
    best = [float("inf")] * len(works)
    for _ in range(REPEATS):
        for place, work in enumerate(works):
            begun = seconds()
            work()
            best[place] = min(best[place], seconds() - begun)
    return [count / least for least in best]


def spent(model: Clip, images: Sequence[ImageRef], texts: Sequence[TextRef]) -> str:
    """CPU milliseconds of each step of one picture and one text."""

    def each(work: Callable[[], object], count: int) -> float:
        begun = time.process_time()
        work()
        return (time.process_time() - begun) * 1000 / count

    data = [files.read_range(ref.path, ref.offset, ref.length) for ref in images]
    pictures_ = [Image.open(io.BytesIO(one)).convert("RGB") for one in data]
    arrays = torch.from_numpy(np.stack([model.pixels(one) for one in pictures_]))
    ready, tokens = model.normalised(arrays), read(model, texts)
    steps = {
        "read": each(lambda: [files.read_range(r.path, r.offset, r.length) for r in images], len(images)),
        "decode": each(lambda: [Image.open(io.BytesIO(one)).convert("RGB") for one in data], len(images)),
        "resize": each(lambda: [model.pixels(one) for one in pictures_], len(images)),
        "normalise": each(lambda: model.normalised(arrays), len(images)),
        "image tower": each(lambda: bare_images(model, [ready]), len(images)),
        "tokenize": each(lambda: read(model, texts), len(texts)),
        "text tower": each(lambda: bare_texts(model, [tokens]), len(texts)),
    }
    return ", ".join(f"{name} {value:.2f}" for name, value in steps.items())


def saved(name: str, folder: Path) -> str:
    """A public architecture with random weights as a model directory."""
    from safetensors.torch import save_file

    model = model_of(name).model.cpu()
    cfg = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": model.visual.preprocess_cfg}
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(cfg))
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "w.safetensors")
    return f"local-dir:{folder}"


def stage(home: Path, images: Sequence[ImageRef], texts: Sequence[TextRef], model: str) -> float:
    """Seconds of `score.run` on pairs of `images` and `texts`, as dedup and fetch would hand them over."""
    rows = {
        ("documents", DOCUMENTS): [],
        ("pairs", PAIRS): [
            {"doc_id": i.key, "pair_id": "p", "image_url": f"http://a.test/{i.key}", "text": t.text}
            for i, t in zip(images, texts, strict=True)
        ],
        ("kept", KEPT): [
            {"kind": "pair", "key": f"{i.key}:p", "doc_id": i.key, "warc_file": "", "warc_offset": 0} for i in images
        ],
        ("images/index", IMAGES): [
            {"image_url": f"http://a.test/{i.key}", "image_id": i.key, "status": "ok", "blob": Path(i.path).name}
            | {"offset": i.offset, "length": i.length}
            for i in images
        ],
    }
    for (table, schema), made in rows.items():
        write_table(
            str(home / table / "part.parquet"), [tuple(row.get(n) for n in schema.names) for row in made], schema
        )
    os.link(images[0].path, home / Path(images[0].path).name)
    config = Config(score=Score(model=model, device=DEVICE, batch_size=BATCH, buckets=1))  # type: ignore[arg-type]
    begun = seconds()
    entered = score.run(Context(str(home), (), config, "f", ("--direct_num_workers=1",)))
    assert entered["pair"] == len(images)
    return seconds() - begun


def of_stage(folder: Path, images: Sequence[ImageRef], texts: Sequence[TextRef]) -> tuple[str, float]:
    """The stage's row for ViT-B-32, and its share of the bare model's rate."""
    name = saved("ViT-B-32", folder / "model")
    model = clip_models.load(Score(model=name, device=DEVICE))  # type: ignore[arg-type]  # the stage finds it loaded
    tensors = [opened(model, part) for part in in_batches(images)], [read(model, part) for part in in_batches(texts)]

    def bare() -> float:
        begun = seconds()
        bare_images(model, tensors[0])
        bare_texts(model, tensors[1])
        return seconds() - begun

    spent_bare, spent_stage = [], []
    for n in range(REPEATS):
        spent_bare.append(bare() / len(images))
        runs = [stage(folder / f"{n}-{count}", images[:count], texts[:count], name) for count in STAGED]
        spent_stage.append((runs[1] - runs[0]) / (STAGED[1] - STAGED[0]))
    limit, ours = min(spent_bare), min(spent_stage)
    told_rates = f"{1 / limit:>12,.2f}{'':16}{1 / ours:>10,.2f}{limit / ours:>9.2f}x"
    return f"{'ViT-B-32, pairs, stage':24}{told_rates}  ({(ours - limit) * 1000:.1f} ms a pair more)", limit / ours


def main() -> None:
    """Print the table, where the time goes, and the ratio to the bare model where weft comes least near."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", type=int, default=1, help="times as many batches as usual")
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns of random weights; here they are meant
    torch.set_num_threads(1)
    most_images, most_texts = (
        max(STAGED[1], BATCH * options.batches * max(counts)) for counts in zip(*MODELS.values(), strict=True)
    )
    texts, ratios, where = told(most_texts), [], []
    print(f"{'per second, on ' + DEVICE:24}{'bare model':>12}{'open_clip loop':>16}{'weft':>10}  of bare  of loop")
    with tempfile.TemporaryDirectory() as folder:
        images = store(folder, most_images)
        for name in MODELS:
            model = model_of(name)
            image_count, text_count = (BATCH * options.batches * batches for batches in MODELS[name])
            for what, refs, ready, bare, plain, handler in (
                ("images", images[:image_count], opened, bare_images, plain_images, ImageHandler(CONFIG)),
                ("texts", texts[:text_count], read, bare_texts, plain_texts, TextHandler(CONFIG)),
            ):
                tensors = [ready(model, part) for part in in_batches(refs)]
                works = [
                    functools.partial(bare, model, tensors),
                    functools.partial(plain, model, refs),
                    functools.partial(handled, handler, model, refs),
                ]
                first = [work() for work in works]  # an unmeasured round of all
                assert max(float(np.abs(one - first[0]).max()) for one in first) < 1e-4, "they embed differently"
                limit, peer, ours = rates(works, len(refs))
                if name in JUDGED:
                    ratios.append(ours / limit)
                told_rates = f"{limit:>12,.1f}{peer:>16,.1f}{ours:>10,.1f}{ours / limit:>9.2f}x{ours / peer:>9.2f}x"
                print(f"{name + ', ' + what:24}{told_rates}", flush=True)
            where.append(f"{name}, ms of CPU: {spent(model, images[:BATCH], texts[:BATCH])}")
        row, ratio = of_stage(Path(folder), images[: STAGED[1]], texts[: STAGED[1]])
        print(row)
        ratios.append(ratio)
    print("\n".join(where))
    print(f"ratio: {min(ratios):.2f}x")


if __name__ == "__main__":
    main()
