"""docs/fates.md names every reason that a run of the demo gives."""

import re
from pathlib import Path

from weft.pipeline.report import figures
from weft.pipeline.run.registry import STAGES

PAGE = Path(__file__).parents[3] / "docs/fates.md"


def documented() -> set[tuple[str, str, str]]:
    """(stage, kind, reason); a reason that ends in "…" stands for all that begin so."""
    found = set()
    for stage, section in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S):
        head: list[str] = []
        for line in section.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not line.startswith("|"):
                head = []
            elif not head:
                head = cells
            elif "reason" in head:
                kinds = cells[head.index("kind")].split(", ") if "kind" in head else ["image"]
                reasons = re.findall(r"`([a-z0-9_…]+)`", cells[head.index("reason")])
                found.update((stage, kind, reason) for kind in kinds for reason in reasons)
    return found


def test_the_page_is_read_as_it_is_meant():
    found = documented()
    assert {("extract", "page", "language"), ("fetch", "image", "svg"), ("pack", "pair", "too_small")} <= found
    assert {stage for stage, _, _ in found} == {stage.name for stage in STAGES[:5]}


def test_every_reason_of_a_run_is_on_the_page(finished: Path):
    found = documented()
    given = {
        (stage.name, kind, reason)
        for stage in STAGES[:5]
        for kind, account in figures.count_fates(str(finished), stage.name).items()
        for reason in account["dropped"]
    }
    assert len(given) > 20
    missing = {
        (stage, kind, reason)
        for stage, kind, reason in given
        if (stage, kind, reason) not in found and not (stage == "pack" and reason.startswith("image_"))
    }
    assert missing == set()
