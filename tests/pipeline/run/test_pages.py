import gzip

import pytest

from weft.pipeline.run import manifest, pages
from weft.schemas.parameters import ConfigError


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG picture"),
        (b"PAR1\x15\x04", "a Parquet table"),
        (b"# A README\n", "text"),
        (b"", "empty"),
        (b"\x00\x01\x02", "of no kind that weft knows"),
        (gzip.compress(b"WARC/1.0\r\n", mtime=0), "a WARC file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "text, packed"),
        (b"\x1f\x8bnothing", "broken gzip"),
    ],
)
def test_kind(tmp_path, content, told):
    (tmp_path / "x").write_bytes(content)
    assert pages.kind(str(tmp_path / "x")) == told


def test_input_without_a_page_is_said_to_be_what_it_is(tmp_path):
    (tmp_path / "a.warc.wat.gz").write_bytes(gzip.compress(b"WARC/1.0\r\nWARC-Type: warcinfo\r\n", mtime=0))
    books = {
        "record": {"entered": 4, "kept": 0, "dropped": {"metadata": 3, "warcinfo": 1}},
        "page": {"entered": 0, "kept": 0, "dropped": {}},
    }
    manifest.write(str(tmp_path), "extract", {"books": books, "fingerprint": "f"})
    paths = [str(tmp_path / "a.warc.wat.gz"), *(f"{tmp_path}/gone{n}" for n in range(4))]
    with pytest.raises(ConfigError) as told:
        pages.check(str(tmp_path), paths)
    assert "a.warc.wat.gz is a WARC file" in str(told.value) and "3 metadata (as in WAT files)" in str(told.value)
    assert "gone0 is not readable" in str(told.value) and "and 2 more files" in str(told.value)
    books["page"]["entered"] = 1
    manifest.write(str(tmp_path), "extract", {"books": books, "fingerprint": "f"})
    pages.check(str(tmp_path), paths)
