import gzip
import json
import shutil

import pyarrow.parquet as pq
import pytest

from weft.model_smoketest.dataset import ShardDataset
from weft.pipeline import arguments, cli, export
from weft.schemas import shards
from weft.schemas.parameters import ConfigError
from weft.transforms.export import formats

LOCAL = ["--direct_num_workers=1"]


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    output = tmp_path_factory.mktemp("energon") / "out"
    said = export.export("energon", str(finished), str(output), LOCAL, quiet=True)
    return output, said


def test_every_format_that_the_help_names_is_there():
    assert (*formats.FORMATS, arguments.MODEL) == arguments.EXPORTS


def test_each_shard_becomes_a_file_and_the_manifest_counts_them(finished, exported):
    output, said = exported
    told = json.loads((output / "manifest.json").read_text())
    infos = list(shards.load_manifest((finished / "shards/manifest.jsonl").read_text()))
    assert set(told["samples"]) == {info.name for info in infos}
    assert told["shards"] == {info.name: info.sha256 for info in infos}
    assert [line.split()[0] for line in said] == list(formats.FORMATS["energon"].writers)
    pairs = {info.name: info.samples for info in infos if info.name.startswith("pairs/")}
    assert {name: told["samples"][name] for name in pairs} == pairs


@pytest.fixture(scope="module")
def instructed(finished, run_on_web, tmp_path_factory):
    """(the shared run packed with instructions, these)."""
    home = tmp_path_factory.mktemp("instructed")
    rows = [{"instruction": f"Add {n} and two.", "input": "", "output": f"It is {n + 2}."} for n in range(40)]
    rows += [{"instruction": "Which is bigger?", "input": f"{n} or 7", "output": "7\nof course"} for n in range(5)]
    (home / "told.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copytree(finished, home / "run")
    for name in ("pack", "shards", "fates/pack"):
        shutil.rmtree(home / "run" / name)
    return run_on_web(home / "run", f'pack.instructions=["{home}/told.jsonl"]', names=("pack",)), rows


def test_instructions_come_with_what_is_asked_apart_from_what_is_answered(finished, instructed, tmp_path):
    run, rows = instructed
    wanted = sorted((row["instruction"], row["input"], row["output"]) for row in rows)
    found = {}
    for name, read in (("jsonl", read_lines), ("parquet", lambda path: pq.read_table(path).to_pylist())):
        said = export.export(name, str(run), str(tmp_path / name), LOCAL, quiet=True)
        assert (
            said[-1]
            == f"instructions {len(rows)} samples in {len(list((run / 'shards/instructions').rglob('*.tar')))} files"
        )
        found[name] = [row for path in sorted((tmp_path / name / "instructions").rglob("0*")) for row in read(path)]
    assert found["jsonl"] == found["parquet"]
    assert sorted((row["instruction"], row["input"], row["output"]) for row in found["jsonl"]) == wanted
    by_key = {
        sample["key"]: sample
        for split in shards.SPLITS
        for sample in ShardDataset(f"{run}/shards", "instructions", split)
    }
    assert {row["id"] for row in found["jsonl"]} == set(by_key)
    for row in found["jsonl"]:
        assert row["text"] == " ".join(filter(None, (row["instruction"], row["input"], row["output"])))
    said = export.export("obelics", str(run), str(tmp_path / "obelics"), LOCAL, quiet=True)
    assert said[-1] == "instructions are not in it: obelics holds none, jsonl and parquet do"
    with pytest.raises(ConfigError, match="holds no instructions: `weft pack` takes the files"):
        export.export("jsonl", str(finished), str(tmp_path / "x"), LOCAL, quiet=True, corpora=["instructions"])


def test_instructions_are_counted_wherever_shards_are(instructed, capsys):
    run, rows = instructed
    infos = list(shards.load_manifest((run / "shards/manifest.jsonl").read_text()))
    tokens = sum(info.tokens for info in infos if info.name.startswith("instructions/"))
    assert cli.main(["report", "--output", str(run)]) == 0
    told = json.loads((run / "report/metrics.json").read_text())["corpora"]
    assert told["total_tokens"] == sum(info.tokens for info in infos)
    assert (told["instructions"]["samples"], told["instructions"]["tokens"]) == (len(rows), tokens)
    assert f"instructions {tokens:,}" in (run / "report/index.html").read_text()
    assert cli.main(["card", "--output", str(run)]) == 0
    card = (run / "card/README.md").read_text()
    assert f"| instructions | {len(rows)} | {tokens:,} |" in card and f"{len(rows)} instructions that come from" in card
    assert "instructions" in {row["name"] for row in json.loads((run / "card/croissant.json").read_text())["recordSet"]}
    command = ["retokenize", "--from", str(run), "--tokenizer", str(run / "shards/tokenizer.json"), "--output"]
    capsys.readouterr()
    assert cli.main([*command, str(run.parent / "again")]) == 0
    assert f"instructions {len(rows)} samples, {tokens:,} tokens" in capsys.readouterr().out


def read_lines(path):
    return map(json.loads, gzip.decompress(path.read_bytes()).splitlines())


def test_what_lies_beside_energons_tars_speaks_of_them(exported):
    output, _ = exported
    told = json.loads((output / "pairs/.nv-meta/.info.json").read_text())["shard_counts"]
    for name, count in told.items():
        index = (output / "pairs" / f"{name}.idx").read_bytes()
        assert len(index) == 8 * (count + 1)


def test_finished_files_are_not_written_again(finished, exported, sums):
    output, _ = exported
    before = sums(output)
    kept = (output / "text/train/000000.tar").stat().st_mtime_ns
    shutil.rmtree(output / "text/val")
    (output / ".weft/export/units/text-val-000000.json").unlink()
    export.export("energon", str(finished / "shards"), str(output), LOCAL, quiet=True)
    assert sums(output) == before
    assert (output / "text/train/000000.tar").stat().st_mtime_ns == kept


def test_a_marker_that_is_not_seen_is_not_made_up(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "write_shard", lambda *_: None)
    export.export("parquet", str(finished), str(tmp_path / "out"), LOCAL, quiet=True)
    assert not (tmp_path / "out/.weft/export").exists()


def test_one_other_byte_in_a_shard_is_one_line(finished, tmp_path):
    shutil.copytree(finished / "shards", tmp_path / "shards")
    tar = next(path for path in (tmp_path / "shards/text/train").glob("*.tar") if path.stat().st_size > 20_000)
    rotten = bytearray(tar.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    tar.write_bytes(rotten)
    with pytest.raises(Exception, match="is not what was written") as told:
        export.export("jsonl", str(tmp_path), str(tmp_path / "out"), LOCAL, quiet=True, corpora=["text"])
    assert isinstance(told.value, ConfigError) or "ConfigError" in str(told.value)


def test_the_trained_model_is_an_export_too(finished, tmp_path, capsys):
    from weft.model_smoketest.train import train
    from weft.schemas.config import Train

    (tmp_path / "run").mkdir()
    for name in ("run.json", "shards"):
        (tmp_path / "run" / name).symlink_to(finished / name)
    command = ["export", "transformers", "--from", str(tmp_path / "run"), "--output", str(tmp_path / "out")]
    assert cli.main(command) == 2 and "run `weft train` first" in capsys.readouterr().err
    small = Train(steps=1, width=32, heads=2, ffn=64, batch_tokens=64)
    train(str(finished / "shards"), str(tmp_path / "run/model"), small, lambda line: None)
    assert cli.main(command) == 0 and "modeling_kosmos1.py" in capsys.readouterr().out
    assert json.loads((tmp_path / "out/config.json").read_text())["hidden_size"] == 32


def test_nothing_of_anybody_else_is_written_over(finished, exported, tmp_path):
    output, _ = exported
    with pytest.raises(ConfigError, match="holds an export as energon, of something else"):
        export.export("mint", str(finished), str(output), LOCAL, quiet=True)
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and holds no export"):
        export.export("mint", str(finished), str(tmp_path), LOCAL, quiet=True)


@pytest.mark.parametrize(
    ("name", "source", "corpora", "said"),
    [
        ("lmdb", "finished", (), r"no format 'lmdb' \(did you mean 'mds'\?\): one of obelics"),
        ("obelics", "finished", ("pairs",), "obelics holds no pairs: it takes interleaved"),
        ("obelics", "empty", (), "holds no finished shards"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(finished, tmp_path, name, source, corpora, said):
    home = finished if source == "finished" else tmp_path
    with pytest.raises(ConfigError, match=said):
        export.export(name, str(home), str(tmp_path / "out"), LOCAL, quiet=True, corpora=corpora)
    assert not (tmp_path / "out").exists()
