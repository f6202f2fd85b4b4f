"""The books must catch what is lost, doubled or unexplained."""

import functools
import tempfile

import pyarrow.parquet as pq
import pytest

from weft.pipeline.run import books
from weft.pipeline.runners import beam_options
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Fate
from weft.transforms.io.work_units import write_fates

pytestmark = pytest.mark.filterwarnings("ignore:.*which means nothing")  # of stages and reasons that are made up


def fates(output, rows):
    write_fates(str(output), "extract", "unit", [Fate("extract", *row) for row in rows])


def test_balanced(tmp_path):
    fates(
        tmp_path,
        [("page", "a", "kept", "", ""), ("page", "b", "dropped", "language", "de"), ("pair", "a", "kept", "", "")],
    )
    account = books.audit(str(tmp_path), "extract", {"page": 2, "pair": 1})
    assert account["page"] == {"entered": 2, "kept": 1, "dropped": {"language": 1}}


@pytest.mark.parametrize(
    ("rows", "entered", "told"),
    [
        ([("page", "a", "kept", "", "")], {"page": 2}, "2 of kind page entered"),
        ([("page", "a", "kept", "", ""), ("page", "a", "dropped", "x", "")], {"page": 2}, "second fates"),
        ([("page", "a", "dropped", "", "")], {"page": 1}, "without a reason"),
        ([("page", "a", "kept", "", ""), ("pair", "p", "kept", "", "")], {"page": 1}, "0 of kind pair entered"),
    ],
)
def test_what_does_not_balance_fails(tmp_path, rows, entered, told):
    fates(tmp_path, rows)
    with pytest.raises(books.BooksError, match=told):
        books.audit(str(tmp_path), "extract", entered)


@pytest.mark.parametrize("per_file", [True, False])
def test_a_job_counts_what_the_driver_counts(tmp_path, monkeypatch, per_file):
    """Where the driver would not have the memory: the same books, and the same second fates."""
    for unit in ("a", "b"):
        rows = [Fate("s", "page", f"{unit}{n}", "kept", "", "") for n in range(30)]
        rows += [Fate("s", "pair", f"{unit}{n}", "dropped", f"r{n % 3}", "") for n in range(9)]
        write_fates(str(tmp_path), "s", unit, [*rows, Fate("s", "page", "in both", "kept", "", "")])
    entered = {"page": 62, "pair": 18}
    job = functools.partial(beam_options.pipeline, (), 1)

    def books_or_error(**more):
        try:
            return books.audit(str(tmp_path), "s", entered, per_file, **more)
        except books.BooksError as error:
            return str(error)

    here = books_or_error()
    monkeypatch.setattr(books, "IN_DRIVER", 10)
    assert books_or_error(job=job) == here
    assert (
        str(here).startswith("s: 1 of 80 fates are second fates of the same thing; `weft s` with another")
        is not per_file
    )


@pytest.mark.parametrize("per_file", [True, False])
def test_what_memory_does_not_hold_is_counted_on_disk(tmp_path, monkeypatch, per_file):
    for unit in ("a", "b"):
        rows = [Fate("s", "page", f"{unit}{n}", "kept", "", "") for n in range(3_000)]
        rows += [Fate("s", "page", f"in both {n}", "kept", "", "") for n in range(500)]
        write_fates(str(tmp_path), "s", unit, [*rows, *rows[:7]])
    said = []
    for held in (books.HELD, 100, 6_000):
        monkeypatch.setattr(books, "HELD", held)
        with pytest.raises(books.BooksError) as error:
            books.audit(str(tmp_path), "s", {"page": 7_014}, per_file)
        said.append(str(error.value))
    again = 14 if per_file else 514
    assert {line.split(";")[0] for line in said} == {f"s: {again} of 7014 fates are second fates of the same thing"}


def test_what_a_killed_run_has_laid_aside_goes_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "weft-books-killed").mkdir()
    for name in ("lock", "7"):
        (tmp_path / "weft-books-killed" / name).touch()
    books.audit(str(tmp_path / "out"), "s", {})
    assert not list(tmp_path.iterdir())


def test_what_one_stage_kept_must_enter_the_next():
    one = {"pair": {"entered": 3, "kept": 2, "dropped": {"x": 1}}}
    books.carry_on(one, {"pair": {"entered": 2, "kept": 2, "dropped": {}}}, ("pair", "pair"), ("a", "b"))
    with pytest.raises(books.BooksError, match="a kept 2 of kind pair, but 3 of kind pair entered b"):
        books.carry_on(one, one, ("pair", "pair"), ("a", "b"))


def test_a_table_that_lost_rows_between_two_stages_is_told(run_on_web, tmp_path):
    run_on_web(tmp_path, names=("extract",))
    part = next(iter((tmp_path / "documents").glob("*.parquet")))
    table = pq.read_table(part)
    pq.write_table(table.slice(0, table.num_rows - 1), part)
    with pytest.raises(ConfigError, match=r"documents/.* has .* bytes, not .*: `weft extract --redo"):
        run_on_web(tmp_path, names=("dedup",))


def test_a_line_says_how_many_of_each_kind_were_kept():
    account = {"page": {"entered": 1200, "kept": 1100}, "image": {"entered": 5, "kept": 5}}
    assert books.summary(account) == "images 5, pages 1,100 of 1,200"


def test_a_reason_that_nobody_documented_is_told_and_ends_no_run(tmp_path):
    fates(tmp_path, [("page", "a", "dropped", "language", "de"), ("page", "b", "dropped", "whim", "")])
    with pytest.warns(books.UnknownReason, match="extract: a page was dropped as 'whim'"):
        account = books.audit(str(tmp_path), "extract", {"page": 2})
    assert account["page"]["dropped"] == {"language": 1, "whim": 1}
