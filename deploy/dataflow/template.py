"""What a Flex Template's launcher starts: the template's parameters → one stage of weft, submitted and not waited for.

The launcher calls it with --name=value for each parameter and for Dataflow's own options. Those of metadata.json are
weft's, all else goes to Beam. Only extract and fetch are one job, and so can be templates; `weft STAGE` with the same
options and without a runner closes the books once the job has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from weft.pipeline import cli

OWN = ("stage", "input", "output", "recipe", "set")
LISTS = ("input", "set")  # several values, with a bar between


def command(arguments: Sequence[str]) -> list[str]:
    """The arguments of `weft` for those of the launcher."""
    given = dict(argument.removeprefix("--").split("=", 1) for argument in arguments if "=" in argument)
    own = {name: given[name] for name in OWN if given.get(name)}
    beam = [argument for argument in arguments if argument.removeprefix("--").split("=")[0] not in OWN]
    made = [own.pop("stage", "extract"), "--quiet"]
    for name, value in own.items():
        made += [part for one in (value.split("|") if name in LISTS else [value]) for part in (f"--{name}", one)]
    return [*made, "--", "--runner=DataflowRunner", "--no_wait_until_finish", *beam]


if __name__ == "__main__":
    sys.exit(cli.main(command(sys.argv[1:])))
