"""Images that fetch stored as WebP or PNG: shards name them so, and the trainer and webdataset read them."""

import io

import numpy as np
import pytest
from pack_world import World, run, samples
from PIL import Image

from weft.model_smoketest.tars import Tar
from weft.schemas.shards import Vocabulary


def picture(kind: str, number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (20 * number, 90, 200)).save(out, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return out.getvalue()


@pytest.mark.parametrize(("kind", "suffix"), [("WEBP", "webp"), ("PNG", "png")])
def test_shards_name_images_by_their_format(tmp_path, kind, suffix):
    world = World()
    for number in range(6):
        world.image(f"i{number}", data=picture(kind, number))
    for number in range(3):
        names = (f"i{2 * number}",), (f"i{2 * number + 1}",)
        world.document(f"{number:032x}", "words before", names[0], "words between", names[1], "words after")
        world.pair(f"{number:031x}p", f"{number:032x}", f"i{number}", f"a caption {number}")
    output = world.write(tmp_path)
    run(output, "pack.val_fraction=0.0", "pack.min_document_similarity=-1.0")
    pairs, documents = samples(output, "pairs"), samples(output, "interleaved")
    assert len(pairs) == len(documents) == 3
    for sample in pairs:
        number = int(sample["txt"].decode().split()[-1])
        assert sample[suffix] == picture(kind, number)
    vocabulary = Vocabulary.loads((output / "shards/tokenizer_info.json").read_text())
    seen = set()
    for corpus, count in (("pairs", 1), ("interleaved", 2)):
        for path in (output / "shards" / corpus / "train").glob("*.tar"):
            tar = Tar(path)
            for key in tar.samples:
                images = tar.read(corpus, key, vocabulary).images
                assert len(images) == count
                colours = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[4, 4] for data in images]
                assert all(abs(int(c[2]) - 200) < 3 and int(c[1]) in range(88, 93) for c in colours)
                seen.update(round(int(c[0]) / 20) for c in colours)
    assert seen == set(range(6))
