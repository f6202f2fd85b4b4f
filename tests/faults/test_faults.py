"""A round of each fault that needs no rights of its own; `make faults` plays a hundred of all stages, full disks too."""

import contextlib
from pathlib import Path

import pytest
from faults import harness

from weft.pipeline.demo import server


@pytest.mark.parametrize(
    ("fault", "stage"),
    [("driver", "dedup"), ("driver", "fetch"), ("worker", "extract"), ("truncate", "extract"), ("flap", "fetch")],
)
def test_a_fault_changes_no_byte(
    fault: str, stage: str, small_web: Path, served_web: int, finished: Path, tmp_path: Path
) -> None:
    own = server.serve(str(small_web)) if fault == "flap" else contextlib.nullcontext(served_web)
    with own as port:  # a server that fails is one that other tests do not ask
        played = harness.play(
            1, harness.World(small_web, port, finished), tmp_path / "work", [fault], [stage], here=True
        )
    assert played.survived, played.line()
    assert played.struck != "never"
