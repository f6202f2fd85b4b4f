"""`weft doctor`: what this machine has, and which stages can run on it.

configuration → findings (good, what, told). Nothing is written, and of the network only what the configuration names
as the place of snapshots is asked, once, for no longer than ANSWER_S.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from weft.pipeline.view import serve
from weft.schemas.config import Config
from weft.transforms.extract.html import compiled
from weft.transforms.io import files, web_files

ANSWER_S = 5.0
LEAST_DISK = 10 << 30  # of a sample run with images; a snapshot's part takes more
_GB = 1 << 30


class Finding(NamedTuple):
    """One line of the doctor's."""

    good: bool
    what: str
    told: str


def examine(config: Config, output: str = ".") -> Iterator[Finding]:
    """Findings on this machine, then a line for each stage.

    Args:
        config: of the run that is meant; its models and hosts are looked at.
        output: where it would write.
    """
    yield Finding(True, "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GB
    yield Finding(memory >= 4, "machine", f"{os.cpu_count()} cores, {memory:.0f} GB of memory")
    yield _disk(output)
    java = shutil.which("java")
    yield Finding(True, "java", _first_line([java, "-version"]) if java else "none: Spark alone needs it")
    torch = _has("torch")
    yield Finding(True, "gpu", _gpu() if torch else "not looked for: PyTorch is not installed")
    clip = torch and _has("open_clip")
    yield _network(config)
    missing = [name for name, there in (("torch", torch), ("open_clip", clip)) if not there]
    without = f"needs {' and '.join(missing)}: pip install 'weft-corpus[clip]'"
    slow = f"can run, at about half its speed: {compiled.lacking}"
    yield Finding(True, "extract", "can run" if compiled.module else slow)
    yield Finding(True, "dedup", "can run")
    how = "asks for images over HTTP" if config.fetch.http else "takes images from the archives alone"
    yield Finding(True, "fetch", f"can run, and {how}")
    yield _score(config, clip, without)
    yield Finding(True, "pack", "can run")
    yield Finding(not (lacks := serve.missing()), "view", f"needs {lacks}" if lacks else "can run")
    yield Finding(torch, "train", "can run" if torch else "needs torch: pip install 'weft-corpus[train]'")


def lines(found: Iterator[Finding]) -> Iterator[str]:
    """Findings as lines; what is amiss is marked."""
    for one in found:
        yield f"{'ok' if one.good else '!!'}  {one.what:9} {one.told}"


def _has(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _disk(output: str) -> Finding:
    if not files.is_local(output):
        return Finding(True, "disk", f"{output} is remote")
    there = os.path.abspath(output)
    while not os.path.exists(there):
        there = os.path.dirname(there)
    free = shutil.disk_usage(there).free
    return Finding(free >= LEAST_DISK and os.access(there, os.W_OK), "disk", f"{free / _GB:.0f} GB free at {there}")


def _gpu() -> str:
    import torch

    told = f"torch {metadata.version('torch')}"
    if not torch.cuda.is_available():
        return f"none that {told} can use: CLIP and training run on the CPU"
    return f"{torch.cuda.get_device_name(0)}, {torch.cuda.mem_get_info(0)[1] / _GB:.0f} GB, {told}"


def _network(config: Config) -> Finding:
    base = config.extract.common_crawl
    if not files.is_web(base):
        return Finding(True, "network", f"not asked: snapshots lie at {base}")
    try:
        with web_files.session(0) as on, on.head(base, timeout=ANSWER_S) as answer:
            return Finding(True, "network", f"{base} answers ({answer.status_code})")
    except OSError as error:  # of requests, all are
        why = type(error).__name__
        return Finding(False, "network", f"{base} does not answer ({why}): no snapshot can be read, nor its path lists")


def _score(config: Config, clip: bool, without: str) -> Finding:
    model = config.score.model
    if not clip:
        return Finding(False, "score", without)
    if model == "weft-tiny":
        return Finding(True, "score", "can run, with the tiny CLIP, whose scores mean nothing on photographs")
    if model.startswith("local-dir:"):
        where = model.removeprefix("local-dir:")
        there = os.path.isdir(where)
        return Finding(there, "score", f"can run, with {where}" if there else f"score.model: there is no {where}")
    return Finding(True, "score", f"can run, with {model} {config.score.pretrained}".rstrip())


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return (done.stderr or done.stdout).strip().splitlines()[0]
