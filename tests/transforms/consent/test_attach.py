"""Every address is judged by its own site's files, whichever order they come in and however hot a host is."""

import random

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.records import SiteFile
from weft.transforms.consent.attach import Address, Forbidden, ForbiddenBySite

DAY = 86_400_000_000
AI = "User-agent: GPTBot\nDisallow: /art"
FILES = [
    SiteFile("a.test", 10 * DAY, "robots.txt", ""),
    SiteFile("a.test", 20 * DAY, "robots.txt", AI),
    SiteFile("b.test:8080", 10 * DAY, "tdmrep.json", "User-agent: *\nDisallow: /"),
    SiteFile("quiet.test", 10 * DAY, "robots.txt", ""),
]
ART = "robots.txt of 1970-01-21: User-agent: GPTBot, Disallow: /art"
RESERVED = 'tdmrep.json of 1970-01-11: "location": "/" is reserved'


def test_pages_are_judged_by_their_hosts_and_dates():
    pages = [
        Address("early", "https://a.test/art/1", 19 * DAY),
        Address("late", "http://A.test:80/art/1", 20 * DAY),
        Address("other", "https://a.test/words", 20 * DAY),
        Address("sub", "https://www.a.test/art/1", 20 * DAY),
        Address("port", "http://b.test:8080/x", DAY),
        Address("plain", "http://b.test/x", DAY),
        Address("quiet", "https://quiet.test/art", 99 * DAY),
        Address("none", "no address", 99 * DAY),
    ]
    hot = [Address(f"hot-{n}", f"https://a.test/art/{n}", 30 * DAY) for n in range(300)]
    wanted = [Forbidden("late", "http://A.test:80/art/1", ART), Forbidden("port", "http://b.test:8080/x", RESERVED)]
    wanted += [Forbidden(one.key, one.url, ART) for one in hot]
    rows, files = [*pages, *hot], [*FILES, *FILES]
    random.Random(5).shuffle(rows)
    random.Random(6).shuffle(files)
    with beam_options.pipeline((), 1) as p:
        made = (
            p | "Pages" >> beam.Create(rows).with_output_types(Address),
            p | "Files" >> beam.Create(files).with_output_types(SiteFile),
        ) | ForbiddenBySite(("ai-agents", "tdm"), ("train",), most=64)
        assert_that(made, equal_to(wanted))
