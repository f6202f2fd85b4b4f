import pytest

from weft.pipeline.run.claim import claim
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files


def test_a_directory_is_of_one_thing(tmp_path):
    output = str(tmp_path / "out")
    claim(output, "crawl", "f", "a crawl")
    claim(output, "crawl", "f", "a crawl")
    with pytest.raises(ConfigError, match="holds a crawl, of something else"):
        claim(output, "crawl", "g", "a crawl")
    claim(output, "crawl", "f", "a crawl", place="/here")
    claim(output, "crawl", "g", "a crawl", place="/here")  # made of what lies there by now
    claim(output, "crawl", "g", "a crawl", place="/elsewhere")
    with pytest.raises(ConfigError, match="holds a crawl, of something else"):
        claim(output, "crawl", "f", "a crawl", place="/here")
    (tmp_path / "out/crawl/started.json").write_text("{")  # a power cut's
    with pytest.raises(ConfigError, match="not empty and holds no crawl"):
        claim(output, "crawl", "f", "a crawl")

    (tmp_path / "out/crawl/started.json").write_text("{}")  # another program's
    with pytest.raises(ConfigError, match="not empty and holds no card; name another --to"):
        claim(output, "crawl", "f", "a card", "--to")


@pytest.mark.parametrize("theirs", ["mine", "photos/2019/a.jpg", "empty/"])
def test_what_is_somebody_elses_is_not_taken_be_it_a_file_or_a_directory(tmp_path, theirs):
    path = tmp_path / theirs
    path.mkdir(parents=True) if theirs.endswith("/") else files.write_atomic(str(path), "x")
    with pytest.raises(ConfigError, match="not empty and holds no crawl"):
        claim(str(tmp_path), "crawl", "f", "a crawl")
    assert not (tmp_path / "crawl").exists()
