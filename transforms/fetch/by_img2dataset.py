"""Images of a unit by img2dataset instead of weft's own client: its input written, it run, its result taken.

Its bytes go through the same checks as any (decode.py), what a picture's metadata forbid among them, and each image has
its fate. What it does not know stays undone: robots.txt, tdmrep.json, Crawl-delay, intervals and connections to a host,
private addresses, `connect_to`, bounds on bytes. Of headers it reads X-Robots-Tag alone, and keeps none of them: plain
directives to everybody or to this user agent, not `unavailable_after` nor what other crawlers are told. It runs as a
process of its own, since it starts others and takes signals.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from weft.schemas.parameters import ConfigError, FetchRules
from weft.transforms.archives import image_tar
from weft.transforms.fetch import decode, robots
from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Refused

NOT_KNOWN = (
    "robots.txt, tdmrep.json, tdm-reservation and other opt-outs of headers but X-Robots-Tag's, Crawl-delay, "
    "limits of a host, private addresses and fetch.connect_to"
)
KEY = "weft_key"
START_S = 300.0  # until it asks for the first image: it is imported three times, for eight CPU seconds each
_SHARD = 1_000  # images of one of its tars: a tar is read sample by sample
_RUN = "import json, sys, img2dataset; img2dataset.download(**json.loads(sys.argv[1]))"
_SAID = (  # what its messages begin with or hold → reason
    ("Use of image disallowed", "opt_out"),
    ("HTTP Error", "http_error"),
    ("timed out", "timeout"),
    ("IncompleteRead", "incomplete"),
    ("unknown url type", "bad_url"),
)


def check(rules: FetchRules) -> None:
    """Raise ConfigError where img2dataset is to be used and is not installed."""
    if rules.downloader == "img2dataset" and importlib.util.find_spec("img2dataset") is None:
        raise ConfigError("fetch.downloader = 'img2dataset': it is not installed; pip install img2dataset")


def outcomes(addresses: Mapping[str, str], rules: FetchRules) -> Iterator[Outcome]:
    """What came of each image: key → URL.

    Raises:
        RuntimeError: img2dataset itself failed; its last line is the message.
    """
    with tempfile.TemporaryDirectory(prefix="weft-img2dataset-") as folder:
        listed, output = Path(folder, "wanted.parquet"), Path(folder, "out")
        pq.write_table(pa.table({KEY: list(addresses), "url": list(addresses.values())}), listed)
        asked = {
            "url_list": str(listed), "input_format": "parquet", "url_col": "url", "save_additional_columns": [KEY],
            "output_folder": str(output), "output_format": "webdataset", "disable_all_reencoding": True,
            "processes_count": 1, "thread_count": rules.concurrency, "number_sample_per_shard": _SHARD,
            "timeout": max(1, round(rules.timeout_s)), "retries": rules.retries, "extract_exif": False,
            "compute_hash": None, "user_agent_token": robots.token(rules.user_agent),
            "disallowed_header_directives": sorted(rules.honoured),
        }  # fmt: skip
        rest = _run([sys.executable, "-c", _RUN, json.dumps(asked)], _most_seconds(len(addresses), rules))
        yield from taken(output, addresses, rules, rest)


def _most_seconds(images: int, rules: FetchRules) -> float:
    """After so many it hangs: by then each thread has waited for all of its share in full."""
    each = max(1.0, rules.timeout_s) * (1 + rules.retries)
    return START_S + each * math.ceil(images / rules.concurrency)


def _run(command: list[str], seconds: float) -> str:
    """Run it to its end, or end it and what it has started; returns what is to be said of images that it leaves out.

    It ends by itself neither where a host sends a byte now and then, nor where a process of its own is killed.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"},
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=seconds)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            return f"timed out: img2dataset had not ended after {seconds:.0f} s"
        raise
    if process.returncode:
        raise RuntimeError(f"img2dataset: {(said.strip() or 'it failed').splitlines()[-1][:300]}")
    return "img2dataset says nothing of it"


def taken(output: Path, addresses: Mapping[str, str], rules: FetchRules, rest: str) -> Iterator[Outcome]:
    """What img2dataset has left in `output` of these images, its column `weft_key` among it; one outcome each.

    `rest` is said of those that it has left out.
    """
    left = dict(addresses)
    for path in sorted(output.glob("*.tar")):
        told = _listed(path.with_suffix(".parquet"))
        with path.open("rb") as stream, suppress(tarfile.TarError) if told is None else nullcontext():
            for one in image_tar.read_samples(stream):
                key = str(one.told.get(KEY))
                if left.pop(key, None) is not None:
                    image, words = decode.consented(one.picture, rules)
                    yield Outcome(key, image, 200, _now(), opt_out=words)
        for key, row in (told or {}).items():
            if left.pop(key, None) is not None:
                yield _failed(key, str(row["error_message"] or row["status"] or ""))
    for key in left:
        yield _failed(key, rest)


def _listed(path: Path) -> dict[str, dict[str, str]] | None:
    """What is said of each image of a tar; None where img2dataset was ended at it, with a Parquet that has no end."""
    try:
        table = pq.read_table(path, columns=[KEY, "status", "error_message"])
    except (FileNotFoundError, pa.ArrowException):
        return None
    return {row[KEY]: row for row in table.to_pylist()}


def _failed(key: str, message: str) -> Outcome:
    reason = next((reason for said, reason in _SAID if said in message), "connection_failed")
    digits = message.partition("HTTP Error ")[2][:3]
    return Outcome(key, Refused(reason, message[:200]), int(digits) if digits.isdecimal() else 0, _now())


def _now() -> int:
    return int(time.time() * 1e6)
