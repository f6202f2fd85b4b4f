"""Images of an earlier run: which of them stand, and that they come back as they were."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from weft.schemas.parameters import ConfigError, FetchRules, Manners
from weft.schemas.tables import IMAGES
from weft.transforms.fetch import previous_runs
from weft.transforms.fetch.blobs import BlobWriter, Outcome, index_row
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io.parquet import write_table

OUTCOMES = [
    Outcome(
        "a", Prepared(b"bytes of a", "ida", "image/png", 40, 30, 20, 15, "0" * 16, True), 200, 7, "http://b/", "noai"
    ),
    Outcome("b", Refused("http_error", "HTTP 404"), 404, 8),
    Outcome("c", Refused("http_error", "HTTP 503"), 503, 9),
    Outcome("d", Refused("timeout", "no whole answer"), 0, 10),
    Outcome("e", Prepared(b"bytes of e", "ide", "image/gif", 4, 3, 4, 3, "f" * 16, False), 200, 11),
]


def plant(output: Path) -> None:
    with BlobWriter(str(output), "http-00000") as blobs:
        rows = [index_row(outcome, "http", blobs) for outcome in OUTCOMES]
    rows = [blobs.named(row) for row in rows]
    write_table(f"{output}/images/index/http-00000.parquet", rows, IMAGES)


def test_what_stands_comes_back_as_it_was(tmp_path: Path) -> None:
    outputs = [str(tmp_path / name) for name in ("new", "old")]
    for output in outputs:
        plant(Path(output))
    found = [pair for index in previous_runs.index_files(outputs) for pair in previous_runs.images(index)]
    assert [(key, image.rank) for key, image in found] == [(key, rank) for rank in (0, 1) for key in "abe"]
    again = [previous_runs.outcome(image.output, image.row) for _, image in found[:3]]
    assert again[0] == OUTCOMES[0] and again[2] == OUTCOMES[4]
    assert again[1] == OUTCOMES[1]._replace(image=Refused("http_error", "as before"))


def test_of_the_run_that_is_made_anew_failures_stand_too(tmp_path: Path) -> None:
    outputs = [str(tmp_path / name) for name in ("same", "old")]
    for output in outputs:
        plant(Path(output))
    files = previous_runs.index_files(outputs, final=outputs[0])
    found = [(image.rank, key) for index in files for key, image in previous_runs.images(index)]
    assert found == [*((0, key) for key in "abcde"), *((1, key) for key in "abe")]


@pytest.mark.parametrize(
    ("then", "again"),
    [
        ({}, ""),
        ({"honour_opt_out": False}, "aef"),
        ({"opt_out": ["noai"]}, "aef"),
        ({"opt_out": [one for one in Manners.opt_out if one != "noai"]}, "af"),
        ({"opt_out": [one for one in Manners.opt_out if one != "tdm"]}, "aef"),
        ({"ai_agents": ["GPTBot"]}, "aef"),
        ({"ai_agents": ["train", "search"]}, "af"),
        ({"tdm_file": False}, "ae"),
        ({"downloader": "img2dataset"}, "ae"),
        ({"opt_out": list(Manners.opt_out), "ai_agents": ["train"]}, ""),
        ({"max_bytes": 1_000}, "g"),
        ({"max_bytes": FetchRules.max_bytes, "max_pixels": 9}, "h"),
        ({"user_agent": "other/1"}, "i"),
        ({"robots": False}, "aei"),
        ({"allow_networks": ["10.0.0.0/8"]}, "j"),
    ],
)
def test_what_another_configuration_refused_is_decided_anew_and_what_a_list_did_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: dict[str, Any], again: str
) -> None:
    reasons = dict(zip("fghijkl", [
        "opt_out", "too_many_bytes", "too_many_pixels", "robots_disallowed", "private_address", "excluded", "svg",
    ]))  # fmt: skip
    refused = [Outcome(key, Refused(reason, ""), 0, 12) for key, reason in reasons.items()]
    monkeypatch.setattr(sys.modules[__name__], "OUTCOMES", [*OUTCOMES, *refused])
    plant(tmp_path)
    (tmp_path / "fetch").mkdir()
    (tmp_path / "fetch/manifest.json").write_text(json.dumps({"config": {"fetch": then}}))
    (index,) = previous_runs.index_files([str(tmp_path)], FetchRules())
    assert [key for key, _ in previous_runs.images(index)] == [key for key in "abefghijl" if key not in again]
    (same,) = previous_runs.index_files([str(tmp_path)], FetchRules(), final=str(tmp_path))
    assert [key for key, _ in previous_runs.images(same)] == list("abcdefghijkl")


def test_images_of_an_earlier_run_have_the_form_of_today(tmp_path: Path) -> None:
    def says(now: FetchRules, **asked: object) -> str:
        (tmp_path / "fetch").mkdir(exist_ok=True)
        (tmp_path / "fetch/manifest.json").write_text(json.dumps({"config": {"fetch": asked}}))
        try:
            previous_runs.check((str(tmp_path),), now)
        except ConfigError as error:
            return str(error)
        return ""

    old: Any = {"max_side": 512, "quality": 90}  # from before there were forms
    assert says(FetchRules(), **old) == ""
    assert "format = jpeg, not webp" in says(dataclasses.replace(FetchRules(), format="webp"), **old)
    assert "resize = border, not no" in says(dataclasses.replace(FetchRules(), resize="no"), **old, resize="border")
    assert "min_bytes = 0, less than 5000" in says(dataclasses.replace(FetchRules(), min_bytes=5000), **old)
    assert "max_bytes = 20000000, more than 9" in says(dataclasses.replace(FetchRules(), max_bytes=9), **old)
    assert says(dataclasses.replace(FetchRules(), max_bytes=10**9), **old, min_bytes=5000) == ""
    with pytest.raises(ConfigError, match="holds no finished fetch"):
        previous_runs.check((str(tmp_path / "nowhere"),), FetchRules())
