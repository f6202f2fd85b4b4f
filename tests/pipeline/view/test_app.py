"""The pages over real HTTP: everything escaped, nothing from elsewhere, nothing but pictures out of the directory."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from viewing import EVIL, GONE, KEPT, PICTURE, TWIN, Seen, Site, served, tiny_run

from weft.pipeline.view import app
from weft.schemas.parameters import ConfigError

LISTS = ["/", "/documents", "/pairs", "/clusters", "/images", "/shards", "/explain"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tiny_run(tmp_path_factory.mktemp("view") / "it's a run")) as made:
        yield made


@pytest.mark.parametrize(
    "path",
    [
        *LISTS,
        *(f"/documents/{key}" for key in (KEPT, TWIN, GONE)),
        *(f"/explain?thing={thing}" for thing in (KEPT, PICTURE)),
        f"/clusters/{min(KEPT, TWIN)}",
        "/pairs?at=0.15",
        "/documents?q=%3Cscript%3E",
    ],
)
def test_strangers_words_are_words_on_every_page(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.status == 200
    seen = Seen(answer.text)
    assert seen.all("script", "src") == ["/static/view.js"] and [tag for tag, _ in seen.tags].count("script") == 1
    names = {name for _, found in seen.tags for name in found}
    assert not [name for name in names if name.startswith("on") or name in ("style", "srcset", "formaction")]
    assert all(url.startswith(("/", "#", "http://", "https://")) for url in seen.all("a", "href"))
    assert all(url.startswith("/bytes/") for url in seen.all("img", "src"))
    assert "\u202e" not in answer.text and "62773913" not in "".join(seen.words)


def test_a_document_is_shown_as_it_is_with_its_picture_in_place(site: Site) -> None:
    answer = site.get(f"/documents/{KEPT}")
    words = " ".join("".join(Seen(answer.text).words).split())
    assert EVIL.replace("\u202e", "") in words
    assert words.index("one two three") < words.index("caption: A picture") < words.rindex("<script>alert(1)")
    assert "most like text 2, similarity 0.250" in words and "document kept" in words
    (picture,) = Seen(answer.text).all("img", "src")
    assert site.get(picture).headers["content-type"] == "image/jpeg"
    gone = "".join(Seen(site.get(f"/documents/{GONE}").text).words)
    assert "page dropped, too_short" in gone and "3 words" in gone


def test_the_policy_is_on_every_answer(site: Site) -> None:
    for path in ("/", "/static/view.css", "/nothing", "/documents?least=x", f"/documents/{'0' * 32}"):
        headers = site.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "evil.test:80@127.0.0.1", "", "0.0.0.0"])
def test_a_page_that_points_its_name_here_gets_nothing(site: Site, host: str) -> None:
    answer = site.get("/documents", host or " ")
    assert answer.status == 400 and b"one two" not in answer.body and KEPT not in answer.text


def test_it_answers_to_its_own_names(site: Site) -> None:
    assert [site.get("/", f"{name}:{site.port}").status for name in ("localhost", "127.0.0.1")] == [200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/bytes/run.json?from=0&length=10",
        "/bytes/images/blobs/../../run.json?from=0&length=10",
        "/bytes/images/blobs/%2e%2e/%2e%2e/run.json?from=0&length=10",
        "/bytes//etc/passwd?from=0&length=10",
        "/bytes/images/blobs/a.bin?from=0&length=10",  # no picture
        "/bytes/images/blobs/a.bin?from=10&length=99999999999",
        "/bytes/images/blobs/a.bin?from=-1&length=10",
        "/bytes/images/blobs/none.bin?from=0&length=10",
        "/bytes/images/blobs/a.bin",
        "/static/../app.py",
        "/static/app.py",
        "/shards/interleaved/train/../../../run.json",
        f"/documents/{'0' * 32}",
        "/documents/..%2F..%2Frun.json",
        f"/clusters/{'0' * 32}",
        "/explain?thing=nothing",
    ],
)
def test_what_is_not_there_is_said_so(site: Site, path: str) -> None:
    answer = site.get(path)
    assert (answer.status == 404 and "Not there" in answer.text) or "nothing in" in answer.text


def test_a_picture_that_rotted_is_no_picture(site: Site) -> None:
    (picture,) = Seen(site.get(f"/documents/{KEPT}").text).all("img", "src")
    answer = site.get(picture.replace("digest=", "digest=0"))
    assert answer.status == 409 and "are not the image" in "".join(Seen(answer.text).words)


@pytest.mark.parametrize("number", ["-1", "9" * 15, "9" * 400, "1e308", "-1e308", "٣", "0"])
def test_a_wrong_number_is_never_a_failure_of_the_page(site: Site, number: str) -> None:
    quoted = quote(number)
    paths = [
        f"/explain?thing={thing}{quoted}" for thing in (f"{KEPT}:", f"{KEPT}-", "text-train-", "/archives/a.warc.gz:")
    ]
    paths += [
        f"/explain?thing=text-train-{quoted:0>6}-0",
        f"/documents/{quoted}",
        f"/clusters/{quoted}",
        f"/shards/{quoted}",
    ]
    paths += [f"{path}?page={quoted}" for path in LISTS] + [f"/pairs?at={quoted}&page={quoted}"]
    paths += [f"/documents?least={quoted}&most={quoted}", f"/clusters?least={quoted}"]
    paths += [
        f"/bytes/images/blobs/a.bin?from={quoted}&length=10",
        f"/bytes/images/blobs/a.bin?from=10&length={quoted}",
    ]
    for path in paths:
        assert site.get(path).status in (200, 400, 404, 409), path


def test_a_number_that_is_none_is_an_error_of_one_line(site: Site) -> None:
    answer = site.get("/pairs?at=%3Cb%3E")
    assert answer.status == 400 and "'<b>' is no number" in "".join(Seen(answer.text).words)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {KEPT, TWIN, GONE}),
        ("q=FOUR", {TWIN}),
        ("q=.*", set()),
        ("q=drop+table", {KEPT, TWIN}),
        ("domain=A.test", {KEPT, GONE}),
        ("domain=sub.a.test", {GONE}),
        ("fate=extract%3A+too_short", {GONE}),
        ("fate=kept", {KEPT}),
        ("language=en&least=0.2&most=0.3", {KEPT}),
        (f"cluster={min(KEPT, TWIN)}", {KEPT, TWIN}),
        ("domain=%27+OR+1%3D1+--", set()),
        ("page=99", {KEPT, TWIN, GONE}),
        ("page=-1&order=nonsense", {KEPT, TWIN, GONE}),
    ],
)
def test_filters_find_documents(site: Site, query: str, shown: set[str]) -> None:
    links = Seen(site.get(f"/documents?{query}").text).all("a", "href")
    assert {link.rpartition("/")[2] for link in links if link.startswith("/documents/")} == shown


def test_a_threshold_parts_the_pairs(site: Site) -> None:
    text = site.get("/pairs?at=0.1").text
    words = " ".join("".join(Seen(text).words).split())
    assert "At 0.10, 2 pairs pass (67 %) and 1 do not. 1 pairs were not scored" in words.replace("\xa0", " ")
    below, above = (
        words[words.index("Below, nearest") : words.index("Above, nearest")],
        words[words.index("Above, nearest") :],
    )
    assert ("0.000 · alt" in below, "0.100 · alt" in below, "0.100 · alt" in above) == (True, False, True)


@pytest.mark.parametrize("stages", [(), ("extract",), ("extract", "dedup", "fetch")])
def test_a_run_that_is_not_finished_is_shown_as_far_as_it_is(tmp_path: Path, stages: tuple[str, ...]) -> None:
    with served(tiny_run(tmp_path, stages)) as partial:
        for path in LISTS:
            assert partial.get(path).status == 200
        if stages:
            assert "not yet" in partial.get("/documents").text and partial.get(f"/documents/{KEPT}").status == 200
        tiny_run(tmp_path)  # it goes on while somebody looks
        assert Seen(partial.get("/documents?fate=kept").text).all("a", "href").count(f"/documents/{KEPT}") == 1


def test_a_directory_that_is_no_run_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no weft run$"):
        app.make(str(tmp_path))
    with pytest.raises(ConfigError, match="reads a directory of this machine, not s3://b/run"):
        app.make("s3://b/run")


def test_every_page_of_a_finished_run_that_leads_anywhere_leads_there(finished: Path) -> None:
    with served(finished) as site:
        seen, todo = {"/"}, ["/"]
        for path in todo:
            answer = site.get(path)
            assert answer.status == 200, path
            links = Seen(answer.text) if answer.headers["content-type"].startswith("text/html") else None
            for tag, attribute, most in (("img", "src", 1), ("a", "href", 10 if path == "/" else 4)):
                found = dict.fromkeys(links.all(tag, attribute)) if links else {}
                fresh = [one for one in found if one.startswith("/") and one not in seen][:most]
                seen.update(fresh)
                todo += fresh[: 60 - len(todo)]
        kinds = {path.split("/")[1].partition("?")[0] for path in todo}
    assert kinds == {"", "documents", "pairs", "clusters", "images", "shards", "explain", "bytes"}


def test_a_sample_is_shown_as_the_model_sees_it(finished: Path) -> None:
    with served(finished) as site:
        page = Seen(site.get("/shards/interleaved/train/000000.tar").text)
        assert page.all("img", "src") and site.get(page.all("img", "src")[0]).headers["content-type"] == "image/jpeg"
        classes = page.all("span", "class")
        assert {"t", "special off", "special", "slots"} <= set(classes)
        assert "16 slots" in page.words
