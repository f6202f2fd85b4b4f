"""From Common Crawl to a multimodal corpus you can train on: `weft` as a library.

One page          extract_html
Beam transforms   ReadArchives, ExtractPages, Deduplicate (and TakeKept), FetchImages, EmbedImages, PackShards
Their parameters  PageRules, DuplicateRules, FetchRules, ClipChoice, Sequencing
Finished runs     load_config, read_table, ShardDataset
Rows              HtmlPage, Document, Pair, ImageMeta, ImageRow, Fate; PackDocument, PackPair, PlacedImage

A transform takes rows and gives rows, knows no path but those that it is given, and runs on any Beam runner. What a
name needs is imported when it is first used: `import weft` alone imports neither Beam nor torch.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.model_smoketest.dataset import ShardDataset as ShardDataset
    from weft.schemas.config import load as load_config  # noqa: F401 - a public name
    from weft.schemas.parameters import ClipChoice as ClipChoice
    from weft.schemas.parameters import ConfigError as ConfigError
    from weft.schemas.parameters import DuplicateRules as DuplicateRules
    from weft.schemas.parameters import FetchRules as FetchRules
    from weft.schemas.parameters import PageRules as PageRules
    from weft.schemas.parameters import Sequencing as Sequencing
    from weft.schemas.records import Document as Document
    from weft.schemas.records import Fate as Fate
    from weft.schemas.records import ImageMeta as ImageMeta
    from weft.schemas.records import ImageRow as ImageRow
    from weft.schemas.records import Pair as Pair
    from weft.transforms.archives.read import ReadArchives as ReadArchives
    from weft.transforms.dedup.deduplicate import Deduplicate as Deduplicate
    from weft.transforms.dedup.deduplicate import TakeKept as TakeKept
    from weft.transforms.extract.extract_pages import ExtractPages as ExtractPages
    from weft.transforms.extract.page import HtmlPage as HtmlPage
    from weft.transforms.extract.page import extract_html as extract_html
    from weft.transforms.fetch.fetch_images import FetchImages as FetchImages
    from weft.transforms.io.parquet import read_table as read_table
    from weft.transforms.pack.pack_shards import PackShards as PackShards
    from weft.transforms.pack.samples import PackDocument as PackDocument
    from weft.transforms.pack.samples import PackPair as PackPair
    from weft.transforms.pack.samples import PlacedImage as PlacedImage
    from weft.transforms.score.clip import EmbedImages as EmbedImages

_HOME = {
    "ShardDataset": "weft.model_smoketest.dataset:ShardDataset",
    "load_config": "weft.schemas.config:load",
    "ConfigError": "weft.schemas.parameters:ConfigError",
    "PageRules": "weft.schemas.parameters:PageRules",
    "DuplicateRules": "weft.schemas.parameters:DuplicateRules",
    "FetchRules": "weft.schemas.parameters:FetchRules",
    "ClipChoice": "weft.schemas.parameters:ClipChoice",
    "Sequencing": "weft.schemas.parameters:Sequencing",
    "Document": "weft.schemas.records:Document",
    "Fate": "weft.schemas.records:Fate",
    "ImageMeta": "weft.schemas.records:ImageMeta",
    "ImageRow": "weft.schemas.records:ImageRow",
    "Pair": "weft.schemas.records:Pair",
    "extract_html": "weft.transforms.extract.page:extract_html",
    "ReadArchives": "weft.transforms.archives.read:ReadArchives",
    "ExtractPages": "weft.transforms.extract.extract_pages:ExtractPages",
    "HtmlPage": "weft.transforms.extract.page:HtmlPage",
    "Deduplicate": "weft.transforms.dedup.deduplicate:Deduplicate",
    "TakeKept": "weft.transforms.dedup.deduplicate:TakeKept",
    "FetchImages": "weft.transforms.fetch.fetch_images:FetchImages",
    "EmbedImages": "weft.transforms.score.clip:EmbedImages",
    "PackDocument": "weft.transforms.pack.samples:PackDocument",
    "PackPair": "weft.transforms.pack.samples:PackPair",
    "PlacedImage": "weft.transforms.pack.samples:PlacedImage",
    "PackShards": "weft.transforms.pack.pack_shards:PackShards",
    "read_table": "weft.transforms.io.parquet:read_table",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    with _without_a_warning():
        return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__


@contextlib.contextmanager
def _without_a_warning() -> Iterator[None]:
    """Beam warns while it is imported of a client for BigQuery, and sets logging up for that; weft uses none."""
    root, nobody = logging.getLogger(), logging.NullHandler()

    def is_other(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("apitools not found")

    root.addFilter(is_other)
    root.addHandler(nobody)
    try:
        yield
    finally:
        root.removeFilter(is_other)
        root.removeHandler(nobody)
