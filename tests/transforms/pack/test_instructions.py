"""Instruction data: what a file may hold, what is read and what is learned of it, and where it goes in a run."""

import gzip
import json

import numpy as np
import pytest
from pack_world import OVERRIDES, World, array, fates, run, samples

import weft.schemas.config as configuration
from weft.pipeline.explain import story
from weft.pipeline.run import idle, manifest
from weft.schemas import shards
from weft.schemas.parameters import ConfigError, Sequencing
from weft.schemas.records import KINDS
from weft.transforms.export.retokenize import retokenize
from weft.transforms.pack import instructions
from weft.transforms.pack.samples import Instruction, SampleMaker, ShardLayout
from weft.transforms.pack.tokenizer import train

ROWS = [
    {"instruction": f"Count the barns of village {n}.", "input": f"It has {n} and no more.", "output": f"{n} barns"}
    for n in range(30)
]


def lines(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


def test_lines_are_read_plain_and_gzipped_and_a_missing_input_is_none(tmp_path):
    rows = [*ROWS, {"instruction": " Say hello. ", "output": "hello", "id": 7}]
    for name in ("a.jsonl", "a.jsonl.gz"):
        found = list(instructions.read(lines(tmp_path / name, rows)))
        assert found == [*(tuple(row.values()) for row in ROWS), ("Say hello.", "", "hello")]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("indent", [None, 1])
def test_one_array_as_alpacas_is_read_too(tmp_path, packed, indent):
    text = json.dumps([{**ROWS[0], "input": None}, *ROWS[1:]], indent=indent).encode("utf-8-sig" if indent else "utf-8")
    path = tmp_path / "a.json"  # gzip is told by how it begins, and not by a name
    path.write_bytes(gzip.compress(text) if packed else text)
    found = list(instructions.read(str(path)))
    assert found == [(ROWS[0]["instruction"], "", "0 barns"), *(tuple(row.values()) for row in ROWS[1:])]
    path.write_text(json.dumps([*ROWS, {"instruction": "a", "output": 42}]))
    with pytest.raises(ConfigError, match=r'a\.json, entry 31, is no object .*\("output" is 42 and no string\)'):
        list(instructions.read(str(path)))


def test_unnatural_instructions_are_a_row_for_each_instance(tmp_path):
    """Fields as in core_data.jsonl (github.com/orhonovich/unnatural-instructions)."""
    instances = [
        {"instruction_with_input": f"Name it.\n{n}", "input": f"{n}", "constraints": "None.", "output": f"barn {n}"}
        for n in range(3)
    ]
    path = lines(tmp_path / "a.jsonl", [{"instruction": "Name it.", "instances": instances}, ROWS[0]])
    found = list(instructions.read(path))
    assert found == [*(("Name it.", f"{n}", f"barn {n}") for n in range(3)), tuple(ROWS[0].values())]


def test_a_start_reads_how_a_file_begins_and_the_run_reads_the_rest(tmp_path):
    late, early = ([*rows, {"instruction": "no output"}] for rows in (ROWS * 40, ROWS))
    instructions.check(lines(tmp_path / "late.jsonl", late))
    with pytest.raises(ConfigError, match=r'late.jsonl:1201 is no object .*no "output"'):
        list(instructions.read(str(tmp_path / "late.jsonl")))
    with pytest.raises(ConfigError, match=r'early.jsonl:31 is no object .*no "output"'):
        instructions.check(lines(tmp_path / "early.jsonl", early))


def test_half_a_pair_of_surrogates_is_no_character_and_ends_nothing(tmp_path):
    path = lines(tmp_path / "a.jsonl", [{field: f"smile \ud83d of {field}" for field in instructions.FIELDS}])
    (row,) = instructions.read(path)
    assert row == tuple(f"smile \ufffd of {field}" for field in instructions.FIELDS)
    "".join(row).encode()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"instruction": "a"}', 'no "output"'),
        ('{"output": "a"}', 'no "instruction"'),
        ('{"instruction": "a", "output": " "}', '"output" is empty'),
        ('{"instruction": "a", "output": null}', '"output" is null and no string'),
        ('{"instruction": "a", "input": ["b"], "output": "c"}', '"input" is ["b"] and no string'),
        ("[]", "but []"),
        ("7", "but 7"),
        ("{", "Expecting property name"),
        ('{"instruction": 1}', '"instruction" is 1 and no string'),
        ('{"instances": [{"output": "a"}]}', '"instruction" is null and no string'),
        ('{"instruction": "a", "instances": [{"input": "b"}]}', 'no "output"'),
        ('{"instruction": "a", "instances": ["b"]}', 'but "b"'),
        ('{"instruction": "a", "instances": []}', '"instances" is [] and no list of them'),
    ],
)
def test_a_line_that_is_no_instruction_is_named(tmp_path, line, why):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(ROWS[0])}\n\n{line}\n")
    with pytest.raises(ConfigError, match=r"a\.jsonl:3 is no object with instruction and output") as told:
        list(instructions.read(str(path)))
    assert f"({why}" in str(told.value)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"{}")[:-9])
    with pytest.raises(ConfigError, match="cannot read instructions"):
        list(instructions.read(str(tmp_path / "b.jsonl.gz")))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """(output of pack with instructions, one of them twice and one too long, a second tokenizer, output with that)."""
    home = tmp_path_factory.mktemp("instructions")
    world = World()
    for n in range(8):
        world.image(f"i{n}")
        world.document(f"{n:032x}", f"The barn of village {n} is old.", (f"i{n}",), "It rains.")
    long = {"instruction": "Say it. " * 90, "output": "it"}
    path = lines(home / "a.jsonl", [*ROWS, ROWS[3], long])
    (home / "other.json").write_bytes(train(["barns village Count"] * 9, 300))
    first, second = world.write(home / "a"), world.write(home / "b")
    entered = run(first, f'pack.instructions=["{path}"]')
    run(second, f'pack.instructions=["{path}"]', f"pack.tokenizer={home / 'other.json'}")
    return first, entered, home / "other.json", second


def test_each_is_a_sequence_whose_loss_is_on_the_answer(packed):
    first, _, _, _ = packed
    vocabulary = shards.Vocabulary.loads((first / "shards" / shards.TOKENIZER_INFO).read_text())
    encoder = SampleMaker(str(first / "shards" / vocabulary.file), Sequencing(64, 8), ShardLayout()).encoder
    found = {split: samples(first, shards.INSTRUCTIONS, split) for split in shards.SPLITS}
    assert found["train"] and found["val"]
    told = []
    for sample in found["train"] + found["val"]:
        ids, mask, meta = array(sample, "input_ids.npy"), array(sample, "loss_mask.npy"), json.loads(sample["json"])
        row = {name: meta[name] for name in instructions.FIELDS}
        told.append(row)
        assert [ids[0], ids[-1]] == [vocabulary.bos, vocabulary.eos] and sample["__key__"] == Instruction(**row).key
        assert encoder.decode(ids[1:-1]) == f"{row['instruction']} {row['input']} {row['output']}"
        assert encoder.decode(ids[mask == 1][:-1]).strip() == row["output"] and mask[-1] == 1
        assert (mask == shards.answer_mask(ids, meta["asked"], vocabulary)).all() and (
            np.diff(mask.astype(int)) >= 0
        ).all()
    assert sorted(told, key=str) == sorted(ROWS, key=str)


def test_what_is_told_twice_is_one_and_what_is_too_long_has_its_fate(packed):
    first, entered, _, _ = packed
    mine = [row for (kind, _), row in fates(first).items() if kind == "instruction"]
    assert entered["instruction"] == len(mine) == len(ROWS) + 1 and "instruction" in KINDS
    assert [row["reason"] for row in mine if row["fate"] == "dropped"] == ["too_long"]
    assert all((first / "shards" / row["detail"]).exists() for row in mine if row["fate"] == "kept")


def test_one_is_explained_by_its_key(packed):
    first = packed[0]
    manifest.write_run(str(first), configuration.load(recipe="kosmos1", overrides=[*OVERRIDES]), [])
    for key, row in ((key, row) for (kind, key), row in fates(first).items() if kind == "instruction"):
        told = story.explain(str(first), key)
        if row["fate"] == "kept":
            assert told[0].split()[:3] == ["pack", "instruction", "kept"] and told[1].endswith(f"key {key}")
        else:
            assert "too_long: it is longer than a sequence" in told[0] and "pack.context_length = 64" in told[0]


def test_other_corpora_are_as_without_and_a_run_without_has_none(packed, sums, tmp_path):
    first = packed[0]
    world = World()
    for n in range(8):
        world.image(f"i{n}")
        world.document(f"{n:032x}", f"The barn of village {n} is old.", (f"i{n}",), "It rains.")
    without = world.write(tmp_path / "w")
    assert "instruction" not in run(without)
    made, own = sums(first / "shards"), sums(without / "shards")
    assert not (without / "shards" / shards.INSTRUCTIONS).exists()
    assert {name for name in made if made[name] != own.get(name)} == {
        shards.MANIFEST, *(name for name in made if name.startswith(f"{shards.INSTRUCTIONS}/")),
    }  # fmt: skip


def test_by_another_tokenizer_they_are_as_pack_would_have_written_them(packed, sums, tmp_path):
    first, _, tokenizer, second = packed
    maker = SampleMaker(str(tokenizer), Sequencing(64, 8), ShardLayout(2, 0.2))
    for path in sorted((first / "shards" / shards.INSTRUCTIONS).rglob("*.tar")):
        retokenize(str(first / "shards"), str(path.relative_to(first / "shards")), str(tmp_path), maker, "weft")
    made = sums(tmp_path / "shards")
    assert len(made) == 6 and made == {name: sums(second / "shards")[name] for name in made}


def test_one_that_a_list_has_is_left_out_as_if_it_had_never_been(sums, tmp_path):
    key = Instruction(*ROWS[4].values()).key
    (tmp_path / "list").write_text(f"{key}\n")
    made = []
    for name, rows in (("out", ROWS), ("never", [row for row in ROWS if row != ROWS[4]])):
        world = World()
        for n in range(4):
            world.image(f"i{n}")
            world.document(f"{n:032x}", f"The barn of village {n} is old.", (f"i{n}",), "It rains.")
        made.append(world.write(tmp_path / name))
        path = lines(tmp_path / f"{name}.jsonl", rows)
        run(made[-1], f'pack.instructions=["{path}"]', f'exclude=["{tmp_path / "list"}"]')
    out, never = made
    assert sums(out / "shards") == sums(never / "shards")
    assert fates(out)["instruction", key]["reason"] == "excluded" and ("instruction", key) not in fates(never)
    assert idle.of([key, "0" * 32], str(out)) == ["0" * 32]
