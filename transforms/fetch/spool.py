"""Outcomes of a unit of images, as a spool keeps them until the unit is done."""

from __future__ import annotations

from typing import Any

from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files, spool

STAGE = "fetch"


class Spool(spool.Spool[Outcome]):
    """The outcomes of one unit that is not done.

    Args:
        output: the run's directory.
        unit: the unit's name.
        fingerprint: of what the unit is to do; with another one it begins with nothing.
    """

    def __init__(self, output: str, unit: str, fingerprint: str) -> None:
        super().__init__(files.join(output, STAGE, "spool", f"{unit}-{fingerprint[:16]}"))

    def apart(self, item: Outcome) -> tuple[Any, bytes]:
        key, image, *more = item
        if isinstance(image, Prepared):
            return [key, [True, *image[1:]], *more], image.data
        return [key, [False, *image], *more], b""

    def together(self, said: Any, data: bytes) -> Outcome:
        key, (stored, *fields), *more = said
        return Outcome(key, Prepared(data, *fields) if stored else Refused(*fields), *more)
