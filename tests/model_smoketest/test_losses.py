"""What images cost a text, each image looked at once."""

import pytest
import torch

from weft.model_smoketest import data, losses
from weft.model_smoketest.train import build


@pytest.fixture(scope="module")
def small(kit):
    return build(kit.config(), kit.vocabulary)[0].eval()


def samples_of(kit):
    return [
        s
        for corpus in ("pairs", "text")
        for s in data.validation(str(kit.shards), corpus, kit.vocabulary, kit.config())
    ]


def test_losses_of_a_sample_do_not_depend_on_its_batch(kit, small, monkeypatch):
    samples = samples_of(kit)
    together = losses.of_samples(small, losses.Eye(small), samples)
    monkeypatch.setattr(losses, "BATCH_TOKENS", 1)
    monkeypatch.setattr(losses, "SEEN_AT_ONCE", 1)
    alone = losses.of_samples(small, losses.Eye(small), samples)
    assert [len(row) for row in together] == [int(s.mask[1:].sum()) for s in samples]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=2e-5)


def test_other_images_are_those_that_are_shown(kit, small):
    samples = samples_of(kit)[:3]
    shown = [(kit.picture(n),) for n in (90, 91, 92)]
    eye = losses.Eye(small)
    got = losses.of_samples(small, eye, samples, shown)
    want = losses.of_samples(small, eye, [s._replace(images=i) for s, i in zip(samples, shown, strict=True)])
    assert got == want != losses.of_samples(small, eye, samples)
    first, again = eye([kit.picture(90)]), eye([kit.picture(5), kit.picture(90)])
    torch.testing.assert_close(first[0], again[1])
