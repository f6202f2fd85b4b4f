"""The vision tower: open_clip's own numbers, its own preprocessing, and a cache that changes nothing."""

import numpy as np
import pytest
import torch
from PIL import Image

from weft.model_smoketest import vision
from weft.schemas.parameters import ConfigError


class Small:
    """What of a model the tests of its tower need."""

    def __init__(self, tower):
        self.tower = tower


@pytest.fixture(scope="module")
def small(kit):
    return Small(vision.load_tower(f"local-dir:{kit.tower}", "", True).eval())


def test_the_tower_gives_what_open_clip_gives(kit, small):
    """All tokens after ln_post; the class token, projected, is CLIP's own image embedding."""
    import open_clip

    clip = open_clip.create_model(f"local-dir:{kit.tower}").eval()
    pixels = torch.stack([small.tower.pixels(kit.picture(i)) for i in range(3)])
    with torch.no_grad():
        tokens = small.tower.head(small.tower.stem(pixels))
        assert tokens.shape == (3, 1 + 16, 32)
        torch.testing.assert_close(tokens[:, 0] @ small.tower.visual.proj, clip.encode_image(pixels))


@pytest.mark.parametrize("size", [(48, 40), (20, 90), (32, 32), (61, 40), (40, 61), (35, 32), (32, 35)])
def test_preprocessing_is_open_clips_own(kit, small, size, tmp_path):
    import open_clip

    _, transform = open_clip.create_model_from_pretrained(f"local-dir:{kit.tower}", return_transform=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    got = small.tower.pixels((tmp_path / "x.png").read_bytes())
    want = transform(Image.open(tmp_path / "x.png"))
    assert (got - want).abs().max() <= 1 / 255 / 0.25 + 1e-5  # resizing may round one step differently


def test_the_stem_cache_forgets_the_oldest_and_never_changes_a_result(kit, small):
    images = [kit.picture(i) for i in range(4)]
    free = vision.StemCache(small.tower)(images)
    one = free[0].nbytes
    tight = vision.StemCache(small.tower, limit=2 * one)
    assert torch.equal(tight(images), free) and torch.equal(tight(images[::-1]), free.flip(0))
    assert tight._held == 2 * one and len(tight._known) == 2


def test_an_image_becomes_the_same_whatever_it_meets(kit, small):
    images = [kit.picture(i) for i in range(vision.BATCH + 3)]
    together = vision.StemCache(small.tower)(images)
    for i in (0, 5, vision.BATCH, vision.BATCH + 2):
        assert torch.equal(vision.StemCache(small.tower)([images[i]])[0], together[i])
    assert torch.equal(vision.StemCache(small.tower)(images[::-1]), together.flip(0))
    twice = vision.StemCache(small.tower, limit=0)([images[1], images[1]])
    assert torch.equal(twice, together[[1, 1]])


def test_images_that_were_decoded_ahead_are_used_once(kit, small, monkeypatch):
    images = [kit.picture(i) for i in range(3)]
    want = vision.StemCache(small.tower)(images)
    cache = vision.StemCache(small.tower)
    cache.decode(images)
    monkeypatch.setattr(small.tower, "pixels", None)
    assert torch.equal(cache(images), want) and not cache._decoded


def test_what_was_decoded_while_an_image_was_seen_is_not_kept(kit, small, monkeypatch):
    cache = vision.StemCache(small.tower)
    image, stem = kit.picture(0), small.tower.stem
    monkeypatch.setattr(small.tower, "stem", lambda pixels: cache.decode([image]) or stem(pixels))
    cache([image])
    assert not cache._decoded


def test_a_store_is_asked_once_for_each_image(kit, small, monkeypatch, tmp_path):
    asked, read = [], vision.StemStore.read
    monkeypatch.setattr(vision.StemStore, "read", lambda self, *of: asked.append(of) or read(self, *of))
    images = [kit.picture(i) for i in range(3)]
    made = []
    for ahead in (True, True, False):  # the store lacks them the first time alone
        cache = vision.StemCache(small.tower, store=vision.StemStore(str(tmp_path), "tower"))
        if ahead:
            cache.decode(images)
        made.append(cache(images))
        assert len(asked) == len(images)
        asked.clear()
    assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2])
    for path in tmp_path.rglob("*.bf16"):
        path.write_bytes(b"")  # as a power cut leaves it
    assert torch.equal(made[0], vision.StemCache(small.tower, store=vision.StemStore(str(tmp_path), "tower"))(images))


def test_an_image_that_does_not_decode_is_one_clear_line(kit, small):
    with pytest.raises(ConfigError, match="does not decode"):
        small.tower.pixels(kit.picture(0)[:200])
