import pytest

from weft.pipeline.run.claim import claim
from weft.schemas.parameters import ConfigError


def test_a_directory_is_of_one_thing(tmp_path):
    output = str(tmp_path / "out")
    claim(output, "crawl", "f", "a crawl")
    claim(output, "crawl", "f", "a crawl")
    with pytest.raises(ConfigError, match="holds a crawl, of something else"):
        claim(output, "crawl", "g", "a crawl")
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ConfigError, match="not empty and holds no crawl"):
        claim(str(tmp_path), "crawl", "f", "a crawl")
