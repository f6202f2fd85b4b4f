"""`python -m weft`: the `weft` command."""

import sys

from weft.pipeline.cli import main

sys.exit(main())
