"""A crawl of the demo's web beside the web's own archives, and the command. For its manners see test_whole_crawl.py."""

import gzip
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from crawled_web import Page, crawled_web, of_archives, routes
from warcio.checker import Checker

from weft.pipeline import cli
from weft.pipeline import crawl as command
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Fate
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.archive import classify
from weft.transforms.extract.page import extract_page
from weft.transforms.io import parquet
from weft.transforms.urls import page_key

LOCAL = ["--", "--direct_num_workers=1"]
HOSTS = ("gallery", "library", "docs")  # of the demo's web


def of(url: str) -> bool:
    return urlsplit(url).hostname.startswith(HOSTS)


@pytest.fixture(scope="module")
def crawled(small_web, tmp_path_factory):
    """(output, pages that were asked for)."""
    home = tmp_path_factory.mktemp("crawl")
    answers, pages = of_archives(sorted((small_web / "warcs").iterdir()))
    pages = [url for url in pages if of(url)]
    (home / "urls.txt").write_text("# pages\n" + "\n".join(pages))
    with crawled_web(answers) as web:
        asked = ["crawl", "--urls", str(home / "urls.txt"), "--output", str(home / "out"), "--quiet"]
        more = ["--set", "crawl.interval_s=0.0", "--set", "fetch.per_host=1", "--set", "crawl.buckets=2"]
        assert cli.main([*asked, *more, "--set", routes(web, "weft.test"), *LOCAL]) == 0
    return home / "out", pages


def documents(folder: Path) -> dict[str, tuple]:
    """Page key → its texts and images, by the first capture of a page; of our hosts alone."""
    found: dict[str, tuple] = {}
    for path in sorted(folder.iterdir()):
        for record in read_archive(str(path)):
            if isinstance(record, Record) and classify(record)[0] == "page" and of(record.url):
                made = extract_page(record).document
                told = made and (made.texts, [url and urlsplit(url)[1:] for url in made.images])
                found.setdefault(page_key(record.url), told)
    return found


def test_it_gives_the_documents_of_the_webs_own_archives(crawled, small_web):
    output, pages = crawled
    found, own = documents(output / "warc"), documents(small_web / "warcs")
    assert len([one for one in own.values() if one]) > 30 and found == own
    fates = {row.key: row for row in parquet.read_table(str(output / "fates/crawl"), Fate)}
    assert {page_key(url) for url in pages} <= {page_key(key) for key in fates}


def test_other_readers_find_its_archives_whole(crawled):
    output, _ = crawled

    class Asked:
        inputs = [str(path) for path in sorted((output / "warc").iterdir())]  # noqa: RUF012
        verbose = False

    assert len(Asked.inputs) >= 2 and Checker(Asked).process_all() == 0


def test_archives_of_an_attempt_that_was_not_the_one_go(crawled):
    output, _ = crawled
    units = (output / "crawl/units.txt").read_text().split()
    whole = {path.name for path in (output / "warc").iterdir()}
    whole.add("mine.warc.gz")
    for name in ("mine.warc.gz", f"{units[0]}-deadbeef-00000.warc.gz"):
        (output / "warc" / name).write_bytes(b"")
    command._closed(str(output), units)
    assert {path.name for path in (output / "warc").iterdir()} == whole


def crawl(home: Path, answers: dict[str, Page], *more: str) -> list[str]:
    """The paths that were asked for, but for robots.txt and the like."""
    with crawled_web(answers) as web:
        told = ["--set", routes(web, "test"), "--set", "crawl.interval_s=0.0", "--set", "fetch.tdm_file=false"]
        told += ["--set", "crawl.buckets=1", "--quiet", "--output", str(home / "out")]
        assert cli.main(["crawl", *more, *told, *LOCAL]) == 0
        return sorted(one.path for one in web.seen if one.path != "/robots.txt")


def test_seeds_are_followed_so_far_and_so_many_and_sitemaps_read(tmp_path, capsys):
    links = "".join(f'<a href="/{n}">x</a>' for n in range(5))
    answers = {"http://a.test/": Page(f"<p>start {links}".encode()), "http://b.test/deep": Page(b"<p>deep")}
    answers |= {f"http://a.test/{n}": Page(b'<a href="/far">x</a>') for n in range(5)}
    answers["http://b.test/map.xml"] = Page(b"<urlset><url><loc>http://b.test/deep</loc></url></urlset>", "text/xml")
    (tmp_path / "seeds.txt").write_text("http://a.test/\nftp://a.test/\nhttp://[x/\n")
    found = crawl(
        tmp_path, answers, "--seeds", str(tmp_path / "seeds.txt"), "--depth", "1", "--per-host", "4",
        "--sitemap", "http://b.test/map.xml",
    )  # fmt: skip
    assert found == ["/", "/0", "/1", "/2", "/deep", "/map.xml"]
    told = capsys.readouterr().out
    assert "pages     5 of 9, 2 bad_url, 2 host_cap" in told and "sitemaps  1 of 1" in told


def test_prose_and_markup_are_not_asked_for_and_nothing_stored_is_no_success(tmp_path, capsys):
    (tmp_path / "list.txt").write_text("some words\nhttp://a.test/ a note\n<a href='http://a.test/'>\n")
    argv = ["--urls", str(tmp_path / "list.txt"), "--output", str(tmp_path / "out"), "--set", "crawl.buckets=1"]
    assert cli.main(["crawl", *argv, "--quiet", *LOCAL]) == cli.USER_ERROR
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "weft: nothing was stored: pages 0 of 3, 3 bad_url\n")


def test_who_crawls_a_private_network_is_told_how_to_name_it(tmp_path, capsys):
    (tmp_path / "list.txt").write_text("http://127.0.0.1:9/\n")
    argv = ["--urls", str(tmp_path / "list.txt"), "--output", str(tmp_path / "out"), "--set", "crawl.buckets=1"]
    assert cli.main(["crawl", *argv, "--quiet", *LOCAL]) == cli.USER_ERROR
    assert "1 private_address" in (said := capsys.readouterr().err) and "--set fetch.allow_networks=[" in said


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "nothing to crawl: name --urls LIST, --sitemap URL or --seeds LIST"),
        (["--sitemap", "map.xml"], "--sitemap takes the address of a sitemap, not 'map.xml'"),
        (["--urls", "{}/none.txt"], "No such file or directory: {}/none.txt"),
        (["--sitemap", "http://a.test/m", "--since", "{}"], "{} holds no finished crawl"),
        (["--sitemap", "http://a.test/m", "--since", "{}/theirs"], "{}/theirs holds no finished crawl"),
        (
            ["--sitemap", "http://a.test/m", "--since", "{}/cut"],
            "{}/cut/manifest.json is not what a crawl writes: crawl once more into another directory",
        ),
        (
            ["--urls", "{}/empty", "--seeds", "{}/blank"],
            "nothing to crawl: no line of {0}/empty, {0}/blank is an address",
        ),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, argv, told):
    for name, text in (("theirs/manifest.json", '{"name": "an app"}'), ("cut/manifest.json", '{"warcs'),
                       ("empty", ""), ("blank", "# nothing\n\n")):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    argv = [word.format(tmp_path) for word in argv]
    assert cli.main(["crawl", *argv, "--output", str(tmp_path / "out")]) == cli.USER_ERROR
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().err == f"weft: {told.format(tmp_path)}\n"


@pytest.mark.parametrize("cut", [9, 30])
def test_a_list_that_is_packed_and_cut_is_one_line(tmp_path, cut):
    packed = gzip.compress(b"\xef\xbb\xbfa.test\n" * 50)
    (tmp_path / "list.gz").write_bytes(packed)
    assert next(iter(command._addresses(str(tmp_path / "list.gz"), "page", 0))).url == "https://a.test/"
    (tmp_path / "list.gz").write_bytes(packed[:-cut])
    with pytest.raises(ConfigError, match=r"cannot read the list .*list\.gz"):
        list(command._addresses(str(tmp_path / "list.gz"), "page", 0))


def test_a_list_has_a_line_where_cr_lf_or_both_end_it(tmp_path):
    (tmp_path / "f").write_bytes("# one\u2028b.test\ra.test/1\r\nhttp://a.test/2".encode())
    found = [one.url for one in command._addresses(str(tmp_path / "f"), "page", 0)]
    assert found == ["https://a.test/1", "http://a.test/2"]
