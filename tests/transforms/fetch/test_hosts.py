"""A host is asked by one unit unless it is named as one that bears more, and for no more images than a run may."""

from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from recording_web import recording_web

from weft.schemas.parameters import ConfigError, FetchRules
from weft.schemas.records import ImageRow
from weft.transforms.fetch import hosts
from weft.transforms.fetch.fetch_images import FetchImages
from weft.transforms.io.parquet import read_table

SPLIT = ("cdn.test=4", "plain.cdn.test=1")


def test_only_named_hosts_are_split() -> None:
    def units(host: str) -> int:
        return len({hosts.unit_name(f"http://{host}/{n}", 8, SPLIT) for n in range(200)})

    assert [units(host) for host in ("a.test", "cdn.test", "www.cdn.test", "x.cdn.test", "plain.cdn.test")] == [
        1, 4, 4, 4, 1,
    ]  # fmt: skip
    assert hosts.unit_name("http://www.a.test/1", 8) == hosts.unit_name("https://a.test/2", 8)


@pytest.mark.parametrize(
    "entry", ["cdn.test", "cdn.test=", "=4", "cdn.test=0", "cdn.test=many", "cdn.test=100000", "cdn.test=²"]
)
def test_what_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ConfigError, match=r"fetch\.split_hosts takes host=units"):
        hosts.parts((entry,))


def test_of_a_host_no_more_stay_than_allowed_whatever_the_order() -> None:
    wanted = [(f"k{n}", f"http://{('a', 'b', 'cdn')[n % 3]}.test/{n}") for n in range(90)]
    left = hosts.over(wanted, 10)
    assert left == hosts.over(wanted[::-1], 10)
    assert Counter(left.values()) == {"a.test": 20, "b.test": 20, "cdn.test": 20}
    assert Counter(hosts.over(wanted, 10, SPLIT).values())["cdn.test"] == 27, "a quarter of ten in each of its units"
    assert hosts.over(wanted, 0) == {} == hosts.over(wanted, 30)


def test_a_cap_and_a_split_in_the_stage(tmp_path: Path) -> None:
    with recording_web(takes=0.0) as web:
        rules = FetchRules(
            connect_to=(web.route,), robots=False, tdm_file=False, max_per_host=8, split_hosts=("cdn.web.test=3",)
        )
        urls = [f"http://{host}.web.test/ok/{n}" for host in ("one", "two", "cdn") for n in range(20)]
        with beam.Pipeline(runner="FnApiRunner") as p:
            _ = p | beam.Create(urls) | FetchImages(str(tmp_path), rules)
        asked = Counter(seen.host for seen in web.seen)
        assert asked["one.web.test"] == asked["two.web.test"] == 8 and 0 < asked["cdn.web.test"] <= 9
        assert max(web.most[f"{host}.web.test"] for host in ("one", "two")) <= rules.per_host
    rows = list(read_table(str(tmp_path / "images/index"), ImageRow))
    assert len(rows) == 60
    assert Counter(row.status for row in rows) == {"ok": len(web.seen), "host_cap": 60 - len(web.seen)}
    assert len(list((tmp_path / "images/index").glob("http-cdn.web.test-*"))) == 3
