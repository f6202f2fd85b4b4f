"""The report says how much each signal took, and from which domains, whichever stage met it."""

import pytest
from html_seen import Seen

from weft.pipeline.report import opt_outs
from weft.schemas.records import DROPPED, KEPT, Fate
from weft.schemas.tables import FATES, FORBIDDEN
from weft.transforms.io.parquet import write_table


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("X-Robots-Tag: noai", "X-Robots-Tag"),
        ("meta gptbot: noai", "meta element"),
        ("meta tdm-reservation: 1", "meta element"),
        ("tdm-reservation: 1", "tdm-reservation"),
        ("Content-Usage: train-ai=n", "Content-Usage"),
        ("robots.txt: Content-Signal: search=yes, ai-train=no", "robots.txt: Content-Signal"),
        ("robots.txt of 2026-01-02: User-agent: GPTBot, Content-Usage: train-ai=n", "robots.txt: Content-Usage"),
        ("robots.txt of no date: User-agent: GPTBot, Disallow: /", "robots.txt: AI agents"),
        ("ai.txt of 2026-01-02: Disallow: /", "ai.txt"),
        ('tdmrep.json: "location": "/" is reserved', "tdmrep.json"),
        ("XMP plus:DataMining: DMI-PROHIBITED", "XMP"),
        ("C2PA c2pa.ai_training: notAllowed", "C2PA"),
    ],
)
def test_a_signal_is_named_by_where_it_stood(words, name):
    assert opt_outs.signal(words).rstrip(":") == name


def test_signals_are_counted_by_kind_and_domain(tmp_path):
    def fate(stage, kind, key, reason, detail, url=""):
        return Fate(stage, kind, key, DROPPED if reason else KEPT, reason, detail, url, "")

    robots = "robots.txt of 2026-01-02: User-agent: GPTBot, Disallow: /"
    of_pages = [
        fate("extract", "page", "1", "opt_out", "X-Robots-Tag: noai", "https://a.test/1"),
        fate("extract", "image", "2:0", "opt_out", "X-Robots-Tag: noimageai", "https://b.test/1.png"),
        fate("extract", "page", "3", "too_short", "", "https://c.test/1"),
    ]
    images = [
        fate("fetch", "image", "http://a.test/1.png", "opt_out", robots),
        fate("fetch", "image", "http://a.test/2.png", "", ""),
    ]
    pages = [(str(n), f"https://{host}.test/{n}", robots) for n, host in enumerate("aab")]
    write_table(str(tmp_path / "fates" / "extract" / "a.pages.parquet"), of_pages, FATES)
    write_table(str(tmp_path / "fates" / "fetch" / "a.parquet"), images, FATES)
    write_table(str(tmp_path / "dedup" / "forbidden" / "a.parquet"), pages, FORBIDDEN)
    found = opt_outs.gather(str(tmp_path))
    assert found == [
        {
            "signal": "robots.txt: AI agents",
            "taken": {"image": 1, "page": 3},
            "domains": [("a.test", 3), ("b.test", 1)],
        },
        {"signal": "X-Robots-Tag", "taken": {"image": 1, "page": 1}, "domains": [("a.test", 1), ("b.test", 1)]},
    ]
    told = " ".join(Seen(opt_outs.table(found)).words.split())
    assert "robots.txt: AI agents 3 1 a.test (3), b.test (1)" in told and opt_outs.table([]) == ""
