"""A page as the parser writes it out again, well-formed: by lexbor, through resiliparse.

HTML lets a short page become a large document: formatting elements that a paragraph leaves open are opened again in
each that follows, with all their attributes (53 kB of `<b id=…>` and `<p>` take 3 GB and 6 s, 210 kB with one long
attribute 1 GB), and the parser walks through all open elements at many a tag, 13 ns each. What a page could cost at
worst is bounded by counting (`limits.laborious`); the few that could cost too much, 3 of 1,000, are parsed by a process
of its own that is given so much memory and CPU time and no more.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

MEMORY, CPU_S = 2 << 30, 20  # of the process that parses one laborious page; real ones take a second
GROWTH = 4  # times the page that what the parser writes may be, and
_ROOM = 1 << 20  # characters more
_TOO_MUCH = 3  # how that process ends where memory, or what it makes, is beyond these


class TooComplex(ValueError):
    """A page that would take the parser more than any page is worth."""


def written(html: str, laborious: bool = False) -> str:
    """The page as the parser writes it.

    Args:
        html: the page.
        laborious: parse it in a process of its own.

    Raises:
        TooComplex: it took too much there.
        ValueError: the parser gives no document.
        OSError: there is no such process to be had.
    """
    if laborious:
        return _apart(html)
    from resiliparse.parse.html import HTMLTree

    try:
        document = HTMLTree.parse(html).document
    except UnicodeEncodeError:  # half of a pair of surrogates
        document = HTMLTree.parse(html.encode("utf-8", "replace").decode()).document
    if document is None:
        raise ValueError("no document")
    return str(document.html)


def _apart(html: str) -> str:
    # -P: this file's directory is no place to import from.
    done = subprocess.run(
        [sys.executable, "-P", __file__, str(MEMORY), str(CPU_S)],
        input=html.encode("utf-8", "replace"),
        capture_output=True,
    )
    if done.returncode > 0 and done.returncode != _TOO_MUCH:
        raise OSError(f"no process to parse in: {done.stderr.decode(errors='replace').strip().rpartition(chr(10))[2]}")
    if done.returncode:  # or killed, by a limit on time or by what it did without memory
        raise TooComplex(f"the parser takes over {CPU_S} s, {MEMORY >> 30} GiB or {GROWTH} times the page for it")
    return done.stdout.decode()


def main() -> None:
    """What runs in that process, with its memory in bytes and its seconds: stdin → stdout."""
    memory, seconds = map(int, sys.argv[1:])
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory)):
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    import resiliparse.parse.html  # noqa: F401 - what goes wrong from here on is the page's doing

    html = sys.stdin.buffer.read().decode()
    try:
        made = written(html)
    except (MemoryError, ValueError, RuntimeError):  # without memory the parser gives no document
        os._exit(_TOO_MUCH)
    if len(made) > GROWTH * len(html) + _ROOM:
        os._exit(_TOO_MUCH)
    sys.stdout.buffer.write(made.encode("utf-8", "replace"))
    sys.stdout.flush()
    os._exit(0)  # without freeing the document node by node


if __name__ == "__main__":
    main()
