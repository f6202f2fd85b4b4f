import json

import pytest

from weft.transforms.io import json_values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d"', "\ufffd"),
        (r'"\ude00 \uD83D\uDE00"', "\ufffd \U0001f600"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'{"a\uDFFF": ["\ud800x", 1.5, null, true, 12345678901234567890]}', {"a\ufffd": ["\ufffdx", 1.5, None, True, 12345678901234567890]}),
        (b'"\xed\xa0\x80"', "\ufffd"),
        ('"\ud800"', "\ufffd"),
        (r'"\\ud83d"', "\\ud83d"),
        (r'"\\\ud83d"', "\\\ufffd"),
        ('"{}"'.encode("utf-16"), "{}"),
    ],
)  # fmt: skip
def test_half_a_character_is_none_and_all_else_is_as_json_has_it(text, value):
    assert json_values.parse(text) == value


def test_what_is_no_json_is_said_as_ever():
    for text in ("{", b"\xff", r'"\ud8"', ""):
        with pytest.raises(ValueError):
            json_values.parse(text)
    assert json_values.parse('"a\tb"', strict=False) == "a\tb"
    whole = {"said": "\U0001f600" * 3, "deep": [{"x": []}]}
    assert json_values.parse(json.dumps(whole)) == whole
