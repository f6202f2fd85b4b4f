"""What a fetch asks of the web: images, hosts, requests, and how long the slowest host takes.

images/index of a sample → counts, and those of a larger input. Images and the share of the largest host grow with the
input, hosts at most so. An image that the sample looked for in archives alone (`fetch.http = false`) counts with what
one takes elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow.parquet as pq

from weft.pipeline.planning import dedup_plan
from weft.schemas.config import Fetch
from weft.transforms.fetch import hosts
from weft.transforms.fetch.rate_limit import bare_host
from weft.transforms.io import files

REQUEST_S = 0.25  # that a host takes to answer, on average: transforms/fetch/hosts.py's figure
COMES = 0.55  # of images that are asked for: OBELICS got 55 % (arXiv 2306.16527)
IMAGE_CPU_S, IMAGE_BYTES = 0.006, 45_000  # of one that comes, on one core (docs/benchmarks.md), and stored


class Web(NamedTuple):
    """What is asked for over HTTP."""

    images: float  # addresses
    looked_up: float  # of these, not asked for in the sample
    different: float  # pictures that came, from the web or from archives
    hosts: float
    largest: str  # host with the most images, "" where there is none
    of_largest: float  # images of it

    def times(self, scale: float) -> Web:
        """Of an input so many times as large, and with what did not come in the sample alone."""
        return Web(
            self.images * scale,
            self.looked_up * scale,
            (self.different + COMES * self.looked_up) * scale,
            self.hosts * scale,
            self.largest,
            self.of_largest * scale,
        )

    def most_of_a_host(self, config: Fetch) -> float:
        """Images that a run asks the largest host for, 0 where that has no bound."""
        return config.max_per_host * hosts.units_of(self.largest, config.split_hosts)

    def hours_of_largest(self, config: Fetch) -> float:
        """How long the largest host is asked."""
        parts = hosts.units_of(self.largest, config.split_hosts)
        asked = min(self.of_largest, self.most_of_a_host(config) or self.of_largest)
        return asked / parts * max(REQUEST_S / config.per_host, config.interval_s) / 3600

    def requests(self, config: Fetch) -> float:
        """At most, without redirects and further tries."""
        files_of_host = config.robots + (config.tdm_file and "tdm" in config.honoured)
        return self.images + files_of_host * self.hosts

    def lines(self, config: Fetch) -> Iterator[str]:
        """For a person."""
        if not self.images or not config.http:
            return
        yield (
            f"requests: at most {self.requests(config):,.0f}, for images of at most {self.hosts:,.0f} hosts; redirects "
            "and further tries come on top"
        )
        yield (
            f"slowest host: {self.largest}, which has {self.of_largest:,.0f} images, takes "
            f"{self.hours_of_largest(config):,.1f} hours, where it answers in {REQUEST_S:g} s and is asked "
            f"{config.per_host} at a time"
        )
        if self.looked_up:
            yield (
                f"{self.looked_up:,.0f} of the images are such as the sample looked for in archives alone: for each "
                f"{IMAGE_CPU_S * 1000:g} ms of CPU are in fetch, and of {COMES:.0%} {dedup_plan.size(IMAGE_BYTES)} in "
                "images"
            )

    def breaks(self, config: Fetch) -> Iterator[str]:
        """What would not come as it is asked for."""
        if not config.http:
            return
        if 0 < self.most_of_a_host(config) < self.of_largest:
            yield (
                f"fetch: {self.largest} has {self.of_largest:,.0f} images, and fetch.max_per_host = "
                f"{config.max_per_host:,}: the others end as host_cap"
            )
        hours = self.hours_of_largest(config)
        if config.host_hours and hours > config.host_hours:
            yield (
                f"fetch: {self.largest} takes {hours:,.0f} hours, and fetch.host_hours = {config.host_hours:g}: what "
                "is left ends as host_too_slow (fetch.split_hosts, or a later run with fetch.earlier)"
            )


def of(output: str) -> Web:
    """What a run asked for."""
    different: set[str] = set()
    of_hosts: Counter[str] = Counter()
    looked_up = 0
    for path, _ in files.listing(files.join(output, "images/index", "*.parquet")):
        with files.open_read(path) as stream:
            rows = pq.read_table(stream, columns=["status", "origin", "image_id", "image_url"]).to_pydict()
        for status, origin, image, key in zip(*rows.values(), strict=True):
            if status == "ok":
                different.add(image)
            if origin == "http":
                of_hosts[bare_host(key)] += 1
                looked_up += status == "not_in_warc"
    largest, most = min(of_hosts.items(), key=lambda one: (-one[1], one[0]), default=("", 0))
    return Web(sum(of_hosts.values()), looked_up, len(different), len(of_hosts), largest, most)
