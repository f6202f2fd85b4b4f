import pytest

from weft.pipeline.explain import shard
from weft.schemas.parameters import ConfigError
from weft.transforms.io.tar import write_tar


def test_a_sample_is_found_by_its_key_and_by_a_document_in_it(tmp_path):
    members = [(f"{key}.json", b'{"documents": [{"doc_id": "%s"}]}' % key.encode()) for key in ("aa", "ab", "ba")]
    more = [(f"{key}.input_ids.npy", b"x") for key in ("aa", "ab", "ba")]
    write_tar(str(tmp_path / "shards/text/train/000000.tar"), iter(sorted([*members, *more])))
    found = shard.samples(str(tmp_path), "text/train/000000.tar", "a")
    assert [(place.key, place.number) for place in found] == [("aa", 1), ("ab", 2)]
    (only,) = shard.samples(str(tmp_path), "text/train/000000.tar", "", holds="ba")
    assert (only.key, only.number, only.meta) == ("ba", 3, {"documents": [{"doc_id": "ba"}]})


def test_a_shard_that_is_damaged_is_said_in_a_line(tmp_path):
    path = tmp_path / "shards/text/train/000000.tar"
    write_tar(str(path), iter([("aa.json", b"{}")]))
    for damaged in (b"", b"x" * 10_240, path.read_bytes().replace(b"{}", b"{{")):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"000000\.tar is not what was written"):
            shard.samples(str(tmp_path), "text/train/000000.tar", "a")
