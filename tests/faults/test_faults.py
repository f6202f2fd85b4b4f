"""A round of each fault that needs no rights of its own; `make faults` plays a hundred of all stages, full disks too."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import harness

from weft.pipeline.demo import server


@pytest.mark.parametrize(
    ("fault", "stage"),
    [("driver", "dedup"), ("driver", "fetch"), ("worker", "extract"), ("flap", "fetch")],
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


def test_an_archive_that_is_cut_short_changes_no_byte_of_another(
    small_web: Path, served_web: int, run_on_web: Callable[..., Path], tmp_path: Path
) -> None:
    """Two of its own: those of all other tests are not to be cut."""
    (tmp_path / "web/warcs").mkdir(parents=True)
    for archive in sorted((small_web / "warcs").iterdir())[:2]:
        shutil.copy(archive, tmp_path / "web/warcs")
    made = harness.World(tmp_path / "web", served_web, tmp_path / "reference")
    run_on_web(made.reference, names=("extract",), inputs=[str(made.home / "warcs")])
    played = harness.play(1, made, tmp_path / "work", ["truncate"], ["extract"], here=True)
    assert played.survived, played.line()
    assert played.struck != "never"
