"""Figures of a run's images: how many came, how many are different, how many are odd.

images/index, images/repeated → one plain dict. "Looks" are perceptual hashes; a picture without structure (the hash of
which is that of any other such) counts by its bytes. The first figures.MOST_ROWS rows are counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from weft.pipeline.report import figures
from weft.pipeline.report.figures import parts
from weft.transforms.fetch.looks import dull
from weft.transforms.io import parquet

_COLUMNS = ("image_id", "status", "width", "height", "phash", "origin", "single_colour")
TINY, EXTREME = 64, 3.0  # pixels of the shorter side (Kosmos-1 B.1.3); longer over shorter side (COYO, DataComp)


def gather(output: str) -> dict[str, Any]:
    """The figures, empty where there is no index."""
    if not parts(output, "images/index"):
        return {}
    wanted, origins, odd = 0, Counter[str](), Counter[str]()
    files, looks = Counter[str](), Counter[str]()
    for table in figures.tables(output, "images/index", _COLUMNS):
        for row in table.to_pylist():
            wanted += 1
            if row["status"] != "ok":
                continue
            short, long = sorted((row["width"], row["height"]))
            origins[row["origin"]] += 1
            files[row["image_id"]] += 1
            flat = row["single_colour"] or dull(row["phash"])
            looks[row["image_id"] if flat else row["phash"]] += 1
            odd["of one colour"] += bool(row["single_colour"])
            odd["tracking pixels"] += long <= 2
            odd[f"under {TINY} pixels"] += short < TINY
            odd[f"more than {EXTREME:g} times as long as wide"] += long > EXTREME * short
    odd["placeholders"] = sum(parquet.count_rows(path) for path in parts(output, "images/repeated"))
    return {
        "wanted": wanted,
        "stored": origins.total(),
        "origins": dict(sorted(origins.items())),
        "distinct_sha256": len(files),
        "shared_sha256": sum(count > 1 for count in files.values()),
        "distinct_looks": len(looks),
        "shared_looks": sum(count > 1 for count in looks.values()),
        "odd": dict(odd),
    }
