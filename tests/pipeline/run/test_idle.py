"""Whoever takes something out is told what of the list names nothing."""

from pathlib import Path

import pytest

from weft.pipeline.run import idle
from weft.schemas import tables
from weft.schemas.records import Document, Fate, ImageMeta, ImageRow, Pair
from weft.transforms.extract import exclusions
from weft.transforms.io.parquet import write_table

DOC, OTHER, PAIR = "d" * 32, "0" * 32, "a" * 32
META = ImageMeta("", "", "", None, None)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("run")
    pages = [
        Fate("extract", "page", DOC, "kept", "", "", "https://www.a.test/news/one?id=7", "w:1"),
        Fate("extract", "page", OTHER, "dropped", "too_short", "", "https://b.test/", "w:2"),
    ]
    write_table(str(home / "fates/extract/w.pages.parquet"), pages, tables.FATES)
    picture = "http://cdn.c.test/x/1.jpg"
    others = ["http://e.test/2.jpg"]
    document = Document(DOC, "", 0, "w", 1, "r", "en", 0.9, "", ["t", None], [None, picture], [None, META])
    write_table(str(home / "documents/w.parquet"), [document._replace(alternates=[None, others])], tables.DOCUMENTS)
    pair = Pair(PAIR, DOC, "", "http://f.test/3.jpg", "t", "alt", "en", 0.9)
    write_table(str(home / "pairs/w.parquet"), [pair], tables.PAIRS)
    row = ImageRow(
        picture, "b" * 64, "ok", 200, "image/png", 1, 1, 1, 1, "c" * 16, "x", 0, 1, 0, "http", False,
        "http://g.test/4.jpg",
    )  # fmt: skip
    write_table(str(home / "images/index/w.parquet"), [row], tables.IMAGES)
    return home


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("http://a.test/news/one?id=7", True),
        ("http://a.test/news/one?id=8", False),
        ("A.test", True),
        ("news.a.test", False),
        ("a.test/news", True),
        ("a.test/new", False),
        ("b.test", False),  # what was dropped is not there
        (OTHER, False),
        (DOC, True),
        (PAIR, True),
        (f"{DOC}:{PAIR}", True),
        (f"{PAIR}:{DOC}", False),
        ("c.test", True),
        ("https://www.cdn.c.test/x/1.jpg", True),
        ("e.test", True),
        ("http://f.test/3.jpg", True),
        ("g.test/4.jpg", True),
        ("b" * 64, True),
        ("d" * 64, False),
        ("C" * 16, True),
        ("d" * 16, False),
    ],
)
def test_an_entry_names_what_it_takes_out(output: Path, tmp_path: Path, entry: str, named: bool) -> None:
    (tmp_path / "list").write_text(f"# asked\n{entry}\n{DOC}\n")
    found = idle.of(exclusions.entries(str(tmp_path / "list")), str(output))
    assert found == ([] if named else [entry])


def test_of_many_the_first_are_told(output: Path) -> None:
    found = idle.of([f"{n}.z.test" for n in range(7)], str(output))
    assert idle.line(found, "out") == (
        "7 of what is listed name nothing in out: 0.z.test, 1.z.test, 2.z.test, 3.z.test, 4.z.test, …"
    )
