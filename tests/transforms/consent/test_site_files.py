"""robots.txt, ai.txt and tdmrep.json forbid what they say they do, through the lines that a table keeps of them."""

import pytest
from consent_cases import CASES, named
from hypothesis import given
from hypothesis import strategies as st

from weft.schemas.records import SiteFile
from weft.transforms.consent import agents, site_files
from weft.transforms.consent.responses import SITE_SIGNALS


@pytest.mark.parametrize("case", CASES["site"], ids=named)
def test_what_a_file_forbids(case):
    assert set(case) <= {"from", "text", "file", "agents", "signals", "forbids", "allows", "quote"}
    assert case.get("forbids") or case.get("allows")
    name, agents = case.get("file", "robots.txt"), case.get("agents", ["train"])
    kept = site_files.read(name, case["text"].encode(), agents)

    def said(path):
        return site_files.judge(name, kept, f"https://a.test{path}", case.get("signals", SITE_SIGNALS), agents)

    assert all(map(said, case.get("forbids", [])))
    assert not any(map(said, case.get("allows", [])))
    if "quote" in case:
        assert {said(path) for path in case["forbids"]} == {case["quote"]}


def test_only_lines_that_can_speak_are_kept():
    """Of a shop's hundred rules for everybody nothing is kept; of agents that nobody asks for nothing either."""
    rules = "".join(f"Disallow: /cart/{n}\n" for n in range(100))
    assert site_files.read("robots.txt", f"User-agent: *\n{rules}User-agent: Bingbot\n{rules}".encode()) == ""
    both = f"User-agent: Bingbot\nUser-agent: GPTBot\nDisallow: /x\n\nUser-agent: *\n{rules}"
    assert site_files.read("robots.txt", both.encode()) == "User-agent: GPTBot\nDisallow: /x"
    everybody = site_files.read("robots.txt", both.encode(), ("*",))
    assert everybody.count("/cart/") == 100 and "Bingbot" not in everybody


def test_reading_what_was_kept_keeps_it():
    for case in CASES["site"]:
        if case.get("file", "robots.txt") != "tdmrep.json":
            once = site_files.read(case.get("file", "robots.txt"), case["text"].encode())
            assert site_files.read(case.get("file", "robots.txt"), once.encode()) == once


def test_a_file_is_read_to_its_half_megabyte():
    late = b"#" * site_files.MAX_BYTES + b"\nUser-agent: GPTBot\nDisallow: /"
    assert site_files.read("robots.txt", late) == ""


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("rule", [b"Disallow: /private", b"Allow: /private"])
def test_a_line_that_is_cut_is_none_and_the_last_whole_one_is(rule, end):
    """Wherever the limit falls, and whether or not whoever asked had more."""
    head = end.join([b"User-agent: GPTBot", b"Disallow: /a", b"Allow: /a/b", b""])
    for cut in range(1, len(rule) + 2):
        body = b"#" * (site_files.MAX_BYTES - len(head) - len(end) - cut) + end + head + rule + end + b"Disallow: /late"
        whole = "Disallow: /a\nAllow: /a/b" + ("" if cut < len(rule) else f"\n{rule.decode()}")
        assert site_files.read("robots.txt", body) == f"User-agent: GPTBot\n{whole}"
        asked = site_files.access(body[: site_files.MAX_BYTES], "GPTBot")
        assert [asked.forbids(f"http://h.test{path}") for path in ("/p", "/a", "/a/b")] == [False, True, False]


@pytest.mark.parametrize("mark", "\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_lines_end_where_the_rfc_ends_them(mark):
    body = f"User-agent: GPTBot\r# a note{mark}Disallow: /a\r\nDisallow: /b\nDisallow: /c{mark}d".encode()
    kept = site_files.read("robots.txt", body)
    assert kept.splitlines()[:2] == ["User-agent: GPTBot", "Disallow: /b"] and kept.count("\n") == 2
    assert not site_files.access(body, "GPTBot").forbids("http://h.test/a")


@pytest.mark.parametrize("name", ["weft", "weft/1.0", "weft 1.0", "WEFT v2.1b", "weft/1.0 (+http://a.test)", "weft *"])
def test_a_version_is_no_part_of_a_name(name):
    assert site_files.access(f"User-agent: {name}\nDisallow: /".encode(), "weft").forbids("http://h.test/a")
    assert not site_files.access(f"User-agent: x{name}\nDisallow: /".encode(), "weft").forbids("http://h.test/a")


def test_patterns_with_many_stars_are_matched_in_a_short_time():
    kept = site_files.read("robots.txt", b"User-agent: GPTBot\nDisallow: /" + b"*a" * 2_000 + b"$")
    assert site_files.judge("robots.txt", kept, "https://a.test/" + "a" * 4_000 + "b", ("ai-agents",)) == ""
    assert site_files.judge("robots.txt", kept, "https://a.test/" + "a" * 4_000, ("ai-agents",))


@pytest.mark.parametrize("name", ["robots.txt", "ai.txt"])
def test_many_agents_of_many_rules_share_them(name):
    """As many operations as the file has lines: rules are not laid out for each agent of a group, or name of one."""
    known = sorted(agents.known())
    for many in (["*"] * 1_000, [f"bot{n}" for n in range(1_000)], known):
        listed = "".join(f"User-agent: {one}\n" for one in many)
        group = f"{listed}Content-Usage: train-ai=y\n" + "Allow: /a\n" * 1_000
        body = (group + "".join(f"User-agent: {one}\nDisallow: /z{n}\n" for n, one in enumerate(many))).encode()
        kept = site_files.read(name, body)
        assert len(kept) <= 2 * len(body)
        assert site_files.judge(name, kept, "https://a.test/x", SITE_SIGNALS) == ""
        rules = site_files._parse(kept)
        assert sum(len(group.agents) + len(group.lines) for group in rules) <= kept.count("\n") + 1
        assert not site_files.access(body, "bot1").forbids("https://a.test/x")


@given(st.binary(max_size=200), st.sampled_from(["robots.txt", "ai.txt", "tdmrep.json"]))
def test_no_bytes_are_an_error(body, name):
    kept = site_files.read(name, body)
    assert isinstance(site_files.judge(name, kept, "https://a.test/x", SITE_SIGNALS), str)


def test_an_address_that_is_none_is_not_forbidden():
    assert site_files.judge("robots.txt", "User-agent: GPTBot\nDisallow: /", "http://[::1", ("ai-agents",)) == ""


def test_the_last_capture_before_a_moment_decides_and_else_the_first():
    captures = [SiteFile("a.test", when, "robots.txt", f"{when}") for when in (20, 30, 10)]
    captures += [SiteFile("a.test", 25, "ai.txt", "25"), SiteFile("a.test", 20, "robots.txt", "also 20")]
    told = {moment: [file.rules for file in site_files.nearest(captures, moment)] for moment in (5, 10, 19, 20, 29, 99)}
    assert told == {
        5: ["25", "10"],
        10: ["25", "10"],
        19: ["25", "10"],
        20: ["25", "20", "also 20"],
        29: ["25", "20", "also 20"],
        99: ["25", "30"],
    }
    assert site_files.nearest([*captures[::-1], captures[0]], 29) == site_files.nearest(captures, 29)
