"""What would be discarded is named: stage, records, time, and the keys that changed."""

from pathlib import Path

import weft.schemas.config as configuration
from weft.pipeline.run import discards, manifest, registry
from weft.transforms.dedup import index

FETCH = registry.BY_NAME["fetch"]


def test_finished_work_is_named_with_what_it_took_and_why(tmp_path: Path) -> None:
    books = {"image": {"entered": 2_000, "kept": 1_825, "dropped": {"timeout": 175}}}
    made = {
        "fingerprint": "a",
        "books": books,
        "seconds": 8_300,
        "config": configuration.to_dict(configuration.Config()),
    }
    manifest.write(str(tmp_path), "fetch", made)
    now = configuration.load(overrides=["fetch.max_side=300", "fetch.concurrency=3"])
    assert discards.of(str(tmp_path), FETCH, now, "a") == []
    assert discards.of(str(tmp_path), FETCH, now, "b") == [
        "fetch (images 1,825 of 2,000, 2.3 h) made with fetch.max_side = 512, not 300"
    ]
    same = configuration.load(recipe="kosmos1")
    assert discards.of(str(tmp_path), FETCH, same, "b")[0].endswith(
        "other input, files, stages before it or another version"
    )


def test_what_is_not_what_it_was_besides_is_named(tmp_path: Path) -> None:
    then = {"earlier": [["a", "b"]], "fonts": []}
    made = {"fingerprint": "a", "config": configuration.to_dict(configuration.Config()), "decides": then}
    manifest.write(str(tmp_path), "fetch", made)
    now = {"earlier": [("a", "c")], "fonts": [], "excluded": "new"}
    (told,) = discards.of(str(tmp_path), FETCH, configuration.Config(), "b", now)
    assert told.endswith("made with earlier runs as they were before")
    (told,) = discards.of(str(tmp_path), FETCH, configuration.Config(), "b", {**then, "earlier": [("a", "b")]})
    assert told.endswith("made with other input, files, stages before it or another version")


def test_each_thing_that_decides_has_words() -> None:
    decided = registry.decided(configuration.Config(), ["a"])
    asked_for = {"exclude", "excluded", "against", "fonts", "bad_words"}
    assert {key for more in decided.values() for key in more} | asked_for == {*discards._OTHER, "needs"}


def test_finished_units_of_an_interrupted_stage_count_too(tmp_path: Path) -> None:
    manifest.start(str(tmp_path), "fetch", "a")
    assert discards.of(str(tmp_path), FETCH, configuration.Config(), "b") == []
    (tmp_path / "fetch/units").mkdir()
    (tmp_path / "fetch/units/http-1.json").write_text("{}")
    assert discards.of(str(tmp_path), FETCH, configuration.Config(), "a") == []
    found = discards.of(str(tmp_path), FETCH, configuration.Config(), "b")
    assert found == ["1 finished units of an interrupted fetch"]


def test_a_place_in_an_index_is_that_of_one_output_while_it_is_a_run(tmp_path: Path) -> None:
    where, mine, other, link = (str(tmp_path / name) for name in ("index", "mine", "other", "link"))
    run = index.run_name(["a.warc.gz"])
    assert discards.in_index(where, run, mine) is None
    index.publish(where, run, {"parts": [], "output": index.address(mine)})
    manifest.write_run(mine, configuration.Config(), [("a.warc.gz", 1, "")])
    (tmp_path / "link").symlink_to(mine)
    assert discards.in_index(where, run, f"{mine}/") == discards.in_index(where, run, link) == ""
    assert discards.in_index(where, run, other) == mine
    (tmp_path / "mine").rename(other)
    assert discards.in_index(where, run, other) == ""
    manifest.write_run(mine, configuration.Config(), [("b.warc.gz", 1, "")])  # another run has taken the directory
    assert discards.in_index(where, run, other) == ""
