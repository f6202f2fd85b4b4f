"""What a run says at its end."""

import shutil
from pathlib import Path

import weft.schemas.config as configuration
from weft.pipeline.report import closing
from weft.pipeline.run import manifest


def books(output, stage, **kinds):
    made = {
        kind: {"entered": entered, "kept": entered - sum(dropped.values()), "dropped": dropped}
        for kind, (entered, dropped) in kinds.items()
    }
    manifest.write(str(output), stage, {"books": made, "fingerprint": "f"})


def test_a_finished_run_tells_its_funnel_and_the_next_command(finished: Path):
    told = "\n".join(closing.lines(str(finished), configuration.load(), "r/index.html"))
    kept = manifest.read(str(finished), "extract")["books"]["page"]["kept"]
    assert "extract   page" in told and f" {kept} " in told
    assert (
        "interleaved" in told
        and "report   r/index.html" in told
        and "look     weft view " in told
        and "next     weft train --output" in told
    )


def test_the_demos_pictures_suit_the_tiny_model(finished: Path, tmp_path):
    shutil.copytree(finished / "score", tmp_path / "score")
    config = configuration.load(overrides=["score.compare=always"])
    assert any("weft-tiny" in line for line in closing.warnings(str(tmp_path), config))
    assert list(closing.warnings(str(tmp_path), configuration.load())) == []  # nobody looks at the scores
    (tmp_path / "truth.json").write_text("{}")
    assert list(closing.warnings(str(tmp_path), config)) == []


def test_what_deserves_a_second_look(tmp_path):
    books(tmp_path, "extract", page=(9, {"too_short": 5, "language": 4}))
    books(tmp_path, "fetch", image=(100, {"timeout": 50, "host_unreachable": 14, "http_error": 9}))
    books(tmp_path, "pack", pair=(3, {"too_small": 3}), document=(2, {"no_text": 1}))
    assert list(closing.warnings(str(tmp_path), configuration.load())) == [
        "no page was kept: 5 too_short, 4 language",
        "64 % of images unreachable: is there a network? `weft fetch --retry-failed` asks again",
        "no pair is in the shards: too_small",
    ]


def test_documents_of_a_list_of_captions_are_not_missed(tmp_path):
    books(tmp_path, "pack", pair=(3, {"too_small": 1}), document=(3, {"empty": 3}))
    assert list(closing.warnings(str(tmp_path), configuration.load())) == []
    books(tmp_path, "pack", pair=(3, {"too_small": 3}), document=(3, {"empty": 3}))
    assert list(closing.warnings(str(tmp_path), configuration.load())) == [
        "no document is in the shards: empty",
        "no pair is in the shards: too_small",
    ]
