"""Pictures of the demo web: which there are, how each is spoiled, and where it is served from.

A seed → a picture: a scene, its URL, smaller copies for a srcset, and a kind that says what is wrong with it. Kinds go
round in a fixed order, so that even a small web has each. `serve_or_archive` makes the bytes.
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any
from urllib.parse import quote

from PIL import Image

from weft.pipeline.demo import pictures, rendered
from weft.pipeline.demo.pictures import Scene
from weft.pipeline.demo.prose import Dice
from weft.pipeline.demo.rendered import Rendered

CDNS = tuple(f"cdn{i}.weft.test" for i in range(1, 5))

# Of 100 pictures, how many are ... (the rest are ordinary JPEG). Kinds of the first line are fine in the end.
FINE = {"png": 4, "webp": 3, "gif": 1, "grey": 2, "cmyk": 1, "alpha": 2, "rotated": 2, "redirect": 2}
SPOILED = {"broken": 2, "truncated": 2, "tiny": 2, "single_colour": 2, "svg": 1, "html": 1, "opt_out": 2}
_SERVER_ONLY = ("redirect", "broken", "html")
_SUFFIX = {"png": "png", "alpha": "png", "webp": "webp", "gif": "gif", "svg": "svg"}
_MIME = {"png": "image/png", "webp": "image/webp", "gif": "image/gif", "svg": "image/svg+xml", "jpg": "image/jpeg"}
_NAMES = ("view", "detail", "photo", "large", "front", "scan", "cover", "snap")
ARCHIVED = 0.6  # share of pictures whose bytes are in the WARC files
JPEG_QUALITY = 85
ROTATED = 6  # EXIF orientation: turn by 90 degrees to the right to show it


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture of the web; `expect` is "ok" or what is wrong with it."""

    seed: str
    scene: Any  # or a Rendered
    kind: str
    url: str
    width: int
    height: int
    also: tuple[tuple[str, int], ...]
    archived: bool
    date: str

    @property
    def expect(self) -> str:
        return self.kind if self.kind in SPOILED else "ok"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is at a URL: an HTTP answer."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    archived: bool
    date: str


def _wheel() -> tuple[str, ...]:
    """Kinds in the order in which they come round: each of them once in the first 40 of 100."""
    dice = Dice("kinds of pictures")
    shares = {**FINE, **SPOILED}
    first = [*shares, *["jpeg"] * (40 - len(shares))]
    rest = [kind for kind, share in shares.items() for _ in range(share - 1)]
    rest += ["jpeg"] * (60 - len(rest))
    return (*dice.sample(first, 40), *dice.sample(rest, 60))


WHEEL = _wheel()


def picture(
    seed: str, number: int, kind: str, host: str, date: str, copies: bool = False, shows: Scene | Rendered | None = None
) -> Picture:
    """The `number`-th picture of the web.

    Args:
        kind: out of WHEEL.
        host: of the page that shows it; half the pictures are on a CDN instead.
        copies: smaller copies exist too.
        shows: what it shows; else the scene of the seed.
    """
    dice = Dice(f"picture {seed}")
    width, height = 4 * dice.number(55, 115), 4 * dice.number(51, 80)
    if kind == "tiny":
        width = height = 32
    if isinstance(shows, Rendered):
        width = height  # at the sides of a wider one a tower sees nothing
    place = host if dice.chance(0.5) else dice.pick(CDNS)
    name = f"{dice.pick(_NAMES)}-{number}"
    suffix = _SUFFIX.get(kind, "jpg")
    shape = dice.number(0, 9)
    if shape == 0 and not copies:
        path = f"/image?id={number}&size=large"
    elif shape == 1 and not copies:
        path = f"/render/{dice.number(10**7, 10**8)}/{name}"
    elif shape == 2 and not copies:
        path = quote(f"/fotos/caf\u00e9 {name}.{suffix}")
    else:
        path = f"{dice.pick(('/img', '/media/2025', '/wp-content/uploads/2025/03', '/assets/photos'))}/{name}.{suffix}"
    also = (
        tuple((f"http://{place}{path.rsplit('.', 1)[0]}-{width // part}.{suffix}", width // part) for part in (2,))
        if copies
        else ()
    )
    archived = dice.chance(ARCHIVED) and kind not in _SERVER_ONLY
    scheme = "https" if dice.chance(0.3) else "http"
    shows = shows or pictures.sample_scene(seed)
    return Picture(seed, shows, kind, f"{scheme}://{place}{path}", width, height, also, archived, date)


def serve_or_archive(made: Picture) -> list[Answer]:
    """The answers that the web gives for a picture: one, or more where copies or redirects exist."""
    if made.kind == "broken":
        return [Answer(made.url, 404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>", False, made.date)]
    if made.kind == "html":
        body = b"<!DOCTYPE html><html><body><p>Please log in to see this picture.</p></body></html>"
        return [Answer(made.url, 200, {"Content-Type": "text/html; charset=utf-8"}, body, False, made.date)]
    if made.kind == "svg":
        body = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{made.width}" height="{made.height}">'
            '<rect width="100%" height="100%" fill="#cde"/><circle cx="80" cy="80" r="60" fill="#246"/></svg>'
        ).encode()
        return [Answer(made.url, 200, {"Content-Type": _MIME["svg"]}, body, made.archived, made.date)]
    if made.kind == "single_colour":
        image = Image.new("RGB", (made.width, made.height), tuple(Dice(made.seed).number(30, 220) for _ in range(3)))
    else:
        small = rendered.drawn(made.scene, made.width * 2 // 3, made.height * 2 // 3)  # drawing is what costs time
        image = small.resize((made.width, made.height), Image.Resampling.BICUBIC)
    body, mime = _encode(image, made.kind)
    headers = {"Content-Type": mime}
    if made.kind == "opt_out":
        headers["X-Robots-Tag"] = "noimageai"
    if made.kind == "redirect":
        target = made.url.replace("https://", "http://") + ".moved.jpg"
        moved = Answer(made.url, 302, {"Location": target, "Content-Type": "text/html"}, b"", False, made.date)
        return [moved, Answer(target, 200, headers, body, False, made.date)]
    answers = [Answer(made.url, 200, headers, body, made.archived, made.date)]
    for url, width in made.also:
        small = image.resize((width, max(1, made.height * width // made.width)), Image.Resampling.BILINEAR)
        answers.append(Answer(url, 200, headers, _encode(small, "jpeg")[0], made.archived, made.date))
    return answers


def furniture(url: str, date: str) -> Answer:
    """A picture of a site's frame: logo, banner, thumbnail, share icon."""
    dice = Dice(f"furniture {url}")
    name = url.rsplit("/", 1)[1]
    size = {
        "logo": (120, 40),
        "bann": (300, 250),
        "thum": (160, 100),
        "shar": (24, 24),
        "blan": (1, 1),
        "avat": (32, 32),
    }[name[:4]]
    image = pictures.draw(pictures.sample_scene(f"furniture {url}"), max(size[0], 64), max(size[1], 64)).resize(size)
    kind = name.rsplit(".", 1)[1].replace("jpg", "jpeg")
    body, mime = _encode(image, kind)
    return Answer(url, 200, {"Content-Type": mime}, body, dice.chance(ARCHIVED), date)


def _encode(image: Image.Image, kind: str) -> tuple[bytes, str]:
    """The file's bytes and its media type; truncated files stop at half."""
    out = io.BytesIO()
    if kind == "png":
        image.save(out, "PNG", compress_level=1)
    elif kind == "alpha":
        mask = Image.linear_gradient("L").resize(image.size).point(lambda level: 120 + level // 2)
        image.putalpha(mask)
        image.save(out, "PNG", compress_level=1)
    elif kind == "webp":
        image.save(out, "WEBP", quality=80, method=0)
    elif kind == "gif":
        image.quantize(64, Image.Quantize.FASTOCTREE).save(out, "GIF")
    elif kind == "rotated":
        exif = Image.Exif()
        exif[0x0112] = ROTATED
        image.transpose(Image.Transpose.ROTATE_90).save(out, "JPEG", quality=JPEG_QUALITY, exif=exif)
    else:
        mode = {"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB")
        image.convert(mode).save(out, "JPEG", quality=JPEG_QUALITY)
    data = out.getvalue()
    if kind == "truncated":
        data = data[: len(data) // 2]
    return data, _MIME.get({"alpha": "png"}.get(kind, kind), "image/jpeg")
