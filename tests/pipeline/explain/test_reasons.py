"""weft explain knows every reason of docs/fates.md, and names keys of the configuration that are there."""

import re
from pathlib import Path

import weft.schemas.config as configuration
from weft.pipeline.explain.reasons import REASONS

PAGE = Path(__file__).parents[3] / "docs/fates.md"


def documented() -> set[tuple[str, str, str]]:
    """(stage, kind, reason) of every row of the page."""
    found = set()
    for stage, section in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S):
        head: list[str] = []
        for line in section.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not line.startswith("|"):
                head = []
            elif not head:
                head = cells
            elif "reason" in head and "---" not in line:
                kinds = cells[head.index("kind")].split(", ") if "kind" in head else ["image"]
                reasons = re.findall(r"`([a-z0-9_…]+)`", cells[head.index("reason")])
                found.update((stage, kind, reason) for kind in kinds for reason in reasons)
    return found


def test_it_knows_each_documented_reason_and_no_other():
    assert {(*where, reason) for where, reasons in REASONS.items() for reason in reasons} == documented()


def test_each_key_that_decides_is_one_of_the_configuration():
    config = configuration.load()
    keys = {key for reasons in REASONS.values() for _, decide in reasons.values() for key in decide}
    assert len(keys) > 30
    assert [k for k in sorted(keys) if not hasattr(getattr(config, k.split(".")[0]), k.split(".")[1])] == []
