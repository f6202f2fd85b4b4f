"""Vectors are open_clip's own, the same in any company, and right pictures beat wrong ones."""

import dataclasses
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import torch
from PIL import Image

from weft.pipeline.demo import pictures, tiny_clip
from weft.pipeline.runners import beam_options
from weft.schemas.config import Score
from weft.schemas.parameters import ConfigError
from weft.transforms.fetch.blobs import Damaged
from weft.transforms.score import clip, clip_models
from weft.transforms.score.clip import Clip, ImageHandler, TextHandler
from weft.transforms.score.clip_weights import TINY_CLIP
from weft.transforms.score.vectors import Embedding, ImageRef, TextRef

CONFIG = Score(device="cpu", batch_size=16, buckets=3)
SCENES = [pictures.sample_scene(f"clip-test-{n}") for n in range(150)]
SIZES = ((200, 150), (150, 200), (170, 170), (240, 160))


@pytest.fixture(scope="module")
def model() -> Clip:
    return clip.load(CONFIG)


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> list[ImageRef]:
    """One blob of JPEG files of SCENES, one after the other."""
    path = tmp_path_factory.mktemp("blob") / "a.bin"
    refs = []
    with path.open("wb") as stream:
        for number, scene in enumerate(SCENES):
            start = stream.tell()
            pictures.draw(scene, *SIZES[number % len(SIZES)]).save(stream, "JPEG", quality=90)
            refs.append(ImageRef(f"http://a.test/{number}.jpg", str(path), start, stream.tell() - start))
    return refs


def captions(scenes: Sequence[pictures.Scene], variant: int = 0) -> list[TextRef]:
    return [TextRef(str(n), pictures.caption(scene, variant)) for n, scene in enumerate(scenes)]


def embed(handler: Any, refs: Sequence[Any], model: Clip, size: int = CONFIG.batch_size) -> list[Embedding]:
    return [
        made
        for batch in (refs[n : n + size] for n in range(0, len(refs), size))
        for made in handler.run_inference(batch, model)
    ]


def vectors(found: Sequence[Embedding]) -> np.ndarray:
    return np.stack([np.frombuffer(made.vector, np.float32) for made in found])


def test_vectors_are_what_plain_open_clip_gives(model: Clip, blob: list[ImageRef]) -> None:
    import open_clip

    plain, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{TINY_CLIP}")
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(TINY_CLIP / clip_models.BPE), context_length=tiny_clip.CONTEXT)
    refs, texts = blob[:20], captions(SCENES[:20])
    data = Path(refs[0].path).read_bytes()
    opened = []
    for ref in refs:
        (one := Path(refs[0].path).with_suffix(".jpg")).write_bytes(data[ref.offset : ref.offset + ref.length])
        with Image.open(one) as image:
            opened.append(preprocess(image))
    with torch.inference_mode():
        seen = plain.eval().encode_image(torch.stack(opened), normalize=True).numpy()
        read = plain.encode_text(tokenizer([ref.text for ref in texts]), normalize=True).numpy()
    ours = embed(ImageHandler(CONFIG), refs, model), embed(TextHandler(CONFIG), texts, model)
    assert [made.key for made in ours[0]] == [ref.key for ref in refs]
    np.testing.assert_allclose(vectors(ours[0]), seen, atol=2e-6)
    np.testing.assert_allclose(vectors(ours[1]), read, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors(ours[0]), axis=1), 1.0, atol=1e-5)


def test_right_pictures_beat_wrong_ones_and_mostly_near_misses(model: Clip, blob: list[ImageRef]) -> None:
    seen = vectors(embed(ImageHandler(CONFIG), blob, model))
    misses = [tiny_clip.near_miss(scene, f"clip-test-{n}") for n, scene in enumerate(SCENES)]
    own, missed = (vectors(embed(TextHandler(CONFIG), captions(scenes), model)) for scenes in (SCENES, misses))
    right = (seen * own).sum(1)
    assert np.mean(right > (seen * np.roll(own, 1, axis=0)).sum(1)) >= 0.97
    assert np.mean(right > (seen * missed).sum(1)) >= 0.8


def test_the_last_batch_is_padded(model: Clip, blob: list[ImageRef]) -> None:
    """A vector has the same bits whether its batch is full or not: it is always one of the same size."""
    for handler, refs in ((ImageHandler(CONFIG), blob[:16]), (TextHandler(CONFIG), captions(SCENES[:16]))):
        full = embed(handler, refs, model)
        for length in (1, 2, 5, 11):
            assert embed(handler, refs[:length], model) == full[:length]


def test_threads_decide_nothing_and_are_given_back(model: Clip, blob: list[ImageRef]) -> None:
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            found.append(embed(ImageHandler(CONFIG), blob[:16], model))
            assert torch.get_num_threads() == threads
        assert found[0] == found[1] == found[2]
    finally:
        torch.set_num_threads(before)


def through_beam(refs: Sequence[Any], kind: str, config: Score, folder: Path) -> list[tuple[str, str, str]]:
    """What is made of `refs`, sorted: key, vector in hex, problem."""
    out = folder / "found.json"

    def write(found: list[Embedding]) -> None:
        out.write_text(json.dumps(sorted([made.key, made.vector.hex(), made.problem] for made in found)))

    with beam_options.pipeline((), 1) as p:
        _ = (
            p
            | beam.Create(list(refs)).with_output_types(ImageRef if kind == "image" else TextRef)
            | (clip.EmbedImages if kind == "image" else clip.EmbedTexts)(config, config.buckets)
            | beam.combiners.ToList()
            | "Keep" >> beam.Map(write)
        )
    return [tuple(row) for row in json.loads(out.read_text())]


@pytest.mark.parametrize("kind", ["image", "text"])
def test_order_and_repeats_decide_nothing(kind: str, blob: list[ImageRef], tmp_path: Path) -> None:
    told = {ref.text: ref for ref in captions(SCENES)}
    refs: list[Any] = blob[:40] if kind == "image" else list(told.values())[:40]
    once = through_beam(refs, kind, CONFIG, tmp_path)
    assert [row[0] for row in once] == sorted(ref.key for ref in refs)
    assert len({row[1] for row in once}) == 40
    assert through_beam([*reversed(refs), *refs[5:30]], kind, CONFIG, tmp_path) == once


def test_batches_are_of_distinct_members_in_order() -> None:
    members = [("a", "3"), ("c", "1"), ("b", "2"), ("c", "1")]
    assert list(clip.batches(("0", members), 2)) == [[("c", "1"), ("b", "2"), ("a", "3")]], "as they lie"
    many = [(f"{n:03}", "") for n in range(100)]
    told = list(clip.batches(("0", many[::-1]), 3))
    assert [len(one) for one in told] == [3 * clip.TOGETHER, 3 * clip.TOGETHER, 100 - 6 * clip.TOGETHER]
    assert [ref for one in told for ref in one] == many


def test_beam_runs_the_batches_as_they_are(blob: list[ImageRef], tmp_path: Path) -> None:
    """RunInference neither splits nor joins them: each holds one vector of the company's own making."""
    config = dataclasses.replace(CONFIG, buckets=1, batch_size=8)
    model = clip.load(config)
    expected = embed(ImageHandler(config), sorted(blob[:20]), model, 8)
    found = through_beam(blob[:20], "image", config, tmp_path)
    assert found == sorted((made.key, made.vector.hex(), made.problem) for made in expected)


def test_an_image_that_does_not_decode_costs_only_itself(model: Clip, blob: list[ImageRef], tmp_path: Path) -> None:
    broken = tmp_path / "broken.bin"
    good = Path(blob[0].path).read_bytes()[: blob[0].length]
    pieces = {"text": b"this is no image", "empty": b"", "cut": good[: len(good) // 2], "header": good[:30]}
    refs, start = [], 0
    for name, data in pieces.items():
        refs.append(ImageRef(name, str(broken), start, len(data)))
        start += len(data)
    broken.write_bytes(b"".join(pieces.values()))
    found = embed(ImageHandler(CONFIG), [blob[0], *refs, blob[1]], model)
    assert [bool(made.vector) for made in found] == [True, False, False, False, False, True]
    assert all(bool(made.problem) != bool(made.vector) and "\n" not in made.problem for made in found)
    whole = embed(ImageHandler(CONFIG), blob[:2], model)
    assert [found[0].vector, found[-1].vector] == [made.vector for made in whole]
    assert not any(made.vector for made in embed(ImageHandler(CONFIG), refs, model))


def test_memory_that_is_wanting_is_not_taken_for_bad_data(
    model: Clip, blob: list[ImageRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        embed(ImageHandler(CONFIG), blob[:1], model)


def test_storage_that_fails_is_not_taken_for_bad_data(model: Clip, blob: list[ImageRef], tmp_path: Path) -> None:
    with pytest.raises(OSError):
        embed(ImageHandler(CONFIG), [ImageRef("a", str(tmp_path / "nowhere.bin"), 0, 10)], model)
    with pytest.raises(Damaged, match="are not the image b that"):
        embed(ImageHandler(CONFIG), [blob[0], blob[1]._replace(key="b", digest="0" * 32)], model)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_half_precision_gives_about_the_same(name: Any, model: Clip, blob: list[ImageRef]) -> None:
    config = dataclasses.replace(CONFIG, precision=name)
    half = clip.load(config)
    for handler, refs in ((ImageHandler, blob[:16]), (TextHandler, captions(SCENES[:16]))):
        rough = vectors(embed(handler(config), refs, half))
        assert rough.dtype == np.float32
        cosines = (rough * vectors(embed(handler(CONFIG), refs, model))).sum(1)
        assert cosines.min() > 0.99 and not np.array_equal(cosines, np.ones_like(cosines))


# Errors that a user can mend: one line that names the setting.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TINY_CLIP, tmp_path / "model")
    return tmp_path / "model"


def damage(folder: Path, name: str, change: bytes | None) -> Score:
    if change is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(change)
    return Score(model=f"local-dir:{folder}", device="cpu")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("open_clip_config.json", None, "no open_clip_config.json in"),
        ("open_clip_model.safetensors", None, "no weights"),
        ("open_clip_model.safetensors", b"cut off", "does not load"),
        ("open_clip_config.json", b"{", "does not load"),
        (
            "open_clip_config.json",
            b'{"model_cfg": {"embed_dim": 8, "text_cfg": {}, "vision_cfg": {}}}',
            "does not load",
        ),
        ("bpe_merges.txt.gz", b"not gzip", "does not load"),
        ("bpe_merges.txt.gz", None, "665 tokens and its tokenizer 49,408: is bpe_merges.txt.gz missing"),
    ],
)
def test_a_broken_model_directory(folder: Path, name: str, change: bytes | None, message: str) -> None:
    config = damage(folder, name, change)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        clip.load(config)
    assert "\n" not in str(caught.value) and "score.model" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-3", "", "score.model = 'ViT-B-3' is no open_clip model (did you mean 'ViT-B-32'?)"),
        ("xyzzy", "", "score.model = 'xyzzy' is no open_clip model"),
        ("ViT-B-32", "", "needs score.pretrained: a weights file or one of openai, "),
        ("ViT-B-32", "/nowhere/w.pt", "score.pretrained = '/nowhere/w.pt' is neither a file nor one of openai, "),
        ("ViT-B-32", "openai=/nowhere/w.pt", "score.pretrained = 'openai=/nowhere/w.pt' is neither a file nor one of "),
        ("ViT-B-32", "openai", "was trained with QuickGELU: score.model = 'ViT-B-32-quickgelu'"),
        ("local-dir:/nowhere", "", "no open_clip_config.json in /nowhere"),
    ],
)
def test_a_model_that_there_is_not(model: str, pretrained: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        clip_models.validate(Score(model=model, pretrained=pretrained))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("model", "pretrained"), [("ViT-B-32-quickgelu", "openai"), ("ViT-B-32", "laion2b_s34b_b79k")])
def test_public_models_pass_by_name(model: str, pretrained: str) -> None:
    clip_models.validate(Score(model=model, pretrained=pretrained))


def test_weights_of_another_model_do_not_load() -> None:
    with pytest.raises(ConfigError, match=r"score\.model = 'RN50-quickgelu' does not load"):
        clip.load(
            Score(model="RN50-quickgelu", pretrained=str(TINY_CLIP / "open_clip_model.safetensors"), device="cpu")
        )


def test_without_open_clip_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extra = r"pip install 'weft-corpus\[clip\]'"
    with monkeypatch.context() as gone:
        gone.setitem(sys.modules, "open_clip", None)  # there, and its import fails
        with pytest.raises(ConfigError, match=extra):
            clip_models.load(Score())
        gone.delitem(sys.modules, "open_clip")
        gone.setattr(sys, "path", [str(tmp_path)])  # not there
        gone.setattr(sys, "path_importer_cache", {})
        with pytest.raises(ConfigError, match=f"{extra} .*'open_clip'"):
            clip_models.validate(Score())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"score\.device = 'cuda'"):
        clip.load(Score(device="cuda"))


# What is shipped.


def test_the_shipped_model_is_small_and_its_figures_are_told() -> None:
    assert sum(path.stat().st_size for path in TINY_CLIP.iterdir()) <= 4_000_000
    figures = json.loads((TINY_CLIP / "figures.json").read_text())
    assert figures["right_beats_wrong"] >= 0.97
    told = (TINY_CLIP / "README.md").read_text()
    for name, value in figures.items():
        assert f"| `{name}` | {value:.4f} |" in told
