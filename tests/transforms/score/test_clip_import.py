"""open_clip comes without timm and the compiler, and with them as soon as somebody asks."""

import subprocess
import sys

import pytest

from weft.transforms.score.clip_import import needs_timm
from weft.transforms.score.clip_weights import clip_name

PROBE = """
import sys
from weft.transforms.score import clip_import

lean = clip_import.imported(timm=False)
print([name for name in ("timm", "torch._dynamo", "torch._dynamo.utils") if name in sys.modules], lean.timm_model.timm)
tower = lean.model.TimmModel
whole = clip_import.imported()
print(whole is lean, tower("resnet10t", 8, pretrained=False).trunk.num_features)
from torchvision.ops import roi_align
print(sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu"), "torch._dynamo.utils" in sys.modules)
"""


def test_what_is_left_out_is_there_when_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROBE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("[] None", "True 512")
    assert third.endswith(" True") and third.split()[0] in ("True", "False")


def test_with_timm_at_once_nothing_stands_in_for_the_compiler() -> None:
    probe = "from weft.transforms.score import clip_import; print(clip_import.imported().timm_model.timm.__name__)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", probe], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "timm\n"), done.stderr


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("ViT-B-32", False),
        ("RN50", False),
        ("ViT-B-16-SigLIP", True),
        ("hf-hub:a/b", True),
        ("local-dir:/none", True),
        ("", True),
    ],
)
def test_which_models_are_made_of_timm(name: str, needs: bool) -> None:
    assert needs_timm(name) == needs
    assert not needs_timm(clip_name("weft-tiny"))
