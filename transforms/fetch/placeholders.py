"""Placeholders: one picture that a host gives for many addresses ("image not available", a spacer, a tracking pixel).

Rows of images/index → rows of images/repeated: every address whose picture its host gives for more than `most` of them.

Two pictures are one where they are stored alike: same perceptual hash, same stored size, same number of stored bytes.
Equal bytes are, and so are copies that differ only in metadata or in a byte of padding, since everything is encoded
afresh. What is behind so many addresses of a host says nothing of any of the pages that show it; repeated sha256 sums
of error pages are a known fault of large image sets (Recap-DataComp-1B), and a picture in more than ten documents is
furniture to OBELICS, whose number is the default here. A picture with one address on many pages is another matter:
`pack.max_repeats`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from weft.schemas.records import RepeatedImage, stable_id
from weft.transforms.beam import hot_keys
from weft.transforms.fetch.scheduler import host_of

COLUMNS = ("image_url", "status", "phash", "stored_width", "stored_height", "length")


@dataclasses.dataclass
class Repeated(beam.PTransform):
    """Rows of the index (dicts with COLUMNS) → RepeatedImage of each address with a picture like many others.

    Args:
        most: addresses of one host that may have the same picture.
    """

    most: int

    def expand(self, rows: beam.PCollection[dict[str, Any]]) -> beam.PCollection[RepeatedImage]:
        most = self.most
        looks = rows | "Look" >> beam.FlatMap(look).with_output_types(tuple[str, str])
        counts = (
            looks
            | "First" >> beam.CombinePerKey(_count).with_output_types(tuple[str, tuple[int, str]])
            | "Many" >> beam.Filter(lambda item: item[1][0] > most)
        )
        crowded = counts | "Crowded" >> beam.FlatMapTuple(
            lambda key, found: [(key, -(-found[0] // hot_keys.MOST))] if found[0] > hot_keys.MOST else []
        )
        return (
            {"rows": looks, "one": counts}
            | "Attach" >> hot_keys.Attach(crowded)
            | "Row"
            >> beam.MapTuple(lambda url, found: RepeatedImage(url, host_of(url), found[0], found[1])).with_output_types(
                RepeatedImage
            )
        )


def look(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(what a host shows, image key) of an image that was stored."""
    if row["status"] == "ok":
        key = row["image_url"]
        size = (row["stored_width"], row["stored_height"], row["length"])
        yield stable_id(host_of(key), row["phash"], *map(str, size)), key


def _count(found: Iterable[Any]) -> tuple[int, str]:
    """Addresses, or what this made of others → (how many, the smallest)."""
    counted = [(1, item) if isinstance(item, str) else item for item in found]
    return sum(n for n, _ in counted), min((key for n, key in counted if n), default="")
