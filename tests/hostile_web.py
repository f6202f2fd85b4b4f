"""A web server that does everything wrong on purpose, at one address: what it does is in the first part of the path.

Raw bytes over asyncio, in a thread of its own, because a decent HTTP library would not send most of this.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import io
import logging
import ssl
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import brotli
from PIL import Image

Writer = asyncio.StreamWriter
GIANT = 4 << 30  # bytes of an endless body


def picture(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(out, "PNG")
    return out.getvalue()


def png_of(width: int, height: int, extra: bytes = b"") -> bytes:
    """A valid black PNG of any size, of a few thousand bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif_of(width: int, height: int) -> bytes:
    """A GIF that says it is that large and holds next to nothing."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff"
    return head + b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\x00\x02\x02\x4c\x01\x00;"


def webp_of(width: int, height: int) -> bytes:
    """A lossless WebP of one colour, whose few bytes hold for any size: only the size in its header is changed."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(out, "WEBP", lossless=True)
    made = bytearray(out.getvalue())
    at = made.index(b"VP8L") + 9  # after the chunk's length and the signature byte
    bits = int.from_bytes(made[at : at + 4], "little") & ~0xFFFFFFF
    made[at : at + 4] = (bits | (width - 1) | (height - 1) << 14).to_bytes(4, "little")
    return bytes(made)


@functools.cache
def bomb(kind: str) -> bytes:
    """Small when it comes, huge when it is opened."""
    zeros = bytes(50_000_000)
    makers: dict[str, Callable[[], bytes]] = {
        "png": lambda: png_of(20_000, 20_000),
        "gif": lambda: gif_of(60_000, 60_000),
        "webp": lambda: webp_of(16_000, 16_000),
        "gzip": lambda: gzip.compress(zeros, 9),
        "gzip2": lambda: gzip.compress(gzip.compress(zeros, 9), 9),
        "deflate": lambda: zlib.compress(zeros, 9),
        "br": lambda: brotli.compress(zeros, quality=1),
        "svg": lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='99999' height='99999'/>",
    }
    return makers[kind]()


@functools.cache
def _forbids_then_zeros() -> bytes:
    return gzip.compress(b"User-agent: *\nDisallow: /\n" + b"# nothing\n" * 2_000_000, 9)


KINDS = ("png", "gif", "webp", "gzip", "gzip2", "deflate", "br", "svg")


def answer(body: bytes, status: str = "200 OK", length: int | str | None = None, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def redirect(target: str) -> bytes:
    return answer(b"", "302 Found", None, f"Location: {target}")


class HostileWeb:
    """Listens on 127.0.0.1 while it is entered; `asked` holds (Host, path, Cookie) of every request."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.asked: list[tuple[str, str, str]] = []
        self.port = 0
        self.sent = 0  # bytes of endless bodies
        for kind in KINDS:  # before anybody waits for them
            bomb(kind)
        _forbids_then_zeros()

    def __enter__(self) -> HostileWeb:
        ready = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self._tls, backlog=512)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            self._loop = asyncio.get_running_loop()
            ready.set()
            await self._stop.wait()
            server.close()
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()

        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # clients that are cut off at the end are meant to be
        self._thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _client(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            try:
                while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                    lines = head.split("\r\n")
                    path = lines[0].split(" ")[1]
                    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                    self.asked.append((headers.get("host", ""), path, headers.get("cookie", "")))
                    name = path.lstrip("/").split("/")[0].split("?")[0].replace(".", "_").replace("-", "_")
                    handler: Callable[[Writer, str], Awaitable[bool | None]] = getattr(self, f"on_{name}", self.on_no)
                    if not await handler(writer, path):
                        break
                    await writer.drain()
            finally:
                writer.close()

    async def on_no(self, writer: Writer, path: str) -> bool:
        writer.write(answer(b"no", "404 Not Found"))
        return True

    async def on_ok(self, writer: Writer, path: str) -> bool:
        writer.write(answer(picture(), "200 OK", None, "Content-Type: image/png", "Set-Cookie: who=you; Path=/"))
        return True

    # -- in time --
    async def on_silent(self, writer: Writer, path: str) -> None:
        await asyncio.sleep(3_600)

    async def on_drip(self, writer: Writer, path: str) -> None:
        """A byte every now and then: never quiet for long, never done."""
        for byte in answer(picture()) if "head" in path else answer(b"", length=10_000):
            writer.write(bytes([byte]))
            if "head" in path:
                await writer.drain()
                await asyncio.sleep(0.2)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.2)

    async def on_stall(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture()[:50], length=5_000))
        await writer.drain()
        await asyncio.sleep(3_600)

    async def on_informed(self, writer: Writer, path: str) -> None:
        """Informational answers without end."""
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0.01)

    # -- in what is sent --
    async def on_reset(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture()[:50], length=5_000))
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: an RST, not a FIN
        writer.transport.abort()

    async def on_hang_up(self, writer: Writer, path: str) -> None:
        """Says nothing at all."""

    async def on_early(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture()[:50], length=len(picture())))

    async def on_long(self, writer: Writer, path: str) -> bool:
        """More than it announced: what comes after is no answer."""
        writer.write(answer(picture() + b"JUNK" * 9, length=len(picture())))
        return True

    async def on_minus(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture(), length=-5))

    async def on_two_lengths(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture(), "200 OK", 10, "Content-Length: 99"))

    async def on_chunks(self, writer: Writer, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(b"ZZ\r\nno number\r\n")

    async def on_html(self, writer: Writer, path: str) -> bool:
        writer.write(answer(b"<!doctype html><title>Hotlinking</title>", "200 OK", None, "Content-Type: image/jpeg"))
        return True

    async def on_mislabelled(self, writer: Writer, path: str) -> bool:
        writer.write(answer(picture(), "200 OK", None, "Content-Type: text/html; charset=utf-8"))
        return True

    async def on_garbage(self, writer: Writer, path: str) -> None:
        writer.write(b"\x00\xff\x16\x03 this is not HTTP\r\n\r\n")

    async def on_ancient(self, writer: Writer, path: str) -> None:
        """HTTP/0.9: the body and nothing else."""
        writer.write(picture())

    async def on_status(self, writer: Writer, path: str) -> None:
        """/status/206: that answer, with a body where it may have one."""
        code = path.split("/")[2]
        writer.write(answer(b"" if code in ("204", "304") else picture(), f"{code} Whatever"))

    async def on_long_header(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture(), "200 OK", None, "X-Long: " + "x" * 1_000_000))

    async def on_many_headers(self, writer: Writer, path: str) -> None:
        writer.write(answer(picture(), "200 OK", None, *(f"X-{n}: y" for n in range(100_000))))

    # -- in how much --
    async def on_giant(self, writer: Writer, path: str) -> None:
        writer.write(answer(b"", length=GIANT) if "told" in path else b"HTTP/1.1 200 OK\r\n\r\n")
        await self._pour(writer)

    async def on_endless_chunks(self, writer: Writer, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self._pour(writer, b"10000\r\n" + bytes(65_536) + b"\r\n")

    async def _pour(self, writer: Writer, block: bytes = bytes(65_536)) -> None:
        for _ in range(GIANT // 65_536):
            writer.write(block)
            await writer.drain()
            self.sent += len(block)

    async def on_bomb(self, writer: Writer, path: str) -> None:
        """/bomb/<kind>: small when it comes, huge when it is opened."""
        kind = path.split("/")[2]
        made = bomb(kind)
        coding = [f"Content-Encoding: {kind}"] if kind in ("gzip", "deflate", "br") else []
        writer.write(answer(made, "200 OK", None, *coding))

    # -- in where it leads --
    async def on_to(self, writer: Writer, path: str) -> bool:
        """/to/<number>: a redirect to an entry of `targets`."""
        writer.write(redirect(self.targets[int(path.split("/")[2])]))
        return True

    targets: list[str] = []  # noqa: RUF012 - set by who asks

    async def on_loop(self, writer: Writer, path: str) -> bool:
        writer.write(redirect("/loop"))
        return True

    async def on_chain(self, writer: Writer, path: str) -> bool:
        """/chain/<n>: n redirects, then a picture."""
        left = int(path.split("/")[2])
        writer.write(redirect(f"/chain/{left - 1}") if left else answer(picture()))
        return True

    # -- in its rules --
    async def on_robots_txt(self, writer: Writer, path: str) -> Any:
        host = self.asked[-1][0].split(".")[0]
        if host == "rules-silent":
            await asyncio.sleep(3_600)
        elif host == "rules-giant":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nUser-agent: *\nDisallow: /private\n")
            await self._pour(writer, b"# nothing\n" * 6_554)
        else:
            bodies = {
                "rules-bomb": answer(_forbids_then_zeros(), "200 OK", None, "Content-Encoding: gzip"),
                "rules-html": answer(b"<html>Disallow: /</html>"),
                "rules-forbid": answer(b"User-agent: *\nDisallow: /"),
                "rules-away": redirect("http://169.254.169.254/robots.txt"),
                "rules-loop": redirect("/robots.txt"),
                "rules-broken": answer(b"", "503 Busy"),
            }
            writer.write(bodies.get(host, answer(b"", "404 None")))
        return True


@contextlib.contextmanager
def hostile_web(tls: ssl.SSLContext | None = None) -> Iterator[HostileWeb]:
    with HostileWeb(tls) as web:
        yield web
