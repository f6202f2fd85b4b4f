"""Streams at a place of their own: seeking counts from the beginning, here or the end, and never before the beginning."""

import io
import random

import pytest

from weft.transforms.archives.wacz import Window
from weft.transforms.io.streams import ENDS, End


@pytest.mark.parametrize(("offset", "whence", "at"), [(3, 0, 3), (-1, 1, 1), (-2, 2, 4), (-9, 1, 0), (9, 0, 9)])
def test_seeking(offset: int, whence: int, at: int) -> None:
    stream = Window(io.BytesIO(b"..012345.."), 2, 6)
    assert stream.read(2) == b"01" and stream.tell() == 2
    assert stream.seek(offset, whence) == stream.tell() == at
    assert stream.read() == b"012345"[at:]


@pytest.mark.parametrize(
    "pieces", [[], [0], [5], [ENDS], [ENDS + 1], [ENDS - 1, 1], [1] * 9, [ENDS, 3, ENDS - 2, 2], [7, 3 * ENDS]]
)
def test_the_end_is_that_of_the_whole_however_it_was_cut(pieces: list[int]) -> None:
    data = random.Random(1).randbytes(sum(pieces))
    end, at = End(), 0
    for size in pieces:
        end.add(data[at : at + size])
        at += size
    assert end.digest() == End.of(data[-ENDS:])
    if data:
        assert end.digest() != End.of(bytes([*data[-ENDS:-1], data[-1] ^ 1]))
