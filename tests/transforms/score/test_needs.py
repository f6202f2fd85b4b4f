"""Who asks for CLIP: each key that cannot do without vectors, and nothing else."""

import pytest

import weft.schemas.config as configuration
from weft.transforms.score import needs
from weft.transforms.score.needs import Needs


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("salt=x", Needs(False, False, False)),
        ("pack.pair_min_similarity=0.3", Needs(False, True, False)),
        ("pack.pair_min_similarity_by_language.en=0.3", Needs(False, True, False)),
        ("pack.pair_top_share=0.3", Needs(False, True, False)),
        ("score.near_images=0.9", Needs(False, True, False)),
        ("pack.min_document_similarity=0.15", Needs(True, False, False)),
        ("pack.min_matched_share=0.7", Needs(True, False, False)),
        ("pack.min_mean_similarity=0.0", Needs(True, False, False)),
        ("score.unsafe_head=a.safetensors", Needs(False, False, True)),
        ('score.prompts.a=["b"]', Needs(False, False, True)),
        ('score.evaluation_embeddings=["a.npy"]', Needs(False, False, True)),
        ("score.embeddings=true", Needs(False, True, True)),
        ('score.also=["ViT-B-32"]', Needs(True, True, False)),
        ("score.compare=always", Needs(True, True, True)),
    ],
)
def test_each_key_asks_for_what_it_needs(setting: str, expected: Needs) -> None:
    config = configuration.load(overrides=[setting])
    assert needs.of(config.score, config.pack) == expected
    assert bool(expected.line()) == (not (expected.documents and expected.pairs))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("raw", Needs(False, False, False)),
        ("laion400m", Needs(False, True, False)),
        ("mmc4", Needs(True, False, False)),
        ("c4", Needs(False, False, False)),
    ],
)
def test_recipes(recipe: str, expected: Needs) -> None:
    config = configuration.load(recipe=recipe)
    assert needs.of(config.score, config.pack) == expected
