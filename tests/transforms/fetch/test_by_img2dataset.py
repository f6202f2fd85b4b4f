import importlib.util
import io
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from recording_web import picture

from weft.schemas.parameters import ConfigError, FetchRules
from weft.transforms.fetch import by_img2dataset
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io.tar import write_tar

RULES = FetchRules(downloader="img2dataset", max_side=32)


def test_what_it_leaves_goes_through_the_same_checks_and_each_address_has_an_outcome(tmp_path):
    """The files are as img2dataset 1.47 writes them with re-encoding off; tests/loaders runs it."""
    rows = [
        {"key": "000000000", "weft_key": "a", "status": "success", "error_message": None},
        {
            "key": "000000001",
            "weft_key": "b",
            "status": "failed_to_download",
            "error_message": "HTTP Error 404: Not Found",
        },
        {"key": "000000002", "weft_key": "c", "status": "success", "error_message": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "00000.parquet")
    members = [
        member
        for row, data in ((rows[0], picture("a")), (rows[2], b"<p>no picture"))
        for member in ((f"{row['key']}.jpg", data), (f"{row['key']}.json", json.dumps(row).encode()))
    ]
    write_tar(str(tmp_path / "00000.tar"), members)
    found = {one.key: one for one in by_img2dataset.taken(tmp_path, dict.fromkeys("abcd", "http://x.test/"), RULES, "")}
    good = found["a"].image
    assert isinstance(good, Prepared) and Image.open(io.BytesIO(good.data)).size == (32, 24)
    lost = {key: (one.image.reason, one.http_status) for key, one in found.items() if isinstance(one.image, Refused)}
    assert lost == {"b": ("http_error", 404), "c": ("not_an_image", 200), "d": ("connection_failed", 0)}


@pytest.mark.parametrize("parquet", [b"", b"PAR1", None])
def test_what_it_had_when_it_was_ended_is_taken(tmp_path, parquet):
    if parquet is not None:  # begun with the tar, and ended after it
        (tmp_path / "00000.parquet").write_bytes(parquet)
    rows = [{"key": f"{n:09d}", "weft_key": key} for n, key in enumerate("abc")]
    members = [
        (f"{row['key']}.{suffix}", data)
        for row in rows
        for suffix, data in (("jpg", picture(row["weft_key"])), ("json", json.dumps(row).encode()))
    ]
    write_tar(str(tmp_path / "00000.tar"), members)
    whole = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(whole[: whole.index(b"000000002.json") + 512])
    found = by_img2dataset.taken(tmp_path, dict.fromkeys("abcd", "http://x.test/"), RULES, "timed out: it hung")
    said = {one.key: one.image.reason if isinstance(one.image, Refused) else "there" for one in found}
    assert said == {"a": "there", "b": "there", "c": "timeout", "d": "timeout"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("HTTP Error 503: busy", "http_error"),
        ("<urlopen error timed out>", "timeout"),
        ("Use of image disallowed by X-Robots-Tag directive", "opt_out"),
        ("unknown url type: 'x'", "bad_url"),
        ("", "connection_failed"),
    ],
)
def test_what_it_says_is_a_reason(message, reason):
    assert by_img2dataset._failed("k", message).image.reason == reason


def test_one_that_hangs_is_ended_with_what_it_has_started(tmp_path, monkeypatch):
    begun = "import os, sys, time; open(sys.argv[2], 'w').write(str(os.getpid())) if len(sys.argv) > 2 else 0; "
    child = f"{begun}time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, '', {str(tmp_path / 'pid')!r}])"
    wait = subprocess.Popen.communicate

    def once_started(process: Any, timeout: float | None = None) -> Any:
        while timeout and not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
            time.sleep(0.01)
        return wait(process, timeout=timeout)

    monkeypatch.setattr(by_img2dataset, "_RUN", parent)
    monkeypatch.setattr(by_img2dataset, "_most_seconds", lambda *_: 1.0)
    monkeypatch.setattr(subprocess.Popen, "communicate", once_started)
    (one,) = by_img2dataset.outcomes({"a": "http://x.test/"}, RULES)
    assert one.image == Refused("timeout", "timed out: img2dataset had not ended after 1 s")
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 300
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "what it has started runs on"
        time.sleep(0.1)


def test_it_has_time_for_every_image_to_time_out():
    rules = FetchRules(timeout_s=10, retries=1, concurrency=8)
    assert by_img2dataset._most_seconds(1000, rules) == by_img2dataset.START_S + 125 * 20


def test_without_it_there_is_one_line(monkeypatch):
    by_img2dataset.check(RULES)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    by_img2dataset.check(FetchRules())
    with pytest.raises(ConfigError, match="pip install img2dataset"):
        by_img2dataset.check(RULES)
