import hashlib
import json


def test_every_shard_stands_there_with_its_sum(finished, carded):
    told = json.loads((carded.home / "croissant.json").read_text())
    listed = {one["@id"]: one for one in told["distribution"] if one["@type"] == "cr:FileObject"}
    tars = sorted((finished / "shards").rglob("*.tar"))
    assert len(listed) == len(tars) + 1
    for path in [*tars, finished / "shards/manifest.jsonl"]:
        one = listed[str(path.relative_to(finished / "shards"))]
        assert one["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert one["contentUrl"] == str(path)
    assert told["license"] == "cc-by-4.0" and told["datePublished"] == "2026-01-31"


def test_what_is_referred_to_is_there(carded):
    """A record set reads of a file or a set of files, and a set lies in files, that the document has."""
    told = json.loads((carded.home / "croissant.json").read_text())
    ids = {one["@id"] for one in told["distribution"]}
    sources = [field["source"] for one in told["recordSet"] for field in one["field"]]
    assert {next(iter(s.get("fileSet", s.get("fileObject", {})).values())) for s in sources} <= ids
    assert {one["@id"] for part in told["distribution"] for one in part.get("containedIn", ())} <= ids
