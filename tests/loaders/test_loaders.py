"""Each foreign loader's own code reads weft's export of it: the same ids, texts, pictures and order.

`make loaders-test` makes an environment for each (requirements/loaders/, none of it in weft's lock) and runs this.
"""

import hashlib
import io

import pytest
from PIL import Image

from weft.pipeline import export
from weft.transforms.export import items


def raw(picture):
    return hashlib.sha256(picture.data).hexdigest()


def pixels(picture):
    return hashlib.sha256(Image.open(io.BytesIO(picture.data)).convert("RGB").tobytes()).hexdigest()


def apart(item):
    return [text for text in item.texts if text is not None]


def whole(item):
    return [item.text]


def flamingo(item):
    """The one string that OpenFlamingo makes of a document."""
    texts = apart(item) or [""]
    at = [place for place, text in zip(item.places, item.texts, strict=True) if text is not None]
    before = {}
    for place, image in zip(item.places, item.images, strict=True):
        if image is not None:
            told = image.meta["matched_text"]
            after = [n for n, one in enumerate(at) if one > place]
            mine = at.index(told) if told in at else after[0] if after else len(texts) - 1
            before[mine] = before.get(mine, 0) + 1
    for place, count in before.items():
        texts[place] = "<|endofchunk|><image>" * count + texts[place]
    text = " ".join(texts).replace("<|endofchunk|>", "", 1).replace(" <|endofchunk|>", "<|endofchunk|>")
    return [text.replace("<image> ", "<image>").replace(" <image>", "<image>") + "<|endofchunk|></s>"]


# loader → (format, corpora, what a text is there, what a picture is there)
LOADERS = {
    "hf": ("obelics", ("interleaved",), apart, pixels),
    "nemo": ("mint", ("interleaved",), apart, raw),
    "openflamingo": ("mmc4", ("interleaved",), flamingo, pixels),
    "energon": ("energon", ("interleaved", "pairs", "text"), apart, pixels),
    "mds": ("mds", ("interleaved", "pairs", "text"), apart, raw),
    "datatrove-jsonl": ("jsonl", ("interleaved", "text"), whole, None),
    "datatrove-parquet": ("parquet", ("interleaved", "text"), whole, None),
    "dolma": ("jsonl", ("interleaved", "text"), whole, None),
    "openclip": ("img2dataset", ("pairs",), apart, pixels),
    "clipretrieval": ("img2dataset", ("pairs",), apart, pixels),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_a_foreign_loader_gives_what_was_packed(loader, finished, tmp_path, read):
    form, corpora, texts, image = LOADERS[loader]
    export.export(form, str(finished), str(tmp_path / form), ["--direct_num_workers=1"], quiet=True)
    wanted = [
        {"key": item.key, "texts": texts(item), "images": [image(p) for p in item.pictures] if image else []}
        for corpus in corpora
        for path in sorted((finished / "shards" / corpus / "train").glob("*.tar"))
        for item in items.read(str(path), corpus)
    ]
    if loader == "openclip":  # it shuffles, and gives no keys
        wanted = sorted(({**row, "key": ""} for row in wanted), key=lambda row: (row["texts"], row["images"]))
    found = read(loader.split("-")[0], tmp_path / form)
    assert len(found) > 5 and found == wanted
