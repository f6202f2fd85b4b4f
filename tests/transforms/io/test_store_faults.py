"""What a cluster meets at a store: a busy one, a broken line, refusals. It is asked again, or told in one line."""

import functools
import gzip
from collections.abc import Iterator
from typing import Any

import flaky
import object_stores
import pytest

from weft.transforms.io import files, object_files
from weft.transforms.io.web_files import Unavailable

CONTENT = bytes(range(256)) * 1_000


@pytest.fixture
def line(bucket: object_stores.Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[flaky.Line]:
    """A line to the store that can break, with `bucket.path`/file behind it; this process' client goes through it."""
    files.write_atomic(f"{bucket.path}/file", CONTENT)
    if bucket.flags:
        address, rest = bucket.flags[0].partition("=")[2], bucket.flags[1:]
    else:
        address, rest = bucket.environment["STORAGE_EMULATOR_HOST"], ()
    with flaky.line(int(address.rpartition(":")[2])) as made:
        there = f"http://127.0.0.1:{made.port}"
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", there)
        object_files.configure([f"--s3_endpoint_url={there}", *rest] if bucket.flags else [])
        yield made
    monkeypatch.undo()
    object_files.configure(bucket.flags)


def test_a_busy_store_is_asked_again(line: flaky.Line, bucket: object_stores.Bucket) -> None:
    line.busy = 2
    assert files.read_bytes(f"{bucket.path}/file") == CONTENT
    line.busy = 2
    files.write_atomic(f"{bucket.path}/other", b"written")
    assert line.busy == 0 and files.read_bytes(f"{bucket.path}/other") == b"written"


def test_an_answer_that_breaks_off_is_asked_for_again(line: flaky.Line, bucket: object_stores.Bucket) -> None:
    line.cut = 3
    assert files.read_bytes(f"{bucket.path}/file") == CONTENT
    assert files.read_range(f"{bucket.path}/file", 1_000, 200_000) == CONTENT[1_000:201_000]
    assert line.cut == 0


def test_a_file_is_made_over_the_version_that_was_seen_or_not_at_all(bucket: object_stores.Bucket) -> None:
    path = f"{bucket.path}/made"
    store = object_files.store(path)
    assert store.create(path, b"first") and not store.create(path, b"late")
    seen = store.about(path)[1]
    files.write_atomic(path, b"another's")
    assert not store.create(path, b"late", over=seen)
    assert files.read_bytes(path) == b"another's"
    assert store.create(path, b"mine", over=store.about(path)[1])
    assert files.read_bytes(path) == b"mine"
    store.delete([path])
    assert not store.create(path, b"late", over=seen)


def test_a_file_that_is_replaced_between_two_reads_gives_no_mixed_bytes(bucket: object_stores.Bucket) -> None:
    path = f"{bucket.path}/replaced"
    files.write_atomic(path, CONTENT)
    with files.open_read(path) as stream:
        assert stream.read(10) == CONTENT[:10]
        files.write_atomic(path, CONTENT[::-1])
        with pytest.raises(Unavailable, match=r"replaced changed while it was read; run the same command again"):
            stream.read()
    with files.open_read(path) as stream:
        assert stream.read() == CONTENT[::-1]


def test_a_line_that_always_breaks_is_an_outage_in_one_line(
    line: flaky.Line, bucket: object_stores.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bucket.path.startswith("gs:"):
        pytest.skip("Google's client tries for two minutes")
    monkeypatch.setattr(object_files, "PAUSE_S", 0.0)
    line.cut = 1_000
    with pytest.raises(Unavailable, match="the same command goes on later") as told:
        files.read_range(f"{bucket.path}/file", 0, 100_000)
    assert "\n" not in str(told.value)


def test_what_was_uploaded_as_gzip_comes_as_it_lies_there(bucket: object_stores.Bucket) -> None:
    """As `gsutil cp -Z` uploads an archive: a store may unpack it on the way, and then no range is what was asked for."""
    packed = gzip.compress(CONTENT)
    client = object_files.store(bucket.path)._client  # type: ignore[attr-defined]
    if bucket.path.startswith("s3:"):
        client.put_object(Bucket="weft", Key="packed", Body=packed, ContentEncoding="gzip")
    else:
        blob = client.bucket("weft").blob("packed")
        blob.content_encoding = "gzip"
        blob.upload_from_string(packed)
    path = f"{bucket.path}/packed"
    assert files.listing(path) == [(path, len(packed))]
    assert files.read_bytes(path) == packed and files.read_range(path, 100, 200) == packed[100:300]


def test_a_bucket_that_is_not_there_is_named(bucket: object_stores.Bucket) -> None:
    nowhere = bucket.path.replace("weft", "nowhere")
    for act in (
        lambda: files.write_atomic(f"{nowhere}/x", b""),
        lambda: files.listing(f"{nowhere}/*"),
    ):
        with pytest.raises((Unavailable, FileNotFoundError), match=r"//nowhere"):
            act()


def test_a_listing_of_several_pages_is_whole(bucket: object_stores.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store's own pages are of a thousand; here of seven, so that the test need not make thousands of files."""
    names = [f"{bucket.path}/many/{n:05}" for n in range(20)]
    for name in names:
        files.write_atomic(name, b"x")
    client = object_files.store(bucket.path)._client  # type: ignore[attr-defined]
    if bucket.path.startswith("s3:"):
        client.meta.events.register("before-parameter-build.s3.ListObjectsV2", _in_sevens)
    else:
        monkeypatch.setattr(client, "list_blobs", functools.partial(client.list_blobs, page_size=7))
    assert [path for path, _ in files.listing(f"{bucket.path}/many/*")] == names
    files.remove_tree(f"{bucket.path}/many")
    assert files.listing(f"{bucket.path}/many/*") == []
    object_files.configure(bucket.flags)


def _in_sevens(params: dict[str, Any], **_: Any) -> None:
    params["MaxKeys"] = 7


def test_who_may_not_is_told_so_and_not_that_it_will_pass(bucket: object_stores.Bucket) -> None:
    store = object_files.store(bucket.path)
    if bucket.path.startswith("s3:"):
        error = store._client.exceptions.ClientError(  # type: ignore[attr-defined]
            {"Error": {"Code": "AccessDenied", "Message": "Denied"}, "ResponseMetadata": {"HTTPStatusCode": 403}},
            "PutObject",
        )
    else:
        error = store._errors.Forbidden("Denied")  # type: ignore[attr-defined]
    with pytest.raises(Unavailable) as told, object_files.unavailable(f"{bucket.path}/x", "write"):
        raise error
    assert "Denied" in str(told.value) and "later" not in str(told.value)
