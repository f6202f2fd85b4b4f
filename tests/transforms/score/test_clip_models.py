"""Which model is loaded, what of it is shared, and the ways in which a wrong one is refused."""

import copy
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from apache_beam.testing.test_pipeline import TestPipeline
from PIL import Image

from weft.schemas.config import Score
from weft.schemas.parameters import ConfigError
from weft.transforms.score import clip_models, image_scores
from weft.transforms.score.clip import ImageHandler, TextHandler
from weft.transforms.score.clip_weights import TINY_CLIP
from weft.transforms.score.units import NoteScale
from weft.transforms.score.vectors import NOT_FINITE, Embedding, ImageRef, TextRef, similarity

TEXTS = [TextRef(str(n), f"a photo of {n} {word}") for n, word in enumerate(["dogs", "a café", "nothing"] * 6)]


def pictures(home: Path, count: int) -> list[ImageRef]:
    """Noise of odd sizes and shapes, as JPEG in one blob."""
    path, refs = home / "blob.bin", []
    with path.open("wb") as blob:
        for number in range(count):
            made = np.random.default_rng(number)
            size = (int(made.integers(40, 400)), int(made.integers(40, 400)))
            noise = Image.fromarray(made.integers(0, 255, (9, 9, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
            out = io.BytesIO()
            (noise.convert("L") if number % 5 == 4 else noise).save(out, "JPEG", quality=90)
            refs.append(ImageRef(f"k{number:03}", str(path), blob.tell(), len(out.getvalue())))
            blob.write(out.getvalue())
    return refs


def folder_of(home: Path, name: str, seed: int = 0, **config: Any) -> str:
    """A model directory of a public architecture with random weights."""
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    model = open_clip.create_model(name)
    home.mkdir(parents=True)
    made = {"model_cfg": {**open_clip.get_model_config(name), **config}, "preprocess_cfg": model.visual.preprocess_cfg}
    (home / "open_clip_config.json").write_text(json.dumps(made))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, home / "open_clip_model.safetensors")
    return f"local-dir:{home}"


@pytest.fixture(scope="module")
def b32(tmp_path_factory: pytest.TempPathFactory) -> str:
    return folder_of(tmp_path_factory.mktemp("models") / "b32", "ViT-B-32")


def run(config: Score, images: list[ImageRef], texts: list[TextRef]) -> tuple[list[Embedding], list[Embedding]]:
    model = clip_models.load(config)
    found = (ImageHandler(config).run_inference(images, model), TextHandler(config).run_inference(texts, model))
    return list(found[0]), list(found[1])


def plain(folder: str, images: list[ImageRef], texts: list[TextRef]) -> np.ndarray:
    """Similarities of all images with all texts by open_clip alone, one at a time."""
    model, _, preprocess = open_clip.create_model_and_transforms(folder)
    model.eval()
    with torch.inference_mode():
        seen = []
        for ref in images:
            with open(ref.path, "rb") as blob:
                blob.seek(ref.offset)
                tensor = preprocess(Image.open(io.BytesIO(blob.read(ref.length))))[None]
            seen.append(model.encode_image(tensor, normalize=True))
        read = model.encode_text(open_clip.get_tokenizer(folder)([ref.text for ref in texts]), normalize=True)
        return (torch.cat(seen) @ read.T).numpy()


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("bf16", 1e-2), ("pure_bf16", 1e-2)])
def test_scores_of_vit_b_32_are_open_clips_own(b32: str, tmp_path: Path, precision: Any, most: float) -> None:
    count = 6 if precision == "fp32" else 2  # a CPU that does not know bf16 takes a second and a half for each
    images, texts = pictures(tmp_path, count), TEXTS[:count]
    config = Score(model=b32, precision=precision, device="cpu", batch_size=min(count, 4))
    seen, read = run(config, images, texts)
    ours = np.array([[similarity(i.vector, t.vector) for t in read] for i in seen])
    assert np.abs(ours - plain(b32, images, texts)).max() <= most


def test_what_the_model_is_given_is_open_clips_own_to_the_bit(b32: str, tmp_path: Path) -> None:
    model = clip_models.load(Score(model=b32, device="cpu"))
    for ref in pictures(tmp_path, 8):
        with open(ref.path, "rb") as blob:
            blob.seek(ref.offset)
            image = Image.open(io.BytesIO(blob.read(ref.length)))
        for mode in ("RGB", "L", "P", "RGBA", "CMYK"):
            given = image.convert(mode)
            pixels = model.pixels(given)
            assert pixels.dtype == np.uint8, "a quarter of what floats would be"
            assert torch.equal(model.normalised(torch.tensor(pixels)[None])[0], model.preprocess(given))


def test_a_preprocessing_of_another_kind_is_used_as_it_is(tmp_path: Path) -> None:
    model = clip_models.load(Score(device="cpu"))
    odd = clip_models.Clip(model.model, lambda image: torch.full((3, 64, 64), 0.5), model.tokenizer, "cpu")
    (pixels,) = odd.normalised(torch.tensor(odd.pixels(Image.new("RGB", (9, 9))))[None])
    assert torch.equal(pixels, torch.full((3, 64, 64), 0.5))


def test_one_copy_of_a_model_serves_images_and_texts() -> None:
    config = Score(device="cpu")
    assert ImageHandler(config).load_model().model is TextHandler(config).load_model().model
    assert clip_models.load(Score(device="cpu", also=("weft-tiny",))).others[0].model is clip_models.load(config).model


def test_several_models_in_one_pass(b32: str, tmp_path: Path) -> None:
    images, texts = pictures(tmp_path, 5), TEXTS[:3]
    both = run(Score(device="cpu", also=(b32,), batch_size=4), images, texts)
    alone = [run(Score(model=name, device="cpu", batch_size=4), images, texts) for name in ("weft-tiny", b32)]
    for side in (0, 1):
        for made, tiny, large in zip(both[side], alone[0][side], alone[1][side], strict=True):
            assert made.vectors == [tiny.vector, large.vector] and made.key == tiny.key


def test_a_number_that_is_none_has_a_name(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    home = tmp_path / "broken"
    shutil.copytree(TINY_CLIP, home)
    weights = load_file(home / "open_clip_model.safetensors")
    weights["visual.conv1.weight"][0] = float("nan")
    save_file(weights, home / "open_clip_model.safetensors")
    seen, read = run(Score(model=f"local-dir:{home}", device="cpu", batch_size=4), pictures(tmp_path, 5), TEXTS[:5])
    assert {made.problem for made in seen} == {NOT_FINITE} and not any(made.vectors for made in seen)
    assert {made.problem for made in read} == {""}


@pytest.mark.parametrize("fits", [5, 1])
def test_a_batch_that_memory_does_not_suffice_for_is_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    config = Score(device="cpu", batch_size=16)
    images, texts = pictures(tmp_path, 20), TEXTS
    whole = run(config, images, texts)
    model = clip_models.load(config)
    asked: list[int] = []
    for name in ("encode_image", "encode_text"):
        real = getattr(model.model, name)

        def poor(batch: Any, normalize: bool, real: Any = real) -> Any:
            asked.append(len(batch))
            if len(batch) > fits:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return real(batch, normalize=normalize)

        monkeypatch.setattr(model.model, name, poor)
    halved = run(config, images, texts)
    for before, after in zip((*whole[0], *whole[1]), (*halved[0], *halved[1]), strict=True):
        assert (before.key, before.problem) == (after.key, after.problem)
        a, b = (np.frombuffer(one.vector, np.float32) for one in (before, after))
        np.testing.assert_allclose(a, b, atol=1e-5)
    failures = sum(length > fits for length in asked)
    assert failures == 2 * (2 if fits == 5 else 4), "each handler finds out once and remembers"


def test_an_error_that_is_not_of_memory_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Score(device="cpu", batch_size=4)
    model = clip_models.load(config)

    def broken(batch: Any, normalize: bool) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(model.model, "encode_text", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        list(TextHandler(config).run_inference(TEXTS[:2], model))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"also": ("ViT-B-3@openai",)}, "score.also = 'ViT-B-3' is no open_clip model (did you mean 'ViT-B-32'?)"),
        ({"also": ("ViT-B-32",)}, "score.also = 'ViT-B-32' needs its tag (after @): "),
        ({"also": ("ViT-B-32@laion2b_s34b_b79",)}, "(did you mean 'laion2b_s34b_b79k'?)"),
        ({"also": ("ViT-B-32@openai",)}, "was trained with QuickGELU: score.also = 'ViT-B-32-quickgelu'"),
        ({"also": ("ViT-B-32@openai=/nowhere",)}, "is neither a file nor one of openai"),
    ],
)
def test_a_wrong_name_is_said_in_one_line(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        clip_models.validate(Score(**section))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_of_weights_goes_by_the_tag_that_it_is_like(b32: str, tmp_path: Path) -> None:
    images = pictures(tmp_path, 2)
    weights = f"{b32.removeprefix('local-dir:')}/open_clip_model.safetensors"
    with pytest.raises(ConfigError, match=r"'TAG=FILE', with the tag that it is or was trained like, of openai"):
        clip_models.load(Score(model="ViT-B-32", pretrained=weights, device="cpu"))
    with pytest.raises(ConfigError, match=r"was trained with QuickGELU: score\.model = 'ViT-B-32-quickgelu'"):
        clip_models.load(Score(model="ViT-B-32", pretrained=f"openai={weights}", device="cpu"))
    found = [
        run(Score(model=name, pretrained=f"{tag}={weights}", device="cpu", batch_size=2), images, TEXTS[:1])[0]
        for name, tag in (("ViT-B-32", "laion2b_s34b_b79k"), ("ViT-B-32-quickgelu", "openai"))
    ]
    assert found[0] == run(Score(model=b32, device="cpu", batch_size=2), images, TEXTS[:1])[0]
    assert found[0][0].vector != found[1][0].vector, "QuickGELU changes every score"


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "ViT-B-16-SigLIP2", "ViT-B-16", "ViT-L-14-quickgelu"])
def test_models_of_the_shape_of_siglip_and_dfn_give_what_open_clip_alone_does(tmp_path: Path, name: str) -> None:
    """Their own text towers, poolings, activations and preprocessing, made small, with random weights."""
    from safetensors.torch import save_file

    known = copy.deepcopy(open_clip.get_model_config(name))
    text, vision = known["text_cfg"], known["vision_cfg"]
    known["embed_dim"] = 192
    if "timm_model_name" in vision:
        vision["timm_model_name"] = "vit_tiny_patch16_224"
    else:
        vision |= {"width": 192, "layers": 2, "patch_size": 16, "image_size": 32}
    text |= {"width": 192, "heads": 3, "layers": 2, "vocab_size": 49_408}
    for key in ("hf_tokenizer_name", "tokenizer_kwargs"):  # those need transformers; open_clip's own does not
        text.pop(key, None)
    asked = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": known, "preprocess_cfg": asked if "SigLIP" in name else {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    model = open_clip.create_model(f"local-dir:{tmp_path}", load_weights=False)
    with torch.no_grad():
        model.logit_scale.fill_(4.7648)  # of ViT-B-16-SigLIP, about
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "seen").mkdir()
    choice, images = Score(model=f"local-dir:{tmp_path}", device="cpu", batch_size=4), pictures(tmp_path / "seen", 6)
    seen, read = run(choice, images, TEXTS[:5])
    assert clip_models.vector_width(choice) == 192 and {len(one.vector) for one in (*seen, *read)} == {192 * 4}
    mine = np.array([[similarity(image.vector, text.vector) for text in read] for image in seen])
    np.testing.assert_allclose(mine, plain(f"local-dir:{tmp_path}", images, TEXTS[:5]), atol=2e-4)
    assert mine.std() > 1e-4
    pipeline = TestPipeline(runner="FnApiRunner")
    _ = pipeline | NoteScale(choice, str(tmp_path / "scale"))
    pipeline.run().wait_until_finish()
    assert image_scores.scale(str(tmp_path / "scale")) == pytest.approx(np.exp(4.7648), abs=1e-3)
    assert image_scores.scale(str(tmp_path / "none")) == 100.0


def test_a_tokenizer_that_needs_transformers_is_said_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"model_cfg": open_clip.get_model_config("ViT-B-16-SigLIP2")}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(known))
    found = clip_models.importlib.util.find_spec
    for there in (False, True):
        spec = found("json") if there else None
        monkeypatch.setattr(
            clip_models.importlib.util, "find_spec", lambda one, to=spec: to if one == "transformers" else found(one)
        )
        for model in ("ViT-B-16-SigLIP2", f"local-dir:{tmp_path}"):
            with pytest.raises(ConfigError) as caught:  # with it, weights are what is missing
                clip_models.validate(Score(model=model, device="cpu"))
            assert ("pip install transformers" in str(caught.value)) != there


def test_a_file_of_weights_gets_its_tags_preprocessing(tmp_path: Path) -> None:
    """open_clip alone gives the usual one, and every score of this architecture is wrong without a word."""
    from safetensors.torch import save_file

    small = {k: v.contiguous() for k, v in open_clip.create_model("MobileCLIP-S1").state_dict().items()}
    save_file(small, tmp_path / "w.safetensors")
    model = clip_models.load(Score(model="MobileCLIP-S1", pretrained=str(tmp_path / "w.safetensors"), device="cpu"))
    assert model.model.visual.preprocess_cfg["mean"] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "w.pt"])
def test_a_pickle_is_refused_unread(tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    shutil.copytree(TINY_CLIP, tmp_path / "model")
    (tmp_path / "model/open_clip_model.safetensors").unlink()
    torch.save({"logit_scale": Trap()}, tmp_path / "model" / name)
    for config in (
        Score(model=f"local-dir:{tmp_path}/model", device="cpu"),
        Score(model="ViT-B-32", pretrained=f"{tmp_path}/model/{name}", device="cpu"),
    ):
        with pytest.raises(ConfigError, match=r"is a pickle.*safetensors\.torch\.save_file") as caught:
            clip_models.load(config)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_caption_of_ten_thousand_words_and_one_of_nothing() -> None:
    config = Score(device="cpu", batch_size=4)
    texts = [TextRef("long", "red square " * 5_000), TextRef("empty", ""), TextRef("odd", "\U0001f600\u200b\x00 ﷽")]
    found = list(TextHandler(config).run_inference(texts, clip_models.load(config)))
    assert [made.problem for made in found] == ["", "", ""] and all(len(made.vectors) == 1 for made in found)
