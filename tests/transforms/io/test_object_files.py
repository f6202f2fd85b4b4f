"""An object store through its own client: whole files or none, exact ranges, listings as of a directory tree."""

import threading
from collections.abc import Iterator

import fake_cloud
import fake_s3
import pytest

from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files
from weft.transforms.io.object_files import ObjectFile
from weft.transforms.io.web_files import Unavailable

CONTENT = bytes(range(256)) * 4_000  # 1 MB


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with fake_s3.serve() as flags:
        object_files.configure(flags)
        yield fake_s3.BUCKET
    object_files.configure(())


@pytest.fixture
def base(s3: str) -> Iterator[str]:
    files.write_atomic(f"{s3}/t/whole", CONTENT)
    yield f"{s3}/t"
    files.remove_tree(f"{s3}/t")


def test_a_block_that_fails_publishes_nothing(base: str) -> None:
    with pytest.raises(RuntimeError), files.atomic(f"{base}/whole") as stream:
        stream.write(b"half")
        raise RuntimeError
    assert files.read_bytes(f"{base}/whole") == CONTENT
    with pytest.raises(RuntimeError), files.atomic(f"{base}/new") as stream:
        stream.write(b"half")
        raise RuntimeError
    assert not files.exists(f"{base}/new")


def test_a_writer_that_is_dropped_publishes_nothing(base: str) -> None:
    """As when an attempt is given up in the middle of a block: its generator is garbage."""
    late = files.atomic(f"{base}/whole")
    late.__enter__().write(b"half of a late attempt")
    del late
    assert files.read_bytes(f"{base}/whole") == CONTENT


def test_a_table_is_whole_or_not_there(base: str) -> None:
    from weft.schemas.records import Fate
    from weft.schemas.tables import FATES
    from weft.transforms.io.parquet import TableWriter

    rows = [Fate("s", "page", str(n), "kept", "", "") for n in range(2_500)]
    with pytest.raises(ZeroDivisionError), TableWriter(f"{base}/fates.parquet", FATES) as table:
        for row in rows:
            table.write(row)
        raise ZeroDivisionError
    assert not files.exists(f"{base}/fates.parquet")


def test_large_files_come_back_whole(base: str) -> None:
    large = CONTENT * 20  # more than what is kept in memory, and than one part of an upload
    files.write_atomic(f"{base}/large", large)
    assert files.read_bytes(f"{base}/large") == large


def test_ranges_are_exact_and_cost_what_they_hold(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.read_range(f"{base}/whole", 1_000, 300) == CONTENT[1_000:1_300]
    assert files.read_range(f"{base}/whole", len(CONTENT) - 5, 300) == CONTENT[-5:]
    assert files.read_range(f"{base}/whole", len(CONTENT) + 5, 300) == b""
    asked: list[int] = []
    store = object_files.store(base)
    get = type(store).get
    monkeypatch.setattr(type(store), "get", lambda *place: asked.append(place[3]) or get(*place))
    with files.open_read(f"{base}/whole") as stream:
        stream.seek(500_000)
        assert stream.read(10) == CONTENT[500_000:500_010]
    assert asked == [64 << 10]
    asked.clear()
    with files.open_read(f"{base}/whole") as stream:
        assert b"".join(iter(lambda: stream.read(10_000), b"")) == CONTENT
    assert sum(asked) < 2 * len(CONTENT) and len(asked) < 8, "asks for more and more while it is read on"


def test_a_file_that_is_replaced_while_it_is_read_comes_whole(base: str) -> None:
    """As a lock is renewed while another weft looks at it; one that seems torn would be taken over."""
    versions = {b"short", CONTENT[:1_000], b""}
    over = threading.Event()

    def replace() -> None:
        while not over.is_set():
            for version in versions:
                files.write_atomic(f"{base}/whole", version)

    writer = threading.Thread(target=replace)
    files.write_atomic(f"{base}/whole", b"short")
    writer.start()
    try:
        assert {files.read_bytes(f"{base}/whole") for _ in range(100)} <= versions
    finally:
        over.set()
        writer.join()


def test_a_file_is_read_in_any_order(base: str) -> None:
    file = ObjectFile(f"{base}/whole")
    for at, length in ((0, 3), (70_000, 9), (69_990, 30), (1_023_990, 100), (5, 5)):
        file.seek(at)
        got = b""
        while len(got) < length and (more := file.read(length - len(got))):
            got += more
        assert got == CONTENT[at : at + length] and file.tell() == at + len(got)
    assert file.seek(-4, 2) == len(CONTENT) - 4 and file.read(9) == CONTENT[-4:]


def test_a_listing_is_that_of_directories(base: str) -> None:
    for name in ("a.x", "b.x", "d/c.x", "e.y", "d/", "none/"):  # as a console makes a folder
        files.write_atomic(f"{base}/{name}", name)
    assert files.listing(f"{base}/*.x") == [(f"{base}/a.x", 3), (f"{base}/b.x", 3)]
    assert [path for path, _ in files.listing(f"{base}/**.x")] == [f"{base}/{n}" for n in ("a.x", "b.x", "d/c.x")]
    assert files.listing(f"{base}/a.x") == [(f"{base}/a.x", 3)] and files.listing(f"{base}/none") == []
    files.remove_tree(f"{base}/d")
    assert not files.exists(f"{base}/d/c.x") and files.exists(f"{base}/e.y")
    files.remove_tree(f"{base}/e.y")
    assert not files.exists(f"{base}/e.y")


def test_what_is_not_there_and_what_does_not_answer_are_told_apart(base: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.open_read(f"{base}/none")
    with pytest.raises(FileNotFoundError):
        files.read_range(f"{base}/none", 0, 5)
    with pytest.raises(ConfigError, match="no file system for ftp://"):
        files.read_bytes("ftp://h/f")
    object_files._stores["s3"]._client.meta.events.register("before-send.s3", _refuse)  # type: ignore[attr-defined]
    try:
        with pytest.raises(Unavailable, match="the same command goes on later"):
            files.read_bytes(f"{base}/whole")
    finally:
        object_files._stores.clear()


def _refuse(**_: object) -> None:
    raise ConnectionError("nobody there")


def test_googles_store_is_read_and_written_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cloud.serve() as cloud:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.address)
        object_files.configure(["--no_auth"])
        try:
            files.write_atomic("gs://bucket/a/b", CONTENT)
            assert cloud.objects["a/b"] == CONTENT
        finally:
            object_files.configure(())
