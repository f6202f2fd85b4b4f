"""One unit at a time: what it leaves, what it leaves to others, and that it is not done twice."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_bytes import gz, http, record, stored
from patience import PATIENT
from recording_web import Handler, RecordingWeb, Seen, picture, recording_web

from weft.schemas.parameters import FetchRules
from weft.schemas.records import ImageRow
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.fetch import by_img2dataset, fetch_images, previous_runs, unit
from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.slices import Turn, Unfinished
from weft.transforms.fetch.unit import EARLIER, WARC, WEB, Task, Wanted, fetch_unit, from_web, moved
from weft.transforms.io.parquet import read
from weft.transforms.io.tar import write_tar
from weft.transforms.urls import image_key

HOST = "http://a.web.test"


@pytest.fixture
def web() -> Iterator[RecordingWeb]:
    with recording_web(takes=0.0) as made:
        yield made


def rules(web: RecordingWeb) -> FetchRules:
    return FetchRules(connect_to=(web.route,), robots=False, tdm_file=False, retries=0, **PATIENT)


def statuses(index: str) -> dict[str, str]:
    rows = pq.read_table(index, columns=["image_url", "status"]).to_pylist()
    return {row["image_url"]: row["status"] for row in rows}


@pytest.mark.parametrize("last", [False, True])
def test_redirects_to_other_hosts_are_left_to_the_next_round(tmp_path: Path, web: RecordingWeb, last: bool) -> None:
    paths = {"k1": "/ok/1", "k2": "/to/b.web.test/2", "k3": "/gone/3", "k4": "/to/www.a.web.test/4"}
    wanted = [Wanted(key, WEB, HOST + path) for key, path in paths.items()]
    index = fetch_unit(("http-00003", wanted), Task(str(tmp_path), "f", rules(web)), last)
    assert index == str(tmp_path / "images/index/http-00003.parquet")
    expected = {"k1": "ok", "k3": "http_error", "k4": "ok"}
    assert statuses(index) == ({**expected, "k2": "too_many_redirects"} if last else expected)
    assert list(moved(index)) == ([] if last else [("k2", "http://b.web.test/ok/2")])
    fates = pq.read_table(tmp_path / "fates/fetch/http-00003.parquet").to_pylist()
    assert {row["key"]: row["reason"] for row in fates} == {
        key: "" if status == "ok" else status for key, status in statuses(index).items()
    }
    asked = len(web.seen)
    assert fetch_unit(("http-00003", wanted[::-1]), Task(str(tmp_path), "f", rules(web)), last) == index
    assert len(web.seen) == asked, "it is done, whatever the order"
    fetch_unit(("http-00003", wanted), Task(str(tmp_path), "another configuration", rules(web)), last)
    assert len(web.seen) > asked


def test_an_archive_that_holds_something_else_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(b"")
    wanted = [Wanted("k1", WARC, f"{HOST}/1", 0, 5), Wanted("k2", WARC, f"{HOST}/2", 700, 6)]
    index = fetch_unit((str(tmp_path / "a.warc"), wanted), Task(str(tmp_path), "f", FetchRules()))
    assert statuses(index) == {"k1": "capture_unreadable", "k2": "capture_unreadable"}
    assert Path(index).name.startswith("warc-a-") and list(moved(index)) == []


def test_what_a_killed_run_had_is_not_asked_for_again_unless_it_may_pass(tmp_path: Path, web: RecordingWeb) -> None:
    had = [
        Outcome("a", Refused("http_error", "HTTP 404"), 404, 1),
        Outcome("b", Refused("timeout", "no whole answer"), 0, 2),
        Outcome("no longer wanted", Refused("svg", ""), 200, 3),
    ]
    Turn(str(tmp_path), Unfinished("u", "f")).spool.keep(had)
    addresses = {key: f"{HOST}/ok/{key}" for key in "cba"}
    found = list(from_web(addresses, rules(web), Turn(str(tmp_path), Unfinished("u", "f"))))
    assert [outcome.key for outcome in found] == ["a", "b", "c"]
    assert found[0] == had[0]
    assert {one.path for one in web.seen} == {"/ok/b", "/ok/c"}


def test_without_http_nobody_is_asked(web: RecordingWeb) -> None:
    quiet = FetchRules(http=False, connect_to=(web.route,))
    found = from_web({"b": f"{HOST}/ok/b", "a": f"{HOST}/ok/a"}, quiet)
    assert json.loads(json.dumps(list(found))) == [[key, ["not_in_warc", ""], 0, 0, "", ""] for key in "ab"]
    assert not web.seen


MARKED = picture("marked") + b"<plus:DataMining>DMI-PROHIBITED</plus:DataMining>"
WORDS = "XMP plus:DataMining: DMI-PROHIBITED"


class Marked(Handler):
    def _answer(self, seen: Seen, nth: int) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "image/png"}, MARKED


def by_web(home: Path, asked: FetchRules) -> Outcome:
    with recording_web(0.0, Marked) as web:
        (found,) = from_web({"k": f"{HOST}/x.png"}, dataclasses.replace(asked, connect_to=(web.route,)))
    return found


def by_archive(home: Path, asked: FetchRules) -> Outcome:
    one = Record("response", f"{HOST}/x.png", "", 0, "<urn:x>", 0, 200, (("content-type", "image/png"),), MARKED, "")
    return unit._of_capture("k", one, 0, asked)


def by_other(home: Path, asked: FetchRules) -> Outcome:
    told = {"key": "0", "weft_key": "k", "status": "success", "error_message": None}
    pq.write_table(pa.Table.from_pylist([told]), home / "00000.parquet")
    write_tar(str(home / "00000.tar"), [("0.png", MARKED), ("0.json", json.dumps(told).encode())])
    (found,) = by_img2dataset.taken(home, {"k": f"{HOST}/x.png"}, asked, "")
    return found


@pytest.mark.parametrize("way", [by_web, by_archive, by_other])
def test_a_pictures_own_metadata_count_whichever_way_it_comes(tmp_path: Path, way: Any) -> None:
    plain = FetchRules(robots=False, tdm_file=False)
    assert way(tmp_path, plain).image == Refused("opt_out", WORDS)
    for asked in (dataclasses.replace(plain, honour_opt_out=False), dataclasses.replace(plain, opt_out=("noai",))):
        found = way(tmp_path, asked)
        assert isinstance(found.image, Prepared) and found.opt_out == WORDS, "on record all the same"


def in_archive(home: Path, *names: str) -> list[fetch_images._Held]:
    """An archive of pictures of HOST, and where it holds them, the best first."""
    headers = ["X-Content-Type: image/png"]
    data = gz(*(record(url=f"{HOST}/{n}.png", block=http(picture(n), headers), number=i) for i, n in enumerate(names)))
    path = stored(home, data)
    found = [one for one in read_archive(path) if isinstance(one, Record)]
    return [fetch_images._Held(rank, 0, path, one.offset, image_key(one.url)) for rank, one in enumerate(found, 1)]


def one_row(item: tuple[str, dict[str, Any]], output: Path, asked: FetchRules) -> ImageRow:
    ((source, wanted),) = fetch_images._route(item, 8, ())
    return next(read(fetch_unit((source, [wanted]), Task(str(output), repr(asked), asked)), ImageRow))


def test_a_picture_from_another_address_says_so_and_goes_with_it(tmp_path: Path) -> None:
    big, plain = f"{HOST}/big.png", FetchRules(http=False)
    small, tiny = in_archive(tmp_path, "small", "tiny")
    key = image_key(big)
    row = one_row((key, {"wanted": [big], "held": [small, tiny]}), tmp_path / "out", plain)
    assert (row.status, row.origin, row.final_url) == ("ok", "warc", f"{HOST}/small.png")
    own = one_row((small.address, {"wanted": [f"{HOST}/small.png"], "held": [small]}), tmp_path / "own", plain)
    assert (own.status, own.final_url) == ("ok", "")

    def again(line: str, held: list[Any]) -> ImageRow:
        """As a removal does it."""
        (tmp_path / "list").write_text(f"{line}\n")
        asked, output = dataclasses.replace(plain, exclude=(str(tmp_path / "list"),)), str(tmp_path / "out")
        files = previous_runs.index_files([output], asked, final=output)
        earlier = [image for index in files for _, image in previous_runs.images(index)]
        item = {"wanted": [big], "held": held, "earlier": earlier}
        return one_row((key, item), tmp_path / f"again-{len(held)}", asked)

    assert again("other.test", [small, tiny])[:10] == row[:10] and again("other.test", [small]).status == "ok"
    # A run that never had the address takes the next one, or has none.
    assert (again(f"{HOST}/small.png", [tiny]).final_url, again(f"{HOST}/small.png", []).status) == (
        f"{HOST}/tiny.png", "not_in_warc",
    )  # fmt: skip


def test_what_a_finished_run_has_is_not_judged_anew(tmp_path: Path) -> None:
    (held,) = in_archive(tmp_path, "barn")
    plain = FetchRules(http=False)
    one_row((held.address, {"wanted": [f"{HOST}/barn.png"], "held": [held]}), tmp_path / "out", plain)
    today = {"wanted": [f"{HOST}/barn.png"], "forbidden": [(fetch_images._ASKED, "robots.txt of 2024-06-01")]}

    def judged(final: str) -> str:
        (index,) = previous_runs.index_files([str(tmp_path / "out")], final=final)
        earlier = [image for _, image in previous_runs.images(index)]
        return one_row((held.address, {**today, "earlier": earlier}), tmp_path / f"anew{final}", plain).status

    assert judged(str(tmp_path / "out")) == "ok"
    assert judged("") == "opt_out"


@pytest.mark.parametrize("line", [f"{HOST}/ok/1", "a.web.test/ok"])
def test_an_address_that_is_excluded_is_not_asked_for_and_nothing_of_it_stored(
    tmp_path: Path, web: RecordingWeb, line: str
) -> None:
    (tmp_path / "list").write_text(f"{line}\n")
    asked = dataclasses.replace(rules(web), exclude=(str(tmp_path / "list"),))
    key = image_key(f"{HOST}/ok/1")
    row = ImageRow(key, "id", "ok", 200, "image/png", 9, 9, 9, 9, "0" * 16, "", 0, 0, 0, "http", False)
    ways = [
        Wanted(key, WEB, f"{HOST}/ok/1"),
        Wanted("k", WEB, f"{HOST}/ok/1"),  # where a redirect leads
        Wanted(key, WARC, key, 0, 7),
        Wanted("k", WARC, key, 0, 7),
        Wanted(key, EARLIER, earlier=previous_runs.EarlierImage(0, str(tmp_path), row)),
    ]
    for number, wanted in enumerate(ways):
        index = fetch_unit((f"{wanted.origin}-{number:05d}", [wanted]), Task(str(tmp_path), "f", asked))
        assert statuses(index) == {wanted.key: "excluded"}
        (found,) = read(index, ImageRow)  # not "earlier": where they had it from
        assert found.origin == ("warc" if wanted.origin == WARC else "http")
    assert not web.seen
