"""Drawings in SVG as pixels, by resvg: bytes → a PNG of a wanted size, or why there is none.

resvg runs no script and asks no network, but reads files that a drawing names, and a short drawing can ask for more
work than any is worth (`<use>` of `<use>`, filters, patterns). So the drawing is first written anew: entities expanded,
without document type, comments and instructions, and without addresses but those of its own parts (`#…`) and of
pictures inside it (data: PNG, JPEG, GIF, WebP). Then a process of its own draws it, which can open no file, with so
much CPU time and memory and no more. Letters are drawn in the fonts that are named, where the drawing asks for another
family in the first, and not at all without: those of a machine would make other bytes on another.
"""

from __future__ import annotations

import math
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

MOST_BYTES = 4_000_000  # of a drawing; figures have some 100 KB
MOST_WRITTEN = 4 * MOST_BYTES  # characters that it is with its entities and its attributes' defaults in place
MOST_ELEMENTS, DEEPEST = 100_000, 200  # a map of the world has 10,000
CPU_S, MEMORY = 5, 2 << 30  # of the process that draws one; real ones take a tenth of a second
_TOO_MUCH = 3  # how that process ends where it takes more
_INCH = 96.0  # pixels of CSS
_UNITS = {
    "": 1.0,
    "px": 1.0,
    "pt": _INCH / 72,
    "pc": 16.0,
    "in": _INCH,
    "cm": _INCH / 2.54,
    "mm": _INCH / 25.4,
    "em": 16.0,
}
_LENGTH = re.compile(r"\s*+\+?((?:\d++(?:\.\d++)?|\.\d++)(?:[eE][+-]?\d++)?)\s*+([a-z]*+)\s*+")
_INSIDE = re.compile(r"\A\s*+(?:#|data:image/(?:png|jpe?g|gif|webp)[;,])", re.IGNORECASE)
_NAMES = re.compile(r"(?:url\(|@import)\s*+['\"]?+\s*+(?!#)[^\s'\")]", re.IGNORECASE)  # an address in a style
_SIDES = 1e6  # the longest side that is a size at all


class Undrawable(ValueError):
    """Why a drawing makes no picture."""


class Drawing(NamedTuple):
    """A drawing that may be drawn."""

    xml: str  # as it is written anew
    width: float  # in pixels of CSS, as it says itself
    height: float


def read(data: bytes) -> Drawing:
    """A drawing without what it may not have.

    Raises:
        Undrawable: no well-formed SVG, none that says how large it is, or one with more parts than any has.
    """
    if len(data) > MOST_BYTES:
        raise Undrawable(f"over {MOST_BYTES} bytes")
    written = _Written(data.count(b"&"))
    try:
        written.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Undrawable(str(error)) from None
    except (LookupError, ValueError) as error:  # an encoding that there is not; half of a pair of surrogates
        raise Undrawable(str(error)) from None
    return Drawing("".join(written.parts), *_size(written.root))


def png(drawing: Drawing, width: int, height: int, fonts: Sequence[str] = ()) -> bytes:
    """The picture of a drawing, of this width and height, by a rounding one pixel off.

    Args:
        drawing: as `read` gave it.
        width: in pixels.
        height: likewise.
        fonts: files of fonts on this machine; the first stands for families that are not among them.

    Raises:
        Undrawable: it takes too much, or resvg finds no sense in it.
        OSError: there is no process to be had, or no resvg in it.
    """
    done = subprocess.run(
        [sys.executable, "-P", __file__, str(width), str(height), *fonts],
        input=drawing.xml.encode("utf-8", "replace"),
        capture_output=True,
    )
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:150]
    if done.returncode > 0 and done.returncode != _TOO_MUCH:
        raise OSError(f"no process to draw in: {said}")
    # Or killed, by a limit on time or by what it did without memory.
    whole = done.returncode == _TOO_MUCH and said
    raise Undrawable(whole or f"drawing takes over {CPU_S} s or {MEMORY >> 30} GiB")


class _Written:
    """What a parser finds, written anew as it finds it."""

    def __init__(self, references: int) -> None:
        """`references` are so many at most: expat puts a whole attribute together before it can be counted."""
        self.parts: list[str] = []
        self.root: dict[str, str] = {}
        self._depth = self._elements = self._size = 0
        self._references = references
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = lambda text: self._add(escape(text))
        self.parser.EntityDeclHandler = self._entity

    def _entity(self, name: str, _: bool, value: str | None, *elsewhere: object) -> None:
        if value and ("&" in value.replace("&#", "") or len(value) * self._references > MOST_WRITTEN):
            raise Undrawable(f"entity {name[:40]} makes it too long")

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size > MOST_WRITTEN:
            raise Undrawable(f"over {MOST_WRITTEN} characters")
        self.parts.append(text)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS:
            raise Undrawable(f"over {MOST_ELEMENTS} elements, or {DEEPEST} in each other")
        if self._elements == 1:
            if name.rpartition(":")[2] != "svg":
                raise Undrawable(f"begins with {name[:40]}")
            self.root = attributes
        stay = (f" {key}={quoteattr(value)}" for key, value in attributes.items() if _harmless(key, value))
        self._add(f"<{name}{''.join(stay)}>")

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._add(f"</{name}>")


def _harmless(name: str, value: str) -> bool:
    """Whether an attribute names nothing outside its drawing."""
    if name.rpartition(":")[2].lower() in ("href", "src", "base"):
        return _INSIDE.match(value) is not None
    return not _NAMES.search(value)


def _size(root: dict[str, str]) -> tuple[float, float]:
    """(width, height) of a drawing: its own, or of its view box; where it gives one side, the other is by the box."""
    width, height = (_length(root.get(name, "")) for name in ("width", "height"))
    box = [_length(part) for part in re.split(r"[\s,]+", root.get("viewBox", "").strip())[2:4]]
    if len(box) == 2 and all(box):
        ratio = box[0] / box[1]
        width, height = width or (height * ratio if height else box[0]), height or (width / ratio if width else box[1])
    if not (0 < width <= _SIDES and 0 < height <= _SIDES):
        raise Undrawable("it does not say how large it is")
    return width, height


def _length(said: str) -> float:
    """Pixels of CSS; 0 for what is no length, a share or nothing."""
    found = _LENGTH.fullmatch(said)
    value = float(found[1]) * _UNITS.get(found[2], 0.0) if found else 0.0
    return value if math.isfinite(value) else 0.0


def _family(font: str) -> str | None:
    """The name of a font's family."""
    from PIL import ImageFont

    return ImageFont.truetype(font).getname()[0]


def main() -> None:
    """What runs in that process, with width, height and fonts: XML on stdin → PNG on stdout."""
    width, height, *fonts = sys.argv[1:]
    import resvg_py

    family = _family(fonts[0]) if fonts else None
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY)]
    if not fonts:
        limits.append((resource.RLIMIT_NOFILE, 0))  # from here on no file can be opened
    for limit, most in limits:
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    xml = sys.stdin.buffer.read().decode()
    try:
        made = resvg_py.svg_to_bytes(
            svg_string=xml,
            width=int(width),
            height=int(height),
            skip_system_fonts=True,
            font_files=fonts or None,
            font_family=family,
            serif_family=family,
            sans_serif_family=family,
            cursive_family=family,
            fantasy_family=family,
            monospace_family=family,
            languages=["en"],
            dpi=_INCH,
        )
    except BaseException as error:  # resvg's panics are no Exception
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        os._exit(_TOO_MUCH)
    sys.stdout.buffer.write(bytes(made))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
