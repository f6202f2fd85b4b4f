"""img2dataset itself as the downloader, on loopback: the same pictures and reasons as weft's own client gives.

It stands here and not with the other tests because importing img2dataset alone takes eight seconds, three times over.
"""

import dataclasses
import json

import pyarrow.parquet as pq
from recording_web import recording_web

from weft.pipeline import cli
from weft.schemas.parameters import FetchRules
from weft.transforms.fetch import unit
from weft.transforms.fetch.decode import Refused

SET = (
    "fetch.downloader=img2dataset", "fetch.timeout_s=3", "fetch.retries=0", "fetch.concurrency=4", "fetch.buckets=1",
    "score.model=", "pack.vocab_size=300", "pack.shards=1",
)  # fmt: skip
RULES = FetchRules(downloader="img2dataset", max_side=32, timeout_s=3.0, retries=0, concurrency=4)


def test_it_gives_what_wefts_own_client_gives():
    own_rules = dataclasses.replace(RULES, downloader="weft", allow_networks=("127.0.0.0/8",))
    with recording_web(takes=0.0) as web:
        base = f"http://127.0.0.1:{web.server_address[1]}"
        wanted = {f"k{n}": f"{base}/ok/{n}.png" for n in range(3)}
        wanted |= {"gone": f"{base}/gone/x", "text": f"{base}/robots.txt", "dead": "http://127.0.0.1:1/x.png"}
        found, own = ({one.key: one for one in unit.from_web(wanted, rules)} for rules in (RULES, own_rules))
    assert set(found) == set(own) == set(wanted)
    for key, one in own.items():
        if isinstance(one.image, Refused):
            assert (found[key].image.reason, found[key].http_status) == (one.image.reason, one.http_status)
        else:
            assert found[key].image == one.image


def test_a_list_of_captions_becomes_shards_by_it(tmp_path):
    with recording_web(takes=0.0) as web:
        base = f"http://127.0.0.1:{web.server_address[1]}"
        rows = [{"url": f"{base}/ok/{n}.png", "caption": f"a drawing of {n} squares on a table"} for n in range(6)]
        rows += [{"url": f"{base}/gone/{n}.png", "caption": f"a photo of {n} dogs in a garden"} for n in range(2)]
        (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = ["run", "--input", str(tmp_path / "list.jsonl"), "--output", str(tmp_path / "out"), "--recipe", "raw"]
        assert cli.main([*command, "--quiet", *(word for one in SET for word in ("--set", one))]) == 0
    parts = (tmp_path / "out/images/index").glob("*.parquet")
    index = {row["image_url"].removeprefix(base): row["status"] for p in parts for row in pq.read_table(p).to_pylist()}
    assert index == {f"/ok/{n}.png": "ok" for n in range(6)} | {f"/gone/{n}.png": "http_error" for n in range(2)}
    books = json.loads((tmp_path / "out/pack/manifest.json").read_text())["books"]
    assert books["pair"]["kept"] == 6
