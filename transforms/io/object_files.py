"""Files in object stores: s3:// and gs:// by one client a process, hdfs:// and what else is installed by Beam.

path → a store that is there (or one line that names the extra to install) → exact ranges, whole uploads, listings.

Beam's own file systems read 16 MB for a picture of 50 KB, make a client for every file, and publish what was written
so far when a writer is dropped. So s3:// and gs:// go through the stores' own clients (boto3, google-cloud-storage,
made from Beam's options), which pool connections and retry: a read asks for the bytes that are wanted, and a file is
one upload of all of it. What does not come in the end is `Unavailable`, so that an outage is never taken for a damaged
file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Protocol

from apache_beam.io.filesystem import CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from weft.schemas.parameters import ConfigError
from weft.transforms.io.streams import PlacedStream
from weft.transforms.io.web_files import Unavailable

_EXTRAS = {"gs": "gcp", "s3": "aws", "azfs": "azure", "hdfs": "hadoop"}
_NEEDS = {"gs": "google.cloud.storage", "s3": "boto3"}  # what Beam looks for only when it is used
FIRST_READ, MOST_READ = 64 << 10, 8 << 20  # bytes asked for at once: doubled while a file is read on and on
_DELETED_AT_ONCE = 1_000  # S3's limit
BREAKS, PAUSE_S = 5, 0.2  # of one answer in its middle that are borne, and seconds before the first is asked for again


class Store(Protocol):
    """What is asked of an object store. Paths are whole: s3://bucket/key."""

    def about(self, path: str) -> tuple[int, str]:
        """(bytes of a file, its version: what changes when the file does); FileNotFoundError where there is none."""

    def get(self, path: str, start: int, length: int | None = None, version: str = "") -> bytes:
        """At most `length` bytes from `start`, fewer at the end of the file; FileNotFoundError where there is none.

        None: all that follows. One request, so that a file that is replaced meanwhile comes as it was, or as it is.
        Of no other version than the one that is named; Replaced where that is gone.
        """

    def put(self, path: str, stream: BinaryIO) -> None:
        """All of `stream` as a file, whole or not at all; replaces what was there."""

    def create(self, path: str, data: bytes, over: str = "") -> bool:
        """A small file where there was none, or over the version that is named; whether it was made."""

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(path, bytes) of every file whose path begins like this; what ends in / is a console's word for a folder."""

    def copy(self, source: str, target: str) -> None:
        """A file under another name of the same store, without a way over this machine."""

    def delete(self, paths: Sequence[str]) -> None:
        """Delete files; one that is gone already is no error."""

    def abandon(self, prefix: str) -> None:
        """Delete what uploads that were not finished left of files whose path begins like this."""


class Replaced(Unavailable):
    """Another file stands where one was that is being read."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} changed while it was read; run the same command again with --redo")


_stores: dict[str, Store] = {}
_making = threading.Lock()


def store(path: str) -> Store:
    """The store that a path is of, with the process' client for it.

    Raises:
        ConfigError: nothing that is installed takes such paths.
    """
    scheme = path.partition("://")[0]
    if scheme not in _stores:
        with _making:
            if scheme not in _stores:
                _check(path, scheme)
                make: dict[str, type[Store]] = {"s3": _S3, "gs": _Google}
                _stores[scheme] = make.get(scheme, _Beam)()
    return _stores[scheme]


def configure(flags: Sequence[str]) -> None:
    """Give the stores Beam's own flags (`--s3_endpoint_url`, …); a worker's come with its job."""
    FileSystems.set_options(PipelineOptions(list(flags)))
    _stores.clear()


def _check(path: str, scheme: str) -> None:
    if FileSystems._pipeline_options is None:  # no pipeline has been made yet
        FileSystems.set_options(PipelineOptions([]))
    try:
        FileSystems.get_filesystem(path)
        there = scheme not in _NEEDS or importlib.util.find_spec(_NEEDS[scheme]) is not None
    except (ValueError, OSError, ModuleNotFoundError):  # OSError: hdfs:// without its client
        there = False
    if there:
        return
    if scheme in _EXTRAS:
        extra = _EXTRAS[scheme]
        raise ConfigError(f"{path}: {scheme}:// needs the extra [{extra}]: pip install 'apache-beam[{extra}]'")
    raise ConfigError(f"{path}: there is no file system for {scheme}://")


def listing(pattern: str) -> list[tuple[str, int]]:
    """(path, bytes) of every file that matches: `*` within a directory, `**` through all below.

    `[` and `?` mean themselves where that matches anything: a directory may be called so.
    """
    plain = pattern.partition("*")[0]
    with unavailable(pattern):
        if plain == pattern:
            try:
                return [(pattern, store(pattern).about(pattern)[0])]
            except FileNotFoundError:
                pass
        elif found := _matching(re.sub(r"[\[?]", lambda one: f"[{one[0]}]", pattern), plain):
            return found
        prefix = re.split(r"[*?[]", pattern, maxsplit=1)[0]
        return _matching(pattern, prefix) if prefix != plain else []


def _matching(pattern: str, prefix: str) -> list[tuple[str, int]]:
    matches = re.compile(FileSystem.translate_pattern(pattern)).match
    return [(path, size) for path, size in store(pattern).list(prefix) if matches(path)]


def remove(path: str) -> None:
    """Delete a file, or all that is below a directory."""
    with unavailable(path):
        where = store(path)
        found = [one for one, _ in where.list(f"{path.rstrip('/')}/")]
        where.delete([*found, path])


@contextlib.contextmanager
def unavailable(path: str, what: str = "reach") -> Iterator[None]:
    """Whatever a store's client raises, as `Unavailable`; but for what is not there, and what a user can mend."""
    try:
        yield
    except (FileNotFoundError, ConfigError, Unavailable):
        raise
    except Exception as error:  # each store's client has errors of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        later = "" if _refused(error) else "; the same command goes on later"
        raise Unavailable(f"cannot {what} {path}: {reason}{later}") from None


def sweep(path: str) -> None:
    """Delete what uploads that were killed left below a directory: no file, but paid for. Nothing depends on it."""
    with contextlib.suppress(Exception):  # who may not list uploads, may not
        store(path).abandon(f"{path.rstrip('/')}/")


def _refused(error: Exception) -> bool:
    """Whether asking again cannot help: no such bucket, no permission, wrong or no credentials."""
    status = getattr(error, "code", None)  # Google's
    if isinstance(answer := getattr(error, "response", None), dict):  # botocore's
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in (400, 401, 403, 404) or "Credentials" in type(error).__name__


class ObjectFile(PlacedStream):
    """A file of an object store, to be read. Reads on ask for more and more at once; after a seek, for little again.

    All bytes are of the file as it was when it was opened.

    Raises:
        FileNotFoundError: there is none.
        Unavailable: on opening or reading; Replaced where another file has taken its place since.
    """

    def __init__(self, path: str) -> None:
        self._path, self._at, self._ahead = path, 0, FIRST_READ
        self._held, self._begins = b"", 0
        with unavailable(path, "read"):
            self._store = store(path)
            self.size, self._version = self._store.about(path)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self.size - self._at)
        if wanted <= 0:
            return 0
        offset = self._at - self._begins
        if not 0 <= offset < len(self._held):
            follows = offset == len(self._held)
            self._ahead = min(2 * self._ahead, MOST_READ) if follows else FIRST_READ
            with unavailable(self._path, "read"):
                self._held = self._store.get(self._path, self._at, max(wanted, self._ahead), self._version)
            if not self._held:
                raise Unavailable(f"cannot read {self._path}: it ends at {self._at:,} of {self.size:,} bytes")
            self._begins, offset = self._at, 0
        data = self._held[offset : offset + wanted]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _S3:
    """boto3's client, made from Beam's S3 options; its own retries, and one for answers that break off."""

    def __init__(self) -> None:
        from apache_beam.io.aws.clients.s3.boto3_client import Client
        from botocore import exceptions

        self._client: Any = Client(FileSystems._pipeline_options).client
        # Of these the client retries none: it has given the answer away, and its body is what breaks.
        self._broken = (
            exceptions.ResponseStreamingError,
            exceptions.ReadTimeoutError,
            exceptions.IncompleteReadError,
        )

    def about(self, path: str) -> tuple[int, str]:
        with self._missing(path):
            answer = self._client.head_object(**_place(path))
            return int(answer["ContentLength"]), str(answer["ETag"])

    def get(self, path: str, start: int, length: int | None = None, version: str = "") -> bytes:
        with self._missing(path):
            last = "" if length is None else start + length - 1
            same = {"IfMatch": version} if version else {}
            for attempt in range(BREAKS + 1):
                try:
                    answer = self._client.get_object(**_place(path), Range=f"bytes={start}-{last}", **same)
                    return bytes(answer["Body"].read())
                except self._client.exceptions.ClientError as error:
                    if _code(error) in ("InvalidRange", "416"):
                        return b""
                    if _code(error) in ("PreconditionFailed", "412"):
                        raise Replaced(path) from None
                    raise
                except self._broken:
                    if attempt == BREAKS:
                        raise
                    time.sleep(PAUSE_S * 2**attempt)
        raise AssertionError

    def put(self, path: str, stream: BinaryIO) -> None:
        place = _place(path)
        self._client.upload_fileobj(stream, place["Bucket"], place["Key"])  # in parts where it is large

    def create(self, path: str, data: bytes, over: str = "") -> bool:
        condition = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        try:
            self._client.put_object(**_place(path), Body=data, **condition)
        except self._client.exceptions.ClientError as error:
            if _code(error) in ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404"):
                return False
            raise
        return True

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        bucket, key = _place(prefix).values()
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            for found in page.get("Contents", ()):
                if not found["Key"].endswith("/"):
                    yield f"s3://{bucket}/{found['Key']}", int(found["Size"])

    def copy(self, source: str, target: str) -> None:
        self._client.copy(_place(source), *_place(target).values())  # in parts where it is large

    def delete(self, paths: Sequence[str]) -> None:
        for begin in range(0, len(paths), _DELETED_AT_ONCE):
            places = [_place(path) for path in paths[begin : begin + _DELETED_AT_ONCE]]
            keys = [{"Key": place["Key"]} for place in places if place["Key"]]
            answer = self._client.delete_objects(Bucket=places[0]["Bucket"], Delete={"Objects": keys, "Quiet": True})
            if answer.get("Errors"):
                raise OSError(f"{answer['Errors'][0].get('Message', 'not deleted')}")

    def abandon(self, prefix: str) -> None:
        bucket, key = _place(prefix).values()
        for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key):
            for left in page.get("Uploads", ()):
                self._client.abort_multipart_upload(Bucket=bucket, Key=left["Key"], UploadId=left["UploadId"])

    @contextlib.contextmanager
    def _missing(self, path: str) -> Iterator[None]:
        try:
            yield
        except self._client.exceptions.ClientError as error:
            if _code(error) in ("404", "NoSuchKey", "NotFound"):
                raise FileNotFoundError(f"no file {path}") from None
            raise


def _place(path: str) -> dict[str, str]:
    bucket, _, key = path.partition("://")[2].partition("/")
    return {"Bucket": bucket, "Key": key}


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class _Google:
    """google-cloud-storage's client, made from Beam's Google options; its own retries."""

    def __init__(self) -> None:
        from apache_beam.io.gcp import gcsio
        from google.api_core import exceptions

        self._client: Any = gcsio.create_storage_client(FileSystems._pipeline_options)
        self._errors: Any = exceptions

    def _blob(self, path: str, version: str = "") -> Any:
        place = _place(path)
        return self._client.bucket(place["Bucket"]).blob(place["Key"], generation=int(version) if version else None)

    def about(self, path: str) -> tuple[int, str]:
        blob = self._blob(path)
        with self._missing(path):
            blob.reload()
        return int(blob.size), str(blob.generation)

    def get(self, path: str, start: int, length: int | None = None, version: str = "") -> bytes:
        last = None if length is None else start + length - 1
        try:
            # Raw: what was uploaded as gzip is else unpacked on the way, whole, whatever range is asked for.
            blob = self._blob(path, version)
            return bytes(blob.download_as_bytes(start=start, end=last, checksum=None, raw_download=True))
        except self._errors.RequestRangeNotSatisfiable:
            return b""
        except self._errors.NotFound:
            raise Replaced(path) if version else FileNotFoundError(f"no file {path}") from None

    def put(self, path: str, stream: BinaryIO) -> None:
        self._blob(path).upload_from_file(stream, rewind=True)

    def create(self, path: str, data: bytes, over: str = "") -> bool:
        try:
            self._blob(path).upload_from_string(data, if_generation_match=int(over or 0))
        except self._errors.PreconditionFailed:
            return False
        return True

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        bucket, key = _place(prefix).values()
        for blob in self._client.list_blobs(bucket, prefix=key):
            if not blob.name.endswith("/"):
                yield f"gs://{bucket}/{blob.name}", int(blob.size)

    def copy(self, source: str, target: str) -> None:
        blob = self._blob(source)
        blob.bucket.copy_blob(blob, self._blob(target).bucket, _place(target)["Key"])

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError), self._missing(path):
                self._blob(path).delete()

    def abandon(self, prefix: str) -> None:
        """Nothing: the store forgets an upload after a week, and takes no money for it."""

    @contextlib.contextmanager
    def _missing(self, path: str) -> Iterator[None]:
        try:
            yield
        except self._errors.NotFound:
            raise FileNotFoundError(f"no file {path}") from None


class _Beam:
    """Beam's file systems, for all else. A whole file is copied into a stream that is closed only when all is in it."""

    def about(self, path: str) -> tuple[int, str]:
        for found in FileSystems.match([path])[0].metadata_list:
            size = int(found.size_in_bytes)
            return size, f"{size} {found.last_updated_in_seconds}"
        raise FileNotFoundError(f"no file {path}")

    def get(self, path: str, start: int, length: int | None = None, version: str = "") -> bytes:
        try:
            with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
                stream.seek(start)
                data = bytes(stream.read(-1 if length is None else length))
            if version and self.about(path)[1] != version:  # such stores know no condition
                raise Replaced(path)
            return data
        except Exception:
            if not FileSystems.exists(path):
                raise FileNotFoundError(f"no file {path}") from None
            raise

    def put(self, path: str, stream: BinaryIO) -> None:
        with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as target:
            shutil.copyfileobj(stream, target, MOST_READ)

    def create(self, path: str, data: bytes, over: str = "") -> bool:
        if FileSystems.exists(path) and not (over and self.about(path)[1] == over):  # the best that can be done
            return False
        self.put(path, io.BytesIO(data))
        return True

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        for found in FileSystems.match([f"{prefix}**"])[0].metadata_list:
            yield found.path, int(found.size_in_bytes)

    def copy(self, source: str, target: str) -> None:
        FileSystems.copy([source], [target])

    def delete(self, paths: Sequence[str]) -> None:
        there = [path for path in paths if FileSystems.exists(path)]
        if there:
            FileSystems.delete(there)

    def abandon(self, prefix: str) -> None:
        """Nothing that Beam knows of."""


os.register_at_fork(after_in_child=_stores.clear)  # a connection is of one process
