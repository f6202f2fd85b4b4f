"""Pairs out and in again: as a list such as LAION's to the same bytes, as img2dataset's output without a request."""

import hashlib
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.pipeline import export
from weft.transforms.archives import write
from weft.transforms.urls import image_key

PAIRS = 24
LOCAL = ("--direct_num_workers=1",)


def stored(output: Path) -> list[dict[str, bytes]]:
    """The members of each pair in a run's shards, by suffix."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted((output / "shards/pairs").rglob("*.tar")):
        with tarfile.open(path) as tar:
            for info in tar:
                key, _, suffix = info.name.partition(".")
                found.setdefault(key, {})[suffix] = tar.extractfile(info).read()
    return list(found.values())


def laion(pairs: list[dict[str, bytes]], path: Path) -> str:
    """These pairs as LAION publishes them, in the order of the rows that they come from."""
    told = sorted((json.loads(pair["json"]) for pair in pairs), key=lambda one: one["warc_offset"])
    columns = {"URL": "image_url", "TEXT": "text", "WIDTH": "width", "HEIGHT": "height", "similarity": "similarity"}
    path.parent.mkdir()
    pq.write_table(pa.table({name: [one[key] for one in told] for name, key in columns.items()}), path)
    return str(path)


def similarities(pairs: list[dict[str, bytes]]) -> dict[str, float | None]:
    told = [json.loads(pair["json"]) for pair in pairs]
    return {one["pair_id"]: one["similarity"] for one in told}


def wat(pairs: list[dict[str, bytes]], path: Path) -> str:
    """What Common Crawl's WAT says of the pages that these pairs stood on."""
    pages: dict[str, list[dict[str, str]]] = {}
    for told in (json.loads(pair["json"]) for pair in pairs):
        link = {"path": "IMG@/src", "url": told["image_url"], "alt": told["text"]}
        pages.setdefault(told["page_url"], [{"path": "A@/href", "url": "/next"}]).append(link)
    records = []
    for url, links in pages.items():
        answer = {"Headers": {"Content-Type": "text/html"}, "HTML-Metadata": {"Head": {"Title": url}, "Links": links}}
        envelope = {"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": answer}}}
        identity, date = write.record_id("wat", url), "2024-05-18T01:58:10Z"
        block, fields = json.dumps(envelope).encode(), {"WARC-Target-URI": url}
        records.append(write.record("metadata", identity, date, "application/json", block, fields))
    path.write_bytes(write.info(path.name, {"software": "a test"}) + b"".join(records))
    return str(path)


@pytest.fixture(scope="module")
def taken(finished, run_on_web, tmp_path_factory):
    """(some pairs of the demo's run, the run of a list of them)."""
    home = tmp_path_factory.mktemp("lists")
    rows = [row for path in (finished / "images/index").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    served = {row["image_url"] for row in rows if row["origin"] == "http"}  # the others lie in the web's archives alone
    pairs = [pair for pair in stored(finished) if image_key(json.loads(pair["json"])["image_url"]) in served][:PAIRS]
    again = f'pack.tokenizer="{finished / "shards/tokenizer.json"}"'
    told = (again, "extract.list_min_similarity=0.0")
    return pairs, run_on_web(home / "one", *told, inputs=[laion(pairs, home / "a/list.parquet")]), told


def test_a_list_of_the_demos_pairs_gives_their_tokens_captions_and_pictures(taken):
    pairs, output, _ = taken
    parts = ("input_ids.npy", "jpg", "txt")
    found = sorted(tuple(pair[part] for part in parts) for pair in stored(output))
    assert len(found) == PAIRS and found == sorted(tuple(pair[part] for part in parts) for pair in pairs)
    assert similarities(stored(output)) == similarities(pairs)  # as the list has them: nothing is scored here
    assert None not in similarities(pairs).values()


def test_what_such_a_run_packed_gives_the_same_bytes_when_it_is_taken_in_again(taken, run_on_web, sums, tmp_path):
    _, output, told = taken
    again = run_on_web(tmp_path / "two", *told, inputs=[laion(stored(output), tmp_path / "b/list.parquet")])
    assert sums(again / "shards/pairs") == sums(output / "shards/pairs")


def test_img2datasets_output_of_it_gives_the_same_pictures_and_nobody_is_asked(taken, run_on_web, tmp_path):
    _, output, _ = taken
    export.export("img2dataset", str(output), str(tmp_path / "out"), LOCAL, quiet=True)
    tars = sorted(map(str, (tmp_path / "out/pairs").rglob("*.tar")))
    nobody = ('fetch.connect_to=["weft.test=127.0.0.1:9"]', "fetch.retries=0")
    again = run_on_web(tmp_path / "in", *nobody, inputs=tars, names=("extract", "dedup", "fetch"))
    rows = [row for path in (again / "images/index").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {(row["origin"], row["status"]) for row in rows} == {("warc", "ok")}
    assert {row["image_id"] for row in rows} == {hashlib.sha256(pair["jpg"]).hexdigest() for pair in stored(output)}


def test_a_wat_of_the_demos_pages_gives_their_alt_texts_and_pictures(finished, taken, run_on_web, tmp_path):
    alts = [pair for pair in taken[0] if json.loads(pair["json"])["source"] == "alt"]
    again = f'pack.tokenizer="{finished / "shards/tokenizer.json"}"'
    output = run_on_web(tmp_path / "out", again, inputs=[wat(alts, tmp_path / "pages.warc.wat.gz")])
    kept = ("input_ids.npy", "jpg", "txt")
    found = stored(output)
    assert len(alts) > 5 and sorted([p[k] for k in kept] for p in found) == sorted([p[k] for k in kept] for p in alts)
    told, known = ([json.loads(pair["json"]) for pair in of] for of in (found, alts))
    assert {(one["page_url"], one["pair_id"]) for one in told} == {(one["page_url"], one["pair_id"]) for one in known}
    assert set(pq.read_table(output / "fates/pack", filters=[("kind", "=", "document")])["reason"].to_pylist()) == {
        "empty"
    }
