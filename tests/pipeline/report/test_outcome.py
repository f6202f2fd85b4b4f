"""Shards and training in the report: what is said of much, of little and of nothing."""

from html_seen import Seen

from weft.pipeline.report import outcome

GAP = {"right": 2.0, "wrong": 2.3, "gap": 0.3, "standard_error": 0.1, "win_rate": 0.8, "samples": 1200}
EMPTY = {"shards": 0, "samples": 0, "tokens": 0, "images": 0, "bytes": 0}
SHARD = {"name": "text/train/000000.tar", "samples": 2, "tokens": 4096, "images": 0, "bytes": 2048, "sha256": "ab" * 32}


def test_the_checks_decide():
    assert "every check of the corpus passes" in outcome.verdict({"eval": {"failed": []}})
    assert "checks pairs.cut fails" in outcome.verdict({"eval": {"failed": ["pairs.cut"]}})


def test_only_gaps_that_were_measured_count():
    assert outcome.gaps({"eval": None}) == {}
    assert outcome.gaps({"eval": {"grounding": {"pairs": GAP, "interleaved": None}}}) == {"pairs": GAP}


def test_no_shards_because_nothing_ran_and_because_nothing_was_left():
    found = {"shards": [], "stages": {"pack": {"state": "not run"}}}
    assert outcome.shards(found) == outcome.NOT_RUN
    found["stages"]["pack"]["state"] = "done"
    assert "No shard was written" in outcome.shards(found)


def test_of_many_shards_the_first_are_shown_and_the_others_counted():
    found = {"shards": [SHARD] * 30, "corpora": dict.fromkeys(("interleaved", "pairs", "text"), EMPTY)}
    seen = Seen(outcome.shards(found))
    assert seen.words.count(SHARD["name"]) == 24 and "and 6 more" in seen.words
    assert "4,096" in seen.words and "ab" * 8 in seen.words and "ab" * 9 not in seen.words


def test_losses_that_are_null_and_gaps_that_are_not_there():
    assert outcome.training({"training": [], "eval": None}) == outcome.NOT_RUN
    counts = {"pairs": 20, "interleaved": 0}
    evaluated = {
        "loss": {"pairs": 2.0, "interleaved": None}, "samples": counts, "tokens": counts,
        "grounding": {"pairs": GAP, "interleaved": None}, "notes": ["no <i>held-out</i> sample"],
    }  # fmt: skip
    seen = Seen(outcome.training({"training": [{"step": 1, "loss": {"pairs": 6.0}}], "eval": evaluated}))
    assert "pairs: +0.300" in seen.words and "80 % of 1,200 samples" in seen.words and "–" in seen.words
    assert "interleaved:" not in seen.words and "no <i>held-out</i> sample" in seen.words  # as words
