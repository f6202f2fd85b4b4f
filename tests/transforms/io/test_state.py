"""A state file says what was written, or nothing."""

from pathlib import Path

import pytest

from weft.transforms.io import files, state


def test_it_says_what_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "a/b.json")
    assert state.read(path) is None
    state.write(path, {"x": [1, 2.5, "ü"], "y": {"z": None}})
    assert state.read(path) == {"x": [1, 2.5, "ü"], "y": {"z": None}} and state.whole(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"x": 1, "digest": "0"}', b"\xff"])
def test_what_is_broken_says_nothing(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "s.json").write_bytes(damage)
    assert state.read(str(tmp_path / "s.json")) is None


def test_a_flipped_byte_is_seen_wherever_it_means_something(tmp_path: Path) -> None:
    path, value = tmp_path / "s.json", {"fingerprint": "abc", "seconds": 1.5}
    state.write(str(path), value)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert state.read(str(path)) == value if state.whole(str(path)) else True


def test_a_slip_notes_what_is_written_and_nothing_else(tmp_path: Path) -> None:
    path, slips = str(tmp_path / "t/a.bin"), str(tmp_path / "slips")
    with state.slip("", path):
        files.write_atomic(path, b"abc")
    assert not (tmp_path / "slips").exists()
    files.write_atomic(str(tmp_path / "other"), b"")
    with state.slip(slips, path):
        files.write_atomic(path, b"abc")
    (one,) = (tmp_path / "slips").iterdir()
    assert state.noted(state.read(str(one))) == {path: files.digest(path)}
