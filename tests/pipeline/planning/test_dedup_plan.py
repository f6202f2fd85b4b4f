"""The plan of a dedup run against the run itself."""

import dataclasses
from pathlib import Path

import pytest
from dedup_stage import document, run, text

from weft.pipeline import cli
from weft.pipeline.planning import dedup_plan
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Sketch
from weft.transforms.dedup import minhash
from weft.transforms.dedup.sketches import content, sketches
from weft.transforms.io import parquet


def test_rows_are_those_of_the_run_and_a_person_can_read_them(tmp_path: Path) -> None:
    documents = [document(f"d{i:03}", text(f"d{i}", 60), url=f"http://a.test/{i % 40}") for i in range(120)]
    run(tmp_path, documents)
    made = dedup_plan.measure(str(tmp_path), Config()).plan()
    steps = {step.name: step for step in made.steps}
    assert (made.documents, made.sampled) == (120, 120)
    assert steps["same record"].rows == 120
    assert steps["same url, best"].rows == 120 and steps["same url, best"].largest == 3
    assert steps["same exact, best"].largest == 1
    assert made.how is not None and steps["buckets"].rows == 120 * made.how.bands
    sketch = next(parquet.read(str(next((tmp_path / "dedup/sketches").glob("*.parquet"))), Sketch))
    assert steps["verdicts"].row_bytes >= len(sketch.signature) == 4 * 128
    said = "\n".join(dataclasses.replace(made, documents=10**9).lines())
    assert "dedup of 1,000,000,000 documents" in said and "KB" in said and "core-hours" in said
    assert "13 bands of 7 rows" in said


def test_steps_grow_with_the_corpus() -> None:
    config = Config()
    documents = [document(f"d{i:03}", text("one" if i % 4 else f"d{i}", 60)) for i in range(80)]
    found, how = list(sketches(map(content, documents), config.dedup)), minhash.bands_for(config.dedup)
    here, there = (list(dedup_plan.steps(found, config, how, scale)) for scale in (1.0, 1_000.0))
    for one, other in zip(here, there, strict=True):
        if not one.name.startswith("compared"):
            assert other.rows == pytest.approx(1_000 * one.rows)
    largest = {step.name: step.largest for step in there}
    assert largest["same exact, best"] == 60_000
    compared = next(step for step in there if step.name.startswith("compared"))
    assert compared.rows <= 2 * 80_000 * (dedup_plan.WINDOW + 1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--output", str(tmp_path)]) == 2
    assert "holds no weft run" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="holds no documents"):
        dedup_plan.measure(str(tmp_path), Config())
