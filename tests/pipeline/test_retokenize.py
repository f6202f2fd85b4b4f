"""The command: shards, manifest and tokenizer beside each other, as pack leaves them, and errors of one line."""

import json

import pytest
from pack_world import LOCAL, OVERRIDES, World, run

import weft.schemas.config as configuration
from weft.pipeline import cli
from weft.pipeline.run import manifest
from weft.transforms.pack.tokenizer import train


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    home = tmp_path_factory.mktemp("retokenized")
    world = World()
    for n in range(6):
        world.image(f"i{n}")
        world.document(f"{n:032x}", f"The brown horse number {n} stood in the rain all day long.", (f"i{n}",))
        world.pair(f"{n + 50:032x}", f"{n:032x}", f"i{n}", f"A brown horse number {n} in the rain")
    (home / "other.json").write_bytes(train(["horse rain brown"] * 5, 300))
    run(world.write(home / "run"))
    manifest.write_run(str(home / "run"), configuration.load(recipe="kosmos1", overrides=OVERRIDES), [])
    return home


def weft(home, *more: str) -> int:
    asked = ["retokenize", "--from", str(home / "run"), "--tokenizer", str(home / "other.json"), *more]
    return cli.main([*asked, "--quiet", "--", *LOCAL])


def test_the_same_samples_with_other_tokens_and_all_that_lies_beside(packed, sums, capsys):
    assert weft(packed, "--output", str(packed / "out")) == 0
    assert capsys.readouterr().out.startswith("interleaved ")
    old, new = sums(packed / "run/shards"), sums(packed / "out/shards")
    assert set(old) == set(new)
    told = [
        {
            line["name"]: line
            for line in map(json.loads, (packed / where / "shards/manifest.jsonl").read_text().splitlines())
        }
        for where in ("run", "out")
    ]
    assert {name: line["samples"] for name, line in told[0].items() if "text" not in name} == {
        name: line["samples"] for name, line in told[1].items() if "text" not in name
    }
    assert (packed / "out/shards/tokenizer.json").read_bytes() != (packed / "run/shards/tokenizer.json").read_bytes()
    kept = (packed / "out/shards/pairs/train/000000.tar").stat().st_mtime_ns
    assert weft(packed, "--output", str(packed / "out")) == 0  # and nothing is written twice
    assert (packed / "out/shards/pairs/train/000000.tar").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--output", "{}/run"], "is not empty and holds no retokenization"),
        (
            ["--output", "{}/short", "--set", "pack.context_length=9"],
            "pack.context_length = 9 holds no image of 8 slots",
        ),
        (
            ["--output", "{}/side", "--set", "pack.shards=3"],
            "pack.image_tokens, not pack.shards, which stays the run's",
        ),
        (["--output", "{}/none", "--from", "{}/nowhere"], "holds no weft run"),
        (["--output", "{}/bad", "--tokenizer", "{}/run/run.json"], "is no tokenizer"),
    ],
)
def test_what_cannot_be_is_one_line(packed, capsys, more, told):
    assert weft(packed, *(word.format(packed) for word in more)) == cli.USER_ERROR
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
