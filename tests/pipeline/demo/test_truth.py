"""The demo's truth is known: how right is each filter, dedup, image placement, image check? Bounds, not figures."""

import pytest

from weft.pipeline.demo import pictures, truth


@pytest.fixture(scope="module")
def verdict(finished, small_web):
    return truth.judge(str(finished), str(small_web))


@pytest.mark.parametrize("name", ["language", "gibberish", "opt_out"])
def test_page_filters_take_what_they_should_and_nothing_else(verdict, name):
    assert verdict["filters"][name] == {"precision": 1.0, "recall": 1.0}


def test_no_page_that_should_be_kept_is_lost(verdict):
    assert verdict["pages"]["met"] == 1.0
    assert verdict["pages"]["recall"] >= 0.99 and verdict["pages"]["precision"] >= 0.98
    assert verdict["filters"]["too_short"]["precision"] == 1.0
    assert verdict["filters"]["too_short"]["recall"] >= 0.75


def test_duplicates_are_found_and_the_right_one_is_kept(verdict):
    dedup = verdict["dedup"]
    assert dedup["precision"] == 1.0
    assert dedup["recall_url"] == 1.0
    assert dedup["recall"] >= 0.85 and dedup["right_one_kept"] >= 0.8


def test_images_stand_where_they_stood_on_the_page(verdict):
    placement = verdict["placement"]
    assert placement["image_recall"] >= 0.95 and placement["image_precision"] >= 0.9
    assert placement["order"] >= 0.99 and placement["neighbours"] >= 0.98
    assert placement["sentence_recall"] >= 0.98 and placement["boilerplate_intrusion"] <= 0.05


@pytest.mark.parametrize("name", truth.SPOILED)
def test_spoiled_images_are_refused_for_what_they_are(verdict, name):
    assert verdict["images"][name]["precision"] == 1.0
    assert verdict["images"][name]["recall"] == 1.0


def test_no_good_image_is_refused(verdict):
    assert verdict["images"]["kept"] == {"precision": 1.0, "recall": 1.0}


def test_caption_pairs(verdict):
    assert verdict["pairs"]["precision"] >= 0.95 and verdict["pairs"]["recall"] >= 0.95
    assert verdict["pairs"]["tagged_kept"] == 0.0


def test_the_tiny_clip_prefers_the_right_picture(finished):
    """Captions of the demo that tell what is in a picture, with it and with the next pair's picture."""
    from pathlib import Path

    import pyarrow.parquet as pq

    from weft.schemas.config import Score
    from weft.schemas.records import hash_unit
    from weft.transforms.score import clip, vectors
    from weft.transforms.urls import image_key

    index = {
        row["image_url"]: row
        for path in Path(finished, "images/index").glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["status"] == "ok"
    }
    pairs = [row for path in Path(finished, "pairs").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    usable = {
        image_key(row["image_url"]): row
        for row in pairs
        if image_key(row["image_url"]) in index and any(shape in row["text"].lower() for shape in pictures.SHAPES)
    }
    chosen = sorted(usable, key=lambda key: hash_unit(key, "test"))[:120]
    config = Score(batch_size=len(chosen))
    model = clip.load(config)
    refs = [
        vectors.ImageRef(k, str(finished / index[k]["blob"]), index[k]["offset"], index[k]["length"]) for k in chosen
    ]
    images = [found.vector for found in clip.ImageHandler(config).run_inference(refs, model)]
    texts = [
        found.vector
        for found in clip.TextHandler(config).run_inference(
            [vectors.TextRef(k, usable[k]["text"]) for k in chosen], model
        )
    ]
    right = [vectors.similarity(i, t) for i, t in zip(images, texts, strict=True)]
    wrong = [vectors.similarity(i, t) for i, t in zip(images[1:] + images[:1], texts, strict=True)]
    assert sum(r > w for r, w in zip(right, wrong, strict=True)) / len(chosen) >= 0.95
