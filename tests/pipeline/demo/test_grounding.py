"""The end-to-end proof: a model trained on the shards uses the pictures, and stops to when they are the wrong ones."""

import shutil

import pyarrow.parquet as pq
import pytest

import weft.schemas.config as configuration
from weft.pipeline.demo import minimal_pairs
from weft.pipeline.run import manifest
from weft.pipeline.run.context import Context
from weft.pipeline.stages import pack
from weft.schemas.records import hash_unit
from weft.schemas.tables import IMAGES
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table

# As few as show it: a quarter of a run's, at twice its rate. As many pairs and documents a step, and hardly any text,
# which has no pictures.
SHORT = (
    *("train.steps=120", "train.learning_rate=3e-3", "train.warmup_steps=20", "train.seed=1"),
    *("train.batch_tokens=600", "train.mix_text=0.01"),
)


@pytest.fixture(scope="module")
def wrong(finished, tmp_path_factory):
    """The finished run packed again with every image's bytes exchanged for another's."""
    output = tmp_path_factory.mktemp("wrong")
    for table in ("documents", "pairs", "kept", "scores", "images", "fates"):
        shutil.copytree(finished / table, output / table)
    stored = ("image_id", "phash", "stored_width", "stored_height", "blob", "offset", "length", "digest")
    for path, _ in files.listing(str(output / "images/index/*.parquet")):
        rows = pq.read_table(path).to_pylist()
        good = [row for row in rows if row["status"] == "ok"]
        shuffled = sorted(good, key=lambda row: hash_unit(row["image_url"], "wrong"))
        places = [{name: row[name] for name in stored} for row in shuffled]
        for row, place in zip(shuffled, places[1:] + places[:1], strict=True):
            row.update(place)
        assert len(rows) and set(rows[0]) == set(IMAGES.names)
        write_table(path, [tuple(row.values()) for row in rows], IMAGES)
    config = configuration.from_dict(manifest.read_run(str(finished))["config"])
    pack.run(Context(str(output), (), config, "wrong", ("--direct_num_workers=1",)))
    return output


def gap(output, model_dir):
    """What `weft eval` calls the grounding of pairs, after a training."""
    from weft.model_smoketest import alignment, data
    from weft.model_smoketest.evaluate import load_model
    from weft.model_smoketest.losses import Eye
    from weft.model_smoketest.train import train

    config = configuration.load(overrides=list(SHORT)).train
    train(str(output / "shards"), str(model_dir), config, lambda line: None)
    model, vocabulary = load_model(str(output / "shards"), str(model_dir), tower=config)
    held_out = list(data.validation(str(output / "shards"), "pairs", vocabulary, config))
    return alignment.grounding(model, Eye(model), held_out)[0]["gap"]


@pytest.mark.timeout(900)
def test_the_grounding_gap_is_there_and_vanishes_with_wrong_images(finished, wrong, tmp_path):
    right = gap(finished, tmp_path / "right")
    astray = gap(wrong, tmp_path / "astray")
    read = minimal_pairs.measure(str(finished / "shards"), str(tmp_path / "right"), scenes=60)
    assert read["colour"]["right"] > 0.7, read
    assert set(read) == {"colour", "count", "ground", "relation", "shape"}
    assert sum(one["pairs"] for one in read.values()) == 60
    assert right > 0.1 and abs(astray) < 0.25 * right, (right, astray)
