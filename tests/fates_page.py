"""docs/fates.md as a program reads it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/fates.md"


def documented() -> set[tuple[str, str, str]]:
    """(stage, kind, reason) of every row; a reason that ends in "…" stands for all that begin so."""
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
