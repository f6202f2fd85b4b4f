"""The model against its definitions: causality, xPos, Magneto's initialisation, where images go, what is trained."""

import math

import numpy as np
import pytest
import torch
from generated import waves

from weft.model_smoketest import model as kosmos
from weft.model_smoketest import vision
from weft.model_smoketest.data import collate
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.train import build, forward
from weft.schemas import shards as contract
from weft.schemas.config import MODELS, load
from weft.schemas.parameters import ConfigError
from weft.transforms.score.clip_weights import TINY_CLIP


@pytest.fixture(scope="module")
def small(kit):
    return build(kit.config(), kit.vocabulary)[0].eval()


def test_the_papers_configuration_builds_to_the_papers_size():
    """On the meta device: 24 layers are 1.2 billion, embeddings 131 million, CLIP's tower 303, the resampler 19."""
    import open_clip

    config = load(str(MODELS / "kosmos1.toml")).train
    vocabulary = contract.Vocabulary(64_007, 0, 1, 2, 64_003, 64_004, 64, 2048, "tokenizer.json")
    with torch.device("meta"):
        visual = open_clip.CLIP(**open_clip.get_model_config(config.vision)).visual
        model = kosmos.Kosmos(config, vocabulary, vision.Tower(visual, (0.5,) * 3, (0.25,) * 3, config.unfreeze_last))
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    print(f"{sum(count.values()):,} parameters: {count}")
    assert model.tower.width == 1024 and len(model.tower.visual.transformer.resblocks) == 24
    assert sum(count.values()) == pytest.approx(1.6e9, rel=0.05)
    assert count["blocks"] + count["embedding"] + count["final_ln"] == pytest.approx(1.3e9, rel=0.05)
    trained = sum(p.numel() for p in model.tower.parameters() if p.requires_grad)
    assert 0 < trained < count["tower"] / 20  # its last layer


def batch_of(kit, *segments, images=None):
    ids = [kit.ids_of(s).astype(np.int64) for s in segments]
    samples = []
    for i, (row, parts) in enumerate(zip(ids, segments, strict=True)):
        shown = tuple(kit.picture(i + k) for k in range(parts.count(None)))
        samples.append(Sample(str(i), row, contract.loss_mask(row, kit.vocabulary), shown))
    return collate(samples, kit.vocabulary)


def learn(model, batch):
    return forward(model, vision.StemCache(model.tower), batch)


def losses(model, batch):
    return learn(model, batch)[1]


def gradients(model, batch):
    """Of the sum of the losses; of weights that have none, zeros."""
    model.zero_grad(set_to_none=True)
    learn(model, batch)[0].backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters() if p.requires_grad]


def test_loss_is_cross_entropy_of_the_targets_alone(kit, small):
    batch = batch_of(kit, [[20, 21], None, [22, 23]], [[24], None])
    got = losses(small, batch)
    stems = vision.StemCache(small.tower)(batch.images)
    logits = small.hidden(batch.ids, batch.rows, batch.slots, small.see(stems)) @ small.embedding.weight[:64].T
    want = []
    for place in batch.places.tolist():
        b, t = divmod(place, batch.ids.shape[1])
        want.append(-torch.log_softmax(logits[b, t], 0)[batch.ids[b, t + 1]])
    assert len(got) == len(batch.labels) == 5 + 2  # words and </s>; never <s>, slots, </image> or padding
    torch.testing.assert_close(got, torch.stack(want), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("chunk", [2, 4096])
def test_the_output_layers_gradient_is_autograds(monkeypatch, chunk):
    monkeypatch.setattr(kosmos, "CHUNK", chunk)
    torch.manual_seed(0)
    x, weight = torch.randn(5, 8, requires_grad=True), torch.randn(16, 8, requires_grad=True)
    labels = torch.tensor([0, 3, 11, 3, 7])
    total, each = kosmos.NextToken.apply(x, weight, labels, 12)
    want = torch.nn.functional.cross_entropy((x @ weight.T)[:, :12], labels, reduction="none")
    torch.testing.assert_close(each, want)
    assert not each.requires_grad
    got = torch.autograd.grad(2 * total, (x, weight))
    torch.testing.assert_close(got, torch.autograd.grad(2 * want.sum(), (x, weight)))
    with torch.autocast("cpu", torch.bfloat16):
        low, _ = kosmos.NextToken.apply(x, weight, labels, 12)
    torch.testing.assert_close(low, total, atol=0.2, rtol=0.01)
    assert torch.autograd.grad(low, weight)[0].dtype == torch.float32


@pytest.mark.slow
def test_layers_computed_again_or_compiled_learn_the_same(kit):
    batch = batch_of(kit, [[20, 21], None, [22, 23]], [[24], None])
    plain, built = (build(kit.config(recompute=again), kit.vocabulary)[0].train() for again in (False, True))
    torch.testing.assert_close(gradients(built, batch), gradients(plain, batch))
    for block in plain.blocks:  # the tracer alone, without its C++: one graph, whatever the lengths
        block.compile(fullgraph=True, dynamic=True, backend="eager")
    torch.testing.assert_close(gradients(plain, batch), gradients(built, batch))
    longer = batch_of(kit, [list(range(20, 40)), None, [22, 23]], [[24]], [[25]])
    torch.testing.assert_close(losses(plain, longer), losses(built, longer))


def test_padding_and_neighbours_change_nothing(kit, small):
    alone = losses(small, batch_of(kit, [[20, 21], None, [22]]))
    beside = losses(small, batch_of(kit, [[20, 21], None, [22]], [list(range(30, 60))]))
    torch.testing.assert_close(beside[: len(alone)], alone, atol=1e-5, rtol=1e-5)


def test_the_future_is_not_seen_and_an_image_is_felt_only_after_it(kit, small):
    batch = batch_of(kit, [[20, 21], None, [22, 23]])
    right = losses(small, batch)
    wrong = losses(small, batch._replace(images=[kit.picture(99)]))
    torch.testing.assert_close(wrong[:2], right[:2])  # the words before it
    assert (wrong[2:] - right[2:]).abs().min() > 1e-7
    later = batch.ids.clone()
    later[0, -2] = 40
    labels = batch.labels.clone()
    labels[-2] = 40
    changed = losses(small, batch._replace(ids=later, labels=labels))
    torch.testing.assert_close(changed[:-2], right[:-2])
    assert abs(changed[-2] - right[-2]) > 1e-4


def test_image_embeddings_overwrite_their_slots(kit, small, monkeypatch):
    batch = batch_of(kit, [[20], None, [21]], [[22, 23], None, None])
    seen = {}
    monkeypatch.setattr(small.blocks[0], "forward", lambda x, turns, extend: seen.setdefault("x", x))
    stems = vision.StemCache(small.tower)(batch.images)
    small.hidden(batch.ids, batch.rows, batch.slots, small.see(stems))
    width = small.config.width
    want = small.embedding(batch.ids)
    images = small.resampler(small.tower.head(stems))
    assert images.shape == (3, kit.vocabulary.image_tokens, width)
    for n, (row, slots) in enumerate(zip(batch.rows, batch.slots, strict=True)):
        want[row, slots] = images[n]
    torch.testing.assert_close(seen["x"], want * math.sqrt(width))


def test_xpos_depends_on_distance_alone_and_decays_with_it():
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, 16).expand(2, 1, 1, 600, 16)
    turn_q, turn_k = kosmos.xpos(0, 600, 16, 300, q.device)
    scores = kosmos.rotate(q, turn_q) @ kosmos.rotate(k, turn_k).transpose(-1, -2)
    for distance in (0, 1, 50):
        line = torch.diagonal(scores[0, 0], -distance)
        torch.testing.assert_close(line, line[:1].expand_as(line), atol=1e-3, rtol=1e-3)
    assert torch.allclose(torch.diagonal(scores[0, 0]), q[0, 0, 0] @ k[0, 0, 0], atol=1e-3)
    scale = (torch.arange(0, 16, 2) + 0.4 * 16) / (1.4 * 16)
    asked, told = (torch.complex(*turn) for turn in (turn_q, turn_k))
    torch.testing.assert_close((asked[512] * told[0]).abs(), scale, atol=1e-5, rtol=1e-5)  # 512 tokens apart


@torch.no_grad()
def test_reading_on_from_a_cache_is_reading_at_once(kit, small):
    batch = batch_of(kit, [[20, 21], None, [22, 23, 24]], [[25, 26], None, [27, 28, 29]])
    seen = small.see(vision.StemCache(small.tower)(batch.images))
    whole = small.hidden(batch.ids, batch.rows, batch.slots, seen)
    cache = kosmos.Cache(len(small.blocks), 40)  # another centre than the whole's
    nothing = batch.rows[:0]
    parts = [small.hidden(batch.ids[:, :9], batch.rows, batch.slots, seen, cache)]
    for start, end in ((9, 11), (11, 12), (12, 13)):  # two tokens at once, then one
        parts.append(small.hidden(batch.ids[:, start:end], nothing, batch.slots[:0], None, cache))
    assert batch.ids.shape[1] == 13 and cache.length == 13
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=2e-6, rtol=2e-5)
    cache.take(torch.tensor([1, 1]))
    again = small.hidden(torch.tensor([[30], [31]]), nothing, batch.slots[:0], None, cache)
    more = torch.cat([batch.ids[[1, 1]], torch.tensor([[30], [31]])], 1)
    want = small.hidden(more, torch.tensor([0, 1]), batch.slots[[1, 1]], seen[[1, 1]])[:, -1:]
    torch.testing.assert_close(again, want, atol=2e-6, rtol=2e-5)


def test_initialisation_has_magnetos_gain_on_values_and_none_on_queries_and_keys(kit):
    layers, width, ffn = 24, 64, 128
    block = kosmos.Block(kit.config(layers=layers, width=width, ffn=ffn))
    gain = math.sqrt(math.log(2 * layers))
    assert gain == pytest.approx(1.968, abs=1e-3)
    scaled = (block.attention.v_proj, block.attention.out_proj, block.ffn.fc1, block.ffn.fc2)
    for linear in (*scaled, block.attention.q_proj, block.attention.k_proj):
        bound = 1 / math.sqrt(linear.in_features) * (gain if linear in scaled else 1.0)
        assert float(linear.weight.detach().abs().max()) == pytest.approx(bound, rel=0.02)


def test_the_resampler_starts_as_the_reference_does():
    """fairseq's `MultiheadAttention.reset_parameters`: the bound of Xavier's uniform, 1/sqrt(2) of it for q, k and v."""
    width = 64
    attention = kosmos.Resampler(24, width, 4, 8, 0.0).attention
    for linear, bound in (
        (attention.q_proj, math.sqrt(1.5 / width)),
        (attention.k_proj, math.sqrt(1.5 / width)),
        (attention.v_proj, math.sqrt(1.5 / width)),
        (attention.out_proj, math.sqrt(3 / width)),
    ):
        assert float(linear.weight.detach().abs().max()) == pytest.approx(bound, rel=0.01)
    assert not attention.out_proj.bias.any() and attention.q_proj.bias.any()


# The first three channels of each of seven places, and each place's squared norm, as torchscale 0.3.0 computes them
# (torchscale.architecture.decoder.Decoder: 2 layers of 16 with 2 heads and 32 hidden, subln, xpos_rel_pos, no embedding
# scale) from the weights and inputs of `waves`.
GOLDEN = (
    (-0.25648, 1.36013, -1.18895, 16.46053),
    (0.64776, 0.29068, -1.64619, 15.99591),
    (0.42602, 0.19935, -1.31222, 17.25364),
    (-0.38597, 1.48614, -1.10159, 16.46368),
    (0.64492, 0.3163, -1.65752, 15.96403),
    (0.45264, 0.15607, -1.31793, 17.20804),
    (-0.40668, 1.4951, -1.06037, 16.57212),
)


@torch.no_grad()
def test_the_decoder_computes_what_torchscales_does(kit):
    config = kit.config(layers=2, width=16, heads=2, ffn=32)
    decoder = torch.nn.Module()
    decoder.blocks = torch.nn.ModuleList(kosmos.Block(config) for _ in range(2))
    decoder.final_ln = torch.nn.LayerNorm(16)
    for name, value in decoder.named_parameters():
        value.copy_(waves(value.shape, sum(name.encode()) % 97) + ("ln.weight" in name))  # a norm's gain is about 1
    x = waves((1, 7, 16), 5)
    turns = kosmos.xpos(0, 7, 8, 3, x.device)
    for block in decoder.blocks:
        x = block(x, turns)
    x = decoder.final_ln(x)[0]
    got = torch.cat([x[:, :3], x.square().sum(-1, keepdim=True)], 1)
    torch.testing.assert_close(got, torch.tensor(GOLDEN), atol=3e-5, rtol=1e-5)


def test_sub_ln_stands_before_both_output_projections(small):
    seen = {}
    block = small.blocks[0]
    hooks = [
        linear.register_forward_pre_hook(lambda module, inputs, name=name: seen.update({name: inputs[0]}))
        for name, linear in (("out_proj", block.attention.out_proj), ("fc2", block.ffn.fc2))
    ]
    x = 7 * torch.randn(1, 5, small.config.width)
    block(x, kosmos.xpos(0, 5, small.config.width // small.config.heads, 2, x.device))
    for hook in hooks:
        hook.remove()
    for name in ("out_proj", "fc2"):  # norms at their initial weights: mean 0, deviation 1
        torch.testing.assert_close(seen[name].mean(-1), torch.zeros(1, 5), atol=1e-4, rtol=0)
        torch.testing.assert_close(seen[name].std(-1, correction=0), torch.ones(1, 5), atol=1e-2, rtol=0)


def test_flamingos_resampler_stands_where_the_config_asks_for_it(kit):
    model, _ = build(kit.config(resampler="flamingo"), kit.vocabulary)
    learn(model, batch_of(kit, [None, [20]]))[0].backward()
    assert len(model.resampler.layers) == 6
    assert all(p.grad is not None and p.grad.any() for p in model.resampler.parameters())


@pytest.mark.parametrize("unfreeze", [True, False])
def test_of_clip_only_the_last_block_and_norm_are_trained(kit, unfreeze):
    model, _ = build(kit.config(unfreeze_last=unfreeze), kit.vocabulary)
    learn(model, batch_of(kit, [None, [20]]))[0].backward()
    moved = {n.split("visual.")[1] for n, p in model.tower.named_parameters() if p.grad is not None and p.grad.any()}
    assert all(n.startswith(("transformer.resblocks.1.", "ln_post.")) for n in moved)
    assert bool(moved) == unfreeze
    saved = {name for name in model.trained_state() if name.startswith("tower.")}
    assert {name.split("visual.")[1] for name in saved} >= moved and bool(saved) == unfreeze


def test_models_that_cannot_be_are_one_clear_line(kit, tmp_path):
    with pytest.raises(ConfigError, match="multiple of twice"):
        build(kit.config(width=30, heads=4), kit.vocabulary)
    with pytest.raises(ConfigError, match=r"no open_clip_config\.json"):
        vision.load_tower(f"local-dir:{tmp_path}", "", True)
    with pytest.raises(ConfigError, match="vision_pretrained"):
        vision.load_tower("ViT-B-32", "", True)
    with pytest.raises(ConfigError, match=r"'ViT-B-99' is no open_clip model \(did you mean 'ViT-B-"):
        vision.load_tower("ViT-B-99", "openai", True)
    with pytest.raises(ConfigError, match="neither a file nor one of openai"):
        vision.load_tower("ViT-B-32", "no-such-tag", True)
    with pytest.raises(ConfigError, match=r"QuickGELU: train\.vision = 'ViT-B-32-quickgelu'"):
        vision.load_tower("ViT-B-32", "openai", True)
    with pytest.raises(ConfigError, match=r"TAG=FILE"):
        vision.load_tower("ViT-B-32", str(TINY_CLIP / "open_clip_model.safetensors"), True)
