import json
import tarfile
from collections import Counter

import pytest

from weft.schemas import shards
from weft.transforms.export import contents, items


@pytest.mark.parametrize("corpus", shards.CORPORA)
def test_counts_are_those_of_the_items_that_a_shard_holds(finished, corpus):
    """items.read puts whole what was cut into sequences; contents only adds up: both come to the same."""
    for path in sorted((finished / "shards" / corpus).rglob("*.tar")):
        found = contents.count(str(path), corpus)
        sites = Counter()
        for item in items.read(str(path), corpus):
            name = contents.site(item.meta["page_url" if corpus == "pairs" else "url"])
            sites[name, "things"] += "passage" not in item.meta  # the document of a passage is one with pictures
            sites[name, "images"] += len(item.pictures)
            sites[name, "text"] += sum(len(text.encode()) for text in item.texts if text)
            sites[name, "bytes"] += sum(len(picture.data) for picture in item.pictures)
        for (kind, name), one in found.items():
            if kind == contents.SITE:
                assert (one.documents + one.pairs, one.images) == (sites[name, "things"], sites[name, "images"])
                assert (one.text_bytes, one.image_bytes) == (sites[name, "text"], sites[name, "bytes"])
        assert {name for kind, name in found if kind == contents.SITE} == {name for name, _ in sites}
        by_kind = {kind: contents.Content() for kind in (contents.SITE, contents.LANGUAGE)}
        for (kind, _), one in found.items():
            by_kind[kind] = by_kind[kind].plus(one)
        assert by_kind[contents.SITE] == by_kind[contents.LANGUAGE], "each sample has one site and one language"


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.news.example.co.uk/x", "example.co.uk"),
        ("https://a.github.io/", "a.github.io"),
        ("http://127.0.0.1:8000/x", "127.0.0.1"),
        ("http://weft.test/x", "weft.test"),
    ],
)
def test_a_site_is_the_domain_that_somebody_registered(url, site):
    assert contents.site(url) == site


def test_what_is_no_shard_says_so(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no tar at all")
    with pytest.raises(tarfile.TarError):
        contents.count(str(tmp_path / "a.tar"), "text")
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        (tmp_path / "k.json").write_text(json.dumps({"other": 1}))
        tar.add(tmp_path / "k.json", "k.json")
    with pytest.raises(KeyError):
        contents.count(str(tmp_path / "b.tar"), "pairs")
