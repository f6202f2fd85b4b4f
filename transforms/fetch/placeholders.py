"""Placeholders: one image that a host gives for many addresses ("image not available", a spacer, a tracking pixel).

Rows of images/index → rows of images/repeated: every address whose image its host gives for more than `most` of them.

Two images are the same where they are stored alike: equal perceptual hash, stored size and number of stored bytes. That
holds for equal files, and for copies that differ only in metadata or padding, since everything is encoded afresh.

An image behind so many addresses of a host says nothing of any page that shows it. Repeated sha256 sums of error pages
are a known fault of large image sets (Recap-DataComp-1B), and an image in more than ten documents is furniture to
OBELICS, whose number is the default here. One address on many pages is another matter: `pack.max_repeats`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam

from weft.schemas.records import RepeatedImage, stable_id
from weft.transforms.beam import hot_keys
from weft.transforms.beam.folds import Fold
from weft.transforms.fetch.rate_limit import host_of


class IndexedImage(NamedTuple):
    """What tells placeholders of a row of images/index."""

    image_url: str
    status: str
    phash: str
    stored_width: int
    stored_height: int
    length: int


@dataclasses.dataclass
class Repeated(beam.PTransform):
    """IndexedImages → RepeatedImage of each address that shares its image with more than `most` of its host.

    Args:
        most: addresses of one host that may have the same image.
    """

    most: int

    def expand(self, rows: beam.PCollection[IndexedImage]) -> beam.PCollection[RepeatedImage]:
        most = self.most
        appearances = rows | "Appearance" >> beam.FlatMap(appearance).with_output_types(tuple[str, str])
        counts = (
            appearances
            | "One" >> beam.MapTuple(lambda look, key: (look, (1, key))).with_output_types(tuple[str, tuple[int, str]])
            | "First" >> Fold(_count)
            | "Many" >> beam.Filter(lambda item: item[1][0] > most).with_output_types(tuple[str, tuple[int, str]])
        )
        sizes = counts | "Sizes" >> hot_keys.Sizes()
        return (
            {"rows": appearances, "one": counts, "sizes": sizes}
            | "Attach" >> hot_keys.Attach(most=hot_keys.MOST)
            | "Row"
            >> beam.MapTuple(lambda url, found: RepeatedImage(url, host_of(url), found[0], found[1])).with_output_types(
                RepeatedImage
            )
        )


def appearance(row: IndexedImage) -> Iterator[tuple[str, str]]:
    """(hash of the host and of how the image is stored, image key) of an image that was stored; nothing of others."""
    if row.status == "ok":
        size = (row.stored_width, row.stored_height, row.length)
        yield stable_id(host_of(row.image_url), row.phash, *map(str, size)), row.image_url


def _count(one: tuple[int, str], other: tuple[int, str]) -> tuple[int, str]:
    """How many addresses there are, and the smallest."""
    return one[0] + other[0], min(one[1], other[1])
