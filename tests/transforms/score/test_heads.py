"""Heads of LAION's own shapes beside PyTorch, what is refused, and prompts beside the formula."""

import itertools
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from weft.schemas.parameters import ConfigError
from weft.transforms.score import heads

RNG = np.random.default_rng(7)
VECTORS = RNG.normal(size=(50, 768))
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


def tensors(*widths, name="linear_{}", bias=True):
    made = {}
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths), 1):
        made[name.format(number) + ".weight"] = RNG.normal(0, 2 / inputs**0.5, (outputs, inputs)).astype(np.float32)
        if bias:
            made[name.format(number) + ".bias"] = RNG.normal(0, 0.1, outputs).astype(np.float32)
    return made


def unsafe():
    """The tensors of LAION's detector for ViT-L/14, as its port to PyTorch names them."""
    norm = {
        "norm.mean": RNG.normal(0, 0.01, 768).astype(np.float32),
        "norm.variance": RNG.uniform(5e-4, 2e-3, 768).astype(np.float32),
    }
    return norm | tensors(768, 64, 512, 256, 1)


def save(tmp_path, made, name="head.safetensors"):
    save_file(made, tmp_path / name)
    return str(tmp_path / name)


def chain(made, names, between=()):
    """The same layers in PyTorch."""
    layers = []
    for number, name in enumerate(names):
        weight = torch.tensor(made[name + ".weight"])
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight, "bias": torch.tensor(made[name + ".bias"])})
        layers += [linear, *(between if number < len(names) - 1 else ())]
    return nn.Sequential(*layers).double().eval()


def test_laions_detector_is_what_it_is_in_pytorch(tmp_path):
    made = unsafe()
    head = heads.load("unsafe", save(tmp_path, made), 768)
    x = (torch.tensor(VECTORS) - torch.tensor(made["norm.mean"])) / torch.tensor(made["norm.variance"]).sqrt()
    with torch.no_grad():
        expected = torch.sigmoid(chain(made, [f"linear_{n}" for n in range(1, 5)], (nn.ReLU(),))(x))[:, 0]
    got = head(VECTORS)
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)
    assert len(set(got.tolist())) > 20 and got.std() > 0.01  # not all at one end of the sigmoid


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (
            {k.removeprefix("x."): v for k, v in tensors(768, 1, name="x").items()},
            None,
        ),  # version 1: weight and bias alone
        (tensors(768, 1024, 128, 64, 16, 1, name="layers.{}"), [f"layers.{n}" for n in range(1, 6)]),
    ],
)
def test_laions_aesthetic_heads_are_linear_throughout(tmp_path, made, names):
    head = heads.load("aesthetic", save(tmp_path, made), 768)
    if names is None:
        expected = VECTORS @ made["weight"][0].astype(np.float64) + made["bias"][0]
    else:
        with torch.no_grad():
            expected = chain(made, names)(torch.tensor(VECTORS))[:, 0].numpy()
    np.testing.assert_allclose(head(VECTORS), expected, atol=1e-5)


def test_layers_are_in_the_order_of_their_numbers(tmp_path):
    made = tensors(4, *[4] * 10, 1, name="layers.{}")  # 11 layers: "layers.10" sorts before "layers.2" as text
    got = heads.load("aesthetic", save(tmp_path, made), 4)([[1.0, 0.0, 0.0, 0.0]])
    with torch.no_grad():
        expected = chain(made, [f"layers.{n}" for n in range(1, 12)])(torch.eye(4, dtype=torch.float64)[:1])
    assert got[0] == pytest.approx(float(expected), abs=1e-5)


def test_each_image_is_scored_alike_in_whatever_company(tmp_path):
    head = heads.load("unsafe", save(tmp_path, unsafe()), 768)
    together = head(VECTORS)
    assert [float(head(vector)[0]) for vector in VECTORS] == pytest.approx(together.tolist(), abs=1.1e-5)
    assert (head(VECTORS[::-1]) == together[::-1]).mean() > 0.98


def test_a_watermark_head_is_a_probability(tmp_path):
    head = heads.load("watermark", save(tmp_path, tensors(768, 1)), 768)
    assert ((head(VECTORS * 1e6) >= 0) & (head(VECTORS * 1e6) <= 1)).all()


@pytest.mark.parametrize("name", ["head.pt", "head.safetensors", "head"])
def test_a_pickle_is_refused_in_one_line_that_says_how_to_convert(tmp_path, name):
    torch.save({"weight": torch.zeros(1, 768)}, tmp_path / name)
    with pytest.raises(ConfigError, match="pickle") as caught:
        heads.load("aesthetic", str(tmp_path / name), 768)
    assert "\n" not in str(caught.value) and "save_file" in str(caught.value)


def test_the_conversion_that_it_names_works(tmp_path):
    from safetensors.torch import save_file as save_torch

    torch.save(nn.Linear(768, 1).state_dict(), tmp_path / "old.pth")
    save_torch(torch.load(tmp_path / "old.pth", weights_only=True), str(tmp_path / "head.safetensors"))
    assert heads.load("aesthetic", str(tmp_path / "head.safetensors"), 768).width == 768


def test_safetensors_whose_length_looks_like_a_pickle_are_read(tmp_path):
    path = tmp_path / "head.safetensors"
    data = np.zeros(3, "<f4").tobytes()
    header = json.dumps(
        {
            "weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
            "bias": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]},
        }
    ).encode()
    header = header.ljust(0x280)  # so the file begins 80 02
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    assert path.read_bytes().startswith(b"\x80\x02")
    assert heads.load("aesthetic", str(path), 2)([[1.0, 2.0]]).tolist() == [0.0]


def test_a_head_of_another_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"vectors of 768 numbers and score\.model gives 512"):
        heads.load("unsafe", save(tmp_path, unsafe()), 512)


@pytest.mark.parametrize(
    "made",
    [
        {},
        tensors(768, 2),  # two numbers
        {**tensors(768, 64), **tensors(63, 1, name="next_{}")},  # does not chain
        {**tensors(768, 1), "conv.kernel": np.zeros((3, 3), np.float32)},
        {**tensors(768, 1), "norm.mean": np.zeros(768, np.float32)},  # half a normalisation
        {**tensors(768, 1), "norm.mean": np.zeros(768, np.float32), "norm.variance": np.zeros(768, np.float32)},
        {"weight": np.zeros((1, 768), np.float32), "bias": np.zeros(2, np.float32)},
        {"weight": np.full((1, 768), np.nan, np.float32)},
    ],
)
def test_what_is_no_head_is_refused_in_one_line(tmp_path, made):
    with pytest.raises(ConfigError, match=r"score\.unsafe_head") as caught:
        heads.load("unsafe", save(tmp_path, made or {"x": np.zeros(1, np.float32)}), 768)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x89HDF\r\n\x1a\n" * 20, b"\x02" * 100])
def test_other_files_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "head.h5").write_bytes(content)
    with pytest.raises(ConfigError, match="no safetensors"):
        heads.load("unsafe", str(tmp_path / "head.h5"), 768)
    with pytest.raises(ConfigError, match="No such file"):
        heads.load("unsafe", str(tmp_path / "absent"), 768)


def test_halves_are_read_and_other_types_are_not(tmp_path):
    from safetensors.torch import save_file as save_torch

    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        save_torch({"weight": torch.full((1, 4), 0.5, dtype=dtype)}, str(tmp_path / "half.safetensors"))
        assert heads.load("aesthetic", str(tmp_path / "half.safetensors"), 4)([[1, 1, 1, 1]]).tolist() == [2.0]
    save_torch({"weight": torch.ones((1, 4), dtype=torch.uint8)}, str(tmp_path / "half.safetensors"))
    with pytest.raises(ConfigError, match="type U8"):
        heads.load("aesthetic", str(tmp_path / "half.safetensors"), 4)


def test_prompts_are_a_softmax_over_the_means_of_their_vectors():
    images = np.eye(3)[:2]
    prompts = {"b": np.array([[0.0, 1.0, 0.0], [0.0, 0.6, 0.8]]), "a": np.array([[1.0, 0.0, 0.0]])}
    first, second = heads.ask(images, prompts)
    mean = np.array([0.0, 0.8, 0.4]) / np.linalg.norm([0.0, 0.8, 0.4])
    assert second.cosines == {"a": 0.0, "b": pytest.approx(mean[1], abs=1e-5)}
    assert (first.name, second.name) == ("a", "b")
    near = heads.ask([[0.6, 0.8 * 0.8, 0.48]], {"a": [[0.60, 0.64, 0.48]], "b": [[0.61, 0.63, 0.48]]})[0]
    logits = 100 * np.array([near.cosines["a"], near.cosines["b"]])
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert [near.shares["a"], near.shares["b"]] == pytest.approx(expected.tolist(), abs=2e-3)
    assert sum(first.shares.values()) == pytest.approx(1.0, abs=1e-4)


def test_a_limit_is_what_may_still_stay():
    assert heads.over({"nude": 0.5, "clean": 0.5}, {"nude": 0.5}) == ""
    assert heads.over({"nude": 0.50001}, {"nude": 0.5}) == "nude"
    assert heads.over({}, {"nude": 0.5}) == heads.over({"nude": 1.0}, {}) == ""


@pytest.mark.parametrize(
    ("prompts", "limits", "said"),
    [
        ({"a": ["x"], "b": [" "]}, {}, "prompts.b"),
        ({"a": ["x"]}, {}, "one name"),
        ({"a": ["x"], "b": ["y"]}, {"c": 0.5}, r"max_prompt\.c"),
    ],
)
def test_prompts_that_say_nothing_are_refused(prompts, limits, said):
    with pytest.raises(ConfigError, match=said):
        heads.check_prompts(prompts, limits)
    heads.check_prompts({}, {})
    heads.check_prompts({"a": ("x",), "b": ("y",)}, {"a": 0.1})
