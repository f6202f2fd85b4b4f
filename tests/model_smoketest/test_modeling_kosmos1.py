"""The file that goes out with a model, by itself; its numbers beside the trainer's are in test_hugging_face.py."""

from types import SimpleNamespace

import pytest
import torch

from weft.model_smoketest.modeling_kosmos1 import Kosmos1, turns

CONFIG = SimpleNamespace(
    vocab_size=32,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=32,
    resampler="attention",
    image_tokens=2,
    image_token_id=4,
    vision={
        "image_size": [16, 16], "patch_size": [8, 8], "width": 16, "layers": 1, "heads": 2, "hidden": 32,
        "quick_gelu": True, "ln_pre": True, "mean": [0.5] * 3, "std": [0.25] * 3,
    },
)  # fmt: skip


class Held:
    """Keys and values as transformers' cache holds them."""

    def __init__(self):
        self.held = {}

    def get_seq_length(self):
        return self.held[0][0].shape[2] if self.held else 0

    def update(self, k, v, layer):
        if layer in self.held:
            k, v = (torch.cat([old, new], 2) for old, new in zip(self.held[layer], (k, v), strict=True))
        self.held[layer] = k, v
        return k, v


@torch.inference_mode()
def test_going_on_from_a_cache_is_reading_at_once():
    torch.manual_seed(0)
    model = Kosmos1(CONFIG).eval()
    ids = torch.tensor([[0, 9, 4, 4, 4, 5, 10, 11], [0, 12, 13, 14, 15, 16, 17, 18]])
    pixels = torch.rand(1, 3, 16, 16)
    assert model.slots(ids).nonzero().tolist() == [[0, 3], [0, 4]]  # the first `<image>` says that one comes
    whole = model(ids, pixels)
    cache = Held()
    parts = [model(ids[:, :6], pixels, cache=cache)]
    parts += [model(ids[:, i : i + 1], cache=cache) for i in (6, 7)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)
    other = model(ids, torch.rand(1, 3, 16, 16))
    assert torch.equal(other[1], whole[1]) and torch.equal(other[0, :3], whole[0, :3])


def test_places_grow_from_the_middle_of_the_longest_sequence():
    cos, sin, key_cos, key_sin = turns(0, 32, CONFIG, torch.device("cpu"))
    torch.testing.assert_close(torch.hypot(cos[16], sin[16]), torch.ones(4))
    torch.testing.assert_close(torch.hypot(cos, sin) * torch.hypot(key_cos, key_sin), torch.ones(32, 4))


@torch.inference_mode()
def test_a_sequence_that_is_repeated_keeps_its_own_images_and_too_few_or_many_are_refused():
    torch.manual_seed(0)
    model = Kosmos1(CONFIG).eval()
    two, one, none = [0, 4, 4, 4, 5, 9, 4, 4, 4, 5], [0, 4, 4, 4, 5, 9, 10, 11, 12, 13], list(range(9, 19))
    ids, pixels = torch.tensor([two, none, one]), torch.rand(3, 3, 16, 16)
    whole = model(ids, pixels)
    again = model(ids.repeat_interleave(3, 0), model.repeated(pixels, ids, 3))
    torch.testing.assert_close(again, whole.repeat_interleave(3, 0))
    for wrong in (pixels[:2], torch.cat([pixels, pixels])):
        with pytest.raises(ValueError, match="images for"):
            model(ids, wrong)
        with pytest.raises(ValueError, match="images for"):
            model.repeated(wrong, ids, 2)
