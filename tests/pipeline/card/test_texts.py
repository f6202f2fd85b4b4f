import json

import pytest

from weft.pipeline.card import texts


def test_the_head_of_the_dataset_card_is_yaml_that_names_each_corpus(carded):
    head = (carded.home / "README.md").read_text().split("---\n")[1]
    told = {name: json.loads(value) for name, value in (line.split(": ", 1) for line in head.splitlines())}
    assert told["license"] == "cc-by-4.0" and told["pretty_name"] == "Corpus of the test"
    assert {one["config_name"] for one in told["configs"]} == {
        info.name.split("/")[0] for info in carded.facts.infos if info.samples
    }
    assert told["size_categories"] == ["n<1K" if sum(i.samples for i in carded.facts.infos) < 1000 else "1K<n<10K"]


def test_the_summary_has_every_part_of_the_template_and_figures_of_the_books(carded):
    said = (carded.home / "public-summary.md").read_text()
    for part in ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "3.1", "3.2", "3.3"):
        assert f"\n### {part} " in said
    tokens = sum(info.tokens for info in carded.facts.infos)
    assert f"| text | less than 1 billion tokens | {tokens:,} tokens |" in said
    for name, content in carded.facts.top:
        assert f"| {name} | {content.documents:,} | {content.pairs:,} |" in said
    dropped = carded.facts.books["extract"]["page"]["dropped"]
    assert f"{dropped['opt_out']:,} pages dropped by extract as `opt_out`." in said
    assert texts.OPEN in said, "a run does not know its model"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "less than 1"), (10**9 - 1, "less than 1"), (10**9, "1 billion to"), (10**13, "more than 10")],
)
def test_ranges_of_the_template(value, said):
    assert texts._range(value, texts._TOKENS, "more than 10 trillion tokens").startswith(said)


def test_paths_of_a_disk_are_not_published():
    assert texts._public("/home/me/crawl.warc.gz") == "crawl.warc.gz"
    assert texts._public("s3://commoncrawl/a/b.warc.gz") == "s3://commoncrawl/a/b.warc.gz"
