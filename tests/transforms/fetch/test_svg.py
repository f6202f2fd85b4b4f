"""Drawings in SVG: drawn as they say, at their size, and nothing that a hostile one asks for."""

import dataclasses
import hashlib
import io
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from weft.schemas.parameters import FetchRules, ImageForm, ImageLimits
from weft.transforms.fetch import svg
from weft.transforms.fetch.decode import Prepared, Refused, prepare

DRAWN = ImageLimits(svg=True)
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 200 100"'
RED = '<rect width="200" height="100" fill="#f00"/>'


def drawing(inside: str, before: str = "", more: str = "") -> bytes:
    return f"{before}{HEAD} {more}>{inside}</svg>".encode()


def middle(made: Prepared | Refused) -> tuple[int, ...]:
    assert isinstance(made, Prepared), made
    with Image.open(io.BytesIO(made.data)) as image:
        return image.convert("RGB").getpixel((image.width // 2, image.height // 2))


def png(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def test_a_drawing_is_a_picture_of_the_size_that_it_says() -> None:
    data = drawing('<circle cx="100" cy="50" r="20" fill="#00f"/>', '<?xml version="1.0"?><!-- a figure -->')
    made = prepare(data, ImageForm(max_side=50, format="png"), DRAWN)
    assert isinstance(made, Prepared) and middle(made) == (0, 0, 255)
    assert (made.width, made.height, made.stored_width, made.stored_height) == (200, 100, 50, 25)
    assert (made.mime, made.image_id) == ("image/svg+xml", hashlib.sha256(data).hexdigest())
    with Image.open(io.BytesIO(made.data)) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)  # what is not drawn is white
    assert prepare(data, ImageForm(max_side=50, format="png"), DRAWN) == made
    assert prepare(data) == Refused("svg", "")


@pytest.mark.parametrize(
    ("root", "size"),
    [
        ('width="300" height="50"', (300, 50)), ('width="2in" height="72pt"', (192, 96)),
        ('width="100"', (100, 50)), ('height="10%"', (200, 100)), ('width="1e3px" height="5e2"', (1_000, 500)),
    ],
)  # fmt: skip
def test_sizes_are_read_as_css_has_them(root: str, size: tuple[int, int]) -> None:
    found = svg.read(drawing(RED, more=root))
    assert (round(found.width), round(found.height)) == size
    with Image.open(io.BytesIO(svg.png(found, *size))) as image:
        assert max(abs(a - b) for a, b in zip(image.size, size, strict=True)) <= 1


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (drawing(RED)[:-9], "SVG: "),
        (b"<svg><rect/></svg>", "how large"),
        (drawing(RED, more='width="1e9" height="5"'), "how large"),
        (drawing("<g>" * 201 + "</g>" * 201), "in each other"),
        (drawing("<g/>" * (svg.MOST_ELEMENTS + 1)), "over 100000 elements"),
        (drawing("<!--" + " " * svg.MOST_BYTES + "-->"), "bytes"),
        (drawing("<text>&nothing;</text>"), "undefined entity"),
    ],
)
def test_what_cannot_be_drawn_says_why(data: bytes, detail: str) -> None:
    made = prepare(data, limits=DRAWN)
    assert isinstance(made, Refused) and made.reason == "undecodable" and detail in made.detail


def test_too_many_pixels_are_counted_before_anything_is_drawn() -> None:
    data = drawing(RED, more='width="20000" height="10000"')
    assert prepare(data, limits=DRAWN) == Refused("too_many_pixels", "20000x10000")


ENTITY = '<!DOCTYPE svg [<!ENTITY where "{}">]>'
PLACES = (
    '<image href="{}" width="200" height="100" preserveAspectRatio="none"/>',
    '<image xlink:href="{}" width="200" height="100" preserveAspectRatio="none"/>',
    '<filter id="f"><feImage href="{}"/></filter><rect width="200" height="100" filter="url(#f)"/>',
    '<use href="{}#a" width="200" height="100"/>',
    "<style>@import url({});</style>",
    '<script href="{}"/>',
)


@pytest.mark.parametrize("inside", PLACES)
@pytest.mark.parametrize("form", ["{}", "file://{}", "http://127.0.0.1:9{}", "&where;"])
def test_nothing_outside_the_drawing_is_looked_at(tmp_path: Path, inside: str, form: str) -> None:
    (tmp_path / "blue.png").write_bytes(png("blue"))
    path = str(tmp_path / "blue.png")
    before = ENTITY.format(path) if "&" in form else ""
    data = drawing(RED + inside.format(form.format(path)), before)
    assert middle(prepare(data, ImageForm(format="png"), DRAWN))[2] == 0
    assert path not in svg.read(data).xml or "style" in inside  # whose rules resvg does not follow


def test_a_file_could_not_be_opened_if_it_were_named(tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(png("blue"))
    named = drawing(RED + PLACES[0].format(tmp_path / "blue.png")).decode()
    with Image.open(io.BytesIO(svg.png(svg.Drawing(named, 200, 100), 200, 100))) as image:
        assert image.convert("RGB").getpixel((100, 50)) == (255, 0, 0)


def test_a_picture_inside_is_drawn_and_a_drawing_inside_is_not() -> None:
    import base64

    for kind, data, blue in (("png", png("blue"), 255), ("svg+xml", drawing(RED.replace("f00", "00f")), 0)):
        address = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        made = prepare(drawing(RED + PLACES[0].format(address)), ImageForm(format="png"), DRAWN)
        assert middle(made)[2] == blue


def test_entities_are_expanded_and_do_not_blow_up() -> None:
    assert (
        middle(
            prepare(drawing('<rect width="200" height="100" fill="&where;"/>', ENTITY.format("#0f0")), limits=DRAWN)
        )[1]
        > 250
    )
    many = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    made = prepare(drawing("<text>&a11;</text>", f'<!DOCTYPE svg [<!ENTITY a0 "ha">{many}]>'), limits=DRAWN)
    assert isinstance(made, Refused) and "entity a1 makes it too long" in made.detail


HUGE = '<filter id="f" x="-999" y="-999" width="9999" height="9999" filterUnits="userSpaceOnUse">{}</filter>'
LABORIOUS = {
    "uses": '<g id="u0"><rect width="9" height="9"/></g>'
    + "".join(f'<g id="u{n}">' + f'<use href="#u{n - 1}"/>' * 10 + "</g>" for n in range(1, 10)),
    "each other": '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>',
    "itself": '<g id="a"><use href="#a"/></g>',
    "noise": HUGE.format('<feTurbulence numOctaves="1000000" baseFrequency="5"/>')
    + RED.replace("/>", ' filter="url(#f)"/>'),
    "blur": HUGE.format('<feGaussianBlur stdDeviation="999999"/>' * 500)
    + RED.replace("/>", ' filter="url(#f)"/>') * 500,
}


@pytest.mark.parametrize("kind", LABORIOUS)
def test_a_drawing_that_asks_for_too_much_is_given_up_or_drawn_without(kind: str) -> None:
    made = prepare(drawing(LABORIOUS[kind]), ImageForm(max_side=100), DRAWN)
    assert isinstance(made, Prepared) or made.reason == "undecodable"


def test_time_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare(drawing(LABORIOUS["noise"]), ImageForm(max_side=200), DRAWN)
    assert made == Refused("undecodable", f"SVG: drawing takes over {svg.CPU_S} s or 2 GiB")


@pytest.mark.parametrize("asked", ["its own", "Helvetica", "sans-serif", "monospace", ""])
def test_letters_are_drawn_in_the_fonts_that_are_named_alone(tmp_path: Path, asked: str) -> None:
    from PIL import ImageFont

    font = tmp_path / "font.ttf"
    font.write_bytes(ImageFont.load_default(20).font_bytes)
    family = ImageFont.truetype(str(font), 20).getname()[0] if asked == "its own" else asked
    data = drawing(f'<text x="0" y="90" font-size="120" font-family="{family}">WWW</text>')
    without, drawn = (
        prepare(data, ImageForm(format="png"), dataclasses.replace(DRAWN, svg_fonts=fonts))
        for fonts in ((), (str(font),))
    )
    assert isinstance(without, Prepared) and without.single_colour
    assert isinstance(drawn, Prepared) and not drawn.single_colour
    assert FetchRules().svg_fonts == ()


def _entities(*values: str) -> str:
    made = (f'<!ENTITY {name} "{value}">' for name, value in zip("ab", values, strict=False))
    return f"<!DOCTYPE svg [{''.join(made)}]>"


PADDING = f"<!--{'p' * 3_700_000}-->"  # expat lets a document grow to a hundred times its length


@pytest.mark.parametrize(
    "data",
    [
        drawing(f"{PADDING}<text>{'&a;' * 3_900}</text>", _entities("y" * 90_000)),
        drawing(f"{PADDING}<text x='{'&a;' * 3_900}'/>", _entities("y" * 90_000)),
        drawing(f"{PADDING}<text x='{'&b;' * 2_000}'/>", _entities("y" * 3_000, "&a;" * 30)),
        drawing(f"{PADDING}<text>{'&b;' * 2_000}</text>", _entities("&#38;#38;" * 30, "&a;" * 1_000)),
        drawing("<g/>" * 90_000, f'<!DOCTYPE svg [<!ATTLIST g class CDATA "{"y" * 90_000}">]>'),
    ],
    ids=("text", "attribute", "nested", "of references", "defaults"),
)
def test_a_drawing_does_not_grow_in_the_process_that_reads_it(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(svg.Undrawable, match=r"makes it too long|over 16000000 characters"):
            svg.read(data)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_names_that_a_drawing_program_declares_are_put_in_place() -> None:
    names = _entities("http://www.w3.org/2000/svg", "&#38;#38;")
    found = svg.read(f'{names}<svg xmlns="&a;" width="9" height="9"><text>a &b; b</text></svg>'.encode())
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in found.xml and "a &amp; b" in found.xml
