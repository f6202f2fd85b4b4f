"""Which weights a setting means, with tags that are written out here and weights that are bytes."""

import pytest

from weft.schemas.parameters import ConfigError
from weft.transforms.score import clip_weights

TAGS = {"openai": {"quick_gelu": True, "mean": (0.5,)}, "laion": {"mean": (0.4,), "interpolation": "bicubic"}}
SETTINGS = ("score.model", "score.pretrained")


def meant(pretrained, quick_gelu=False, tags=TAGS):
    return clip_weights.weights("ViT", pretrained, quick_gelu, tags, SETTINGS)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    return str(path)


def test_a_tag_is_loaded_by_open_clip_as_it_is():
    assert meant("laion") == ("", "laion", ()) and meant("openai", quick_gelu=True) == ("", "openai", ())


def test_a_file_gets_the_preprocessing_of_the_tag_before_it(file):
    assert meant(f"laion={file}") == (file, "laion", (("mean", (0.4,)), ("interpolation", "bicubic")))
    assert meant(f"openai={file}", quick_gelu=True).preprocess == (("mean", (0.5,)),)


def test_a_file_needs_no_tag_where_all_are_alike(file):
    assert meant(file, tags={"a": {"mean": (0.1,)}, "b": {"mean": (0.1,)}}) == (file, "a", (("mean", (0.1,)),))
    assert meant(file, tags={}) == (file, "", ())


@pytest.mark.parametrize(
    ("pretrained", "told"),
    [
        ("", "'ViT' needs score.pretrained: a weights file or one of openai, laion"),
        ("laoin", "is neither a file nor one of openai, laion (did you mean 'laion'?)"),
        ("laion=/nowhere/w.safetensors", "is neither a file nor one of"),
        ("FILE", "'TAG=FILE', with the tag that it is or was trained like, of openai, laion"),
        ("openai", "was trained with QuickGELU: score.model = 'ViT-quickgelu'"),
        ("openai=FILE", "was trained with QuickGELU"),
    ],
)
def test_what_cannot_be_meant_is_one_line(pretrained, told, file):
    with pytest.raises(ConfigError) as caught:
        meant(pretrained.replace("FILE", file))
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02", b"\x80\x04\x95"])
def test_a_pickle_is_known_by_its_bytes_whatever_it_is_called(tmp_path, start, file):
    path = tmp_path / "model.safetensors"
    path.write_bytes(start + b"\0" * 20)
    assert clip_weights.is_pickle(str(path)) and not clip_weights.is_pickle(file)
    with pytest.raises(ConfigError, match="is a pickle, which can run anything: convert it"):
        meant(f"laion={path}")


def test_a_safetensors_file_whose_length_looks_like_a_pickle_is_none(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"\x80\x02" + b"\0" * 6 + b"{" + b" " * 700)
    assert not clip_weights.is_pickle(str(path))
    path.write_bytes(b"anything else")
    assert clip_weights.is_pickle(str(path)), "by its name"


def test_names_of_architectures():
    assert clip_weights.clip_name("weft-tiny") == f"local-dir:{clip_weights.TINY_CLIP}"
    assert clip_weights.clip_name("ViT-B-32") == "ViT-B-32"
    clip_weights.check_name("ViT-B-32", ["ViT-B-32"], "score.model")
    with pytest.raises(
        ConfigError, match=r"score.model = 'ViT-B-23' is no open_clip model \(did you mean 'ViT-B-32'\?\)"
    ):
        clip_weights.check_name("ViT-B-23", ["ViT-B-32", "RN50"], "score.model")
