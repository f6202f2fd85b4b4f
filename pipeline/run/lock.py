"""One weft at a time on an output directory.

Local: an flock, which the kernel lets go of when its process ends. On an object store: an object that is made only
where there is none, says who made it, and is renewed as long as that one lives; one that has not been renewed for
STALE_S, or whose process is gone from this very machine, is taken over. Whoever finds another's name in it (having
stood still for so long, or having taken it over at the same time) ends, and leaves it alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any

from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files

RENEW_S, STALE_S = 60.0, 600.0
SETTLE_S = 3.0  # after which two who took a lock over at once both see whose it is
NAME = ".lock"


@contextlib.contextmanager
def held(output: str) -> Iterator[None]:
    """Hold the output directory while the block runs.

    Raises:
        ConfigError: another weft holds it, or it is a file.
    """
    with _object(files.join(output, NAME)) if not files.is_local(output) else _file(output):
        yield


def occupied(output: str) -> bool:
    """Whether an output directory holds anything but a lock.

    Raises:
        ConfigError: it is a file.
    """
    if not files.is_local(output):
        below = object_files.store(output).list(f"{output.rstrip('/')}/")
        return any(not path.endswith(f"/{NAME}") for path, _ in islice(below, 2))
    if os.path.exists(output) and not os.path.isdir(output):
        raise ConfigError(f"{output} is a file, not a directory")
    return os.path.isdir(output) and any(name != NAME for name in os.listdir(output))


@contextlib.contextmanager
def _file(output: str) -> Iterator[None]:
    occupied(output)
    made = [output]  # and those above it that are not there yet
    while (above := os.path.dirname(os.path.abspath(made[-1]))) != made[-1] and not os.path.exists(above):
        made.append(above)
    made = [] if os.path.exists(output) else made
    os.makedirs(output, exist_ok=True)
    path, before = os.path.join(output, NAME), set(os.listdir(output))
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
                raise FileNotFoundError  # whoever held it has just removed it
        except OSError:
            raise ConfigError(f"another weft is writing to {output}") from None
        try:
            yield
        finally:
            now = set(os.listdir(output))
            if now == {NAME} or (NAME not in before and now == before | {NAME}):  # the command wrote nothing
                os.unlink(path)
                for directory in made:
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)


@contextlib.contextmanager
def _object(path: str) -> Iterator[None]:
    me = {"host": socket.gethostname(), "pid": os.getpid(), "begun": time.time(), "token": uuid.uuid4().hex}
    with object_files.unavailable(path, "write"):
        _take(path, me)
    over, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(RENEW_S):
            with contextlib.suppress(Exception):  # an outage; the next time may go better
                store, version = object_files.store(path), _version(path)
                holder = _read(path)
                if holder is None or _is_mine(holder, me):  # and is not another's before this is written
                    store.create(path, _dumps(me), over=version)
                else:
                    lost.set()
                    _end(path)
                    return

    keeper = threading.Thread(target=renew, name="renew_lock", daemon=True)
    keeper.start()
    try:
        yield
    except KeyboardInterrupt:
        if lost.is_set():
            raise ConfigError(_taken(path)) from None
        raise
    finally:
        over.set()
        keeper.join(RENEW_S)
        with contextlib.suppress(Exception):
            if _is_mine(_read(path) or {}, me):
                object_files.store(path).delete([path])


def _take(path: str, me: dict[str, Any]) -> None:
    store, took_over = object_files.store(path), False
    while True:
        if store.create(path, _dumps(me)):
            if not took_over:
                return
            time.sleep(SETTLE_S)
        holder = _read(path)
        if holder is None:
            continue  # let go of in between
        if _is_mine(holder, me):
            return
        if not _dead(holder):
            raise _refused(path, holder)
        store.delete([path])
        took_over = True


def _refused(path: str, holder: dict[str, Any]) -> ConfigError:
    since = max(0.0, time.time() - holder.get("begun", 0.0))
    return ConfigError(
        f"another weft is writing to {path.removesuffix('/' + NAME)} (process {holder.get('pid')} on "
        f"{holder.get('host')}, for {since / 60:.0f} min); if it is dead, its lock ends {STALE_S / 60:.0f} "
        "minutes after it"
    )


def _taken(path: str) -> str:
    return (
        f"another weft has taken {path.removesuffix('/' + NAME)} over, since this one stood still for more than "
        f"{STALE_S / 60:.0f} minutes: it goes on there"
    )


def _end(path: str) -> None:
    """End this process's run from a thread of its own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # of a job in the background, which is not to be interrupted
        print(f"weft: {_taken(path)}", file=sys.stderr, flush=True)
        os._exit(2)


def _is_mine(holder: dict[str, Any], me: dict[str, Any]) -> bool:
    return bool(holder.get("token") == me["token"])


def _dumps(me: dict[str, Any]) -> bytes:
    return json.dumps(me | {"renewed": time.time()}).encode()


def _version(path: str) -> str:
    try:
        return object_files.store(path).about(path)[1]
    except FileNotFoundError:
        return ""


def _read(path: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(files.read_bytes(path)))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _dead(holder: dict[str, Any]) -> bool:
    if time.time() - holder.get("renewed", 0.0) > STALE_S:
        return True
    if holder.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(holder.get("pid", 0)), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
