"""`python -m weft`: the `weft` command, as a process of its own."""

import atexit
import os
import sys

from weft.pipeline.cli import main


def run() -> None:
    """Run the command and end the process with its status.

    Threads of gRPC and Arrow may still be there when the interpreter is taken down, and then C++'s runtime now and then
    aborts a run that has ended well. So the process ends as soon as Python's own clean-up is over.
    """
    status = main()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
