"""What files of a site forbid, by the answer to them; through a whole client in test_client.py."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from weft.schemas.parameters import ConfigError, FetchRules
from weft.transforms.fetch.client import Client
from weft.transforms.fetch.robots import TRIES, Problem, Reservations, Robots, site

RULES = b"""User-agent: *
Disallow: /private
Crawl-delay: 7
User-agent: weft
Disallow: /*.gif$
Disallow: /private
Allow: /private/ok.gif
Crawl-delay: 2
"""
NOTHING = Problem("", "")


class Site:
    """Gives the same answer each time, or its answers one after the other, and notes what was asked for."""

    def __init__(self, *answers: tuple[int, bytes, Problem]) -> None:
        self._answers, self.asked = list(answers), list[str]()

    async def get(self, url: str) -> tuple[int, bytes, Problem]:
        self.asked.append(url)
        await asyncio.sleep(0)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_rules_are_those_of_ones_own_group_and_the_longest_decides() -> None:
    place = Site((200, RULES, NOTHING))
    robots = Robots("weft/0.1 (about us)", place.get)

    async def verdicts() -> list[str]:
        urls = [f"http://a.test/{path}" for path in ("a.jpg", "b.gif", "private/x.jpg", "private/ok.gif")]
        return [problem.reason for problem in await asyncio.gather(*map(robots.verdict, urls))]

    assert robots.delay("http://a.test/a.jpg") == 0, "not known yet"
    assert run(verdicts()) == ["", "robots_disallowed", "robots_disallowed", ""]
    assert place.asked == ["http://a.test/robots.txt"], "asked for once, however many wait"
    assert (robots.delay("http://a.test/a.jpg"), robots.delay("https://a.test/a.jpg")) == (2, 0)
    anybody = Robots("somebody", place.get)
    assert run(anybody.verdict("http://a.test/private")).reason == "robots_disallowed"
    assert anybody.delay("http://a.test/") == 7


@pytest.mark.parametrize(
    ("body", "forbidden", "delay"),
    [
        ("\ufeffUser-agent: *\nDisallow: /", True, 0),
        ("User-agent: weft\nCrawl-delay: 1\nUser-agent: x\nDisallow: /", True, 1),
        ("User-agent: we\nAllow: /\n\nUser-agent: *\nDisallow: /", True, 0),
        ("User-agent: WEFT/1.0\nDisallow: /\nUser-agent: *\nAllow: /", True, 0),
        ("User-agent: weft*\nDisallow: /", True, 0),
        ("User-agent: other, Weft\nDisallow: /\nUser-agent: *\nAllow: /", True, 0),
        ("User-agent: weft (all of it)\nDisallow: /", True, 0),
        ("User-agent: weft\nDisallow:\nUser-agent: *\nDisallow: /\nCrawl-delay: 9", False, 0),
        ("User-agent: wefting\nDisallow: /", False, 0),
        ("User agent: weft\nDisalow: /\nCrawl delay: 3\nCrawl-delay: soon\nCrawl-delay: inf", True, 3),
        ("Disallow: /\nUser-agent: *\nDisallow: /%2A", False, 0),
        ("User-agent: *\nDisallow: /x%2A", False, 0),
        ("User-agent: *\nDisallow: /*%2Ay", True, 0),
    ],
)
def test_groups_and_patterns_are_those_of_the_rfc(body: str, forbidden: bool, delay: float) -> None:
    robots = Robots("weft/0.1", Site((200, body.encode(), NOTHING)).get)
    assert (run(robots.verdict("http://a.test/x/*y")).reason == "robots_disallowed") == forbidden
    assert robots.delay("http://a.test/") == delay
    assert run(robots.verdict("http://a.test/robots.txt")).reason == "", "which always may be read (2.2.2)"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"", ""),
        (403, b"", ""),
        (501, b"", "robots_unavailable"),
        (503, b"", "robots_unavailable"),
        (429, b"", "robots_unavailable"),
        (200, b"\xff\x00 no rules at all", ""),
        (200, b"User-agent: *\n" + b"# long\n" * 200_000 + b"Disallow: /", ""),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, reason: str) -> None:
    """Asked for three times where it may be another soon, whose status then says so, and else once."""
    place = Site((status, body, NOTHING))
    robots = Robots("weft", place.get)
    told = [run(robots.verdict("http://a.test/a.jpg")) for _ in range(5)]
    passing = TRIES if status in (429, 503) else 1
    assert {problem.reason for problem in told} == {reason}
    assert len(place.asked) == passing
    assert [problem.status for problem in told if reason] == [status] * (passing - 1) + [0] * (6 - passing) * bool(
        reason
    )


def test_where_nobody_answers_the_image_is_told_so_and_the_next_asks_again() -> None:
    place = Site((0, b"", Problem("timeout", "no whole answer")), (200, b"", NOTHING))
    robots = Robots("weft", place.get)
    assert [run(robots.verdict("http://a.test/a.jpg")).reason for _ in range(3)] == ["timeout", "", ""]
    assert len(place.asked) == 2


def test_a_tdm_file_reserves_by_pattern() -> None:
    rules = [
        {"location": "/", "tdm-reservation": 0},
        {"location": "/art/*.jpg", "tdm-reservation": 1, "tdm-policy": "http://a.test/policy.json"},
        {"location": "/art/freedom", "tdm-reservation": "0"},
        {"location": "/two\nlines", "tdm-reservation": 1},
        {"location": 7},
        "nonsense",
    ]
    place = Site((200, json.dumps(rules).encode(), NOTHING))
    reservations = Reservations(place.get)
    told = {path: run(reservations.reserved(f"http://a.test/{path}")) for path in ("a.jpg", "art/a.jpg", "art/a.png")}
    assert told == {
        "a.jpg": "",
        "art/a.jpg": 'tdmrep.json: "location": "/art/*.jpg" is reserved',
        "art/a.png": "",
    }
    assert not run(reservations.reserved("http://a.test/art/freedom.jpg"))
    assert place.asked == ["http://a.test/.well-known/tdmrep.json"]


def test_what_a_robots_txt_says_of_training_counts_where_it_lets_one_in() -> None:
    rules = b"User-agent: *\nContent-Signal: ai-train=no\nDisallow: /private\nUser-agent: weft\nDisallow: /private"
    robots = Robots("weft/0.1", Site((200, rules, NOTHING)).get, ("content-signal",), ("train",))
    words = "robots.txt: Content-Signal: ai-train=no"
    assert run(robots.verdict("http://a.test/a.jpg")) == Problem("opt_out", words)
    assert run(robots.verdict("http://a.test/private/a.jpg")).reason == "robots_disallowed"
    deaf = Robots("weft/0.1", Site((200, rules, NOTHING)).get)
    assert run(deaf.verdict("http://a.test/a.jpg")).reason == ""


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"[]"), (500, b""), (200, b"\xff{"), (200, b"[" * 99_999), (200, b"{}")]
)
def test_a_tdm_file_that_cannot_be_read_reserves_nothing(status: int, body: bytes) -> None:
    assert not run(Reservations(Site((status, body, NOTHING)).get).reserved("http://a.test/a.jpg"))


def test_a_tdm_file_that_never_comes_is_asked_for_a_few_times() -> None:
    place = Site((0, b"", Problem("timeout", "")))
    reservations = Reservations(place.get)
    assert not any(run(reservations.reserved("http://a.test/a.jpg")) for _ in range(6))
    assert len(place.asked) == TRIES


@pytest.mark.parametrize("agent", ["", "  ", "/1.0", " / bot", "bot\r\nX-Other: 1", "bot\x00"])
def test_a_user_agent_without_a_name_is_said_before_anybody_is_asked(agent: str) -> None:
    with pytest.raises(ConfigError, match=r"fetch\.user_agent begins with a name"):
        Client(FetchRules(user_agent=agent))


def test_a_site_is_scheme_host_and_port() -> None:
    assert site("https://me:secret@A.test:8443/x?y") == "https://a.test:8443"
    with pytest.raises(ValueError, match="IPv6"):
        site("http://[")
