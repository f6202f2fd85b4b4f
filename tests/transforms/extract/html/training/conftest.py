"""Shared by the tests of how the weights are made."""

import gzip
import json
import shutil

import pytest

from weft.schemas.parameters import PageRules
from weft.transforms.archives.read import read_archive
from weft.transforms.extract.html.training import table
from weft.transforms.extract.page import extract_page


@pytest.fixture(scope="session")
def made(small_web, tmp_path_factory):
    """A table of the small web's pages in two sets, by gold texts and by parts of them: what weft makes of each page."""
    home = tmp_path_factory.mktemp("table")
    archives = sorted(small_web.rglob("*.warc.gz"))
    gold, images, parts = [], [], []
    for path in archives:
        for record in read_archive(str(path)):
            if getattr(record, "url", "") and record.header("content-type").startswith("text/html"):
                document = extract_page(record, PageRules(languages=(), min_words=0, gibberish=False)).document
                if document is not None:
                    text = "\n".join(text for text in document.texts if text)
                    gold.append({"url": record.url, "gold_text": text, "page_type": "article"})
                    urls = [{"urls": [url], "label": "in"} for url in document.images if url]
                    images.append({"url": record.url, "images": urls})
                    parts.append(
                        {"url": record.url, "with": [max(text.split("\n"), key=len)[:40]], "without": ["Privacy"]}
                    )
    for name, lines in (("whole.gold", gold), ("whole.images", images), ("parts.gold", parts)):
        with gzip.open(home / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    for n, path in enumerate(archives):
        shutil.copy(path, home / f"whole-{n}.warc.gz")
        shutil.copy(path, home / f"parts-{n}.warc.gz")
    table.MIN_DOMAINS, before = 1, table.MIN_DOMAINS
    table.make([str(home / "whole"), str(home / "parts")], home / "table.npz.xz")
    table.MIN_DOMAINS = before
    return table.load(home / "table.npz.xz")
