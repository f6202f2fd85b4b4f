"""What a fetch asks of the web: images, hosts, requests, and how long the slowest host takes.

images/index of a sample → counts, and those of a larger input. Images and each host's share grow with the input; the
number of hosts grows no faster, and is planned as if it did. An image that the sample looked for in archives alone
(`fetch.http = false`) counts with what one takes elsewhere, unless the plan is for a fetch that asks nobody either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow.parquet as pq

from weft.pipeline.planning import dedup_plan
from weft.schemas.config import Fetch
from weft.transforms.fetch import hosts
from weft.transforms.fetch.rate_limit import bare_host
from weft.transforms.io import files

REQUEST_S = 0.25  # that a host takes to answer, on average: transforms/fetch/hosts.py's figure
COMES = 0.55  # of images that are asked for: OBELICS got 55 % (arXiv 2306.16527)
IMAGE_CPU_S = 0.006  # of each that is asked for, COMES of which come, on one core (docs/benchmarks.md)
IMAGE_BYTES = 45_000  # of one that comes, as it is stored


class Web(NamedTuple):
    """What is asked for over HTTP."""

    images: float  # addresses
    looked_up: float  # of these, not asked for in the sample
    different: float  # pictures that came, from the web or from archives
    traffic: float  # bytes of what came over HTTP, as they are stored; what was made smaller was more
    hosts: float
    of_hosts: Mapping[str, float]  # host → images of it

    def times(self, scale: float) -> Web:
        """Of an input so many times as large, and with what did not come in the sample alone."""
        return Web(
            self.images * scale,
            self.looked_up * scale,
            (self.different + COMES * self.looked_up) * scale,
            (self.traffic + COMES * IMAGE_BYTES * self.looked_up) * scale,
            self.hosts * scale,
            {host: images * scale for host, images in self.of_hosts.items()},
        )

    def hours(self, host: str, config: Fetch) -> float:
        """How long a host is asked."""
        asked = min(self.of_hosts[host], config.max_per_host or self.of_hosts[host])
        parts = hosts.units_of(host, config.split_hosts)
        return asked / parts * max(REQUEST_S / config.per_host, config.interval_s) / 3600

    def slowest(self, config: Fetch) -> str:
        """The host that is asked longest, which is not the largest where that is split; of several the largest."""
        return min(self.of_hosts, key=lambda host: (-self.hours(host, config), -self.of_hosts[host], host))

    def requests(self, config: Fetch) -> float:
        """At most, without redirects and further tries."""
        files_of_host = config.robots + (config.tdm_file and "tdm" in config.honoured)
        return self.images + files_of_host * self.hosts

    def lines(self, config: Fetch) -> Iterator[str]:
        """For a person."""
        if not self.images:
            return
        slowest = self.slowest(config)
        yield (
            f"requests: at most {self.requests(config):,.0f}, for images of at most {self.hosts:,.0f} hosts; redirects "
            "and further tries come on top"
        )
        yield (
            f"slowest host: {slowest}, which has {self.of_hosts[slowest]:,.0f} images, takes "
            f"{self.hours(slowest, config):,.1f} hours, where it answers in {REQUEST_S:g} s and is asked "
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
        if not self.images:
            return
        largest = min(self.of_hosts, key=lambda host: (-self.of_hosts[host], host))
        if 0 < config.max_per_host < self.of_hosts[largest]:
            yield (
                f"fetch: {largest} has {self.of_hosts[largest]:,.0f} images, and fetch.max_per_host = "
                f"{config.max_per_host:,}: the others end as host_cap"
            )
        slowest = self.slowest(config)
        hours = self.hours(slowest, config)
        if config.host_hours and hours > config.host_hours:
            yield (
                f"fetch: {slowest} takes {hours:,.0f} hours, and fetch.host_hours = {config.host_hours:g}: what "
                "is left ends as host_too_slow (fetch.split_hosts, or a later run with fetch.earlier)"
            )


def of(output: str, http: bool = True) -> Web:
    """What a run asked for; without `http`, what it would have found in archives alone."""
    different: set[str] = set()
    of_hosts: Counter[str] = Counter()
    looked_up = traffic = 0
    for path, _ in files.listing(files.join(output, "images/index", "*.parquet")):
        with files.open_read(path) as stream:
            rows = pq.read_table(stream, columns=["status", "origin", "image_id", "image_url", "length"]).to_pydict()
        for status, origin, image, key, length in zip(*rows.values(), strict=True):
            if origin == "http" and not http:
                continue
            if status == "ok":
                different.add(image)
            if origin == "http":
                of_hosts[bare_host(key)] += 1
                looked_up += status == "not_in_warc"
                traffic += length * (status == "ok")
    return Web(sum(of_hosts.values()), looked_up, len(different), traffic, len(of_hosts), of_hosts)
