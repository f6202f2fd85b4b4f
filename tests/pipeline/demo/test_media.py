"""Pictures of the demo: each kind is spoiled as its name says, and fine otherwise."""

import io
from collections import Counter

import pytest
from PIL import Image

from weft.pipeline.demo import media

DATE = "2025-03-01T00:00:00Z"


def answers(kind, copies=False):
    return media.serve_or_archive(media.picture(f"seed {kind}", 7, kind, "a.weft.test", DATE, copies))


def test_of_a_hundred_pictures_each_kind_has_its_share_and_comes_early():
    counts = Counter(media.WHEEL)
    assert counts.total() == 100 and counts == {**media.FINE, **media.SPOILED, "jpeg": counts["jpeg"]}
    assert set(media.WHEEL[:40]) == set(counts)


@pytest.mark.parametrize(
    ("kind", "shape", "mode"),
    [("png", "PNG", "RGB"), ("alpha", "PNG", "RGBA"), ("webp", "WEBP", "RGB"), ("gif", "GIF", "P"), ("grey", "JPEG", "L"),
     ("cmyk", "JPEG", "CMYK"), ("jpeg", "JPEG", "RGB"), ("opt_out", "JPEG", "RGB")],
)  # fmt: skip
def test_a_picture_is_of_its_format_and_size(kind, shape, mode):
    made = media.picture(f"seed {kind}", 7, kind, "a.weft.test", DATE)
    (answer,) = media.serve_or_archive(made)
    with Image.open(io.BytesIO(answer.body)) as image:
        image.load()
        assert (image.format, image.mode, image.size) == (shape, mode, (made.width, made.height))
    assert answer.headers["Content-Type"] == f"image/{shape.lower()}" and answer.status == 200
    assert ("X-Robots-Tag" in answer.headers) == (kind == "opt_out")
    assert made.expect == (kind if kind in media.SPOILED else "ok")


def test_a_turned_picture_says_how_to_turn_it_back():
    made = media.picture("seed rotated", 7, "rotated", "a.weft.test", DATE)
    with Image.open(io.BytesIO(media.serve_or_archive(made)[0].body)) as image:
        assert image.size == (made.height, made.width) and image.getexif()[0x0112] == media.ROTATED


def test_what_is_spoiled():
    (broken,), (page,), (half,), (flat,), (tiny,) = map(
        answers, ("broken", "html", "truncated", "single_colour", "tiny")
    )
    assert broken.status == 404 and page.body.startswith(b"<!DOCTYPE html>") and not page.archived
    with pytest.raises(OSError), Image.open(io.BytesIO(half.body)) as image:
        image.load()
    with Image.open(io.BytesIO(flat.body)) as image:
        assert all(low == high for low, high in image.getextrema())
    with Image.open(io.BytesIO(tiny.body)) as image:
        assert image.size == (32, 32)


def test_a_redirect_leads_to_the_picture_and_copies_are_smaller():
    moved, target = answers("redirect")
    assert moved.status == 302 and moved.headers["Location"] == target.url and target.status == 200
    large, small = answers("jpeg", copies=True)
    sizes = [Image.open(io.BytesIO(one.body)).size for one in (large, small)]
    assert sizes[1][0] == sizes[0][0] // 2 and small.url != large.url


@pytest.mark.parametrize(("name", "size"), [("logo.png", (120, 40)), ("thumb2.jpg", (160, 100)), ("blank.gif", (1, 1))])
def test_furniture_has_the_size_of_its_kind(name, size):
    answer = media.furniture(f"http://a.test/static/{name}", DATE)
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.size == size and answer.headers["Content-Type"] == Image.MIME[image.format]
