import apache_beam as beam
from crawled_web import Page, crawled_web
from patience import PATIENT

from weft.schemas.parameters import CrawlRules, Manners
from weft.schemas.records import Fate
from weft.transforms.crawl.client import IMAGE, PAGE
from weft.transforms.crawl.crawl_pages import CrawlPages
from weft.transforms.crawl.frontier import Address
from weft.transforms.crawl.unit import Crawl, read_index
from weft.transforms.io import parquet

PICTURE = Page(b"\x89PNG not really", "image/png")
WEB = {
    "http://a.test/": Page(b"", status=301, headers={"Location": "http://b.test/home"}),
    "http://b.test/home": Page(b"<p>hello <img src='http://cdn.test/1.png'> <a href='/more'>more</a>"),
    "http://b.test/more": Page(b"<p>more <img src='/own.png'>"),
    "http://b.test/own.png": PICTURE,
    "http://cdn.test/1.png": Page(b"", status=302, headers={"Location": "http://far.test/1.png"}),
    "http://far.test/1.png": PICTURE,
}


def test_pages_their_images_and_what_redirects_lead_to_come_in_rounds(tmp_path):
    with crawled_web(WEB) as web:
        manners = Manners(connect_to=(f"test=127.0.0.1:{web.server_address[1]}",), tdm_file=False, **PATIENT)
        crawl = Crawl(str(tmp_path), CrawlRules(main_content=False), manners, "f", ())
        with beam.Pipeline(runner="FnApiRunner") as p:
            _ = p | beam.Create([Address("http://a.test/", PAGE, 1)] * 2) | CrawlPages(crawl, buckets=3)
        counts = web.counts()
    assert {url: n for url, n in counts.items() if "robots" not in url} == dict.fromkeys(WEB, 1)
    fates = {row.key: (row.kind, row.reason) for row in parquet.read_table(str(tmp_path / "fates/crawl"), Fate)}
    assert fates == {
        "http://a.test/": (PAGE, "redirect"),
        "http://b.test/home": (PAGE, ""),
        "http://b.test/more": (PAGE, ""),
        "http://b.test/own.png": (IMAGE, ""),
        "http://cdn.test/1.png": (IMAGE, "redirect"),
        "http://far.test/1.png": (IMAGE, ""),
    }
    units = [path.stem for path in (tmp_path / "index").iterdir()]
    kept = {row.url for name in units for row in read_index(str(tmp_path), name) if row.record_id}
    assert kept >= set(WEB)
