"""A fit: the network in torch is the model in numpy, and the shipped weights are what the shipped table is for."""

import numpy as np

from weft.transforms.extract.html.model import Model
from weft.transforms.extract.html.training import fit, table


def test_the_network_in_torch_is_the_model_in_numpy(made):
    import torch

    examples = [*made.examples[:8], *made.examples[-4:]]
    weights = fit.fit(examples, made.names, made.words, epochs=1, seed=0)
    assert all(np.isfinite(values).all() for values in weights.values() if values.dtype.kind == "f")
    model = Model(weights)
    net = fit.Net(len(weights["mean"]), len(weights["page_mean"]), len(made.names), len(made.words), 1)
    state = net.state_dict()
    for name in ("context", "own", "heads", "about"):
        state[f"bags.{name}.weight"] = torch.from_numpy(weights[name])
    for name in ("around", "inside", "kind"):
        state[f"kinds.{name}.weight"] = torch.from_numpy(weights[name])
    two = np.concatenate([weights[f"w2_{part}"] for part in ("hidden", "around", "mean", "page")])
    for name, value in (("one.weight", weights["w1"].T), ("one.bias", weights["b1"]),
                        ("message.weight", weights["wm"].T), ("message.bias", weights["bm"]),
                        ("sort.weight", weights["wp"].T), ("sort.bias", weights["bp"]), ("two.weight", two.T),
                        ("two.bias", weights["b2"]), ("three.weight", weights["w3"].T), ("three.bias", weights["b3"])):  # fmt: skip
        state[name] = torch.from_numpy(np.ascontiguousarray(value))
    net.load_state_dict(state)
    net.eval()
    for example in examples:
        f = example.features
        normal = f._replace(
            dense=np.clip((f.dense - weights["mean"]) * weights["scale"], -6, 6),
            page=np.clip((f.page - weights["page_mean"]) * weights["page_scale"], -6, 6),
        )
        with torch.no_grad():
            out, _ = net(fit.Batch([example._replace(features=normal)], ["article"], {"article": 1.0, "": 1.0}))
        texts, images = model(f)
        assert np.abs(out[:, 0].numpy() - texts).max() < 0.1 and np.abs(out[:, 1].numpy() - images).max() < 0.1


def test_what_has_no_label_teaches_nothing(made):
    import torch

    examples = [e for e in made.examples if e.source == "parts"][:6]
    batch = fit.Batch(examples, ["article"], {"": 1.0})
    torch.manual_seed(0)
    out = torch.randn(len(batch.texts), 2, requires_grad=True)
    types = torch.randn(len(examples), 1, requires_grad=True)
    fit._loss(out, types, batch).backward()
    known = np.concatenate([(e.texts >= 0) & (e.features.words > 0) for e in examples])
    assert known.any() and not known.all()
    assert ((out.grad[:, 0] != 0).numpy() == known).all() and not types.grad.any()


def test_the_shipped_table_is_what_the_shipped_weights_are_for():
    from weft.transforms.extract.html.model import shipped

    weights = shipped()
    found = table.load(table.SHIPPED)
    assert list(weights.names) == found.names and list(weights.words) == found.words
    scores = [fit.f1(example, weights) for example in found.examples[::20]]
    assert np.mean(scores) > 0.85
