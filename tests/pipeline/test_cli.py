import gzip
import subprocess
import sys

import pytest

import weft.schemas.config as configuration
from weft.pipeline import arguments, cli
from weft.pipeline.run import manifest


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


def opened(output, *more):
    return cli.open_run(arguments.parser().parse_args(["dedup", "--output", str(output), *more]), (), needs_input=False)


@pytest.mark.parametrize("told", ['{"config": {"exclude": ["OUT/exclude/one.txt"]}}', '{"config"'])
def test_what_was_taken_out_stays_out_where_run_json_is_lost(tmp_path, told):
    """The options of the first run do not name it: with them alone the archives would be parsed anew, all of it in."""
    archive, output = tmp_path / "a.warc.gz", tmp_path / "out"
    archive.write_bytes(gzip.compress(b"WARC/1.0"))
    listed = output / "exclude/one.txt"
    for path, text in ((listed, "a.test\n"), (output / "extract/manifest.json", told.replace("OUT", str(output)))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert opened(output, "--input", str(archive)).config.exclude == (str(listed),)


@pytest.mark.parametrize("apart", [None, ["one"]])
def test_what_has_no_place_in_an_index_gets_none_when_a_stage_is_done_again(tmp_path, apart):
    manifest.write_run(str(tmp_path), configuration.Config(), [], apart)
    run = opened(tmp_path)
    assert run.adds == ("never" if apart else "now")
    run.write()
    assert opened(tmp_path).adds == run.adds
