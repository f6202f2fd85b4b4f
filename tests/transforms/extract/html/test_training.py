"""How the weights are made: labels, the table, a fit."""

import gzip
import json

import numpy as np
import pytest

from weft.schemas.parameters import PageRules
from weft.transforms.archives.read import read_archive
from weft.transforms.extract.html.model import Model
from weft.transforms.extract.html.training import fit, labels, table
from weft.transforms.extract.page import extract_page

GOLD = "Foxes and dogs. The quick brown fox jumps over the lazy dog. Reviews. It was a fine day for all of them."


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["The quick brown fox jumps over the lazy dog.", "Nothing of the kind is said here"], [1.0, 0.0]),
        (["Reviews", "The quick brown fox jumps over the lazy dog.", "Reviews"], [0.0, 1.0, 1.0]),  # the one in order
        (["The quick brown fox walks over the lazy dog."], [8 / 9]),
        (["", "!!"], [0.0, 0.0]),
    ],
)
def test_labels_say_what_is_in_the_gold_text(texts, wanted):
    assert labels.label(texts, GOLD) == pytest.approx(wanted)


@pytest.fixture(scope="module")
def made(small_web, tmp_path_factory):
    """A table of the small web's pages, each with its own extraction for a gold text."""
    home = tmp_path_factory.mktemp("table")
    archives = sorted(str(path) for path in small_web.rglob("*.warc.gz"))
    gold, images = [], []
    for path in archives:
        for record in read_archive(path):
            if getattr(record, "url", "") and record.header("content-type").startswith("text/html"):
                document = extract_page(record, PageRules(languages=(), min_words=0, gibberish=False)).document
                if document is not None:
                    text = "\n".join(text for text in document.texts if text)
                    gold.append({"url": record.url, "gold_text": text, "page_type": "article"})
                    urls = [{"urls": [url], "label": "in"} for url in document.images if url]
                    images.append({"url": record.url, "images": urls})
    for name, lines in (("gold", gold), ("images", images)):
        with gzip.open(home / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    table.MIN_DOMAINS, before = 1, table.MIN_DOMAINS
    table.make(archives, str(home / "gold.jsonl.gz"), str(home / "images.jsonl.gz"), home / "table.npz.xz")
    table.MIN_DOMAINS = before
    return table.load(home / "table.npz.xz")


def test_a_table_holds_what_a_page_is(made):
    assert len(made.examples) > 20 and made.names and made.words
    for example in made.examples:
        f = example.features
        assert len(f.dense) == len(f.kinds) == len(example.texts) == len(example.images) == len(f.container)
        assert f.inline_ends[-1] == len(f.inline) and f.head_ends[-1] == len(f.heads)
        assert f.names.max(initial=-1) < len(made.names) and f.heads.max(initial=-1) < len(made.words)
    assert any((example.images == table.IN).any() for example in made.examples)


def test_the_network_in_torch_is_the_model_in_numpy(made):
    import torch

    examples = made.examples[:12]
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
            out, _ = net(fit.Batch([example._replace(features=normal)], ["article"], {"article": 1.0}))
        texts, images = model(f)
        assert np.abs(out[:, 0].numpy() - texts).max() < 0.1 and np.abs(out[:, 1].numpy() - images).max() < 0.1


def test_sites_stay_in_one_fold():
    assert table.domain("https://a.example.co.uk/x") == table.domain("http://b.example.co.uk/")
    assert table.domain("https://a.example.com/x") != table.domain("https://example.org/")


def test_the_shipped_table_is_what_the_shipped_weights_are_for():
    from weft.transforms.extract.html.model import shipped

    weights = shipped()
    found = table.load(table.SHIPPED)
    assert list(weights.names) == found.names and list(weights.words) == found.words
    scores = [fit.f1(example, weights) for example in found.examples[::20]]
    assert np.mean(scores) > 0.85
