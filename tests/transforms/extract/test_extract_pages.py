"""Pages of one's own pipeline, and records of archives, become documents, pairs, captures and fates."""

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from archive_bytes import gz, http, record, stored

from weft.schemas.parameters import ConfigError, PageRules
from weft.schemas.records import Fate
from weft.transforms.archives.read import ReadArchives
from weft.transforms.extract.archive import extract_archive
from weft.transforms.extract.extract_pages import ExtractPages
from weft.transforms.extract.page import HtmlPage, extract_html

RULES = PageRules(min_words=0, languages=(), main_content=False)
HTML = b"<h1>Barns</h1><p>Ours is red.</p><img src=barn.jpg alt='A red barn' width=300><p>It is old.</p>"


def test_pages_become_documents_pairs_and_fates():
    expected = [extract_html(HTML, f"http://a.test/{n}", RULES) for n in range(3)]
    with beam.Pipeline(runner="FnApiRunner") as p:
        pages = p | beam.Create([HtmlPage(f"http://a.test/{n}", HTML) for n in range(3)])
        found = pages | ExtractPages(RULES)
        # Across a shuffle, where rows are encoded.
        assert_that(
            found.documents | "D" >> beam.Reshuffle(), equal_to([one.document for one in expected]), "Documents"
        )
        assert_that(
            found.pairs | "P" >> beam.Reshuffle(), equal_to([row for one in expected for row in one.pairs]), "Pairs"
        )
        assert_that(
            found.fates | "F" >> beam.Reshuffle(), equal_to([row for one in expected for row in one.fates]), "Fates"
        )


def test_archives_become_what_the_stage_makes_of_them(tmp_path):
    png = http(b"\x89PNG\r\n" + bytes(99)).replace(b"text/html", b"image/png")
    whole = gz(record(block=http(HTML), number=1), record(block=png, number=2), record(block=http(HTML), number=3))
    path = stored(tmp_path, whole[:-30])
    expected = list(extract_archive(path, RULES))
    with beam.Pipeline(runner="FnApiRunner") as p:
        read = p | ReadArchives([path])
        found = (read.records, read.broken) | beam.Flatten() | ExtractPages(RULES)
        rows = (found.documents, found.pairs, found.captures, found.fates) | "All" >> beam.Flatten()
        assert_that(rows, equal_to(expected))
    assert [row.reason for row in expected if isinstance(row, Fate) and row.kind == "record"][:2] == ["", ""]
    assert expected[-1].reason == "truncated"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"filters": ("nowhere_at_all:judge",)}, "nowhere_at_all:judge cannot be imported"),
        ({"pair_filters": ("nowhere_at_all:judge",)}, "nowhere_at_all:judge cannot be imported"),
        ({"bad_words": ("/nowhere",)}, "extract.bad_words: no list at /nowhere"),
        ({"language_rules": "nowhere"}, "extract.language_rules"),
        ({"quality_models": {"hq": "/nowhere"}}, r"extract.quality_models.hq"),
        ({"languages": ("xx",)}, "extract.languages"),
    ],
)
def test_rules_that_cannot_be_used_are_told_where_they_are_applied(wrong, told):
    with pytest.raises(ConfigError, match=told):
        _ = beam.Pipeline() | beam.Create([HtmlPage("http://a.test/", HTML)]) | ExtractPages(PageRules(**wrong))
