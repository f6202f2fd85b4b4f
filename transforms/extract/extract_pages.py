"""ExtractPages: HTML pages → documents, caption pairs, image captures and fates, in a Beam pipeline of any kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.parameters import PageRules
from weft.schemas.records import Capture, Document, Fate, Pair, SiteFile
from weft.transforms.archives.record import Broken, Record
from weft.transforms.beam import coders
from weft.transforms.extract.archive import Row, extract_record
from weft.transforms.extract.page import DEFAULTS, HtmlPage, check, extract_page

_TAGS = {Document: "documents", Pair: "pairs", Capture: "captures", SiteFile: "site_files", Fate: "fates"}


class Extracted(NamedTuple):
    """What ExtractPages gives."""

    documents: beam.PCollection[Document]  # one for each page that is kept
    pairs: beam.PCollection[Pair]  # caption pairs of the images of these
    captures: beam.PCollection[Capture]  # where the archives' own image responses stand
    site_files: beam.PCollection[SiteFile]  # what robots.txt and the like among the records say of training
    fates: beam.PCollection[Fate]  # of each record, page, image and caption candidate, kept or dropped for a reason


@dataclasses.dataclass
class ExtractPages(beam.PTransform):
    """PCollection of HtmlPage, or of what ReadArchives gives → Extracted.

        pages = p | ReadArchives("crawl/*.warc.gz")
        found = pages.records | ExtractPages(PageRules(languages=("de",)))
        found.documents | ...

    Each element is judged alone: the same page twice is two documents, with the same doc_id where it is the same record
    or the same URL and date. `Deduplicate` is for that. No page makes the pipeline fail; one that cannot be parsed has
    a fate that says so. A Broken that is passed in has its fate too.

    Args:
        rules: which pages, images and captions are kept.

    Raises:
        ConfigError: where it is applied, for rules whose languages, models, lists, limits or filters cannot be used.
    """

    rules: PageRules = DEFAULTS

    def expand(self, pages: beam.PCollection[HtmlPage | Record | Broken]) -> Extracted:
        check(self.rules)
        made = pages | "Extract" >> beam.FlatMap(_tagged_rows, self.rules).with_outputs(*_TAGS.values())
        for record, tag in _TAGS.items():
            coders.register(record)
            made[tag].element_type = record
        return Extracted(*(made[tag] for tag in _TAGS.values()))


def _tagged_rows(page: HtmlPage | Record | Broken, rules: PageRules) -> Iterator[Any]:
    rows: Iterator[Row]
    rows = extract_page(page.record(), rules).rows() if isinstance(page, HtmlPage) else extract_record(page, rules)
    for row in rows:
        yield beam.pvalue.TaggedOutput(_TAGS[type(row)], row)
