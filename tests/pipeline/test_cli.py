import subprocess
import sys

import pytest


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
