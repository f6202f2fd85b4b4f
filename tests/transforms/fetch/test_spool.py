"""What an image became is the same after a kill: tests/transforms/io/test_spool.py has files, orders and attempts."""

import json
from pathlib import Path

import pytest

from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.spool import Spool

STORED = Prepared(b"\n\n\xff", "id", "image/png", 4, 3, 2, 1, "0123456789abcdef", True)


@pytest.mark.parametrize("image", [STORED, Refused("http_error", "HTTP 404\nsecond line")])
def test_an_outcome_comes_together_as_it_was(tmp_path: Path, image: Prepared | Refused) -> None:
    one = Spool(str(tmp_path), "unit", "f" * 32)
    outcome = Outcome("k", image, 200, 7, "http://a.test/ü", "X-Robots-Tag: noai")
    said, data = one.apart(outcome)
    assert one.together(json.loads(json.dumps(said)), data) == outcome
    assert data == (STORED.data if image is STORED else b"")


def test_it_lies_with_the_run_under_the_name_of_the_unit(tmp_path: Path) -> None:
    Spool(str(tmp_path), "unit", "f" * 32).keep([Outcome("k", STORED, 200, 7)])
    assert {path.parent for path in tmp_path.rglob("*.bin")} == {tmp_path / "fetch/spool" / f"unit-{'f' * 16}"}
