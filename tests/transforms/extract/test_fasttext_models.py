"""Models that are read, what is asked of them, and files that are no whole classifiers."""

import struct
from pathlib import Path

import pytest
from tiny_fasttext import train

from weft.schemas.parameters import ConfigError
from weft.transforms.extract import fasttext_models

TEXTS = {"hq": ["the proof holds because energy is kept", "a force does work"], "cc": ["buy now", "best price sale"]}


@pytest.fixture
def model(tmp_path):
    return train(tmp_path / "quality.bin", TEXTS)


def test_a_model_of_ones_own_is_asked_by_its_path(model):
    fasttext_models.check(model, "extract.quality_models.hq")
    assert fasttext_models.labels(model) == ("cc", "hq")
    (good, first), (bad, second) = fasttext_models.predict("energy is kept because", model, 2)
    assert (first, second) == ("hq", "cc") and good > 0.9 and good + bad == pytest.approx(1, abs=1e-4)
    assert fasttext_models.predict("best price", model) == [(pytest.approx(0.97, abs=0.03), "cc")]


def test_lid_176_is_whole_and_the_one_without_a_path():
    fasttext_models.check("", "lid")  # a quantized one: half of the format
    assert len(fasttext_models.labels()) == 176
    assert fasttext_models.predict("the cat sat on the mat and looked at the rain")[0][1] == "en"


@pytest.mark.parametrize("part", [0, 1, 60, 100, 150, 400, -1])
def test_a_file_that_is_cut_off_is_told(model, tmp_path, part):
    """fastText itself reads noise from most of these, and one for ever."""
    whole = Path(model).read_bytes()
    cut = tmp_path / "cut.bin"
    cut.write_bytes(whole[:part])
    with pytest.raises(ConfigError, match=r"^extract.quality_models.hq = '.*cut.bin'(:| is not whole)") as told:
        fasttext_models.check(str(cut), "extract.quality_models.hq")
    assert "\n" not in str(told.value)


NAN = struct.pack("<f", float("nan"))


@pytest.mark.parametrize(
    ("at", "bytes_", "told"),
    [
        (4 * 2, struct.pack("<i", 8), r"is damaged: a matrix of \d+ x 4, not \d+ x 8"),
        (4 * 2, struct.pack("<i", -1), r"is damaged: a matrix of \d+ x 4, not \d+ x -1"),
        (
            4 * 10,
            struct.pack("<i", 5),
            r"is damaged: a matrix of \d+ x 4, not \d+ x 4",
        ),  # parts of words: none is there
        (-32, NAN * 8, r"cannot be asked: Encountered NaN"),
    ],
)
def test_a_model_of_the_right_length_that_is_damaged_is_told(model, tmp_path, at, bytes_, told):
    data = bytearray(Path(model).read_bytes())
    at %= len(data)
    data[at : at + len(bytes_)] = bytes_
    (tmp_path / "damaged.bin").write_bytes(data)
    with pytest.raises(ConfigError, match=rf"^k = '.*damaged.bin' {told}"):
        fasttext_models.check(str(tmp_path / "damaged.bin"), "k")


def test_every_cut_of_the_shipped_model_is_told(tmp_path):
    whole = Path(fasttext_models._local("")).read_bytes()
    cut = tmp_path / "cut.ftz"
    for part in range(1, len(whole), len(whole) // 40):
        cut.write_bytes(whole[:part])
        with pytest.raises(ConfigError, match="is not whole"):
            fasttext_models.check(str(cut), "k")


def test_what_is_no_classifier_is_told(tmp_path):
    vectors = train(tmp_path / "vectors.bin", TEXTS, kind=2)
    with pytest.raises(ConfigError, match="holds vectors of words, and is no classifier"):
        fasttext_models.check(vectors, "k")
    other = tmp_path / "head.safetensors"
    other.write_bytes(b"x" * 1_000)
    with pytest.raises(ConfigError, match="is no fastText model"):
        fasttext_models.check(str(other), "k")
    with pytest.raises(ConfigError, match=r"k = '.*/none.bin': No such file"):
        fasttext_models.check(str(tmp_path / "none.bin"), "k")
    with pytest.raises(ConfigError, match="Is a directory"):
        fasttext_models.check(str(tmp_path), "k")
