"""The index of earlier runs: what is written is read, and what was written before this version is too."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.schemas.parameters import ConfigError, DuplicateRules
from weft.schemas.records import EARLIER_DROPPED, EARLIER_KEPT, Sketch
from weft.schemas.tables import DEDUP_INDEX
from weft.transforms.dedup import index
from weft.transforms.dedup.rules import Drop
from weft.transforms.io import parquet

KEPT = Sketch("a", "w", 7, 5, 9, 2, 0, "u", "t", "i", "", signature=b"abcd", shingles=b"efgh")
DROPPED = KEPT._replace(doc_id="b", how="exact")


def write(directory: Path, run: str, against: tuple[str, ...] = (), made: str = "print") -> None:
    rows = [(*KEPT, "a"), (*DROPPED, "a")]
    parquet.write_table(str(directory / run / made / parquet.part_name(0, 1)), rows, DEDUP_INDEX)
    said = index.entry(str(directory), DuplicateRules(), run, made, against, 1, "out/")
    index.publish(str(directory), run, said)


def test_what_a_run_leaves_is_read_by_the_next(tmp_path: Path) -> None:
    write(tmp_path, "first")
    assert index.against(str(tmp_path), "second") == ["first"]
    (part,) = index.parts(str(tmp_path), ["first"])
    assert list(index.read(part)) == [KEPT._replace(origin=EARLIER_KEPT), DROPPED._replace(origin=EARLIER_DROPPED)]
    assert list(index.places(part)) == [Drop("a", "a", ""), Drop("b", "a", "exact")]


def test_an_index_on_a_users_disk_stays_readable(tmp_path: Path) -> None:
    """Columns by the names that every index has had so far; `age` was always 0."""
    columns = {
        **{name: ["x"] for name in ("doc_id", "warc_file", "url_key", "text_key", "images_key", "contaminated")},
        **{name: [3] for name in ("warc_offset", "crawl_date", "words", "images", "quality")},
        **{"age": [0], "how": ["near"], "signature": [b"s"], "shingles": [b""], "kept_id": ["y"]},
    }
    pq.write_table(pa.table(columns), tmp_path / "part.parquet")
    (sketch,) = index.read(str(tmp_path / "part.parquet"))
    assert sketch == Sketch("x", "x", 3, 3, 3, 3, 3, "x", "x", "x", "x", EARLIER_DROPPED, "near", b"s", b"")
    assert list(index.places(str(tmp_path / "part.parquet"))) == [Drop("x", "y", "near")]
    assert DEDUP_INDEX.names[11] == "age"


def test_a_run_again_is_compared_with_what_it_was_compared_with(tmp_path: Path) -> None:
    write(tmp_path, "first")
    write(tmp_path, "second", ("first",))
    write(tmp_path, "third", ("first", "second"))
    assert index.against(str(tmp_path), "second") == ["first"]
    assert index.against(str(tmp_path), "fourth") == ["first", "second", "third"]
    assert index.against(str(tmp_path / "none"), "first") == []


def test_a_run_made_anew_takes_its_own_place_and_says_whose_it_is(tmp_path: Path) -> None:
    assert index.owner(str(tmp_path), "first") is None
    write(tmp_path, "first", made="one")
    (before,) = index.parts(str(tmp_path), ["first"])
    rows = [(*KEPT, "a")]
    parquet.write_table(str(tmp_path / "first/two" / parquet.part_name(0, 1)), rows, DEDUP_INDEX)
    said = index.entry(str(tmp_path), DuplicateRules(), "first", "two", (), 1, "out")
    assert index.parts(str(tmp_path), ["first"]) == [before]  # until it is published
    index.publish(str(tmp_path), "first", said)
    (part,) = index.parts(str(tmp_path), ["first"])
    assert list(index.read(part)) == [KEPT._replace(origin=EARLIER_KEPT)] and not Path(before).exists()
    assert index.owner(str(tmp_path), "first") == index.address("out") == str(Path("out").absolute())
    (tmp_path / "old").mkdir()
    (tmp_path / "old/run.json").write_text('{"parts": ["part"], "against": []}')  # as older versions wrote it
    assert index.owner(str(tmp_path), "old") == "" and index.parts(str(tmp_path), ["old"]) == [f"{tmp_path}/old/part"]


def test_parts_that_wait_to_be_published_are_left_and_missed(tmp_path: Path) -> None:
    write(tmp_path, "first", made="one")
    parquet.write_table(str(tmp_path / "first/two" / parquet.part_name(0, 1)), [(*KEPT, "a")], DEDUP_INDEX)
    waiting = index.entry(str(tmp_path), DuplicateRules(), "first", "two", (), 1, "out")
    write(tmp_path, "first", made="three")  # as dedup that is done again meanwhile
    index.whole(str(tmp_path), "first", waiting, "out/removing")
    index.publish(str(tmp_path), "first", waiting)
    assert index.parts(str(tmp_path), ["first"]) and not (tmp_path / "first/three").exists()
    shutil.rmtree(tmp_path / "first/two")
    with pytest.raises(ConfigError, match="delete out/removing and call this again"):
        index.whole(str(tmp_path), "first", waiting, "out/removing")


def test_names_follow_from_the_input_in_any_order() -> None:
    assert index.run_name(["a", "b"]) == index.run_name(["b", "a"]) != index.run_name(["a"])


def test_an_index_of_another_kind_is_refused(tmp_path: Path) -> None:
    index.check(str(tmp_path), DuplicateRules())  # there is none yet
    write(tmp_path, "first")
    index.check(str(tmp_path), DuplicateRules(threshold=0.5))  # signatures are the same
    with pytest.raises(ConfigError, match="made with permutations = 128, not 64"):
        index.check(str(tmp_path), DuplicateRules(permutations=64))
    with pytest.raises(ConfigError, match="shingles = False, not True"):
        index.check(str(tmp_path), DuplicateRules(verify="exact"))
    for text in (json.dumps({"what": "else"}), "[]", "no JSON"):
        (tmp_path / "header.json").write_text(text)
        with pytest.raises(ConfigError, match="is not a dedup index"):
            index.check(str(tmp_path), DuplicateRules())


def test_a_lost_run_is_missed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has lost run first"):
        index.parts(str(tmp_path), ["first"])
