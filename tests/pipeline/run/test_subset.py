"""A subset is a run that never had the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from weft.pipeline.run import removal, subset, where
from weft.schemas import tables
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Pair, PairKey, Score
from weft.transforms.io.parquet import read_table, write_table


@pytest.mark.timeout(900)
def test_the_bytes_are_those_of_a_run_that_never_had_the_others(
    finished: Path, sums: Callable[[Path], dict[str, str]], run_on_web: Callable[..., Path], tmp_path: Path
) -> None:
    quiet = {"quiet": True, "say": lambda line: None}
    made = subset.subset(
        str(finished), str(tmp_path / "some"), "words > 100 and similarity > 0.5", ("--direct_num_workers=1",), **quiet
    )
    (listed,) = made.exclude
    assert any(":" in line for line in Path(listed).read_text().splitlines())  # pairs are among them
    never = run_on_web(tmp_path / "never", f'exclude=["{listed}"]')
    for name in ("shards", "documents", "pairs", "kept", "scores"):
        assert sums(tmp_path / "some" / name) == sums(never / name), name
    assert 0 < len(list(read_table(str(never / "pairs"), Pair))) < len(list(read_table(str(finished / "pairs"), Pair)))
    removal.finished(str(tmp_path / "some"))
    with pytest.raises(ConfigError, match="holds another run"):
        subset.subset(str(finished), str(tmp_path / "some"), "words > 200")


def test_a_condition_that_means_nothing_begins_nothing(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean words"):
        subset.subset(str(finished), str(tmp_path / "none"), "wrods > 3")
    assert not (tmp_path / "none").exists()


def test_a_similarity_is_the_decimal_that_was_written(tmp_path: Path) -> None:
    values = [n / 100 for n in range(100)]
    pairs = [
        Pair(str(one), "page", "http://a.test/", "http://a.test/a.jpg", "words", "alt", "en", 0.9) for one in values
    ]
    write_table(str(tmp_path / "documents/a.parquet"), [], tables.DOCUMENTS)
    write_table(str(tmp_path / "pairs/a.parquet"), pairs, tables.PAIRS)
    scores = [Score("pair", str(one), 0, 0, "http://a.test/a.jpg", one) for one in values]
    write_table(str(tmp_path / "scores/a.parquet"), scores, tables.SCORES)
    for least in values:
        gone = set(subset._unfit(str(tmp_path), where.parse(f"similarity >= {least}", subset.NAMES)))
        assert gone == {str(PairKey("page", str(one))) for one in values if one < least}
