"""Images of an earlier run, so that a later one asks the web only for what is new or did not come.

An earlier output's index → its rows that stand: stored images, and failures that asking again would not mend. What
failed in a way that may pass (no answer, a busy host) is left out, and is thereby asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from weft.schemas.config import Fetch
from weft.schemas.parameters import ConfigError
from weft.transforms.fetch.blobs import Got
from weft.transforms.fetch.client import UNANSWERED
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.robots import PASSING, UNAVAILABLE
from weft.transforms.io import files, parquet

_MAY_PASS = frozenset(
    {*UNANSWERED, "host_unreachable", "host_throttled", UNAVAILABLE, "not_in_warc", "capture_unreadable"}
)
_STORED_BY = ("max_side", "quality", "format", "resize")  # what decides stored bytes


def may_pass(status: str, http_status: int) -> bool:
    """Whether asking again may give another answer."""
    return status in _MAY_PASS or (status == "http_error" and http_status in PASSING)


def check(outputs: Sequence[str], config: Fetch) -> None:
    """Raise ConfigError unless each output holds a finished fetch with images as they would be stored today."""
    for output in outputs:
        path = files.join(output, "fetch", "manifest.json")
        if not files.exists(path):
            raise ConfigError(f"fetch.earlier names {output}, which holds no finished fetch")
        asked = json.loads(files.read_bytes(path))["config"]["fetch"]
        made = {key: asked.get(key, getattr(Fetch, key)) for key in _STORED_BY}  # an older run has not all of them
        other = [
            f"{key} = {made[key]}, not {getattr(config, key)}"
            for key in _STORED_BY
            if made[key] != getattr(config, key)
        ]
        if other:
            raise ConfigError(f"fetch.earlier names {output}, whose images were stored with {'; '.join(other)}")


def parts(outputs: Sequence[str]) -> list[tuple[int, str, str]]:
    """(rank, output, file of its index), the first output named counting most."""
    return [
        (rank, output, path)
        for rank, output in enumerate(outputs)
        for path, _ in files.listing(files.join(output, "images", "index", "*.parquet"))
    ]


def rows(part: tuple[int, str, str]) -> Iterator[tuple[str, tuple[int, str]]]:
    """(image key, (rank, the row as JSON with its output)) of what stands in one file of an index."""
    rank, output, path = part
    for row in parquet.read_rows(path):
        if not may_pass(row["status"], row["http_status"]):
            yield row["image_url"], (rank, json.dumps({**row, "output": output}, sort_keys=True))


def got(text: str) -> tuple[Got, str]:
    """(what came of an image in its earlier run, where it was got from), its bytes read from their blob."""
    row: dict[str, Any] = json.loads(text)
    made: Prepared | Refused = Refused(row["status"], "as before")
    if row["status"] == "ok":
        data = files.read_range(files.join(row["output"], row["blob"]), row["offset"], row["length"])
        made = Prepared(
            data, row["image_id"], row["mime"], row["width"], row["height"], row["stored_width"], row["stored_height"],
            row["phash"], row["single_colour"],
        )  # fmt: skip
    return Got(
        row["image_url"], made, row["http_status"], row["fetched_at"] or 0, row["final_url"], row["opt_out"]
    ), row["origin"]
