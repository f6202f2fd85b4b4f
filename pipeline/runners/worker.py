"""A local worker process: Beam's own SDK harness without its chatter on the terminal.

The harness logs through the runner, and what goes wrong in it reaches the user as the run's own error; only what it
prints besides is kept from the terminal. WEFT_LOG=debug shows it.
"""

import sys

from weft.pipeline.runners import process

if __name__ == "__main__":
    process.prepare_worker()  # before numpy is imported
    from apache_beam.runners.worker import sdk_worker_main

    from weft.pipeline.runners import graph, stillness

    graph.compress_functions(False)
    graph.start_parts_lightly()
    stillness.begin()
    sdk_worker_main.main(sys.argv)
