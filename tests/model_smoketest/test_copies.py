"""Training documents that repeat a held-out one are found, whatever their ids."""

from weft.model_smoketest import copies
from weft.schemas import shards as contract


def words(begin, count=60):
    return " ".join(f"word{n}" for n in range(begin, begin + count))


def shards(kit, directory, metas):
    """Samples that have a KEY.json alone, by corpus and split."""
    for (corpus, split), told in metas.items():
        samples = {f"{corpus}{n}": {contract.META: contract.json_bytes(meta)} for n, meta in enumerate(told)}
        kit.write_tar(directory / contract.shard_name(corpus, split, 0), samples)
    return str(directory)


def test_copies_of_held_out_documents_are_named(kit, tmp_path):
    held = {
        ("interleaved", "val"): [{"doc_id": "h3", "texts": [words(2000), None, words(3000)]}],
        ("text", "val"): [
            {"documents": [{"doc_id": "h1", "text": words(0)}, {"doc_id": "h2", "text": words(1000)}]},
            {"documents": [{"doc_id": "h5", "text": "Only seven words stand in this page."}]},
        ],
        ("pairs", "val"): [{"doc_id": "h4", "text": "A red fish", "sha256": "aa"}],
    }
    trained = {
        ("text", "train"): [
            {"documents": [{"doc_id": "same", "text": words(0)}, {"doc_id": "other", "text": words(5000)}]},
            {"documents": [{"doc_id": "half", "text": words(25)}, {"doc_id": "little", "text": words(45)}]},
            {"documents": [{"doc_id": "part", "text": words(1010, 20)}, {"doc_id": "empty", "text": ""}]},
            {"documents": [{"doc_id": "short", "text": "only seven words stand in this page"}]},
            {"documents": [{"doc_id": "seven", "text": "only seven words stand in that page"}]},
        ],
        ("interleaved", "train"): [
            {"doc_id": "mirror", "texts": [None, words(3000)]},
            {"doc_id": "shown", "texts": [None, words(7000)], "images": [{"sha256": "aa", "alt": "a red  fish."}]},
            {
                "doc_id": "told",
                "texts": [None, words(7000)],
                "images": [{"sha256": "aa", "alt": "", "caption": "A red fish"}],
            },
            {
                "doc_id": "else",
                "texts": [None, words(7000)],
                "images": [{"sha256": "aa", "alt": "a fish"}, {"sha256": "bb"}],
            },
        ],
        ("pairs", "train"): [
            {"doc_id": "pair", "text": "A red fish", "sha256": "aa"},
            {"doc_id": "caption", "text": "A red fish", "sha256": "bb"},
            {"doc_id": "picture", "text": "A fish", "sha256": "aa"},
        ],
    }
    made = shards(kit, tmp_path, held | trained)
    assert copies.of([made], [made]) == {"same", "half", "part", "short", "mirror", "shown", "told", "pair"}
