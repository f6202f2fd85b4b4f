"""Let the C library keep freed memory, because the next image wants as much again.

Decoding and resizing an image take some megabytes and free them. glibc returns these to the system each time, and the
system clears them page by page when they are wanted again: 300 page faults and a sixth of the CPU time of an image of a
megapixel. So glibc is told to keep up to KEPT free bytes a heap, and to map only what is larger than MAPPED.
"""

from __future__ import annotations

import ctypes

KEPT, MAPPED = 64 << 20, 32 << 20  # the latter is the most that glibc takes
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed() -> bool:
    """Set this for the process; False where the C library is not glibc, which has the call."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, KEPT) and mallopt(_M_MMAP_THRESHOLD, MAPPED))
