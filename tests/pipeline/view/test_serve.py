import importlib.util
import socket
from pathlib import Path

import pytest

from weft.pipeline import cli
from weft.pipeline.view import serve
from weft.schemas.parameters import ConfigError


def test_it_listens_on_loopback_alone() -> None:
    with serve.listening(0) as taken:
        assert taken.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named_or_left_for_another() -> None:
    told = r"--port \d+: Address already in use; 0 takes any"
    with serve.listening(0) as taken, pytest.raises(ConfigError, match=told):
        serve.listening(taken.getsockname()[1])
    with serve.listening(None), serve.listening(None) as second:
        assert second.getsockname()[1] != serve.PORT


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_said_to_be_none(port: int) -> None:
    with pytest.raises(ConfigError, match="--port"):
        serve.listening(port)


def test_packages_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "duckdb" else found(name))
    with pytest.raises(ConfigError, match=r"weft view needs duckdb: pip install 'weft-corpus\[view\]'"):
        serve.serve(str(tmp_path), 0, print)


@pytest.mark.parametrize("place", ["", "s3://bucket/run"])
def test_a_directory_that_is_no_run_is_an_error_of_one_line(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = cli.main(["view", place or str(tmp_path)])
    except SystemExit as ended:
        status = int(str(ended.code))
    told = capsys.readouterr().err
    assert status == 2 and told.count("\n") == 1
    assert ("FOLDER is a directory of this machine, not s3://bucket/run" if place else "holds no weft run") in told


def test_nobody_else_may_use_the_socket() -> None:
    with serve.listening(0) as taken:
        assert not taken.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
