import pytest
from pack_world import World, run

from weft.schemas.parameters import ConfigError, Sequencing
from weft.transforms.export import items
from weft.transforms.export.retokenize import _rows, retokenize
from weft.transforms.io.tar import write_tar
from weft.transforms.pack.samples import SampleMaker, ShardLayout
from weft.transforms.pack.tokenizer import train

WORDS = [
    f"Sentence {n} tells of barn {n % 7}, of rain, and of the brown horse that stood in it all day." for n in range(60)
]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """(output of pack, another tokenizer, output of pack with that)."""
    home = tmp_path_factory.mktemp("retokenize")
    world = World()
    for n in range(24):
        name = f"{n:032x}"
        world.image(f"i{n}")
        world.image(f"j{n}")
        parts = [WORDS[n], (f"i{n}",), WORDS[n + 1], WORDS[n + 2], (f"j{n}",), " ".join(WORDS[n : n + 9])]
        world.document(name, *(parts if n % 2 else [WORDS[n], (f"lost{n}",), " ".join(WORDS[n : n + 5])]))
        world.pair(f"{n + 100:032x}", name, f"i{n}", f"A picture of barn {n} in the rain")
    (home / "other.json").write_bytes(train(["barn horse rain Sentence"] * 9 + WORDS[:5], 300))
    first, second = world.write(home / "a"), world.write(home / "b")
    run(first)
    run(second, f"pack.tokenizer={home / 'other.json'}")
    return first, home / "other.json", second


def test_it_is_byte_for_byte_what_pack_would_have_written(packed, sums, tmp_path):
    first, tokenizer, second = packed
    maker = SampleMaker(str(tokenizer), Sequencing(64, 8), ShardLayout(2, 0.2))
    shards = sorted((first / "shards").rglob("*.tar"))
    for path in shards:
        retokenize(str(first / "shards"), str(path.relative_to(first / "shards")), str(tmp_path), maker, "weft")
    made = sums(tmp_path / "shards")
    own = {name: said for name, said in sums(second / "shards").items() if name.endswith((".tar", ".idx"))}
    assert len([name for name in own if name.endswith(".tar")]) == 9 and made == own
    before = sums(first / "shards")
    assert len([name for name in own if own[name] != before[name]]) >= 6  # in tokens they differ


def test_shards_without_texts_or_cut_off_are_named(tmp_path, packed):
    _, tokenizer, _ = packed
    maker = SampleMaker(str(tokenizer), Sequencing(64, 8), ShardLayout(2, 0.2))
    write_tar(
        str(tmp_path / "text/train/000000.tar"), [("k.json", b'{"documents": [{"doc_id": "a"}, {"doc_id": "b"}]}')]
    )
    with pytest.raises(ConfigError, match="packed by an older version"):
        retokenize(str(tmp_path), "text/train/000000.tar", str(tmp_path / "out"), maker, "weft")
    (tmp_path / "text/train/000000.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(ConfigError, match="is damaged"):
        retokenize(str(tmp_path), "text/train/000000.tar", str(tmp_path / "out"), maker, "weft")


def test_a_text_over_many_sequences_stays_in_order(monkeypatch):
    """Keys sort as text: d-1000 stands before d-999."""

    def chunk(number, spans, texts, position):
        told = {"doc_id": "d", "chunk": number, "images": [{"position": position}], "spans": spans, "texts": texts}
        return items.Stored(f"d-{number:03d}", told, [(0, 1)])

    made = [
        chunk(1000, [[1, 1, 2], [2, 2, 3]], [" Second half.", None], 2),
        chunk(999, [[0, 1, 2], [1, 2, 3]], [None, "First half."], 0),
    ]
    monkeypatch.setattr(items, "stored", lambda path: iter(made if "interleaved" in path else []))
    rows = []
    monkeypatch.setattr(SampleMaker, "document", lambda self, row: rows.append(row) or [])
    assert list(_rows("shards/interleaved/train/000000.tar", SampleMaker.__new__(SampleMaker))) == []
    assert [row.texts for row in rows] == [[None, "First half. Second half.", None]]
    assert [image.position for image in rows[0].images] == [0, 2]
