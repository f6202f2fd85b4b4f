"""Flamingo's resampler beside OpenFlamingo's."""

import torch
from generated import waves

from weft.model_smoketest.flamingo import Flamingo

# The first three channels of each of three latents, and each one's squared norm, as open_flamingo's PerceiverResampler
# (dim 16, 3 latents, else its defaults) computes them from the weights and the image of `waves`.
GOLDEN = (
    (0.05759, 1.02175, -1.08261, 16.81668),
    (-0.02379, -0.45339, -0.04862, 15.60841),
    (-0.47052, -0.47354, 2.54715, 17.65957),
)


@torch.no_grad()
def test_it_computes_what_openflamingos_does():
    resampler = Flamingo(16, 16, 3)
    resampler.dense = torch.nn.Identity()
    for i, (name, value) in enumerate(resampler.named_parameters()):
        value.copy_(waves(value.shape, 7 * i) + ("ln.weight" in name))  # a norm's gain is about 1
    x = resampler(waves((1, 5, 16), 5))[0]
    got = torch.cat([x[:, :3], x.square().sum(-1, keepdim=True)], 1)
    torch.testing.assert_close(got, torch.tensor(GOLDEN), atol=2e-4, rtol=1e-4)
