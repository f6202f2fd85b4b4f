import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.transforms.extract import rows
from weft.transforms.extract.rows import Look, Unsuited


@pytest.mark.parametrize(
    "data",
    [b"", b"WARC/1.0\r\n", b"name,address\n1,2\n", b"\x1f\x8b broken", b"one line of text\n"],
)
def test_other_files_are_none_of_them(tmp_path, data):
    (tmp_path / "f").write_bytes(data)
    assert rows.look(str(tmp_path / "f")) == rows.look(str(tmp_path / "none")) == Look("")


def test_each_form_is_told_by_looking_and_read_alike(tmp_path):
    told = [{"url": f"http://a.test/{n}", "text": f"words, {n}"} for n in range(3)]
    lines = "".join(json.dumps(row) + "\n" for row in told).encode()
    pq.write_table(pa.Table.from_pylist(told), tmp_path / "parquet")
    (tmp_path / "lines").write_bytes(lines)
    (tmp_path / "packed").write_bytes(gzip.compress(lines))
    (tmp_path / "comma").write_text("url,text\n" + "".join(f'{row["url"]},"{row["text"]}"\n' for row in told))
    (tmp_path / "tab").write_text("url\ttext\n" + "".join(f"{row['url']}\t{row['text']}\n" for row in told))
    (tmp_path / "headless").write_text("".join(f"{row['url']}\t{row['text']}\n" for row in told))
    for name, form in {"parquet": "parquet", "lines": "lines", "packed": "lines"}.items():
        seen = rows.look(str(tmp_path / name))
        assert seen == Look(form, ("url", "text"))
        assert list(rows.read(str(tmp_path / name), seen)) == list(enumerate(told))
    for name, first in (("comma", 1), ("tab", 1), ("headless", 0)):
        seen = rows.look(str(tmp_path / name))
        found = list(rows.read(str(tmp_path / name), seen))
        assert seen.form == "table" and [number for number, _ in found] == list(range(first, first + 3))
        assert [row["url"] for _, row in found] == [row["url"] for row in told]


def test_a_long_first_line_is_read_whole(tmp_path):
    (tmp_path / "f").write_text(json.dumps({"html": "x" * 500_000, "url": "http://a.test/"}) + "\nno json\n[1]\n")
    seen = rows.look(str(tmp_path / "f"))
    assert seen.names == ("html", "url")
    assert [sorted(row) for _, row in rows.read(str(tmp_path / "f"), seen)] == [["html", "url"], [], []]


def test_what_breaks_off_says_so(tmp_path):
    whole = gzip.compress(b'{"url": "u", "n": 1}\n' * 50_000)
    (tmp_path / "f").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unsuited) as caught:
        list(rows.read(str(tmp_path / "f"), rows.look(str(tmp_path / "f"))))
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_is_none_of_a_file(tmp_path, pack):
    """Of no form that is text."""
    for body, form in (
        (b'{"url": "u", "text": "t"}\n', "lines"),
        (b"url,text\nu,t\n", "table"),
        (b"url\ttext\nu\tt", "table"),
    ):
        (tmp_path / "f").write_bytes(pack(b"\xef\xbb\xbf" + body))
        seen = rows.look(str(tmp_path / "f"))
        assert (seen.form, seen.names) == (form, ("url", "text"))
        assert [row for _, row in rows.read(str(tmp_path / "f"), seen)] == [{"url": "u", "text": "t"}]


QUOTES = [
    ('"He said "hi" there"', 'He said hi" there"'),
    ('"open', '"open'),
    ('a "word" of it', 'a "word" of it'),
    ('"a ""word"" of it"', 'a "word" of it'),
    ('"two\r\nlines, ""one"" row"', 'two\r\nlines, "one" row'),
    ('"', '"'),
    ('a","x', 'a"'),
    ("", ""),
]


def _read(path, *lines):
    path.write_text("url,text\n" + "".join(line + "\n" for line in lines), newline="")
    return list(rows.read(str(path), rows.look(str(path))))


@pytest.mark.parametrize(("cell", "said"), QUOTES)
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("again", [1, 3])
def test_whatever_the_quotes_of_a_row_no_other_is_lost(tmp_path, cell, said, place, again):
    """At the beginning, within and at the end of a file; alone and, but for two that are CSV together, beside others."""
    bad = [(f"b{n}", cell, said) for n in range(1 if cell == '"' else again)]
    good = [("g1", "one", "one"), ("g2", '"many,\nlines"', "many,\nlines"), ("g3", '"say ""hi"""', 'say "hi"')]
    told = good[:place] + [one for bad_one in bad for one in (bad_one, ("g", "x", "x"))] + good[place:]
    found = _read(tmp_path / "f", *(f"{url},{written}" for url, written, _ in told))
    assert [number for number, _ in found] == list(range(1, len(told) + 1))
    assert [(row["url"], row["text"]) for _, row in found] == [(url, text) for url, _, text in told]


def test_a_cell_that_is_too_long_and_one_that_never_ends_take_no_other_row(tmp_path, monkeypatch):
    """Nor a time by the square of what follows."""
    monkeypatch.setattr(rows, "_CELL", 1 << 15)
    monkeypatch.setattr(rows, "_LEAST", 1 << 10)
    found = _read(tmp_path / "f", "1," + "x" * (1 << 16), "2,two", '3,"' + "y\n" * (1 << 15), "4,four")
    assert [row for _, row in found[:2]] == [{}, {"url": "2", "text": "two"}]
    assert found[2][1] == {"url": "3", "text": '"y'} and found[-1][1] == {"url": "4", "text": "four"}
    assert len(found) == (1 << 15) + 4
    many = _read(tmp_path / "f", *['1,a","x'] * 500)
    assert [row["text"] for _, row in many] == ['a"'] * 500


def test_between_tabs_quotes_are_none(tmp_path):
    for first in ("url\ttext\n", ""):
        said = ['"open', 'a "word" of it', '"whole"']
        (tmp_path / "f").write_text(first + "".join(f"http://a.test/{n}\t{one}\n" for n, one in enumerate(said)))
        seen = rows.look(str(tmp_path / "f"))
        assert [list(row.values())[1] for _, row in rows.read(str(tmp_path / "f"), seen)] == said
