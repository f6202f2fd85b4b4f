"""One picture behind many addresses of a host, counted as plain loops count it."""

import collections
import random
from urllib.parse import urlsplit

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.records import RepeatedImage
from weft.transforms.beam import hot_keys
from weft.transforms.fetch.placeholders import IndexedImage, Repeated


def index(count: int, seed: int) -> list[IndexedImage]:
    """Rows of an index: few hosts, few pictures."""
    rng = random.Random(seed)
    return [
        IndexedImage(
            f"http://h{rng.randrange(3)}.test/{n}.jpg",
            rng.choice(("ok", "ok", "ok", "http_error")),
            f"{rng.choice((1, 1, 1, 2, 3)):016x}",
            80,
            rng.choice((60, 60, 61)),
            rng.choice((700, 700, 701)),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("crowd", [4096, 7])
@pytest.mark.parametrize(("count", "seed"), [(0, 0), (30, 1), (400, 2)])
def test_counts_are_those_of_the_plain_loop(count: int, seed: int, crowd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_keys, "MOST", crowd)
    rows, groups = index(count, seed), collections.defaultdict(list)
    for row in rows:
        if row.status == "ok":
            groups[urlsplit(row.image_url).hostname, row.phash, row.stored_height, row.length].append(row.image_url)
    expected = [
        RepeatedImage(url, key[0], len(urls), min(urls))
        for key, urls in groups.items()
        if len(urls) > 9
        for url in urls
    ]
    assert len(expected) > 50 or count < 400
    for order in range(2):
        random.Random(order).shuffle(rows)
        with beam_options.pipeline((), 1) as p:
            assert_that(p | beam.Create(rows) | Repeated(9), equal_to(expected))
