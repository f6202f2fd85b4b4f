"""What lets somebody in is asked for and written down nowhere: not in one byte of a run's output, nor in a message."""

import base64
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import archive_bytes
import pytest
from recording_web import picture

from weft.pipeline import cli
from weft.pipeline.run import inputs
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, secrets

SECRETS = ("hunter2", "0f3c5ec4e7", "t0k3n")
WORDS = "This page has some words of its own, so many that they make a text. " * 20


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://me:hunter2@a.test:8443/x.warc.gz", "https://a.test:8443/x.warc.gz"),
        ("https://a.test/x.warc.gz?X-Amz-Date=1&X-Amz-Signature=0f3c5ec4e7", "https://a.test/x.warc.gz"),
        ("https://a.test/x.warc.gz?GoogleAccessId=a&Expires=1&Signature=0f3c5ec4e7", "https://a.test/x.warc.gz"),
        ("https://a.test/x?sv=2022&sp=r&sig=0f3c5ec4e7&se=2030", "https://a.test/x"),
        ("https://a.test/x?Policy=e&Key-Pair-Id=K&Signature=0f3c5ec4e7", "https://a.test/x"),
        ("https://a.test/x.parquet#select?token=isl", "https://a.test/x.parquet#select?token=isl"),
        ("http://[t0k3n@/x?hunter2", "http:/x"),
        ("s3://bucket/a?b", "s3://bucket/a?b"),
        ("/data/me@home/a?b", "/data/me@home/a?b"),
    ],
)
def test_what_is_written_down_lets_nobody_in(address: str, name: str) -> None:
    assert secrets.public(address) == name
    assert secrets.public(name) == name
    assert secrets.lets_in(address) == (address.startswith("https") and "#" not in address)


def test_a_query_of_an_unknown_kind_stands_as_its_hash() -> None:
    one, two = (secrets.public(f"https://a.test/get?file={name}&t=t0k3n") for name in "ab")
    assert one != two and "t0k3n" not in one and one.startswith("https://a.test/get?")


def test_two_inputs_of_one_name_are_refused_and_others_are_known_again() -> None:
    signed = [(f"https://a.test/x.warc?Signature={n}", 1, "") for n in (1, 2)]
    with pytest.raises(ConfigError, match=r"two inputs are https://a\.test/x\.warc but for"):
        inputs.named(signed)
    named = [inputs.named([one]) for one in signed]
    assert named[0][0] == named[1][0] == [("https://a.test/x.warc", 1, "")]
    assert named[1][1] == {"https://a.test/x.warc": signed[1][0]}


class Store(BaseHTTPRequestHandler):
    """Gives its files to who has the password, or a signature, and to nobody else."""

    files: dict[str, bytes]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        data = self.files.get(path, b"")
        told = self.headers.get("Authorization", "") == "Basic " + base64.b64encode(b"me:hunter2").decode()
        good = told or "Signature=0f3c5ec4e7" in query
        self.send_response(200 if good and data else 401 if not good else 404)
        self.send_header("Content-Length", str(len(data) if good else 0))
        self.end_headers()
        if good and self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Store,), {"files": {}}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def archive(number: int) -> bytes:
    page = f"<article><p>{WORDS}{number}<img src=http://a.test/{number}.png alt='a picture of it'></article>".encode()
    image = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + picture(str(number))
    return archive_bytes.gz(
        archive_bytes.record(url=f"http://a.test/{number}", block=archive_bytes.http(page), number=2 * number),
        archive_bytes.record(url=f"http://a.test/{number}.png", block=image, number=2 * number + 1),
    )


def test_no_byte_of_an_output_and_no_line_lets_anybody_in(
    store: ThreadingHTTPServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port, output = store.server_port, tmp_path / "out"
    store.RequestHandlerClass.files = {f"/{n}.warc.gz": archive(n) for n in (1, 2)}  # type: ignore[attr-defined]
    given = [
        f"http://me:hunter2@127.0.0.1:{port}/1.warc.gz",
        f"http://127.0.0.1:{port}/2.warc.gz?X-Amz-Expires=9&Signature=0f3c5ec4e7&of=t0k3n",
    ]
    sets = ["fetch.http=false", "dedup.near=false", "extract.min_words=5", "pack.min_side=8", "pack.pair_min_side=8"]
    ending = [part for one in sets for part in ("--set", one)] + ["--", "--direct_num_workers=1"]
    assert cli.main(["run", "--output", str(output), "--input", *given, *ending]) == 0
    assert cli.main(["run", "--output", str(output), "--input", *reversed(given), *ending]) == 0  # all is known again
    everything = {str(path): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    images = [path for path in everything if "/images/blobs/" in path]
    assert len(images) == 2, "both archives were read again for their pictures"
    everything["stdout"], everything["stderr"] = (said.encode() for said in capfd.readouterr())
    for name, data in everything.items():
        for unpacked in (data, *unpacked_of(name)):
            assert not [secret for secret in SECRETS if secret.encode() in unpacked], name


def unpacked_of(name: str) -> Iterator[bytes]:
    """What stands in a file beside its own bytes: tables are compressed."""
    if name.endswith(".parquet"):
        yield repr(pq_rows(name)).encode()
    elif name.endswith(".gz"):
        yield gzip.decompress(files.read_bytes(name))


def pq_rows(name: str) -> list[dict[str, object]]:
    import pyarrow.parquet as pq

    return pq.read_table(name).to_pylist()


@pytest.mark.parametrize("password", ["hunter2", "t0k3n"])  # the file is not there; who asks is not let in
def test_a_refusal_names_the_file_and_not_the_password(
    store: ThreadingHTTPServer, password: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    address = f"http://me:{password}@127.0.0.1:{store.server_port}/a.warc.gz?token=0f3c5ec4e7"
    assert cli.main(["run", "--output", str(tmp_path / "out"), "--input", address]) == 2
    told = capfd.readouterr().err
    assert "/a.warc.gz" in told and not any(secret in told for secret in SECRETS)


def test_a_key_that_holds_a_password_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key = "pack.tokenizer='https://me:hunter2@a.test/tok.json'"
    assert cli.main(["run", "--output", str(tmp_path), "--input", "x.warc", "--set", key]) == 2
    told = capfd.readouterr().err
    assert "copy https://a.test/tok.json to a directory" in told and "hunter2" not in told
