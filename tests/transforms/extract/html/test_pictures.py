"""Images have the address that is meant, and a twin is no second image."""

import pytest
from small_pages import URL, article, p

from weft.transforms.extract.html import extract


def images(html):
    return [image for image in extract(html, URL).images if image is not None]


def test_protocol_relative_and_base():
    html = article(p(), "<img src='//cdn.test/x.jpg'>", p(), "<img src=y.jpg>", p())
    with_base = html.replace("</head>", "<base href='/other/'></head>")
    assert images(with_base) == ["http://cdn.test/x.jpg", "http://site.test/other/y.jpg"]


def test_a_noscript_twin_is_counted_once():
    lazy = "<img src='data:image/gif;base64,R0' data-src=a.jpg><noscript><img src=a.jpg></noscript>"
    bare = "<img class=lazy><noscript><img src=b.jpg></noscript>"
    made = extract(article(p(), lazy, p(), bare, p()), URL)
    assert [i for i in made.images if i] == ["http://site.test/dir/a.jpg", "http://site.test/dir/b.jpg"]
    assert [o.reason for o in made.occurrences] == ["", "noscript_twin", "", "noscript_twin"]
    pixel = "<img src='data:image/gif;base64,R0'><noscript><img height=1 width=1 src=//track.test/tr?id=1></noscript>"
    assert extract(article(p(), pixel, p()), URL).occurrences[0].reason == "data_uri"


def test_what_a_page_says_of_a_picture_is_mended_as_its_texts_are():
    figure = "<figure><img src=a.jpg alt='A sof&shy;t caf&Atilde;&copy;' title='\u200b'><figcaption>Le caf&Atilde;&copy;</figcaption></figure>"
    meta = extract(article(p(), figure, p()), URL).image_meta[1]
    assert (meta.alt, meta.title, meta.caption) == ("A soft café", "", "Le café")
    bare = extract(article(p(), "<figure><img src=a.jpg><figcaption>\u200b</figcaption></figure>", p()), URL)
    assert (bare.image_meta[1].caption, bare.image_meta[1].caption_source) == ("", "")


def test_other_sizes_of_a_picture_are_its_alternates():
    made = extract(article(p(), "<img src=s.jpg srcset='m.jpg 640w, l.jpg 1280w'>", p()), URL)
    assert made.alternates == [None, ["http://site.test/dir/s.jpg"], None]


@pytest.mark.parametrize(
    ("tag", "url"),
    [
        ("<img src=blank.gif data-src=real.jpg>", "dir/real.jpg"),
        ("<img src='data:image/gif;base64,R0' data-lazy-src=real.jpg>", "dir/real.jpg"),
        ("<img data-original='../up.jpg'>", "up.jpg"),
        ("<img src=s.jpg srcset='m.jpg 640w, l.jpg 1280w, xl.jpg 4000w'>", "dir/l.jpg"),
        ("<img src=s.jpg srcset='a.jpg 1x, b.jpg 2x'>", "dir/b.jpg"),
        ("<img srcset='c_fill,w_300/a.jpg 300w, c_fill,w_900/a.jpg 900w'>", "dir/c_fill,w_900/a.jpg"),
        ("<img pagespeed_lazy_src=real.jpg src='/ngx_pagespeed_static/1.JiBnMqyl6S.gif'>", "dir/real.jpg"),
        ("<img data-pagespeed-lazy-src=real.jpg src=other.jpg>", "dir/real.jpg"),
        ("<img data-cfsrc=real.jpg src='data:image/gif;base64,R0'>", "dir/real.jpg"),
        ("<img data-large_image=real.jpg src='data:image/gif;base64,R0'>", "dir/real.jpg"),
        ("<img src2=real.jpg src=blank.gif>", "dir/real.jpg"),
        ("<img data-lazy-srcwidth=200 src=real.jpg>", "dir/real.jpg"),
        ("<picture><source srcset='w.webp 1200w'><img alt=x></picture>", "dir/w.webp"),
        ("<picture><source srcset='w.webp 1200w'></picture>", "dir/w.webp"),
        ("<amp-img src=a.jpg></amp-img>", "dir/a.jpg"),
        ("<img src='/a b.jpg'>", "a%20b.jpg"),
    ],
)
def test_the_url_that_is_meant(tag, url):
    assert images(article(p(), tag, p())) == [f"http://site.test/{url}"]


def test_a_placeholder_is_told_by_its_name_alone():
    made = extract(
        article(p(), "<img data-src='/lazy/barn.jpg' src=/x/spacer.gif>", p(), f"<img src='{'lazy_' * 500_000}'>"), URL
    )
    assert made.images[1] == "http://site.test/lazy/barn.jpg" and len(made.occurrences) == 2
