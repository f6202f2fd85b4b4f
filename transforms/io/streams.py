"""What every stream has that is read at a place of its own: position and length, and how seeking moves between them."""

from __future__ import annotations

import io


class PlacedStream(io.RawIOBase):
    """A readable, seekable stream; who inherits reads in `readinto` from `_at` on and moves it."""

    _at = 0
    size = 0  # bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at
