"""Tables on disk: their columns are the records' fields, and what does not fit is an error."""

import pyarrow as pa
import pytest

from weft.schemas import records, tables


@pytest.mark.parametrize(
    ("record", "schema"),
    [
        (records.Document, tables.DOCUMENTS), (records.Pair, tables.PAIRS), (records.Capture, tables.CAPTURES),
        (records.Cluster, tables.CLUSTERS), (records.KeptRow, tables.KEPT), (records.ImageRow, tables.IMAGES),
        (records.RepeatedImage, tables.REPEATED), (records.Score, tables.SCORES),
        (records.ImageScore, tables.IMAGE_SCORES), (records.Fate, tables.FATES),
    ],
)  # fmt: skip
def test_columns_are_the_fields_in_their_order(record, schema):
    assert list(record._fields) == schema.names


def test_nested_records_become_structs_and_nothing_stays_nothing():
    meta = records.ImageMeta("alt", "caption", "", 3, None)
    row = records.Document(
        "d", "u", 0, "w", 1, "r", "en", 0.5, "t", ["a", None], [None, "i"], [None, meta], [None, ["j"]]
    )
    (read,) = tables.to_table([row], tables.DOCUMENTS).to_pylist()
    assert read["image_meta"] == [None, meta._asdict()] and read["alternates"] == [None, ["j"]]
    assert read["texts"] == ["a", None] and read["crawl_date"].year == 1970


def test_no_rows_make_a_table_with_all_columns():
    made = tables.to_table([], tables.PAIRS)
    assert made.num_rows == 0 and made.schema == tables.PAIRS


@pytest.mark.parametrize("row", [("doc", 1, "u", 0.5, "h"), ("doc", "c", 1, "u")])
def test_what_does_not_fit_is_an_error(row):
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError, ValueError)):
        tables.to_table([row], tables.CLUSTERS)
