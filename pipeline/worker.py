"""A local worker process: Beam's own SDK harness without its chatter on the terminal.

The harness logs through the runner; only what it prints before that connection stands would reach the user.
"""

import logging
import sys

logging.getLogger().addHandler(logging.NullHandler())

if __name__ == "__main__":
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)
