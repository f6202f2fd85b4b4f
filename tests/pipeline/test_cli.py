import gzip
import json
import subprocess
import sys

import pytest
from faults import power

import weft.schemas.config as configuration
from weft.pipeline import arguments, cli
from weft.pipeline.run import inputs, manifest
from weft.schemas.parameters import ConfigError


@pytest.mark.parametrize("module", ["weft", "weft.pipeline.cli"])
def test_a_process_ends_without_taking_the_interpreter_down(module):
    """Else a thread of gRPC that is still there aborts a run that has ended well."""
    code = (
        "import os, runpy, sys; left = os._exit; sys.argv = ['weft', 'completion', 'bash']\n"
        "os._exit = lambda status: (os.write(2, b'left at once'), left(status))\n"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "left at once")


def test_a_run_whose_words_nobody_reads_goes_on_to_its_end(tmp_path):
    """As `weft run … 2>&1 | head -1`: it ended in the middle, as if all was well."""
    archive = power.archive(tmp_path / "a.warc.gz")
    command = ["run", "--input", archive, "--output", tmp_path / "out"]
    sets = [part for one in power.SMALL for part in ("--set", one)]
    with subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-m", "weft.pipeline.cli", *command, *sets, "--", *power.ALONE],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        child.stderr.readline()
        child.stderr.close()
        told = child.stdout.read().decode()
    assert child.returncode == 0 and "report/index.html" in told
    assert manifest.read(str(tmp_path / "out"), "pack")


def test_what_asks_the_web_is_imported_by_stages_that_do(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(b""))
    code = (
        "import sys; from weft.pipeline import cli\n"
        f"told = ['--output', {str(tmp_path / 'out')!r}, '--quiet']\n"
        f"print(cli.main(['extract', '--input', {str(tmp_path / 'a.warc.gz')!r}, *told]), cli.main(['dedup', *told]))\n"
        "print('aiohttp' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["0 0", "False"], done.stderr


def opened(output, *more):
    return cli.open_run(arguments.parser().parse_args(["dedup", "--output", str(output), *more]), (), needs_input=False)


@pytest.mark.parametrize("known", ["lost", "damaged", "whole"])
@pytest.mark.parametrize(
    "more", [[], ["--recipe", "raw", "--redo"], ["--set", 'exclude=["mine.txt"]'], ["--config", "C"]]
)
def test_what_was_taken_out_stays_out_whatever_is_asked_for(tmp_path, known, more):
    """The options of the first run do not name it: with them alone the archives would be parsed anew, all of it in."""
    archive, output = tmp_path / "a.warc.gz", tmp_path / "out"
    archive.write_bytes(gzip.compress(b"WARC/1.0"))
    (tmp_path / "C").write_text('exclude = ["mine.txt"]\n')
    (output / "exclude").mkdir(parents=True)
    (output / "exclude/0123456789abcdef.txt").write_text("a.test\n")
    manifest.write(str(output), "extract", {"fingerprint": "x", "config": {"exclude": ["theirs.txt"]}})
    manifest.write_run(str(output), configuration.Config(), inputs.marked(inputs.expand([str(archive)])))
    if known != "whole":
        (output / "run.json").unlink() if known == "lost" else (output / "run.json").write_text('{"config"')
    given = [str(tmp_path / "C") if one == "C" else one for one in more]
    run = opened(output, "--input", str(archive), *given, "--quiet")
    mine = ["mine.txt"] * any("mine" in one or one == "C" for one in more)
    mine += ["theirs.txt"] * (known != "whole")  # which run.json would name
    assert run.config.exclude == tuple(sorted([str(output / "exclude/0123456789abcdef.txt"), *mine]))
    run.write()
    assert json.loads((output / "run.json").read_text())["config"]["exclude"] == ["exclude/0123456789abcdef.txt", *mine]


def test_another_recipe_brings_its_values_however_it_is_named(tmp_path, capsys):
    """Over what run.json says `--set recipe=…` wrote the name alone, and the thresholds stayed the other's."""
    manifest.write_run(str(tmp_path), configuration.Config(), [])
    for more in (["--recipe", "raw"], ["--set", "recipe=raw"], ["--set", 'recipe = "raw"', "--set", "salt=x"]):
        with pytest.raises(ConfigError, match="holds a run of recipe 'kosmos1', not 'raw'"):
            opened(tmp_path, *more)
        salt = "x" if "salt=x" in more else "weft"
        assert opened(tmp_path, *more, "--redo").config == configuration.load(None, [f"salt={salt}"], "raw")
    with pytest.raises(ConfigError, match="'nonsense'"):
        opened(tmp_path, "--set", "recipe=nonsense", "--redo")
    with pytest.raises(ConfigError, match="no recipe ''"):
        opened(tmp_path, "--recipe", "", "--redo")
    with pytest.raises(SystemExit, match="2"):
        opened(tmp_path, "--config", "", "--redo")
    assert "--config takes a path, not ''" in capsys.readouterr().err
    manifest.write_run(str(tmp_path), configuration.load(recipe="raw"), [])
    assert opened(tmp_path, "--set", "recipe=raw").config == opened(tmp_path).config  # the same command goes on


@pytest.mark.parametrize("apart", [None, ["one"]])
def test_what_has_no_place_in_an_index_gets_none_when_a_stage_is_done_again(tmp_path, apart):
    manifest.write_run(str(tmp_path), configuration.Config(), [], apart)
    run = opened(tmp_path)
    assert run.adds == ("never" if apart else "now")
    run.write()
    assert opened(tmp_path).adds == run.adds
