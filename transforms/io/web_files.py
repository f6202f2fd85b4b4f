"""Files on web servers: a seekable stream that outlives busy servers and broken connections.

URL → bytes, in windows asked for by Range: small after a jump, growing while reading goes straight on, each held in
memory so that a slow reader keeps no connection waiting. Refusals that may pass (Common Crawl answers 503, and 403, to
who asks too much), resets and silence are met with urllib3's Retry: exponential back-off with jitter, the server's
Retry-After before it. A window that breaks goes on at the byte where it broke; If-Range makes sure that it is still
the same file.

What does not come in the end is `Unavailable`, which no reader of archives takes for the file's own fault: an outage
stops the run, to be gone on with, and never becomes part of its result. Only a file that is not there is a fault.
"""

from __future__ import annotations

import errno
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import IO
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util.retry import Retry

from weft.transforms.io.secrets import public
from weft.transforms.io.streams import PlacedStream

FIRST_WINDOW = 256 << 10  # of a place that was jumped to: a few records
LAST_WINDOW = 8 << 20
GROWTH = 4
CHUNK = 16 << 10  # received at a time; a break loses less than this
CONNECT_S, SILENCE_S = 20, 60
TRIES = 8  # of one request: two minutes, where the server does not say how long
SIZE_TRIES = 2  # of a question for a size, which nothing depends on
CONNECT_TRIES = 4  # where there is no server: seven seconds
BREAKS = 5  # in a row without a chunk between them
BACKOFF_S, JITTER_S, LONGEST_S = 0.5, 1.0, 60  # 0, 1, 2, 4, … seconds and up to JITTER_S more
LONGEST_RETRY_AFTER_S = 600
PASSING = frozenset({403, 408, 425, 429, 500, 502, 503, 504, 509})
_GONE = (404, 410)
_GET_ALONE = (405, 501)  # what servers say that know no HEAD
_PART = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Unavailable(RuntimeError):
    """A remote file that cannot be had now, or is no longer what it was.

    Neither an OSError nor a ValueError: these are what damaged files raise.
    """


class WebFile(PlacedStream):
    """A file behind a URL.

    Raises:
        FileNotFoundError: there is none.
        Unavailable: on opening or reading; see the module.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = session()
        self._at = self._start = 0
        self._window = b""
        self._asked = FIRST_WINDOW
        self._mark = ""  # for If-Range
        self._copy: IO[bytes] | None = None  # of a file whose server knows no ranges
        self.size = -1
        try:
            self._fill(0, FIRST_WINDOW)
        except BaseException:
            self._session.close()
            raise

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self.size or not len(buffer):
            return 0
        if self._copy is not None:
            self._copy.seek(self._at)
            data = self._copy.read(len(buffer))
        else:
            end = self._start + len(self._window)
            if not self._start <= self._at < end:
                self._asked = min(self._asked * GROWTH, LAST_WINDOW) if self._at == end else FIRST_WINDOW
                self._fill(self._at, max(self._asked, min(len(buffer), LAST_WINDOW)))
            place = self._at - self._start
            data = self._window[place : place + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    @property
    def mark(self) -> str:
        """What the server says of its contents, and changes with them; "" where it says nothing."""
        return self._mark

    def close(self) -> None:
        if not self.closed:
            self._session.close()
            if self._copy is not None:
                self._copy.close()
        super().close()

    def _fill(self, start: int, length: int) -> None:
        """Have the window that begins at `start`."""
        got = bytearray()
        patience = _patience(BREAKS)
        while self.size < 0 or start + len(got) < min(start + length, self.size):
            before = len(got)
            with self._answer(start + len(got), start + length - 1) as answer:
                if answer is None:  # empty
                    break
                if answer.status_code == 200:
                    self._take_whole(answer)
                    return
                try:
                    while chunk := answer.raw.read(CHUNK, decode_content=False):
                        got += chunk
                except (HTTPError, OSError) as error:
                    patience = _patience(BREAKS) if len(got) > before else patience
                    patience = _wait(patience, self._url, error)
        self._start, self._window = start, bytes(got)

    @contextmanager
    def _answer(self, first: int, last: int) -> Iterator[requests.Response | None]:
        """A good answer to a question for a range; None where the file is empty."""
        headers = {"Range": f"bytes={first}-{last}"} | ({"If-Range": self._mark} if self._mark else {})
        with ask(self._session, "GET", self._url, headers) as answer:
            part = _PART.match(answer.headers.get("Content-Range", ""))
            if answer.status_code == 416 and self.size < 0:
                self.size = 0
                yield None
                return
            if answer.status_code == 200 and self.size < 0:
                yield answer
                return
            mark = _validator(answer)
            same = answer.status_code == 206 and part and int(part[1]) == first
            if self.size >= 0 and not (same and part and int(part[3]) == self.size and mark == self._mark):
                raise Unavailable(
                    f"{public(self._url)} changed while it was read; run the same command again with --redo"
                )
            if not same or not part:
                raise Unavailable(f"{public(self._url)}: {answer.status_code} with a range that was not asked for")
            self.size, self._mark = int(part[3]), mark
            yield answer

    def _take_whole(self, answer: requests.Response) -> None:
        """Copy a file whose server knows no ranges; what breaks begins anew."""
        patience = _patience(BREAKS)
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream
        while True:
            try:
                while chunk := answer.raw.read(CHUNK, decode_content=False):
                    copy.write(chunk)
                break
            except (HTTPError, OSError) as error:
                patience = _wait(patience, self._url, error)
                copy.seek(0)
                copy.truncate()
                answer.close()
                answer = ask(self._session, "GET", self._url, {})
        answer.close()
        self._copy, self.size = copy, copy.tell()


def read_range(url: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`, by one request where all goes well; fewer where the file ends before.

    Raises:
        FileNotFoundError: there is no such file.
        Unavailable: see the module.
    """
    on = getattr(_mine, "session", None)
    if on is None:
        on = _mine.session = session()
    got, mark = bytearray(), ""
    patience = _patience(BREAKS)
    while len(got) < length:
        first = offset + len(got)
        headers = {"Range": f"bytes={first}-{offset + length - 1}"} | ({"If-Range": mark} if mark else {})
        with ask(on, "GET", url, headers) as answer:
            part = _PART.match(answer.headers.get("Content-Range", ""))
            if answer.status_code == 416:
                break
            if answer.status_code == 200 and not got:  # the server knows no ranges
                with WebFile(url) as stream:
                    stream.seek(offset)
                    return stream.read(length) or b""
            if answer.status_code != 206 or not part or int(part[1]) != first:
                raise Unavailable(f"{public(url)} changed while it was read; run the same command again with --redo")
            before, mark = len(got), _validator(answer)
            try:
                while chunk := answer.raw.read(CHUNK, decode_content=False):
                    got += chunk
            except (HTTPError, OSError) as error:
                patience = _patience(BREAKS) if len(got) > before else patience
                patience = _wait(patience, url, error)
                continue
            if int(part[2]) + 1 >= int(part[3]):
                break
    return bytes(got)


_mine = threading.local()  # connections of this thread


def session(tries: int | None = None) -> requests.Session:
    """Connections of one file, patient with busy servers; proxies and certificates as the environment says."""
    made = requests.Session()
    made.headers["User-Agent"] = f"weft/{metadata.version('weft-corpus')}"
    made.headers["Accept-Encoding"] = "identity"  # the file as it lies there
    for scheme in ("http://", "https://"):
        made.mount(scheme, HTTPAdapter(max_retries=_patience(TRIES if tries is None else tries)))
    return made


def ask(
    on: requests.Session, method: str, url: str, headers: dict[str, str], also: tuple[int, ...] = ()
) -> requests.Response:
    """An answer of 200, 206 or 416, or one of `also`; its body is not read yet.

    Raises:
        FileNotFoundError: 404 or 410.
        Unavailable: any other answer, or none.
    """
    host = urlsplit(public(url)).netloc
    try:
        answer = on.request(
            method, url, headers=headers, stream=True, timeout=(CONNECT_S, SILENCE_S), allow_redirects=True
        )
    except (requests.RequestException, HTTPError) as error:
        raise Unavailable(
            f"no answer from {host} for {public(url)}: {_cause(error)}; the same command goes on later"
        ) from None
    if answer.status_code in (200, 206, 416, *also):
        return answer
    status = f"{answer.status_code} {answer.reason or ''}".strip()
    answer.close()
    if answer.status_code in _GONE:
        raise FileNotFoundError(errno.ENOENT, status, public(url))
    again = " again and again" if answer.status_code in PASSING else ""
    raise Unavailable(f"{host} answers {status}{again} for {public(url)}; the same command goes on later")


def size(url: str) -> int:
    """Bytes of the file behind a URL.

    Raises:
        FileNotFoundError: there is none.
        Unavailable: no answer that says.
    """
    with session(SIZE_TRIES) as on, ask(on, "HEAD", url, {}, _GET_ALONE) as answer:
        length = answer.headers.get("Content-Length", "")
        if answer.status_code == 200 and length.isascii() and length.isdigit():
            return int(length)
    with WebFile(url) as stream:
        return stream.size


def _patience(tries: int) -> Retry:
    return Retry(
        total=tries,
        connect=min(tries, CONNECT_TRIES),
        status_forcelist=PASSING,
        allowed_methods=None,
        backoff_factor=BACKOFF_S,
        backoff_jitter=JITTER_S,
        backoff_max=LONGEST_S,
        retry_after_max=LONGEST_RETRY_AFTER_S,
        raise_on_status=False,
    )


def _wait(patience: Retry, url: str, error: Exception) -> Retry:
    """What is left of the patience after a break, once it has been waited for."""
    try:
        left = patience.increment("GET", url, error=error)
    except MaxRetryError:
        raise Unavailable(
            f"{public(url)} breaks off again and again: {_cause(error)}; the same command goes on later"
        ) from None
    left.sleep()
    return left


def _validator(answer: requests.Response) -> str:
    """What If-Range may hold (RFC 9110, 13.1.5): a strong entity tag, else the date of the last change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _cause(error: BaseException) -> str:
    """The innermost reason in a few words."""
    reason: object = error
    while True:
        inner = getattr(reason, "reason", None) or next(
            (a for a in getattr(reason, "args", ()) if isinstance(a, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        reason = inner
    told = re.sub(r"^HTTPS?Connection\(.*?\): ", "", str(reason))
    return " ".join(re.sub(r"//[^\s/@]*@|\?\S+", "", told).split())[:200]  # no password and no signature
