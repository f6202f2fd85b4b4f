"""What a threshold on similarity means: pairs beside the same pictures with captions of other pairs.

similarities of sampled pairs and of mismatched ones → how many of each a threshold lets pass, as numbers and as a
table.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from weft.pipeline.report.charts import percent, text
from weft.schemas.records import SIMILARITY_DECIMALS
from weft.transforms.io import files

# Strangers that pass a threshold: a reader who sets none sees where to set one.
ALLOWED = (0.05, 0.01, 0.001)


def describe(similarities: list[float], mismatched: list[float], threshold: float | None) -> dict[str, Any] | None:
    """The report's figures; None where there is no baseline.

    Args:
        similarities: of sampled pairs.
        mismatched: of the same pictures with the captions of other pairs.
        threshold: what a pair has to reach in this run, None where it need not.
    """
    if not mismatched:
        return None
    mine, theirs = (
        np.sort(np.array(values, np.float64).round(SIMILARITY_DECIMALS)) for values in (similarities, mismatched)
    )
    wanted = [("this run", threshold)] if threshold is not None else []
    for share in ALLOWED:
        if share * len(theirs) >= 1:  # of fewer nothing can be said
            wanted.append((f"{share:.1%} of strangers", float(theirs[-max(1, int(share * len(theirs)))])))
    return {
        "n": len(theirs),
        "mean_pairs": round(float(mine.mean()), 5),
        "mean_strangers": round(float(theirs.mean()), 5),
        "pair_above_stranger": _above(mine, theirs),
        "thresholds": [
            {"set_by": name, "threshold": value, "pairs": _share(mine, value), "strangers": _share(theirs, value)}
            for name, value in wanted
        ],
    }


def threshold(output: str, pack: dict[str, Any]) -> float | None:
    """What a pair has to reach to be packed, by the configuration and by the top share that pack found."""
    least = [pack["pair_min_similarity"]] if pack.get("pair_min_similarity", -1.0) > -1 else []
    found = files.join(output, "pack", "top.json")
    if pack.get("pair_top_share") and files.exists(found):
        least += [value for value in [json.loads(files.read_bytes(found))] if value is not None]
    return max(least, default=None)


def section(found: dict[str, Any] | None) -> str:
    """A paragraph and a table for the page."""
    if not found:
        return ""
    rows = "".join(
        f"<tr><td>{text(row['set_by'])}</td><td>{row['threshold']:.3f}</td>"
        f"<td>{percent(row['pairs'], 1)}</td><td>{percent(row['strangers'], 1)}</td></tr>"
        for row in found["thresholds"]
    )
    table = (
        '<div class="scroll"><table><thead><tr><th>threshold set by</th><th>threshold</th><th>pairs that pass</th>'
        f"<th>strangers that pass</th></tr></thead><tbody>{rows}</tbody></table></div>"
        if rows
        else ""
    )
    return (
        f'<p class="about">What a threshold means with this model: {found["n"]:,} pairs beside the same pictures with '
        f"the captions of other pairs (strangers). Mean similarity {found['mean_pairs']:.3f} of pairs, "
        f"{found['mean_strangers']:.3f} of strangers; a pair is above a stranger "
        f"{percent(found['pair_above_stranger'], 1)} of the time.</p>{table}"
    )


def _share(ordered: Any, least: float) -> float:
    return round(float(1 - np.searchsorted(ordered, least, side="left") / len(ordered)), 5)


def _above(mine: Any, theirs: Any) -> float:
    """How often a pair is above a stranger, ties by half: the area under the ROC curve."""
    below = np.searchsorted(theirs, mine, side="left") + np.searchsorted(theirs, mine, side="right")
    return round(float(below.mean() / 2 / len(theirs)), 5)
