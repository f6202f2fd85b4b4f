"""What is trained within a test: shards of generated pictures, a vision tower, numbers, and a training that is stopped."""

import io
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from weft.schemas import shards as contract
from weft.schemas.config import Train
from weft.schemas.records import hash_bucket, hash_unit, stable_id
from weft.transforms.io import tar
from weft.transforms.pack import tokenizer as tokenizers

VOCABULARY = contract.Vocabulary(
    size=64, bos=0, pad=1, eos=2, image=4, image_end=5, image_tokens=4, context_length=64, file="tokenizer.json"
)
COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220), "yellow": (240, 220, 50)}
SHAPES = ("circle", "square")
IMAGES = 3  # of a document
WORDS = {word: 6 + i for i, word in enumerate(["a", "on", *COLOURS, *SHAPES])}


def tokenizer():
    """Each word is a token; those without a name are called by their number."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = {word: i for i, word in enumerate(contract.SPECIALS)} | WORDS
    names |= {f"w{'abcdefghij'[i // 10]}{'abcdefghij'[i % 10]}": i for i in range(len(names), VOCABULARY.size)}
    made = Tokenizer(models.WordLevel(names, unk_token=contract.UNK))
    made.add_special_tokens(list(contract.SPECIALS))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def scene(seed):
    """(shape's colour, shape, ground's colour): the ground never has the shape's colour."""
    names = list(COLOURS)
    ground = hash_bucket(f"{seed}:ground", 4)
    colour = (ground + 1 + hash_bucket(f"{seed}:colour", 3)) % 4
    return names[colour], SHAPES[hash_bucket(f"{seed}:shape", 2)], names[ground]


def picture(seed):
    colour, shape, ground = scene(seed)
    image = Image.new("RGB", (48, 40), COLOURS[ground])
    draw = ImageDraw.Draw(image)
    draw_shape = draw.ellipse if shape == "circle" else draw.rectangle
    at = int(hash_unit(f"{seed}:x", "") * 16)
    draw_shape([at + 4, 6, at + 28, 30], fill=COLOURS[colour])
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def caption(seed):
    colour, shape, ground = scene(seed)
    return [WORDS[word] for word in ("a", colour, shape, "on", "a", ground)]


def ids_of(segments):
    return np.array(contract.encode_segments(segments, VOCABULARY), VOCABULARY.dtype)


def pair(seed, shown):
    ids = ids_of([None, caption(seed)])
    said = " ".join(name for token in caption(seed) for name, i in WORDS.items() if i == token)
    return {contract.INPUT_IDS: contract.npy(ids), contract.IMAGE: picture(shown), contract.CAPTION: said.encode()}


def document(seed, shown):
    """Text, then three pictures with their captions, longer than the tests' max_length."""
    words = [20 + hash_bucket(f"{seed}:{i}", 40) for i in range(9)]
    told = [part for k in range(IMAGES) for part in (None, caption(IMAGES * seed + k))]
    ids = ids_of([words, *told, words])
    parts = contract.document_images([picture(IMAGES * shown + k) for k in range(IMAGES)])
    mask = contract.loss_mask(ids, VOCABULARY)
    return parts | {contract.INPUT_IDS: contract.npy(ids), contract.LOSS_MASK: contract.npy(mask)}


def text(seed, _):
    words = [20 + (hash_bucket(str(seed), 40) + i) % 40 for i in range(58)]
    return {contract.INPUT_IDS: contract.npy(np.array(contract.encode_text(words, VOCABULARY), VOCABULARY.dtype))}


def instruction(seed, _):
    """Six words that are asked, and three that are answered: which, the last of the six says."""
    asked = [20 + hash_bucket(f"{seed}:{i}", 40) for i in range(6)]
    first = 20 + asked[-1] % 4 * 10
    ids = np.array(contract.encode_text([*asked, first, first + 1, first + 2], VOCABULARY), VOCABULARY.dtype)
    parts = {contract.INPUT_IDS: contract.npy(ids), contract.META: contract.json_bytes({"asked": 7})}
    return parts | {contract.LOSS_MASK: contract.npy(contract.answer_mask(ids, 7, VOCABULARY))}


MAKERS = {"pairs": pair, "interleaved": document, "text": text, "instructions": instruction}


def members(samples):
    """The (name, content) of each file of the samples, ordered by key and suffix as the packer does.

    A sample without a JSON file gets one that names a document of its own.
    """
    for key, parts in sorted(samples.items()):
        for suffix, content in sorted(({contract.META: contract.json_bytes({"doc_id": key})} | parts).items()):
            yield contract.member(key, suffix), content


def write_tar(path, samples):
    tar.write_tar(str(path), members(samples))


def write_shards(directory, counts=None, shown=lambda seed: seed, tars=2):
    """Shards of `counts[corpus] = (train, val)` samples; `shown(seed)` is the picture that goes with caption `seed`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / contract.TOKENIZER_INFO).write_text(VOCABULARY.dumps())
    (directory / VOCABULARY.file).write_text(tokenizer().to_str())
    for corpus, numbers in (counts or {"pairs": (48, 16), "interleaved": (8, 4), "text": (6, 2)}).items():
        seeds = iter(range(1000, 10_000))
        for split, number, files in zip(contract.SPLITS, numbers, (tars, 1), strict=True):
            made = {stable_id(corpus, str(s)): MAKERS[corpus](s, shown(s)) for s, _ in zip(seeds, range(number))}
            for index in range(files):
                part = {key: parts for key, parts in made.items() if hash_bucket(key, files) == index}
                write_tar(directory / contract.shard_name(corpus, split, index), part)
    return directory


def write_texts(directory, texts):
    """Shards of texts alone, all held out, a sample each, by a tokenizer of bytes that was trained on them."""
    directory.mkdir(parents=True)
    (directory / "trained.json").write_bytes(tokenizers.train(texts, 420))
    encoder = tokenizers.Encoder(str(directory / "trained.json"), 4, 64)
    tokenizers.save(encoder, str(directory))
    made = {}
    for number, one in enumerate(texts):
        ids = np.array(contract.encode_text(encoder.encode(one), encoder.vocabulary), encoder.vocabulary.dtype)
        key = stable_id("text", str(number))
        told = contract.json_bytes({"documents": [{"doc_id": key, "text": one}]})
        made[key] = {contract.INPUT_IDS: contract.npy(ids), contract.META: told}
    write_tar(directory / contract.shard_name("text", "val", 0), made)
    return directory


def write_tower(directory, image_size=32, seed=0):
    """A CLIP of random weights as an open_clip local-dir, in half precision as one that is shipped would be."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    model = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": image_size, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
    }
    directory.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in open_clip.CLIP(**model).state_dict().items()}
    save_file(weights, directory / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3}
    text = json.dumps({"model_cfg": model, "preprocess_cfg": preprocess})
    (directory / "open_clip_config.json").write_text(text)
    return directory


def config(tower: Path, **changes):
    """Settings of a model of the size of these shards."""
    small = {"steps": 8, "layers": 2, "width": 32, "heads": 2, "ffn": 64, "batch_tokens": 256, "max_length": 40}
    named = {"vision": f"local-dir:{tower}", "warmup_steps": 2, "checkpoint_every": 4}
    return Train(**(small | named | changes))


COUNTS = {"pairs": (720, 80), "interleaved": (60, 16), "text": (20, 6)}  # enough that a model learns to look
LEARNS = {
    "steps": 140,
    "batch_tokens": 320,
    "mix_text": 0.05,
    "learning_rate": 5e-3,
    "max_length": 64,
    "warmup_steps": 10,
}


def waves(shape, phase):
    """Numbers that look like chance and are the same everywhere: 0.3 sin(1.7 n + phase + 1), row by row."""
    n = torch.arange(math.prod(shape), dtype=torch.float64)
    return (torch.sin(1.7 * n + phase + 1) * 0.3).reshape(shape).float()


class Killed(BaseException):
    """The machine went away."""


def killed_after(step):
    """A log that dies where this step is told of."""

    def log(line):
        if f"step {step}/" in line:
            raise Killed

    return log


def quiet(line):
    """A log that nobody reads."""
