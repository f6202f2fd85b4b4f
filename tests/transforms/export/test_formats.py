import base64
import gzip
import io
import json
import tarfile

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from weft.transforms.export import formats
from weft.transforms.export.items import Item, Picture


def jpeg(shade):
    out = io.BytesIO()
    Image.new("RGB", (9, 6), (shade, 0, 0)).save(out, "JPEG")
    return out.getvalue()


def picture(shade, **meta):
    return Picture(jpeg(shade), "jpg", {"url": f"http://w.test/{shade}.jpg", "width": 90, "height": 60, **meta})


SOURCE = {"url": "http://w.test/", "language": "en", "title": "t", "doc_id": "d"}
DOCUMENT = Item(
    "d",
    ["one", None, "two", None, None],
    [None, picture(1), None, picture(2, matched_text=2, matched_similarity=-0.2, similarities={"2": -0.1}), picture(3)],
    SOURCE,
    [2, 3, 5, 6, 7],  # pictures at 0, 1 and 4 were left out
)
PAIR = Item(
    "p-d",
    [None, "a red dot"],
    [picture(4, sha256="abc", similarity=0.5), None],
    {"image_url": "http://w.test/4.jpg"},
    [0, 0],
)
TEXT = Item("t", ["words"], [None], SOURCE, [0])
ASKED = Item("i", ["Add. 1 2"], [None], {"instruction": "Add.", "input": "1", "output": "2"}, [0])
EXAMPLES = {"interleaved": DOCUMENT, "pairs": PAIR, "text": TEXT, "instructions": ASKED}


def write(name, corpus, folder, *items):
    made = formats.FORMATS[name].writers[corpus](str(folder / "000000"), iter(items or [EXAMPLES[corpus]]))
    return {file: (folder / file, count) for file, count in made.items()}


def members(path):
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


CASES = [(name, corpus) for name, form in formats.FORMATS.items() for corpus in form.writers]


@pytest.mark.parametrize(("name", "corpus"), CASES)
def test_the_same_items_give_the_same_bytes(tmp_path, name, corpus):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    made = [write(name, corpus, tmp_path / folder) for folder in ("a", "b")]
    assert made[0].keys() == made[1].keys() and all(count == 1 for _, count in made[0].values())
    files = [sorted((tmp_path / folder).iterdir()) for folder in ("a", "b")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]] and files[0]


@pytest.mark.parametrize(("name", "corpus"), CASES)
def test_a_shard_without_samples_is_written_too(tmp_path, name, corpus):
    made = formats.FORMATS[name].writers[corpus](str(tmp_path / "000000"), iter(()))
    assert sum(made.values()) == 0


def test_obelics_has_a_picture_or_a_text_at_each_place(tmp_path):
    ((path, _),) = write("obelics", "interleaved", tmp_path).values()
    (row,) = pq.read_table(path).to_pylist()
    assert row["texts"] == ["one", None, "two", None, None]
    assert [image and image["bytes"] for image in row["images"]] == [None, jpeg(1), None, jpeg(2), jpeg(3)]
    assert json.loads(row["metadata"])[1]["url"] == "http://w.test/1.jpg"
    assert json.loads(row["general_metadata"])["id"] == "d"


def test_mint_names_the_member_of_each_picture(tmp_path):
    ((path, _),) = write("mint", "interleaved", tmp_path).values()
    found = members(path)
    told = json.loads(found["d.json"])
    assert told["texts"] == DOCUMENT.texts
    assert [name and found[name] for name in told["images"]] == [None, jpeg(1), None, jpeg(2), jpeg(3)]


def test_mmc4_puts_each_picture_to_one_text(tmp_path):
    ((path, _),) = write("mmc4", "interleaved", tmp_path).values()
    told = json.loads(members(path)["d.json"])
    assert told["text_list"] == ["one", "two"]
    # The next text; the one it was matched with; the last one, where no other follows.
    assert [image["matched_text_index"] for image in told["image_info"]] == [1, 0, 1]
    assert [image["matched_sim"] for image in told["image_info"]] == [1.0, -0.2, 1.0]  # not that of another text
    assert [int(np.argmax(line)) for line in told["similarity_matrix"]] == [1, 0, 1]
    assert base64.b64decode(told["image_info"][0]["image_base64"]) == jpeg(1)


def test_img2dataset_has_its_columns_and_counts(tmp_path):
    write("img2dataset", "pairs", tmp_path)
    assert set(members(tmp_path / "000000.tar")) == {"p-d.jpg", "p-d.json", "p-d.txt"}
    (row,) = pq.read_table(tmp_path / "000000.parquet").to_pylist()
    assert (row["caption"], row["status"], row["sha256"]) == ("a red dot", "success", "abc")
    assert (row["width"], row["height"], row["original_width"], row["original_height"]) == (9, 6, 90, 60)
    assert json.loads((tmp_path / "000000_stats.json").read_text())["successes"] == 1


def test_lines_hold_the_texts_of_a_document(tmp_path):
    ((path, _),) = write("jsonl", "interleaved", tmp_path).values()
    (row,) = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert (row["id"], row["text"], row["metadata"]["url"]) == ("d", "one\n\ntwo", "http://w.test/")


@pytest.mark.parametrize("name", ["jsonl", "parquet"])
def test_pandas_and_duckdb_read_texts(tmp_path, name):
    ((path, _),) = write(
        name, "text", tmp_path, *[TEXT._replace(key=f"t{n}", texts=[f"wörds {n}"]) for n in range(3)]
    ).values()
    wanted = [(f"t{n}", f"wörds {n}") for n in range(3)]
    function = "read_json" if name == "jsonl" else "read_parquet"
    assert duckdb.sql(f"select id, text from {function}('{path}') order by id").fetchall() == wanted
    frame = pd.read_json(path, lines=True) if name == "jsonl" else pd.read_parquet(path)
    assert list(frame[["id", "text"]].itertuples(index=False, name=None)) == wanted


def test_mds_begins_another_file_before_offsets_end(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "MDS_BYTES", 100)
    rows = [TEXT._replace(key=f"t{n}", texts=["w" * 60]) for n in range(5)]
    made = write("mds", "text", tmp_path, *rows)
    assert list(made) == [f"000000-{n:03d}.mds" for n in range(len(made))] and len(made) > 1
    assert sum(count for _, count in made.values()) == 5
    for path, count in made.values():
        data = path.read_bytes()
        ends = np.frombuffer(data, np.uint32, count + 1, 4)
        assert np.frombuffer(data, np.uint32, 1)[0] == count and ends[-1] == len(data)


def test_groups_of_parquet_are_bounded_by_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "GROUP_BYTES", 500)
    ((path, count),) = write("parquet", "text", tmp_path, *[TEXT] * 20).values()
    assert count == 20 and pq.ParquetFile(path).num_row_groups > 3
