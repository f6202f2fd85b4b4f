"""What files say is read once, and again when they say something else."""

import pytest

from weft.schemas.parameters import ConfigError
from weft.transforms.io import files
from weft.transforms.io.loaded import loaded, told


@pytest.fixture
def read():
    """A function of paths that is kept for two of its arguments; `times` are the calls that read."""

    @loaded(most=2)
    def load(paths, case=str.lower):
        times.append(paths)
        if not all(map(files.exists, paths)):
            raise ValueError("not there")
        return [case(files.read_bytes(path).decode()) for path in paths]

    times: list[tuple[str, ...]] = []
    load.times = times
    return load


def test_what_was_read_is_kept_until_a_file_says_something_else(tmp_path, read):
    paths = tuple(str(tmp_path / name) for name in "ab")
    for path in paths:
        files.write_atomic(path, "One")
    assert read(paths) == read(paths) == read.held(paths) == ["one", "one"] and len(read.times) == 1
    files.write_atomic(paths[1], "Two, which is longer")
    assert read.held(paths) == ["one", "one"]  # it does not look
    assert read(paths) == read.held(paths) == ["one", "two, which is longer"] and len(read.times) == 2


def test_what_is_to_be_what_it_was_is_looked_at_once(tmp_path, read, monkeypatch):
    path = str(tmp_path / "a")
    files.write_atomic(path, "One")
    begun, looks, look = told((path,)), [], files.contents
    monkeypatch.setattr(files, "contents", lambda one: looks.append(one) or look(one))
    assert read.as_begun(begun, (path,)) == read.as_begun(begun, (path,)) == ["one"] and looks == [path] * 2
    files.write_atomic(path, "Two, which is longer")
    with pytest.raises(ConfigError, match="was edited while the run goes on"):
        read.as_begun(begun, (path,))


def test_of_each_arguments_what_was_asked_last_is_kept(tmp_path, read):
    path = str(tmp_path / "a")
    files.write_atomic(path, "One")
    assert read((path,), case=str.upper) == ["ONE"] and read((path,)) == ["one"] and read(()) == []
    assert len(read.times) == 3
    assert read((path,)) == ["one"] and len(read.times) == 3
    assert read((path,), case=str.upper) == ["ONE"] and len(read.times) == 4  # two are kept


def test_an_error_is_not_kept(tmp_path, read):
    paths = (str(tmp_path / "later"),)
    for ask in (read, read.held):
        with pytest.raises(ValueError, match="not there"):
            ask(paths)
    files.write_atomic(paths[0], "One")
    assert read(paths) == ["one"]


def test_a_directory_is_what_its_files_are(tmp_path, read):
    (tmp_path / "list").mkdir()
    told = files.contents(str(tmp_path / "list"))
    (tmp_path / "list/domains").write_text("a.test")
    assert files.contents(str(tmp_path / "list")) != told
