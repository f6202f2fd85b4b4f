"""Preparing images reuses memory instead of getting it from the system anew for each."""

import io
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weft.transforms.fetch import memory

MEASURE = """
    import itertools, resource, sys
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from weft.transforms.fetch.decode import Prepared, prepare, set_up_process

    pictures = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.jpg"))]
    set_up_process()
    def faults():
        with ThreadPoolExecutor(2) as threads:
            assert all(isinstance(made, Prepared) for made in threads.map(lambda data: prepare(data), pictures * 4))
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    counts = [faults() for _ in range(4)]
    least = min(after - before for before, after in itertools.pairwise(counts))  # a busy machine only adds some
    print(least // (4 * len(pictures)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_an_image_takes_no_new_pages(tmp_path: Path) -> None:
    """Some hundred each, else."""
    assert memory.keep_freed()
    for width in range(400, 1_600, 60):
        pixels = np.random.default_rng(width).integers(0, 255, (width // 20, width // 20, 3), np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).resize((width, width * 3 // 4), Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
        (tmp_path / f"{width:04d}.jpg").write_bytes(out.getvalue())
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(told.stdout) < 100
