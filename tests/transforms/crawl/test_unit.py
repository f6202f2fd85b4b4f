import dataclasses
import json

import pytest
from crawled_web import Page, crawled_web
from patience import PATIENT

from weft.schemas.parameters import CrawlRules, Manners
from weft.schemas.records import Fate
from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.crawl import unit
from weft.transforms.crawl.client import IMAGE, PAGE
from weft.transforms.crawl.frontier import Address
from weft.transforms.crawl.unit import Crawl, crawl_unit, read_index
from weft.transforms.io import parquet, spool, work_units

A = "http://a.test/"


def site(**changed: bytes) -> dict[str, Page]:
    links = "".join(f'<a href="/{n}">{n}</a>' for n in range(6))
    pages = {
        A: Page(f"<p>start {links}".encode()),
        A + "robots.txt": Page(b"User-agent: *\nDisallow: /5", "text/plain"),
    }
    pages |= {f"{A}{n}": Page(b"<p>page %d <img src='http://cdn.test/%d.jpg'>" % (n, n)) for n in range(6)}
    return pages | {A + name: Page(body) for name, body in changed.items()}


def a_crawl(output, web) -> Crawl:
    manners = Manners(connect_to=(f"test=127.0.0.1:{web.server_address[1]}",), retries=0, **PATIENT)
    return Crawl(str(output), CrawlRules(main_content=False), manners, "f", (("software", "weft"),))


def let_in_nowhere(crawl: Crawl) -> Crawl:
    """The same crawl, to which no host answers."""
    return dataclasses.replace(crawl, manners=dataclasses.replace(crawl.manners, connect_to=("test=127.0.0.1:9",)))


def fates(output, name="u") -> dict[str, str]:
    rows = parquet.read(f"{output}/fates/crawl/{name}.parquet", Fate)
    return {row.key: row.reason for row in rows}


def test_a_unit_leaves_records_an_index_fates_and_what_others_are_to_ask(tmp_path):
    with crawled_web(site()) as web:
        crawl = a_crawl(tmp_path, web)
        assert crawl_unit("u", 0, [Address(A, PAGE, 1)], [], crawl) == "u"
        before = len(web.seen)
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], crawl)
        assert len(web.seen) == before  # done is done
    assert fates(tmp_path) == {A: "", **{f"{A}{n}": "" for n in range(5)}, A + "5": "robots_disallowed"}
    rows = {row.url: row for row in read_index(str(tmp_path), "u")}
    for url, row in rows.items():
        if row.record_id:
            ((_, record),) = read_captures(row.warc_file, [row.warc_offset])
            assert (record.url, record.record_id, record.date) == (url, row.record_id, row.date)
    assert rows[A].record_id and not rows[A + "5"].record_id and rows[A + "robots.txt"].kind == "robots"
    left = list(unit.elsewhere(str(tmp_path), "u"))
    assert left == [Address(f"http://cdn.test/{n}.jpg", IMAGE) for n in range(5)]
    told = json.loads((tmp_path / "crawl/units/u.json").read_text())
    assert told["counts"] == {"page": 7, "image": 0, "record": 0}
    assert not (tmp_path / "crawl/spool").exists() or not list((tmp_path / "crawl/spool").iterdir())


def test_a_killed_unit_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "MOST_ITEMS", 1)
    whole = unit._Unit.write
    with crawled_web(site()) as web:
        crawl = a_crawl(tmp_path, web)

        def killed(self, fingerprint):
            raise KeyboardInterrupt

        monkeypatch.setattr(unit._Unit, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            crawl_unit("u", 0, [Address(A, PAGE, 1)], [], crawl)
        pieces = sorted((tmp_path / "crawl/spool").rglob("*.bin"))
        for piece in pieces[-2:]:
            piece.unlink()
        monkeypatch.setattr(unit._Unit, "write", whole)
        web.seen.clear()
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], crawl)
        asked = [one.path for one in web.seen if one.path.strip("/").isdigit()]
    assert 1 <= len(asked) <= 2  # what the two pieces had
    assert len(fates(tmp_path)) == 7


def test_what_has_not_changed_is_a_revisit_and_still_leads_on(tmp_path):
    with crawled_web(site()) as web:
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], a_crawl(tmp_path / "one", web))
    before = list(read_index(str(tmp_path / "one"), "u"))
    with crawled_web(site(**{"3": b"<p>another page"})) as web:
        crawl_unit("u", 0, [Address(A, PAGE, 1)], before, a_crawl(tmp_path / "two", web))
        assert [one.status for one in web.seen if one.path == "/2"] == [304]
    (archive,) = (tmp_path / "two/warc").iterdir()
    records = read_archive(str(archive))
    kinds = {one.url: one.kind for one in records if one.kind != "request" and one.url in site()}
    same = dict.fromkeys([A, *(f"{A}{n}" for n in (0, 1, 2, 4))], "revisit")
    assert kinds == {**same, A + "3": "response", A + "robots.txt": "response"}
    again = {row.url: row for row in read_index(str(tmp_path / "two"), "u")}
    first = {row.url: row for row in before}
    assert again[A + "2"] == first[A + "2"]._replace(reason="")  # the record with the body is the first crawl's
    assert again[A + "3"].record_id != first[A + "3"].record_id
    assert len(list(unit.elsewhere(str(tmp_path / "two"), "u"))) == 4  # pages 0, 1, 2, 4 still show their pictures


def test_files_are_of_a_bounded_size_and_places_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(unit, "WARC_BYTES", 2_000)
    with crawled_web(site()) as web:
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], a_crawl(tmp_path, web))
    names = {row.warc_file for row in read_index(str(tmp_path), "u") if row.warc_file}
    assert len(names) > 2
    for row in read_index(str(tmp_path), "u"):
        if row.warc_file:
            assert next(read_captures(row.warc_file, [row.warc_offset]))[1].url == row.url


MINE = "<meta name=robots content='%s'><p>mine <img src='/i.jpg'>"
SAID = {  # address → what it is, and the signal that forbids it
    A + "header": (Page(b"<p>mine", headers={"X-Robots-Tag": "noai"}), "noai"),
    A + "meta": (Page((MINE % "noml").encode()), "noml"),
    A + "tdm": (Page(b"<p>mine", headers={"TDM-Reservation": "1"}), "tdm"),
    A + "h.jpg": (Page(b"\xff\xd8\xff", "image/jpeg", headers={"X-Robots-Tag": "noindex"}), "noindex"),
    A + "d.jpg": (Page(b"\xff\xd8\xff DMI-PROHIBITED", "image/jpeg"), "dmi"),
}


@pytest.mark.parametrize(
    "asked", [{}, {"honour_opt_out": False}, *({"opt_out": (signal,)} for _, signal in SAID.values())]
)
def test_pages_and_images_are_judged_by_the_signals_that_are_asked_for(tmp_path, asked):
    with crawled_web({url: page for url, (page, _) in SAID.items()}) as web:
        crawl = a_crawl(tmp_path, web)
        crawl = dataclasses.replace(crawl, manners=dataclasses.replace(crawl.manners, **asked))
        crawl_unit("u", 0, [Address(url, IMAGE if url.endswith("jpg") else PAGE) for url in SAID], [], crawl)
    honoured = crawl.manners.honoured
    assert fates(tmp_path) == {url: "opt_out" if signal in honoured else "" for url, (_, signal) in SAID.items()}


@pytest.mark.parametrize("asked", [{}, {"honour_opt_out": False}, {"opt_out": ("noai",)}])
def test_images_that_a_page_forbids_are_asked_for_where_that_does_not_count(tmp_path, asked):
    with crawled_web({A: Page((MINE % "noimageai").encode())}) as web:
        crawl = a_crawl(tmp_path, web)
        crawl = dataclasses.replace(crawl, manners=dataclasses.replace(crawl.manners, **asked))
        crawl_unit("u", 0, [Address(A, PAGE)], [], crawl)
    assert list(unit.elsewhere(str(tmp_path), "u")) == [Address(A + "i.jpg", IMAGE)] * bool(asked)


def test_what_too_many_redirects_led_to_ends(tmp_path):
    with crawled_web({}) as web:
        crawl = dataclasses.replace(a_crawl(tmp_path, web))
        crawl_unit("u", 4, [Address(A, IMAGE, 0, 9)], [], crawl, ask=False)
        assert web.seen == []
    assert fates(tmp_path, "u-4") == {A: "too_many_redirects"}


def test_an_attempt_that_comes_second_takes_nothing_from_the_one_that_is_done(tmp_path, monkeypatch):
    whole, ahead = unit._Unit.write, []

    def slow(self, fingerprint):
        """Meanwhile another attempt of the same unit, whose requests were answered, is done."""
        if not ahead:
            ahead.append(self)
            crawl_unit("u", 0, [Address(A, PAGE, 1)], [], a_crawl(tmp_path, web))
        return whole(self, fingerprint)

    monkeypatch.setattr(unit._Unit, "write", slow)
    with crawled_web(site()) as web:
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], let_in_nowhere(a_crawl(tmp_path, web)))
    assert len(fates(tmp_path)) == 7 and list(fates(tmp_path).values()).count("") == 6
    rows = [row for row in read_index(str(tmp_path), "u") if row.warc_file]
    assert all(next(read_captures(row.warc_file, [row.warc_offset]))[1].url == row.url for row in rows)
    assert len(rows) >= 6 and not list((tmp_path / "crawl/spool").iterdir())


def test_attempts_side_by_side_count_their_own_answers_alone(tmp_path, monkeypatch):
    """One whose answers led further does not fill the books of one that was let in nowhere."""
    monkeypatch.setattr(spool, "MOST_ITEMS", 1)
    keep, ahead = unit.Answers.keep, []

    def beside(self, found):
        if not ahead:
            ahead.append(self)
            with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
                patch.setattr(unit._Unit, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
                crawl_unit("u", 0, [Address(A, PAGE, 1)], [], a_crawl(tmp_path, web))
        keep(self, found)

    monkeypatch.setattr(unit.Answers, "keep", beside)
    with crawled_web(site()) as web:
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], let_in_nowhere(a_crawl(tmp_path, web)))
    assert fates(tmp_path) == {A: "connection_failed"}
    assert json.loads((tmp_path / "crawl/units/u.json").read_text())["counts"]["page"] == 1


def test_what_has_been_asked_stays_until_the_marker_stands(tmp_path, monkeypatch):
    def killed(path, value):
        raise KeyboardInterrupt

    with crawled_web(site()) as web:
        crawl = a_crawl(tmp_path, web)
        with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
            patch.setattr(work_units.state, "write", killed)
            crawl_unit("u", 0, [Address(A, PAGE, 1)], [], crawl)
        web.seen.clear()
        crawl_unit("u", 0, [Address(A, PAGE, 1)], [], crawl)
        assert [one.path for one in web.seen if one.path.strip("/").isdigit()] == []
