"""Pixels of a size: those of torchvision's transforms, within two, whatever the picture."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from weft.model_smoketest.pictures import square

SIDE = 24


def drawn(width, height, mode="RGB"):
    """A picture with edges and slopes, the same for a size."""
    random = np.random.default_rng(width * 1000 + height)
    coarse = Image.fromarray(random.integers(0, 255, (5, 7, 3), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def stored(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def torchvisions(data):
    steps = [transforms.Resize(SIDE, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(SIDE)]
    return transforms.Compose([*steps, transforms.PILToTensor()])(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("size", [(24, 24), (64, 48), (48, 65), (300, 31), (23, 90), (7, 5), (1, 40)])
@pytest.mark.parametrize(
    ("mode", "kind", "how"),
    [
        ("RGB", "JPEG", {}), ("RGB", "JPEG", {"progressive": True, "subsampling": 0}), ("L", "JPEG", {}),
        ("CMYK", "JPEG", {}), ("RGB", "PNG", {}), ("P", "PNG", {}), ("RGBA", "PNG", {}), ("RGB", "WEBP", {}),
    ],
)  # fmt: skip
def test_it_is_what_torchvision_makes(size, mode, kind, how):
    data = stored(drawn(*size, mode), kind, **how)
    made, wanted = square(data, SIDE), torchvisions(data)
    assert made.dtype == torch.uint8 and made.shape == (3, SIDE, SIDE) and made.is_contiguous()
    assert int((made.int() - wanted.int()).abs().max()) <= 2


def test_what_a_camera_says_of_its_own_side_is_not_heeded():
    image = drawn(64, 32)
    exif = image.getexif()
    exif[0x0112] = 6  # turn it: a store that keeps files as they are keeps this too
    data = stored(image, "JPEG", exif=exif.tobytes())
    assert int((square(data, SIDE).int() - torchvisions(data).int()).abs().max()) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_half_a_picture_is_none(kind):
    data = stored(drawn(64, 48), kind)
    for broken in (data[: len(data) // 2], b"", b"no picture"):
        with pytest.raises(ValueError, match="does not decode"):
            square(broken, SIDE)
