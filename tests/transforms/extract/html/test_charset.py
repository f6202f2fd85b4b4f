"""Bytes become characters as a browser would read them."""

import pytest

from weft.transforms.extract.html.charset import to_text


@pytest.mark.parametrize(
    ("data", "header"),
    [
        ("<p>naïve café</p>".encode(), ""),
        ("<p>naïve café</p>".encode("latin-1"), "text/html; charset=iso-8859-1"),
        ('<meta charset="windows-1252"><p>naïve café</p>'.encode("cp1252"), ""),
        ("\ufeff<p>naïve café</p>".encode("utf-16"), ""),
        ("<p>naïve café</p>".encode(), "text/html; charset=nonsense"),
    ],
)
def test_characters_by_mark_header_meta_or_detection(data, header):
    assert "naïve café" in to_text(data, header)


def test_shift_jis_by_meta():
    assert "日本語" in to_text(
        '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">日本語'.encode("shift_jis")
    )


@pytest.mark.parametrize("name", ["unicode_escape", "utf-7", "raw_unicode_escape", "punycode", "hex"])
def test_a_charset_is_none_of_pythons_own_codecs(name):
    made = to_text(f"<meta charset={name}><p>lone \\ud800 +2AA- word</p>".encode())
    assert made.endswith("<p>lone \\ud800 +2AA- word</p>")
