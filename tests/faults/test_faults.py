"""A round of each fault that needs no rights of its own; `make faults` plays a hundred, full disks among them."""

from pathlib import Path

import pytest
from faults import harness


@pytest.mark.parametrize(
    ("fault", "stage"),
    [
        *(("driver", stage) for stage in harness.BEAM_STAGES),
        ("worker", "extract"),
        ("worker", "fetch"),
        ("truncate", "extract"),
        ("flap", "fetch"),
    ],
)
def test_a_fault_changes_no_byte(
    fault: str, stage: str, small_web: Path, served_web: int, finished: Path, tmp_path: Path
) -> None:
    made = harness.World(small_web, served_web, finished)
    played = harness.play(1, made, tmp_path / "work", [fault], [stage])
    assert played.survived, played.line()
    assert played.struck != "never"
