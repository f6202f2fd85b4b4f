"""docs/fates.md names every reason that a run of the demo gives."""

from pathlib import Path

from fates_page import documented

from weft.pipeline.report import figures
from weft.pipeline.run.registry import STAGES


def test_the_page_is_read_as_it_is_meant():
    found = documented()
    assert {("extract", "page", "language"), ("fetch", "image", "svg"), ("pack", "pair", "too_small")} <= found
    assert {stage for stage, _, _ in found} == {"crawl", *(stage.name for stage in STAGES[:5])}


def test_every_reason_of_a_run_is_on_the_page(finished: Path):
    found = documented()
    given = {
        (stage.name, kind, reason)
        for stage in STAGES[:5]
        for kind, account in figures.count_fates(str(finished), stage.name).items()
        for reason in account["dropped"]
    }
    assert len(given) > 20
    # `image_…`: what fetch says of an image, pack says of the same image.
    found |= {
        ("pack", "image", f"image_{reason}") for stage, kind, reason in found if (stage, kind) == ("fetch", "image")
    }
    assert given - found == set()
