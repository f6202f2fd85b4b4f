"""Images are taken from a finished run so that blobs are those of a run which never had the others."""

from pathlib import Path

import pytest

from weft.schemas.parameters import FetchRules
from weft.schemas.records import Fate, ImageRow
from weft.schemas.tables import FATES, IMAGES
from weft.transforms.fetch import blobs, previous_runs, taken
from weft.transforms.fetch.blobs import BlobWriter, Damaged, Outcome, index_row
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.unit import EARLIER, Task, Wanted, fetch_unit
from weft.transforms.io.parquet import read, write_table

UNIT = "http-00003"
GONE = Outcome("gone", Refused("timeout", "no whole answer"), 0, 9)


def picture(key: str, said: str = "") -> Outcome:
    data = (said or key).encode() * 10
    made = Prepared(data, f"id of {said or key}", "image/png", 4, 3, 4, 3, "0" * 16, False)
    return Outcome(key, made, 200, 7, f"http://{key}.test/")


def run(output: Path, found: list[Outcome], blob_bytes: int = 1 << 20, name: str = UNIT) -> list[ImageRow]:
    """What a unit of hosts leaves that has had these answers."""
    with BlobWriter(str(output), UNIT, blob_bytes) as writer:
        rows = [index_row(one, "http", writer) for one in found]
    rows = [writer.named(row) for row in rows]
    write_table(f"{output}/images/index/{name}.parquet", rows, IMAGES)
    refused = [
        Fate("fetch", "image", one.key, "dropped", one.image.reason, one.image.detail)
        for one in found
        if isinstance(one.image, Refused)
    ]
    write_table(f"{output}/fates/fetch/{name}.parquet", refused, FATES)
    return rows


def take(source: Path, output: Path, keys: str, rules: FetchRules | None = None) -> list[ImageRow]:
    """The unit's images with these keys, as a removal into `output` takes them."""
    files = previous_runs.index_files([str(source)], final=str(source))
    images = {key: image for index in files for key, image in previous_runs.images(index)}
    wanted = [Wanted(key, EARLIER, earlier=images[key]) for key in keys.split()]
    index = fetch_unit((f"taken-{UNIT}", wanted), Task(str(output), "f", rules or FetchRules()))
    blobs.sweep(index)
    return list(read(index, ImageRow))


def stored(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (output / "images/blobs").iterdir()}


def test_a_blob_that_loses_nothing_is_copied_and_another_is_that_of_a_run_without_it(tmp_path: Path) -> None:
    found = [picture("a"), picture("b"), picture("c", "a"), picture("d"), picture("e"), GONE]
    rows = run(tmp_path / "all", found, blob_bytes=25)
    first, second = (f"images/blobs/{name}" for name in sorted(stored(tmp_path / "all")))
    assert [row.blob for row in rows] == [first, first, first, second, second, ""]
    left = take(tmp_path / "all", tmp_path / "some", "a b c e gone")
    never = run(tmp_path / "never", [picture("a"), picture("b"), picture("c", "a"), picture("e"), GONE], blob_bytes=25)
    assert [row.blob for row in left if row.image_url in "abc"] == [first] * 3
    assert [row._replace(blob="") for row in left] == [row._replace(blob="") for row in sorted(never)]
    assert sorted(stored(tmp_path / "some").values()) == sorted(stored(tmp_path / "never").values())


def test_equal_bytes_of_which_one_address_goes_stay_where_the_other_has_them(tmp_path: Path) -> None:
    run(tmp_path / "all", [picture("a"), picture("b", "a"), picture("c")])
    left = take(tmp_path / "all", tmp_path / "some", "b c")
    assert sorted(left) == sorted(run(tmp_path / "never", [picture("b", "a"), picture("c")]))
    assert stored(tmp_path / "some") == stored(tmp_path / "never")


def test_what_failed_says_why_as_it_did(tmp_path: Path) -> None:
    run(tmp_path / "all", [picture("a"), GONE])
    take(tmp_path / "all", tmp_path / "some", "a gone")
    (fate,) = (one for one in read(str(tmp_path / f"some/fates/fetch/taken-{UNIT}.parquet"), Fate) if one.reason)
    assert (fate.key, fate.reason, fate.detail) == ("gone", "timeout", "no whole answer")


@pytest.mark.parametrize("line", [f"{'a' * 64}", "c.test"])
def test_what_a_list_names_by_its_bytes_or_by_where_it_came_from_goes(tmp_path: Path, line: str) -> None:
    (tmp_path / "list").write_text(f"{line}\n")

    out = picture("c")
    assert isinstance(out.image, Prepared)
    out = out._replace(image=out.image._replace(image_id="a" * 64))
    run(tmp_path / "all", [picture("a"), picture("b"), out])
    left = take(tmp_path / "all", tmp_path / "some", "a b c", FetchRules(exclude=(str(tmp_path / "list"),)))
    assert {row.image_url: row.status for row in left} == {"a": "ok", "b": "ok", "c": "excluded"}
    run(tmp_path / "never", [picture("a"), picture("b")])
    assert stored(tmp_path / "some") == stored(tmp_path / "never")


def test_what_was_taken_and_what_came_later_are_one_unit_and_no_blob_of_either_is_swept(tmp_path: Path) -> None:
    run(tmp_path / "all", [picture("a"), picture("b")])
    take(tmp_path / "all", tmp_path / "some", "a b")
    run(tmp_path / "some", [picture("c")])  # the twin of what was taken out had an image that nobody had asked for
    for name in (UNIT, f"taken-{UNIT}"):
        assert blobs.sweep(str(tmp_path / f"some/images/index/{name}.parquet")) == 0
    (tmp_path / f"some/images/blobs/{UNIT}-000-0123456789abcdef.bin").write_bytes(b"of an attempt that was given up")
    assert blobs.sweep(str(tmp_path / f"some/images/index/taken-{UNIT}.parquet")) == 1
    left = take(tmp_path / "some", tmp_path / "fewer", "a b c")
    assert sorted(row.image_url for row in left) == ["a", "b", "c"]
    assert stored(tmp_path / "fewer") == stored(tmp_path / "some")


def test_a_blob_that_has_rotted_is_not_copied(tmp_path: Path) -> None:
    run(tmp_path / "all", [picture("a"), picture("b")])
    (blob,) = (tmp_path / "all/images/blobs").iterdir()
    blob.write_bytes(blob.read_bytes().replace(b"aaa", b"aba"))
    with pytest.raises(Damaged, match=rf"{blob} is not what was written"):
        take(tmp_path / "all", tmp_path / "some", "a b")
    assert list((tmp_path / "some").rglob("*.bin")) == []


def test_the_work_of_a_unit_that_is_taken_is_its_own(tmp_path: Path) -> None:
    rows = run(tmp_path / "all", [picture("a")])
    found = list(taken.images(str(tmp_path / "all"), UNIT, rows, None, str(tmp_path / "some")))
    assert found == rows
