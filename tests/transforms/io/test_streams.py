"""Streams at a place of their own: seeking counts from the beginning, here or the end, and never before the beginning."""

import io

import pytest

from weft.transforms.archives.wacz import Window


@pytest.mark.parametrize(("offset", "whence", "at"), [(3, 0, 3), (-1, 1, 1), (-2, 2, 4), (-9, 1, 0), (9, 0, 9)])
def test_seeking(offset: int, whence: int, at: int) -> None:
    stream = Window(io.BytesIO(b"..012345.."), 2, 6)
    assert stream.read(2) == b"01" and stream.tell() == 2
    assert stream.seek(offset, whence) == stream.tell() == at
    assert stream.read() == b"012345"[at:]
