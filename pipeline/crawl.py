"""`weft crawl`: lists of addresses, sitemaps, seeds → WARC files of pages and their images, politely asked for.

addresses ─► rounds of units, a host in one (transforms/crawl) ─► warc/, index/, fates/crawl ─► books, manifest.json
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence

import apache_beam as beam

import weft.schemas.config as configuration
from weft.pipeline.run import books, manifest
from weft.pipeline.run.claim import claim
from weft.pipeline.run.progress import Progress
from weft.pipeline.runners import beam_options
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.transforms.crawl.client import PAGE, SITEMAP
from weft.transforms.crawl.crawl_pages import CrawlPages
from weft.transforms.crawl.frontier import Address, is_address
from weft.transforms.crawl.unit import STAGE, Crawl
from weft.transforms.io import files, state
from weft.transforms.urls import resolve

MANIFEST = "manifest.json"
_LONGEST = 2_000  # characters of a line that means no address
_HOW = ("concurrency", "connect_to")  # say how and not what
_NAMES = {"page": "pages", "image": "images", "record": "sitemaps"}


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where a crawl begins; files hold an address a line, plain or gzipped."""

    urls: tuple[str, ...] = ()  # lists of pages
    sitemaps: tuple[str, ...] = ()  # addresses of sitemaps
    seeds: tuple[str, ...] = ()  # lists of pages whose links are followed
    since: tuple[str, ...] = ()  # outputs of earlier crawls


def crawl(sources: Sources, output: str, config: Config, flags: Sequence[str], quiet: bool) -> list[str]:
    """Crawl into `output`; returns what came of it, as lines.

    Raises:
        ConfigError: nothing to begin with, a directory that holds something else, or nothing came.
    """
    lists = [(path, PAGE, 0) for path in sources.urls] + [(path, PAGE, config.crawl.depth) for path in sources.seeds]
    if not lists and not sources.sitemaps:
        raise ConfigError("nothing to crawl: name --urls LIST, --sitemap URL or --seeds LIST")
    for url in sources.sitemaps:
        if not is_address(url):
            raise ConfigError(f"--sitemap takes the address of a sitemap, not {url!r}")
    for earlier in sources.since:
        if not _is_finished(earlier):
            raise ConfigError(f"{earlier} holds no finished crawl")
    if lists and not sources.sitemaps and not any(_lines(path) for path, _, _ in lists):
        raise ConfigError(f"nothing to crawl: no line of {', '.join(path for path, _, _ in lists)} is an address")
    contents = {path: hashlib.sha256(files.read_bytes(path)).hexdigest() for path, _, _ in lists}
    manners = dataclasses.replace(
        config.fetch, interval_s=max(config.fetch.interval_s, config.crawl.interval_s), split_hosts=()
    )
    decides = dataclasses.replace(manners, **{key: getattr(configuration.Fetch, key) for key in _HOW})
    fingerprint = digest(config.crawl, decides, dataclasses.asdict(sources), contents, manifest.VERSION)
    claim(output, STAGE, fingerprint, "a crawl")
    said = {
        "software": f"weft/{manifest.VERSION}",
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "robots": "obey" if manners.robots else "ignore",
        "http-header-user-agent": manners.user_agent,
    }
    one = Crawl(output, config.crawl, manners, fingerprint, tuple(said.items()))
    progress = Progress(output, STAGE, quiet)
    progress.expect(2 * config.crawl.buckets)
    units = files.join(output, STAGE, "units.txt")
    with progress.shown(), beam_options.pipeline(flags, config.crawl.buckets) as p:
        listed = p | "Lists" >> beam.Create(lists) | "Lines" >> beam.FlatMapTuple(_addresses).with_output_types(Address)
        maps = p | "Sitemaps" >> beam.Create([Address(url, SITEMAP) for url in sources.sitemaps]).with_output_types(
            Address
        )
        _ = (
            (listed, maps)
            | "Begin" >> beam.Flatten()
            | "Crawl" >> CrawlPages(one, sources.since, config.crawl.buckets)
            | "Units" >> beam.combiners.ToList()
            | "WriteUnits" >> beam.Map(lambda names: files.write_atomic(units, "\n".join(sorted(names))))
        )
    return _closed(output, files.read_bytes(units).decode().split())


def _is_finished(earlier: str) -> bool:
    path = files.join(earlier, MANIFEST)
    try:
        told = manifest.read_json(path)
    except ValueError:
        raise ConfigError(f"{path} is not what a crawl writes: crawl once more into another directory") from None
    return isinstance(told, dict) and isinstance(told.get("warcs"), dict) and isinstance(told.get("books"), dict)


def _addresses(path: str, kind: str, depth: int) -> Iterator[Address]:
    """Addresses of a list; a line without a scheme is a host's or a page's, over https.

    Raises:
        ConfigError: it is packed, and cut or damaged.
    """
    for said in _lines(path):
        address = said if "://" in said else f"https://{said}"
        found = resolve("", address) if is_address(address) else ""
        yield Address(found or said[:_LONGEST], kind, depth)  # one that means nothing has a fate too


def _lines(path: str) -> list[str]:
    try:
        return files.read_list(path, "replace")
    except ValueError as error:
        raise ConfigError(f"cannot read the list {path}: {error}") from None


def _closed(output: str, units: Sequence[str]) -> list[str]:
    """Balance the books, write the manifest, and say what there is."""
    entered = dict.fromkeys(_NAMES, 0)
    whole: set[str] = set()
    for path, _ in files.listing(files.join(output, STAGE, "units", "*.json")):
        if files.stem(path) in units:
            marker = state.read(path) or {}
            whole.update(files.join(output, name) for name in state.noted(marker))
            for kind, count in marker["counts"].items():
                entered[kind] += count
    account = books.audit(output, STAGE, entered)
    warcs = files.listing(files.join(output, "warc", "*.warc.gz"))
    for path, _ in warcs:
        unit = path.rpartition("/")[2].rsplit("-", 2)[0]
        if path not in whole and unit in units:  # of an attempt that was killed, or that came second
            files.remove_tree(path)
    warcs = [one for one in warcs if one[0] in whole]
    told = {
        "weft": manifest.VERSION,
        "books": account,
        "warcs": {path.rpartition("/")[2]: size for path, size in warcs},
    }
    files.write_atomic(files.join(output, MANIFEST), json.dumps(told, indent=1, sort_keys=True))
    lines = []
    for kind, name in _NAMES.items():
        if account[kind]["entered"]:
            why = sorted(account[kind]["dropped"].items(), key=lambda item: -item[1])
            lost = "".join(f", {count:,} {reason}" for reason, count in why[:5])
            lines.append(f"{name:9} {account[kind]['kept']:,} of {account[kind]['entered']:,}{lost}")
    if not warcs:
        if any("private_address" in account[kind]["dropped"] for kind in _NAMES):
            lines.append('private networks are asked where they are named: --set fetch.allow_networks=["127.0.0.0/8"]')
        raise ConfigError(f"nothing was stored: {'; '.join(' '.join(line.split()) for line in lines)}")
    size = sum(size for _, size in warcs)
    lines.append(f"{'WARC':9} {len(warcs)} files, {size:,} bytes: {files.join(output, 'warc')}")
    lines.append(f"next: weft run --input '{files.join(output, 'warc', '*.warc.gz')}' --output …")
    return lines
