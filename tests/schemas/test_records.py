"""Ids and hashes: stable over processes, and nothing runs together."""

import subprocess
import sys

from weft.schemas import records


def test_parts_do_not_run_together():
    assert records.stable_id("a", "bc") != records.stable_id("ab", "c")
    assert records.pair_id("http://x/a", "b") != records.pair_id("http://x/", "ab")


def test_a_record_without_id_is_named_by_url_date_and_offset():
    assert records.document_id("<urn:uuid:1>", "u", "d", 1) == records.document_id("<urn:uuid:1>", "v", "e", 2)
    assert records.document_id("", "u", "d", 1) != records.document_id("", "u", "d", 2)


def test_hashes_are_the_same_in_another_process():
    code = (
        "from weft.schemas.records import *; print(stable_id('a', 'ü'), hash_unit('k', 's'), hash_bucket('k', 7, 's'))"
    )
    here = f"{records.stable_id('a', 'ü')} {records.hash_unit('k', 's')} {records.hash_bucket('k', 7, 's')}"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == here


def test_hash_unit_is_even_and_salted():
    units = [records.hash_unit(str(i), "salt") for i in range(4000)]
    assert min(units) >= 0 and max(units) < 1
    assert abs(sum(unit < 0.25 for unit in units) / 4000 - 0.25) < 0.03
    assert units[0] != records.hash_unit("0", "other")
    long = "a" * 64  # as a digest would be: what is added to a salt for another decision counts there too
    assert len({records.hash_unit("0", long + more) for more in ("", "split", "order", "a")}) == 4
