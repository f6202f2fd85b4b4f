"""The whole stage on planted tables and pictures: what is compared with what, and what becomes of each."""

import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from weft.pipeline.cli import mendable
from weft.pipeline.demo import pictures
from weft.pipeline.run import books, registry
from weft.pipeline.run.context import Context
from weft.pipeline.stages import score
from weft.schemas.config import Config, Dedup, Pack, Score
from weft.schemas.parameters import ConfigError
from weft.schemas.tables import CUTS, DOCUMENTS, IMAGES, KEPT, PAIRS
from weft.transforms.io.parquet import write_table
from weft.transforms.score import clip, units
from weft.transforms.score.clip import Clip, ImageHandler, TextHandler
from weft.transforms.score.clip_weights import TINY_CLIP
from weft.transforms.score.vectors import ImageRef, TextRef, similarity

Row = dict[str, Any]
SCENES = {name: pictures.sample_scene(f"score-{name}") for name in "abcd"}
CONFIG = Score(compare="always", device="cpu", batch_size=4, max_text_chars=80, buckets=3)
SITE = "http://site.test"
LONG = (3 * f"{pictures.caption(SCENES['b'], 0)}. ")[:80]  # as much of a text as is compared


def told(name: str, variant: int = 0) -> str:
    return pictures.caption(SCENES[name], variant)


DOCUMENT_ROWS: list[Row] = [
    # Two texts, three pictures of which one was not fetched, and one picture twice under addresses that mean the same.
    {
        "doc_id": "two",
        "warc_offset": 10,
        "texts": [told("a"), None, None, LONG + " and much more that nobody compares", None, None],
        "images": [None, f"{SITE}/a.jpg", f"{SITE}/gone.jpg", None, f"{SITE}/b.jpg", "https://site.test/a.jpg#top"],
    },
    # The same record in another archive: dedup kept the other one.
    {"doc_id": "two", "warc_offset": 99, "texts": ["elsewhere", None], "images": [None, f"{SITE}/c.jpg"]},
    {"doc_id": "dropped", "warc_offset": 20, "texts": [told("c"), None], "images": [None, f"{SITE}/c.jpg"]},
    {"doc_id": "plain", "warc_offset": 30, "texts": ["Only words.", "And more."], "images": [None, None]},
    {"doc_id": "silent", "warc_offset": 40, "texts": [None, "   "], "images": [f"{SITE}/c.jpg", None]},
    {"doc_id": "broken", "warc_offset": 50, "texts": [told("d"), None], "images": [None, f"{SITE}/broken.jpg"]},
    {"doc_id": "again", "warc_offset": 60, "texts": [f"  {told('a')}\n", None], "images": [None, f"{SITE}/a.jpg"]},
]
KEPT_DOCUMENTS = {"two": 10, "plain": 30, "silent": 40, "broken": 50, "again": 60}
PAIR_ROWS: list[Row] = [
    {"doc_id": "two", "pair_id": "p1", "image_url": "https://site.test:443/a.jpg", "text": told("a", 2)},
    {"doc_id": "two", "pair_id": "p2", "image_url": f"{SITE}/gone.jpg", "text": told("b")},
    {"doc_id": "broken", "pair_id": "p3", "image_url": f"{SITE}/broken.jpg", "text": told("d")},
    {"doc_id": "again", "pair_id": "p4", "image_url": f"{SITE}/never-asked.jpg", "text": told("d")},
    {"doc_id": "silent", "pair_id": "p5", "image_url": f"{SITE}/c.jpg", "text": told("d")},
    {"doc_id": "dropped", "pair_id": "p5", "image_url": f"{SITE}/c.jpg", "text": told("d")},
    {"doc_id": "plain", "pair_id": "p6", "image_url": f"{SITE}/copy-of-a.jpg", "text": told("a", 2)},
    {"doc_id": "plain", "pair_id": "p7", "image_url": f"{SITE}/a.jpg", "text": " \n"},
    {"doc_id": "plain", "pair_id": "p8", "image_url": f"{SITE}/b.jpg", "text": LONG + " word" * 10_000},
]
KEPT_PAIRS = ["two:p1", "two:p2", "broken:p3", "again:p4", "silent:p5", "plain:p6", "plain:p7", "plain:p8"]
STORED = {"a.jpg": "a", "b.jpg": "b", "c.jpg": "c", "unused.jpg": "d"}


def write(path: Path, rows: Sequence[Row], schema: pa.Schema) -> None:
    write_table(str(path), [tuple(row.get(name) for name in schema.names) for row in rows], schema)


def plant(home: Path, order: int = 1, files: int = 1, blobs: int = 1) -> Path:
    """A run's tables as dedup and fetch leave them; `order` -1 turns every table round, `files` spreads it.

    Args:
        blobs: files that the pictures lie in; the first holds what is there twice.
    """
    (home / "images/blobs").mkdir(parents=True)
    index: list[Row] = [{"image_url": f"{SITE}/gone.jpg", "status": "http_error"}]
    with (home / "images/blobs/one.bin").open("wb") as blob:
        for name, scene in STORED.items():
            start = blob.tell()
            pictures.draw(SCENES[scene], 180, 140).save(blob, "JPEG", quality=90)
            index.append(
                {"image_url": f"{SITE}/{name}", "image_id": scene, "offset": start, "length": blob.tell() - start}
            )
        index.append({"image_url": f"{SITE}/broken.jpg", "image_id": "x", "offset": blob.tell(), "length": 9})
        # Equal bytes, kept elsewhere: read from one place, and this one would not decode.
        index.append({"image_url": f"{SITE}/copy-of-a.jpg", "image_id": "a", "offset": blob.tell(), "length": 9})
        blob.write(b"no image.")
    if blobs > 1:  # the same bytes at the same places of several files
        for number in range(blobs):
            (home / f"images/blobs/one-{number}.bin").write_bytes((home / "images/blobs/one.bin").read_bytes())
        (home / "images/blobs/one.bin").unlink()
    name = {scene: f"one-{number % blobs}" if blobs > 1 else "one" for number, scene in enumerate("abxcd")}
    index = [{"status": "ok", "blob": f"images/blobs/{name.get(row.get('image_id', ''))}.bin", **row} for row in index]
    kept = [
        {"kind": "document", "key": name, "doc_id": name, "warc_file": "w.gz", "warc_offset": offset}
        for name, offset in KEPT_DOCUMENTS.items()
    ] + [
        {"kind": "pair", "key": key, "doc_id": key.split(":")[0], "warc_file": "", "warc_offset": 0}
        for key in KEPT_PAIRS
    ]
    documents = [{"warc_file": "w.gz", **row} for row in DOCUMENT_ROWS]
    for name, rows, schema in (
        ("documents", documents, DOCUMENTS),
        ("pairs", PAIR_ROWS, PAIRS),
        ("kept", kept, KEPT),
        ("images/index", index, IMAGES),
    ):
        for part in range(files):
            write(home / name / f"part-{part}.parquet", rows[::order][part::files], schema)
    return home


def context(home: Path, config: Score = CONFIG) -> Context:
    return Context(str(home), (), Config(score=config), "f", ("--direct_num_workers=1",))


def rows(home: Path, table: str) -> list[Row]:
    return [row for path in sorted((home / table).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def sums(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table in ("scores", "fates/score")
        for path in sorted((home / table).iterdir())
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    home = plant(tmp_path_factory.mktemp("score"))
    return home, score.run(context(home))


@pytest.fixture(scope="module")
def model() -> Clip:
    return clip.load(CONFIG)


def cosine(home: Path, model: Clip, image: str, text: str) -> float:
    """Similarity of one stored picture and one text, with no pipeline around it."""
    row = next(row for row in rows(home, "images/index") if row["image_url"] == f"{SITE}/{image}")
    ref = ImageRef("", str(home / row["blob"]), row["offset"], row["length"])
    (seen,) = ImageHandler(CONFIG).run_inference([ref], model)
    (read,) = TextHandler(CONFIG).run_inference([TextRef("", text)], model)
    return similarity(seen.vector, read.vector)


def test_each_text_meets_each_picture_of_its_document_and_each_pair_its_own(
    done: tuple[Path, dict[str, int]], model: Clip
) -> None:
    home, _ = done
    found = {
        (row["kind"], row["id"], row["image_position"], row["text_position"]): (row["image_url"], row["similarity"])
        for row in rows(home, "scores")
    }
    expected = {
        ("document", "two", 1, 0): ("a.jpg", told("a")),
        ("document", "two", 1, 3): ("a.jpg", LONG),
        ("document", "two", 4, 0): ("b.jpg", told("a")),
        ("document", "two", 4, 3): ("b.jpg", LONG),
        ("document", "two", 5, 0): ("a.jpg", told("a")),
        ("document", "two", 5, 3): ("a.jpg", LONG),
        ("document", "again", 1, 0): ("a.jpg", told("a")),
        ("pair", "p1", 0, 0): ("a.jpg", told("a", 2)),
        ("pair", "p5", 0, 0): ("c.jpg", told("d")),
        ("pair", "p6", 0, 0): ("copy-of-a.jpg", told("a", 2)),
        ("pair", "p8", 0, 0): ("b.jpg", LONG),
    }
    assert {key: value[0] for key, value in found.items()} == {
        key: f"{SITE}/{value[0]}" for key, value in expected.items()
    }
    assert len(rows(home, "scores")) == len(expected)
    for key, (image, text) in expected.items():
        image = image.removeprefix("copy-of-")
        assert found[key][1] == pytest.approx(cosine(home, model, image, text), abs=2e-5), key
    assert found["pair", "p6", 0, 0][1] == found["pair", "p1", 0, 0][1], "one picture, embedded once"


def test_lines_that_dedup_cut_are_not_compared(model: Clip, tmp_path: Path) -> None:
    home = plant(tmp_path)
    longer = f"A line of the site's own\n{told('a')}"
    rows_ = [{"warc_file": "w.gz", **row} for row in DOCUMENT_ROWS]
    rows_[0] = rows_[0] | {"texts": [longer, *rows_[0]["texts"][1:]]}
    write(home / "documents/part-0.parquet", rows_, DOCUMENTS)
    write_table(str(home / "cuts/part-0.parquet"), [("two", [0])], CUTS)
    config = Config(score=CONFIG, dedup=Dedup(lines_per_host=3))
    score.run(Context(str(home), (), config, "f", ("--direct_num_workers=1",)))
    found = {
        (row["image_position"], row["text_position"]): row["similarity"]
        for row in rows(home, "scores")
        if row["id"] == "two"
    }
    assert found[1, 0] == pytest.approx(cosine(home, model, "a.jpg", told("a")), abs=1e-4)
    assert (1, 3) in found


def test_what_fits_scores_above_what_does_not(done: tuple[Path, dict[str, int]]) -> None:
    found = {
        (row["image_position"], row["text_position"]): row["similarity"]
        for row in rows(done[0], "scores")
        if row["id"] == "two"
    }
    assert min(found[1, 0], found[4, 3]) > 0.8 > max(found[1, 3], found[4, 0])


def test_everything_has_one_fate_and_the_books_balance(done: tuple[Path, dict[str, int]]) -> None:
    home, entered = done
    assert entered == {"image": 6, "pair": 8, "document": 5}
    account = books.audit(str(home), "score", entered)
    assert account["document"] == {"entered": 5, "kept": 5, "dropped": {}}
    assert account["image"] == {"entered": 6, "kept": 5, "dropped": {"unreadable": 1}}
    assert account["pair"] == {"entered": 8, "kept": 4, "dropped": {"image_missing": 3, "no_text": 1}}
    fates = {(row["kind"], row["key"]): row for row in rows(home, "fates/score")}
    assert {key for kind, key in fates if kind == "document"} == set(KEPT_DOCUMENTS)
    assert fates["image", f"{SITE}/broken.jpg"]["detail"] == "UnidentifiedImageError: cannot identify image file"
    assert {key for (kind, key), row in fates.items() if kind == "pair" and row["fate"] == "kept"} == {
        "two:p1",
        "silent:p5",
        "plain:p6",
        "plain:p8",
    }
    assert fates["pair", "plain:p7"]["reason"] == "no_text"
    assert fates["pair", "broken:p3"]["detail"] == f"{SITE}/broken.jpg"


def test_order_and_files_decide_nothing(done: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    home = plant(tmp_path / "other", order=-1, files=3)
    assert score.run(context(home)) == done[1]
    assert sums(home) == sums(done[0])


@pytest.mark.parametrize("mode", ["multi_processing", "multi_threading --runner=FnApiRunner"])
def test_parallelism_decides_nothing(mode: str, done: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    home = plant(tmp_path / "other", order=-1, files=2)
    flags = ("--direct_num_workers=2", *f"--direct_running_mode={mode}".split())
    assert score.run(Context(str(home), (), Config(score=CONFIG), "f", flags)) == done[1]
    assert sums(home) == sums(done[0])


def test_memory_that_does_not_suffice_is_reported_with_what_does(
    tmp_path: Path, model: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = model.model.encode_image

    def poor(batch: Any, normalize: bool) -> Any:
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(batch, normalize=normalize)

    monkeypatch.setattr(model.model, "encode_image", poor)
    home = plant(tmp_path)
    said: list[str] = []
    assert score.run(dataclasses.replace(context(home), say=said.append))["image"] == 6
    assert len(rows(home, "scores")) == 11
    assert said == ["memory did not suffice for score.batch_size = 4: halved 1 times"]


def test_parts_have_the_configured_number_and_rows_in_order(done: tuple[Path, dict[str, int]]) -> None:
    home, _ = done
    assert len(list((home / "scores").iterdir())) == len(list((home / "fates/score").iterdir())) == CONFIG.buckets
    values = [row["similarity"] for row in rows(home, "scores")]
    np.testing.assert_allclose(values, np.round(values, 5), atol=1e-7)
    for path in (home / "scores").iterdir():
        part = [str(row) for row in pq.read_table(path).to_pylist()]
        assert len(set(part)) == len(part)


def test_a_killed_job_loses_the_units_that_were_at_work(
    done: tuple[Path, dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each blob and each bucket of texts has its file and marker; those stand, and nothing of them is computed again."""
    home = plant(tmp_path, blobs=4)
    opened, calls = clip._opened, []

    def dies(data: bytes, models: Any) -> Any:
        calls.append(data)
        if len(calls) == 4:
            raise RuntimeError("killed")
        return opened(data, models)

    monkeypatch.setattr(clip, "_opened", dies)
    with pytest.raises(Exception, match="killed"):
        score.run(context(home))
    pictures_of = {"one-0": 2, "one-1": 1, "one-2": 1, "one-3": 1}
    left = {name: count for name, count in pictures_of.items() if not (home / f"score/units/{name}.json").exists()}
    assert len(left) <= 2
    calls += [b""] * 4  # dies no more
    before = len(calls)
    assert score.run(context(home))["image"] == 6
    assert len(calls) - before == sum(left.values())
    assert sums(home) == sums(done[0])


def test_what_is_scored_again_for_another_reason_asks_the_model_for_nothing_that_stands(
    done: tuple[Path, dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another threshold, prompt or head is no reason to embed the same pictures and texts with the same model again."""
    home = tmp_path / "out"
    shutil.copytree(done[0], home)
    seen: list[str] = []
    writes = units.write_vectors
    monkeypatch.setattr(units, "write_vectors", lambda path, *more: seen.append(path) or writes(path, *more))
    config = dataclasses.replace(CONFIG, embeddings=True)
    aside = dataclasses.replace(context(home, config), fingerprint="g", aside=str(home / "score.new"))
    score.run(aside)
    assert not seen
    assert rows(home / "score.new", "scores") == rows(done[0], "scores")
    shutil.rmtree(home / "score.new")
    score.run(dataclasses.replace(aside, config=Config(score=dataclasses.replace(config, batch_size=3))))
    assert len(seen) == len(list((home / "score/units").iterdir())), "how a model is run decides the last bits"


@pytest.mark.parametrize(
    ("pack", "pictures_embedded", "texts_embedded", "kinds"),
    [
        (Pack(), set(), 0, set()),
        (Pack(pair_top_share=0.5), {"a", "b", "c", "x"}, 3, {"pair"}),
        (Pack(min_mean_similarity=0.1), {"a", "b", "c", "x"}, 3, {"document"}),
    ],
)
def test_nothing_is_embedded_that_nobody_asks_for(
    done: tuple[Path, dict[str, int]],
    tmp_path: Path,
    pack: Pack,
    pictures_embedded: set[str],
    texts_embedded: int,
    kinds: set[str],
) -> None:
    home = plant(tmp_path)
    said: list[str] = []
    config = Config(score=dataclasses.replace(CONFIG, compare="needed"), pack=pack)
    entered = score.run(Context(str(home), (), config, "f", ("--direct_num_workers=1",), say=said.append))
    assert {row["key"] for row in rows(home, "embeddings/blobs")} == pictures_embedded
    assert len(rows(home, "embeddings/texts")) == texts_embedded
    assert {str(row) for row in rows(home, "scores")} == {
        str(row) for row in rows(done[0], "scores") if row["kind"] in kinds
    }
    books.audit(str(home), "score", entered)
    fates = {(row["kind"], row["key"]): row["reason"] for row in rows(home, "fates/score")}
    assert fates["pair", "plain:p7"] == "no_text" and fates["pair", "two:p2"] == "image_missing"
    assert len(said) == 1 and ("nothing asks for CLIP" in said[0]) == (not kinds)


def test_nothing_kept_gives_empty_tables(tmp_path: Path) -> None:
    for name, schema in (("documents", DOCUMENTS), ("pairs", PAIRS), ("kept", KEPT), ("images/index", IMAGES)):
        write(tmp_path / name / "part-0.parquet", [], schema)
    entered = score.run(context(tmp_path))
    assert entered == {"image": 0, "pair": 0, "document": 0}
    assert rows(tmp_path, "scores") == rows(tmp_path, "fates/score") == []
    books.audit(str(tmp_path), "score", entered)


def test_a_model_that_there_is_not_is_said_before_anything_is_written(tmp_path: Path) -> None:
    home = plant(tmp_path)
    with pytest.raises(ConfigError, match=r"score\.model"):
        score.run(context(home, Score(compare="always", model="ViT-B-33")))
    assert not (home / "scores").exists() and not (home / "fates").exists()


def test_a_model_that_fails_in_a_worker_is_one_line(tmp_path: Path) -> None:
    home = plant(tmp_path / "run")
    broken = tmp_path / "model"
    broken.mkdir()
    (broken / "open_clip_config.json").write_bytes((TINY_CLIP / "open_clip_config.json").read_bytes())
    (broken / "open_clip_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(Exception, match="does not load") as caught:
        score.run(context(home, Score(compare="always", model=f"local-dir:{broken}", device="cpu")))
    line = mendable(caught.value)
    assert line is not None and line.startswith("score.model = ") and "\n" not in line


def test_a_blob_that_is_gone_fails_the_run_and_makes_no_fates(tmp_path: Path) -> None:
    home = plant(tmp_path)
    (home / "images/blobs/one.bin").unlink()
    with pytest.raises(Exception, match=r"one\.bin"):
        score.run(context(home))
    assert not rows(home, "scores")


def test_the_stage_is_where_the_driver_looks_for_it() -> None:
    assert registry.BY_NAME["score"].outputs == score.OUTPUTS
