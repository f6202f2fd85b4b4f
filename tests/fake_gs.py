"""A Google Cloud Storage on loopback: fake-gcs-server (make stores-setup) with one bucket, found by its own variables."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

BUCKET = "gs://weft"
SERVER = Path(__file__).parents[1] / ".stores/fake-gcs-server"
START_S = 120


@contextlib.contextmanager
def serve() -> Iterator[dict[str, str]]:
    """The environment that leads to the store; it has the bucket BUCKET, and keeps all in memory."""
    server, address = _started()
    try:
        yield {"STORAGE_EMULATOR_HOST": address}
    finally:
        server.kill()
        server.wait()


def _started() -> tuple[subprocess.Popen[bytes], str]:
    """A server that has the bucket, and its address; somebody else may take the port that was free, and then it ends."""
    for _ in range(5):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", address]
        command = [str(SERVER), *where, "-backend", "memory", "-log-level", "error"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _has_bucket(address, server):
            return server, address
        server.kill()
        server.wait()
    raise RuntimeError("fake-gcs-server does not answer")


def _has_bucket(address: str, server: subprocess.Popen[bytes]) -> bool:
    told = urllib.request.Request(
        f"{address}/storage/v1/b?project=weft", b'{"name": "weft"}', {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(told, timeout=START_S):
            return True
        time.sleep(0.05)
    return False
