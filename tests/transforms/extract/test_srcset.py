"""Which of an image element's addresses is meant."""

import pytest

from weft.transforms.extract.srcset import best_of, candidates, choose, is_placeholder


def of(picture=(), **attributes):
    return choose({name.replace("_", "-"): value for name, value in attributes.items()}, picture, "http://a.test/d/")


@pytest.mark.parametrize(
    ("attributes", "url"),
    [
        ({"src": "a.jpg"}, "d/a.jpg"),
        ({"src": "blank.gif", "data_src": "/b.jpg"}, "b.jpg"),
        ({"src": "a.jpg", "srcset": "a.jpg 600w, b.jpg 1600w"}, "d/a.jpg"),  # wide enough for what is stored
        ({"src": "a.jpg", "srcset": "a.jpg 300w, b.jpg 1600w"}, "d/b.jpg"),
        ({"src": "a.jpg", "srcset": "data:image/gif;base64,R0 1w"}, "d/a.jpg"),
        ({"data_src": '{"json": 1}', "src": "a.jpg"}, "d/a.jpg"),
        ({"data_src": "b_{width}x.jpg?v=1", "data_widths": "[180, 1080, 2048]", "src": "a.jpg"}, "d/b_1080x.jpg?v=1"),
        ({"data_src": "b_%7Bwidth%7Dx.jpg", "data_widths": "[180, 540]"}, "d/b_540x.jpg"),
        ({"data_src": "b_{width}x.jpg", "src": "a.jpg"}, "d/b_1024x.jpg"),
        ({"data_src": "/{{ product.image }}", "data_original": "{size}/b.jpg", "src": "a.jpg"}, "d/a.jpg"),
        ({"data_src": "grey-wolf.jpg", "src": "blank.gif"}, "d/grey-wolf.jpg"),
    ],
)  # fmt: skip
def test_the_address_that_is_meant(attributes, url):
    assert of(**attributes) == (f"http://a.test/{url}", "")


def test_a_picture_without_a_source_of_its_own_has_that_of_its_sources():
    assert of(picture=["w.webp 800w, x.webp 2000w"]) == ("http://a.test/d/x.webp", "")
    assert of(picture=["w.webp 800w"], src="own.jpg") == ("http://a.test/d/own.jpg", "")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({}, "no_source"), ({"src": "data:image/gif;base64,R0"}, "data_uri"), ({"src": "javascript:x"}, "bad_url"),
     ({"src": "a" * 5_000}, "bad_url")],
)  # fmt: skip
def test_an_element_without_an_address_has_a_reason(attributes, reason):
    assert of(**attributes) == ("", reason)


def test_other_sizes_follow_the_best():
    told = {"src": "s.jpg", "srcset": "m.jpg 640w, l.jpg 1280w"}
    assert candidates(told, [], "http://a.test/")[0] == ["http://a.test/l.jpg", "http://a.test/s.jpg"]


@pytest.mark.parametrize(
    ("srcset", "url"),
    [
        ("", ""),
        ("a.jpg", "a.jpg"),
        ("a.jpg 1x, b.jpg 2x", "b.jpg"),
        ("m.jpg 640w, l.jpg 1280w, xl.jpg 4000w", "l.jpg"),
        ("c_fill,w_300/a.jpg 300w,c_fill,w_900/a.jpg 900w", "c_fill,w_900/a.jpg"),  # commas inside addresses
        ("a.jpg, b.jpg 800w", "b.jpg"),
    ],
)
def test_the_sensible_candidate(srcset, url):
    assert best_of(srcset) == url


def test_a_placeholder_is_told_by_its_file_name():
    assert is_placeholder("/x/spacer.gif?v=2") and is_placeholder("data:image/gif;base64,R0")
    assert (
        is_placeholder("/i/loading-anim.gif") and is_placeholder("lazy_image.jpg") and is_placeholder("grey-spacer.jpg")
    )
    assert not is_placeholder("a/point-blank-2.jpg") and not is_placeholder("google-pixel-8.webp")
    assert not is_placeholder("/lazy/barn.jpg") and not is_placeholder("lazy_" * 500_000)
