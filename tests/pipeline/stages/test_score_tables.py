"""The tables that score writes beside similarities, on drawn pictures: heads, prompts, repeats, strangers and vectors."""

import hashlib
import io
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from pack_world import World, fates, run, url
from safetensors.numpy import save_file

from weft.pipeline.demo import pictures
from weft.pipeline.run.context import Context
from weft.pipeline.stages import score
from weft.schemas.config import Config, Pack, Score
from weft.schemas.parameters import ConfigError
from weft.schemas.records import ImageRow, KeptRow
from weft.transforms.fetch.decode import phash
from weft.transforms.score import clip, heads
from weft.transforms.score.clip import ImageHandler, TextHandler
from weft.transforms.score.vectors import ImageRef, TextRef

CONFIG = Score(compare="always", device="cpu", batch_size=4, buckets=2)
SCENES = {name: pictures.sample_scene(f"tables-{name}") for name in "abcdef"}
PROMPTS = {"picture": (pictures.caption(SCENES["a"], 0), pictures.caption(SCENES["a"], 1)),
           "other": (pictures.caption(SCENES["b"], 0),)}  # fmt: skip


class Drawn(World):
    """A page with a picture and a pair for each scene; "copy" is "a" again, larger, and "far" is it on another host."""

    def __init__(self):
        super().__init__()
        for name in SCENES:
            self.drawn(url(name), name, 180)
            self.add(name, url(name), name)
        self.drawn(url("copy"), "a", 220)
        self.add("copy", url("copy"), "a")
        self.drawn("http://far.test/a.jpg", "a", 180)
        self.add("far", "http://far.test/a.jpg", "a")
        self.document("page", pictures.caption(SCENES["b"], 0), ("a",), ("b",), pictures.caption(SCENES["a"], 0))

    def drawn(self, address, scene, side):
        out = io.BytesIO()
        picture = pictures.draw(SCENES[scene], side, side)
        picture.save(out, "JPEG", quality=92)
        data, start = out.getvalue(), len(self.blob)
        self.images.append(
            ImageRow(address, hashlib.sha256(data).hexdigest(), "ok", 200, "image/jpeg", side, side, side, side, phash(picture),
                     "images/blobs/b", start, len(data), 0, "warc", False)
        )  # fmt: skip
        self.blob += data

    def add(self, pair_id, address, scene):
        self.pair(pair_id, "page", "a", pictures.caption(SCENES[scene], 0))
        self.pairs[-1] = self.pairs[-1]._replace(image_url=address)
        self.kept.append(KeptRow("pair", f"page:{pair_id}", "page", "", 0))

    def write(self, output, files=1, reverse=False):
        super().write(output, files, reverse)
        for table in ("scores", "fates/score"):  # those are made here
            shutil.rmtree(output / table)
        return output


def rows(home, table):
    return [row for path in sorted((home / table).rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def context(home, config):
    return Context(str(home), (), Config(score=config), "f", ("--direct_num_workers=1",))


def saved(home):
    tables = ("scores", "image_scores", "baseline", "embeddings")
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table in tables
        for path in sorted((home / table).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def model():
    return clip.load(CONFIG)


@pytest.fixture(scope="module")
def files(tmp_path_factory, model):
    """Heads of LAION's form for this model's vectors, and the vectors of scene c as an evaluation set."""
    home, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(2)
    width = len(text_vector(model, "x"))
    first, last = rng.normal(size=(8, width)), rng.normal(size=(1, 8))
    save_file({"a.weight": np.float32(first), "b.weight": np.float32(last)}, home / "unsafe.safetensors")
    save_file({"weight": np.float32(rng.normal(size=(1, width)))}, home / "aesthetic.safetensors")
    return home


def text_vector(model, text):
    (made,) = TextHandler(CONFIG).run_inference([TextRef("", text)], model)
    return np.frombuffer(made.vector, np.float32)


def image_vector(model, home, address):
    row = next(row for row in rows(home, "images/index") if row["image_url"] == address)
    (made,) = ImageHandler(CONFIG).run_inference(
        [ImageRef("", str(home / row["blob"]), row["offset"], row["length"])], model
    )
    return np.frombuffer(made.vector, np.float32)


def asked(home, files, model):
    np.save(files / "eval.npy", image_vector(model, home, url("c"))[None].astype(np.float16))
    return Score(
        compare="always", device="cpu", batch_size=4, buckets=2, embeddings=True, prompts=PROMPTS, near_images=0.97,
        unsafe_head=str(files / "unsafe.safetensors"), aesthetic_head=str(files / "aesthetic.safetensors"),
        evaluation_embeddings=(str(files / "eval.npy"),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory, files, model):
    home = Drawn().write(tmp_path_factory.mktemp("tables"))
    config = asked(home, files, model)
    score.run(context(home, config))
    return home, config


def test_each_image_is_judged_by_its_own_vector(done, model):
    home, config = done
    found = {row["image_url"]: row for row in rows(home, "image_scores")}
    assert set(found) == {row["image_url"] for row in rows(home, "images/index")}
    names = {name: [text_vector(model, text) for text in said] for name, said in PROMPTS.items()}
    for address, row in found.items():
        vector = image_vector(model, home, address)
        for kind in ("unsafe", "aesthetic"):
            head = heads.load(kind, getattr(config, f"{kind}_head"), len(vector))
            assert row[kind] == pytest.approx(float(head(vector)[0]), abs=1e-3), (address, kind)
        (told,) = heads.ask(vector, names, float(model.model.logit_scale.detach().exp()))
        assert dict(row["prompt_cosines"]) == pytest.approx(told.cosines, abs=1e-4)
        assert (row["prompt"], row["watermark"]) == (told.name, None)
    assert (found[url("a")]["prompt"], found[url("b")]["prompt"]) == ("picture", "other")


def test_an_evaluation_picture_is_found_again(done):
    found = {row["image_url"]: row["evaluation_similarity"] for row in rows(done[0], "image_scores")}
    assert max(found, key=found.get) == url("c") and found[url("c")] > 0.999
    assert {row["evaluation"] for row in rows(done[0], "image_scores")} == {"eval.npy:0"}


def test_a_smaller_picture_of_the_same_host_is_a_repeat(done):
    found = {row["image_url"]: row["repeat_of"] for row in rows(done[0], "image_scores")}
    assert found[url("a")] == url("copy")
    assert {address for address, of in found.items() if of == url("copy")} == {url("a")}
    assert found["http://far.test/a.jpg"] == found[url("copy")] == ""


def test_the_baseline_is_of_the_same_pictures_with_other_captions(done):
    found = rows(done[0], "baseline")
    pairs = {row["id"]: row["similarity"] for row in rows(done[0], "scores") if row["kind"] == "pair"}
    assert 5 <= len(found) <= 6  # a picture or words that stand twice are in it once
    assert {row["pair_id"] for row in found} == {row["other_id"] for row in found} <= set(pairs)
    assert all(row["similarity"] == pairs[row["pair_id"]] and row["pair_id"] != row["other_id"] for row in found)
    assert np.mean([row["similarity"] - row["baseline"] for row in found]) > 0.2


def test_each_image_is_matched_with_the_text_that_fits(done):
    found = [row for row in rows(done[0], "scores") if row["matched"]]
    assert {(row["image_position"], row["text_position"]) for row in found if row["kind"] == "document"} == {
        (1, 3),
        (2, 0),
    }
    assert sum(row["kind"] == "pair" for row in found) == 8


def test_vectors_are_kept_beside_what_they_are_of(done, model):
    home = done[0] / "embeddings"
    for kind, columns in (("images", {"url"}), ("pairs", {"url", "caption", "key", "similarity"})):
        parts = sorted((home / kind / "metadata").iterdir())
        table = [row for path in parts for row in pq.read_table(path).to_pylist()]
        assert len(table) == 8 and set(table[0]) == columns
        images = np.concatenate([np.load(path) for path in sorted((home / kind / "img_emb").iterdir())])
        assert images.dtype == np.float16 and len(images) == 8
        for row, vector in zip(table, images, strict=True):
            np.testing.assert_allclose(vector, image_vector(model, done[0], row["url"]), atol=2e-3)
        if kind == "pairs":
            texts = np.concatenate([np.load(path) for path in sorted((home / kind / "text_emb").iterdir())])
            for row, image, text in zip(table, images.astype(float), texts.astype(float), strict=True):
                assert image @ text == pytest.approx(row["similarity"], abs=2e-3)
                np.testing.assert_allclose(text, text_vector(model, row["caption"]), atol=2e-3)


def test_order_and_files_decide_nothing(done, tmp_path):
    other = Drawn().write(tmp_path, files=3, reverse=True)
    score.run(context(other, done[1]))
    assert saved(other) == saved(done[0])


def test_what_nobody_asks_is_not_written(tmp_path):
    home = Drawn().write(tmp_path)
    score.run(context(home, CONFIG))
    assert {path.name for path in home.iterdir()} & {"image_scores", "baseline"} == {"baseline"}
    assert {path.name for path in (home / "embeddings").iterdir()} == {"blobs", "texts"}


def test_pack_takes_them_as_they_are(done):
    home = done[0]
    options = [
        *(f"score.{kind}_head={getattr(done[1], f'{kind}_head')}" for kind in ("unsafe", "aesthetic")),
        f"score.evaluation_embeddings={json.dumps(done[1].evaluation_embeddings)}",
        "score.near_images=0.97", "pack.max_evaluation_similarity=0.995", "pack.drop_near_images=true",
        "pack.pair_min_side=0", "pack.pair_min_similarity=-1.0",
    ]  # fmt: skip
    run(home, *options)
    found = {key: row for (kind, key), row in fates(home).items() if kind == "pair"}
    assert (found["page:c"]["reason"], found["page:c"]["detail"][:10]) == ("evaluation_embedding", "eval.npy:0")
    assert (found["page:a"]["reason"], found["page:a"]["detail"]) == ("near_image", url("copy"))
    assert sum(not row["reason"] for row in found.values()) == 6


@pytest.mark.parametrize("least", [0.0, 0.97])
def test_the_same_picture_on_another_host_is_a_repeat_by_its_hash(tmp_path, least):
    config = Score(device="cpu", batch_size=4, buckets=2, near_hash=4, near_images=least)
    home, other = Drawn().write(tmp_path / "one"), Drawn().write(tmp_path / "other", files=3, reverse=True)
    for output in (home, other):
        score.run(context(output, config))
    assert saved(home) == saved(other)
    found = {row["image_url"]: row["repeat_of"] for row in rows(home, "image_scores") if row["repeat_of"]}
    assert found == {url("a"): url("copy"), "http://far.test/a.jpg": url("copy")}
    assert (home / "embeddings/blobs").exists() == bool(least)  # hashes alone ask for no model
    limits = ["pack.drop_near_images=true", "pack.pair_min_side=0", "pack.pair_min_similarity=-1.0"]
    run(home, "score.near_hash=4", f"score.near_images={least}", *limits)
    dropped = {key: row["detail"] for (kind, key), row in fates(home).items() if row["reason"] == "near_image"}
    assert dropped == {"page:a": url("copy"), "page:far": url("copy")}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"unsafe_head": "absent.safetensors"}, "No such file"),
        ({"evaluation_embeddings": ("absent.npy",)}, "evaluation_embeddings"),
        ({"prompts": {"one": ("a", "b")}}, "one name"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(tmp_path, wrong, said):
    home = Drawn().write(tmp_path)
    with pytest.raises(ConfigError, match=said):
        score.run(context(home, Score(device="cpu", **wrong)))
    assert not (home / "scores").exists()


def test_a_head_of_another_model_is_said_before_anything_is_written(tmp_path):
    home = Drawn().write(tmp_path)
    save_file({"weight": np.zeros((1, 768), np.float32)}, tmp_path / "head.safetensors")
    with pytest.raises(ConfigError, match="vectors of 768 numbers"):
        score.run(context(home, Score(device="cpu", aesthetic_head=str(tmp_path / "head.safetensors"))))


def test_a_limit_on_what_is_not_measured_is_said_by_score_already(tmp_path):
    home = Drawn().write(tmp_path)
    config = Config(score=CONFIG, pack=Pack(max_unsafe=0.5))
    with pytest.raises(ConfigError, match=r"pack\.max_unsafe needs score\.unsafe_head"):
        score.run(Context(str(home), (), config, "f", ()))
