"""`weft view`: serve the pages of one output directory on the loopback interface, until it is interrupted."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from weft.schemas.parameters import ConfigError

HOST, PORT = "127.0.0.1", 8377
_NEEDED = ("duckdb", "jinja2", "starlette", "uvicorn")


def missing() -> str:
    """What has to be installed first, and how; "" where nothing has."""
    names = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return f"{', '.join(names)}: pip install 'weft-corpus[view]'" if names else ""


def serve(output: str, port: int | None, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        port: None for PORT, or any where that is taken.
        say: is told the address once connections are taken.

    Raises:
        ConfigError: the directory holds no run, packages are missing, or the port is taken.
    """
    if lacks := missing():
        raise ConfigError(f"weft view needs {lacks}")
    import uvicorn

    from weft.pipeline.view import app

    made = app.make(output)
    threading.Thread(target=_warm, args=(made.state.tables,), daemon=True).start()
    with listening(port) as taken:
        say(f"{output} is at http://{HOST}:{taken.getsockname()[1]}/ (this machine alone); Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(configured(made)).run(sockets=[taken])


def _warm(tables: Any) -> None:
    """The first who asks should not wait for what is needed by then; an error is told to whom it concerns."""
    with suppress(Exception):
        tables.warm()


def configured(made: Any) -> Any:
    """How an application is served: what is asked for is nobody's business, and errors are told on stderr."""
    import uvicorn

    return uvicorn.Config(made, log_level="error", access_log=False, lifespan="off", server_header=False)


def listening(port: int | None) -> socket.socket:
    """A socket that listens on loopback.

    Raises:
        ConfigError: the port is taken, or not ours to take.
    """
    for wanted in (PORT, 0) if port is None else (port,):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HOST, wanted))
            made.listen(64)
            return made
        except (OSError, OverflowError) as error:
            made.close()
            if port is not None:
                why = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
                raise ConfigError(f"--port {port}: {why}; 0 takes any that is free") from None
    raise ConfigError("no port is free")
