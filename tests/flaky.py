"""A line to a server on loopback that breaks as it is told: answers of its own, and answers that are cut off."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 90\r\n\r\n"
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
)


class Line:
    """Forwards connections to a port; the next `busy` requests are answered 503, the next `cut` answers end early."""

    def __init__(self, port: int) -> None:
        self.busy = self.cut = self.requests = 0
        self._to = port
        self._listens = socket.create_server(("127.0.0.1", 0))
        self.port = self._listens.getsockname()[1]
        self._lock = threading.Lock()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._listens.accept()
                threading.Thread(target=self._forward, args=(taken,), daemon=True).start()

    def close(self) -> None:
        self._listens.close()

    def _take(self, name: str) -> bool:
        with self._lock:
            left = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return left > 0

    def _forward(self, taken: socket.socket) -> None:
        with taken, socket.create_connection(("127.0.0.1", self._to)) as there, contextlib.suppress(OSError):
            threading.Thread(target=self._answers, args=(there, taken), daemon=True).start()
            while data := taken.recv(1 << 16):
                self.requests += 1
                if self._take("busy"):
                    taken.sendall(BUSY)
                    return
                there.sendall(data)

    def _answers(self, there: socket.socket, taken: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := there.recv(1 << 16):
                if len(data) > 4096 and self._take("cut"):  # an answer with a body, not one of a few lines
                    taken.sendall(data[: len(data) // 2])
                    taken.shutdown(socket.SHUT_RDWR)
                    return
                taken.sendall(data)


@contextlib.contextmanager
def line(port: int) -> Iterator[Line]:
    """A line to the port."""
    made = Line(port)
    threading.Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()
