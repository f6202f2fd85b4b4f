"""What a sample says of the web that a larger input asks."""

import pytest

from weft.pipeline.planning import web
from weft.schemas.config import Fetch
from weft.schemas.records import ImageRow
from weft.schemas.tables import IMAGES
from weft.transforms.io.parquet import write_table


def row(url: str, status: str = "ok", origin: str = "http", image: str = "") -> ImageRow:
    return ImageRow(url, image, status, 200, "", 1, 1, 1, 1, "", "", 0, 9, 0, origin, False)


@pytest.fixture
def found(tmp_path):
    rows = [row(f"http://www.cdn.test/{n}", image=f"i{n % 3}") for n in range(6)]
    rows += [row("http://cdn.test/gone", "http_error"), row("http://a.test/x", "not_in_warc")]
    rows += [row("http://b.test/x", image="held", origin="warc")]
    write_table(str(tmp_path / "images/index/x.parquet"), sorted(rows), IMAGES)
    return web.of(str(tmp_path))


def test_images_hosts_and_the_largest_host_are_counted(found, tmp_path):
    assert found == web.Web(8, 1, 4, 6 * 9, 2, {"cdn.test": 7, "a.test": 1})
    assert web.of(str(tmp_path / "none")) == web.Web(0, 0, 0, 0, 0, {})
    assert list(web.of(str(tmp_path / "none")).lines(Fetch())) == []


def test_what_was_looked_up_comes_as_often_as_elsewhere(found):
    came = web.COMES * 10
    assert found.times(10) == web.Web(
        80,
        10,
        pytest.approx(40 + came),
        pytest.approx(540 + came * web.IMAGE_BYTES),
        20,
        {"cdn.test": 70, "a.test": 10},
    )


def test_a_plan_without_http_asks_nobody(found, tmp_path):
    alone = web.of(str(tmp_path), http=False).times(1_000_000)
    assert alone == web.Web(0, 0, 1_000_000, 0, 0, {}), "the picture that an archive held"
    assert [*alone.lines(Fetch()), *alone.breaks(Fetch())] == []


def test_a_host_takes_as_long_as_its_manners_ask(found):
    large = found.times(1_000_000)
    days = large.hours("cdn.test", Fetch(max_per_host=0)) / 24
    assert days == pytest.approx(10, rel=0.02), "7 million images, 700,000 a day"
    assert large.hours("cdn.test", Fetch(interval_s=1, max_per_host=0)) == pytest.approx(7e6 / 3600)
    split = ("cdn.test=20",)
    assert large.hours("cdn.test", Fetch(split_hosts=split)) == pytest.approx(1.2 * days)
    capped = large.hours("cdn.test", Fetch(split_hosts=split, max_per_host=700_000))
    assert capped == pytest.approx(0.12 * days), "the bound is of all units together"
    assert large.requests(Fetch()) == 8e6 + 2 * 2e6 and large.requests(Fetch(robots=False, tdm_file=False)) == 8e6


def test_what_would_not_come_is_said(found):
    assert list(found.breaks(Fetch())) == []
    large = found.times(1_000_000)
    cap, slow = large.breaks(Fetch(max_per_host=5_000_000))
    assert "host_cap" in cap and "takes 174 hours" in slow and "host_too_slow" in slow
    assert list(large.breaks(Fetch(max_per_host=500_000))) == [cap.replace("5,000,000", "500,000")]
    told = "\n".join(large.lines(Fetch()))
    assert (
        "at most 12,000,000" in told and "slowest host: cdn.test, which has 7,000,000" in told and "6 ms of CPU" in told
    )


def test_the_slowest_host_is_told_where_a_larger_one_is_split():
    config = Fetch(split_hosts=("cdn.test=20",))
    asked = web.Web(13e6, 0, 0, 0, 2, {"cdn.test": 7e6, "b.test": 6e6})
    assert "slowest host: b.test, which has 6,000,000 images, takes 208.3 hours" in "\n".join(asked.lines(config))
    assert [line.partition(",")[0] for line in asked.breaks(config)] == ["fetch: b.test takes 208 hours"]
    (cap,) = asked.breaks(Fetch(split_hosts=("cdn.test=20",), max_per_host=6_000_000, host_hours=300))
    assert "cdn.test has 7,000,000" in cap and "host_cap" in cap
