"""The data card says what this run did, and what it did not."""

from html_seen import Seen

import weft.schemas.config as configuration
from weft.pipeline.report import datacard

DONE = {"state": "done", "books": {}, "versions": {"weft": "9.9"}}
FOUND = {
    "inputs": {"files": 3, "bytes": 5_000_000, "names": ["a<b>.warc.gz", "c.warc.gz"]},
    "stages": {"extract": DONE, "dedup": DONE},
    "opt_outs_not_honoured": 0,
    "cut": [],
    "opt_outs": [],
    "truth": None,
}


def words(config, **changes):
    return " ".join(Seen(datacard.card(config, {**FOUND, **changes})).words.split())


def test_sources_are_named_and_the_rest_counted():
    told = words(configuration.load())
    assert "3 archive files" in told and "a<b>.warc.gz" in told and "and 1 more, in run.json" in told
    assert "weft 9.9" in told and "Against the known truth" not in told


def test_filters_are_what_differs_from_filtering_nothing():
    assert "this is recipe raw" in words(configuration.load(recipe="raw"))
    told = words(configuration.load(recipe="raw", overrides=["extract.min_words=77"]))
    assert "extract.min_words 77 0" in told and "extract.max_words" not in told.split("Whole configuration")[0]


def test_opt_outs_are_counted_whoever_met_them():
    assert "None was met." in words(configuration.load())
    books = {"page": {"entered": 9, "kept": 7, "dropped": {"opt_out": 2, "too_short": 1}}}
    told = words(configuration.load(), stages={"extract": {**DONE, "books": books}}, opt_outs_not_honoured=4)
    assert "2 pages dropped by extract as opt_out" in told and "too_short" not in told.split("Licence")[0]
    assert "4 pages that opted out were kept all the same" in told
    off = configuration.load(overrides=["fetch.honour_opt_out=false"])
    assert "extract honours them; fetch does not honour them" in words(off)


def test_limits_follow_the_model_and_what_has_run():
    tiny, other = configuration.load(), configuration.load(overrides=["score.model=ViT-B-32"])
    assert "shipped tiny CLIP" in words(tiny) and "shipped tiny CLIP" not in words(other)
    told = words(tiny, stages={"extract": DONE, "dedup": {"state": "unfinished"}})
    assert "Not finished when this was written: dedup." in told and "Not finished" not in words(tiny)


def test_the_known_truth_is_laid_flat():
    told = words(configuration.load(), truth={"filters": {"short": {"precision": 0.5}}, "pages": 7, "list": [1]})
    assert (
        "filters · short · precision 0.500" in told and "pages 7" in told and "list" not in told.split("Made")[0][-200:]
    )
