"""Text as it was meant."""

import pytest

from weft.transforms.extract.html import repair


@pytest.mark.parametrize(
    ("broken", "meant"),
    [
        ("cafÃ© and â€œquotesâ€\x9d", "café and “quotes”"),
        ("naïve café, Ã la carte? Ça va, où?", "naïve café, Ã la carte? Ça va, où?"),  # nothing sure: left alone
        ("soft\u00adhyphen zero\u200bwidth no\xa0break", "softhyphen zerowidth no break"),
        ("plain text\n\n- a list", "plain text\n\n- a list"),
        ("日本語 مرحبا ไทย", "日本語 مرحبا ไทย"),
        ("bell\x07 and tab\t", "bell and tab\t"),
    ],
)
def test_text_is_mended_where_that_is_sure(broken, meant):
    assert repair.text(broken) == meant
