"""What a site forbids is read whatever way it is said, and nothing is read into what says nothing."""

import pytest
from consent_cases import CASES, named

from weft.schemas.parameters import ConfigError
from weft.transforms.consent import responses
from weft.transforms.consent.responses import PAGE_SIGNALS, check, directives, read, read_image


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("noai", "noai"),
        ("NoAI, noimageai", "noai"),
        ("noai, googlebot: noindex", "noai"),  # a crawler's name later in the header
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", "noai"),  # a colon that is no crawler's
        ("otherbot: nofollow, noai", "noai"),
        ("googlebot: noai", "noai"),
        ("noindex; noai", "noai"),
        ("noindex noai", "noai"),
        ("max-image-preview: large, noml", "noml"),
        ("noai max-snippet:-1", "noai"),
        ("max-snippet:-1 max-image-preview:large noml", "noml"),
        ("noai unavailable_after: 25 Jun 2030 15:00:00 PST", "noai"),
        ("unavailable_after: 25-Jun-2030 15:00:00 PST noai", "noai"),
        ("noai googlebot: noindex", "noai"),
    ],
)
def test_a_page_that_forbids_itself(header, word):
    wish = read([("x-robots-tag", header)])
    assert wish.page == wish.images == f"X-Robots-Tag: {word}"


@pytest.mark.parametrize(
    "header", ["", "all", "noindex, nofollow", "noimage", "noaiya", "max-snippet: -1", "unavailable_after: noai"]
)
def test_what_forbids_nothing(header):
    assert read([("x-robots-tag", header)], [("robots", header)]) == ("", "")


@pytest.mark.parametrize("name", ["robots", "googlebot", "gptbot", "googlebot-image"])
def test_meta_elements_of_any_crawler_count(name):
    assert read([], [(name, "NOAI, nofollow")]).page == f"meta {name}: noai"


@pytest.mark.parametrize("name", ["description", "og:title", "keywords"])
def test_other_meta_elements_do_not(name):
    assert read([], [(name, "noai")]) == ("", "")


@pytest.mark.parametrize("word", ["noimageai", "noimageindex"])
def test_images_alone_can_be_forbidden(word):
    assert read([("x-robots-tag", word)]) == ("", f"X-Robots-Tag: {word}")
    assert read([], [("robots", f"index, {word}")]) == ("", f"meta robots: {word}")


def test_tdm_reservations_of_header_and_meta():
    assert read([("tdm-reservation", "1")]).page == "tdm-reservation: 1"
    assert read([], [("tdm-reservation", " 1 ")]).page == "meta tdm-reservation: 1"
    assert read([("tdm-reservation", "0")], [("tdm-reservation", "0")]) == ("", "")


def test_several_headers_are_all_read():
    assert read([("x-robots-tag", "noindex"), ("server", "noai"), ("x-robots-tag", "noimageai")]).images
    assert not read([("server", "noai")]).page


def test_an_image_response_may_forbid_by_noindex_too():
    assert read_image([("x-robots-tag", "googlebot: noindex")]) == "X-Robots-Tag: noindex"
    assert read_image([("tdm-reservation", "1")]) == "tdm-reservation: 1"
    assert read_image([("x-robots-tag", "nofollow")]) == "" and read_image([]) == ""


def test_directives_are_words_without_their_crawler():
    found = directives("BadBot: NoIndex, nofollow; unavailable_after: 1 Jan 2030")
    assert found == {"noindex", "nofollow", "unavailable_after", "jan", "2030"}, "and those of a date"
    assert directives("bot: max-snippet: 20, max-image-preview:large max-video-preview:-1") == set()


@pytest.mark.parametrize("case", CASES["response"], ids=named)
def test_a_response_by_the_texts_of_drafts(case):
    headers, meta = ([tuple(pair) for pair in case.get(key, [])] for key in ("headers", "meta"))
    wish = read(headers, meta, *([case["counted"]] if "counted" in case else []))
    page = case.get("page", "")
    assert wish == (page, page or case.get("images", ""))


def test_a_signal_that_is_none_is_named_with_the_nearest():
    check(PAGE_SIGNALS)
    assert responses._PAGE | responses._IMAGES | responses.SITE_SIGNALS < PAGE_SIGNALS < responses.IMAGE_SIGNALS
    with pytest.raises(ConfigError, match=r"fetch\.opt_out: no signal 'ai-agent' \(did you mean 'ai-agents'"):
        check(["ai-agent"])
