"""Break runs of weft at random points and see that they end as if nothing had happened.

A round takes one stage of a finished run away, runs that stage again in a process of its own, and strikes: kills the
driver or a worker with SIGKILL at a random moment, fills the disk, truncates an archive, lets the image server answer every
other time. Then it runs the same command again, as a user would, until it ends well, and compares every byte that the stage
wrote with the undisturbed run, apart from the time at which an image was fetched. Rounds are made from a seed.

Run: python tests/faults/harness.py [--rounds 100] [--seed 0]     prints a line a round and a table
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from weft.pipeline import cli
from weft.pipeline.demo import run as demo_run
from weft.pipeline.demo import server, web
from weft.pipeline.run import manifest, registry

ROOT = Path(__file__).parents[2]
BEAM_STAGES = ("extract", "dedup", "fetch", "score", "pack")
FAULTS = ("driver", "worker", "disk", "truncate", "flap")
ONE = ("--direct_num_workers=1",)
TWO = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
ATTEMPTS = 4
DEADLINE_S = 300  # a command that takes longer hangs


@dataclasses.dataclass(frozen=True)
class World:
    """A small web, its server's port, and a finished, undisturbed run on it."""

    home: Path
    port: int
    reference: Path

    def command(self, stage: str, output: Path | str, flags: Sequence[str], *more: str) -> list[str]:
        """The command line that runs a stage (or all: "run") into `output`."""
        connect = f'fetch.connect_to=["weft.test=127.0.0.1:{self.port}"]'
        sets = [part for value in (*demo_run.SMALL, connect) for part in ("--set", value)]
        start = [sys.executable, "-m", "weft.pipeline.cli", stage, "--input", str(self.home / "warcs")]
        return [*start, "--output", str(output), "--quiet", *sets, *more, "--", *flags]


@dataclasses.dataclass
class Round:
    """What a round did: the fault, where and when it struck, how often the command was run, what differs at the end."""

    seed: int
    fault: str
    stage: str
    struck: str = "never"
    attempts: int = 0
    seconds: float = 0.0
    differs: list[str] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    here: bool = False  # whether the command runs in this process

    @property
    def survived(self) -> bool:
        return not self.differs and not self.problems

    def line(self) -> str:
        end = "same bytes" if self.survived else f"FAILED {self.differs} {self.problems}"
        return f"{self.seed:4} {self.fault:9} {self.stage:8} {self.struck:34} {self.attempts} runs {self.seconds:5.1f} s  {end}"


@contextlib.contextmanager
def world(home: Path, pages: int = 60) -> Iterator[World]:
    """Make the web, serve it, run every Beam stage on it in-process."""
    web.make_web(str(home / "web"), pages=pages)
    with server.serve(str(home / "web")) as port:
        made = World(home / "web", port, home / "reference")
        for stage in BEAM_STAGES:
            done = subprocess.run(made.command(stage, made.reference, ONE), cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr)
        yield made


def play(
    seed: int,
    made: World,
    work: Path,
    faults: Sequence[str] = FAULTS,
    stages_: Sequence[str] = BEAM_STAGES,
    flags: Sequence[str] | None = None,
    victims: Callable[[int], list[int]] | None = None,
    here: bool = False,
) -> Round:
    """One round.

    Args:
        seed: decides everything that chance decides.
        work: an empty folder's name; the round removes it at its end.
        flags: Beam's flags; by default in-process, with two workers where a worker is to be killed.
        victims: the driver's process id → processes of which one is killed, for the fault "worker".
        here: run the command in this process, where the fault is not one of processes: it need not load Beam anew.
    """
    chance = random.Random(seed)
    fault = chance.choice(list(faults))
    stage = {"truncate": "extract", "flap": "fetch"}.get(fault) or chance.choice(list(stages_))
    this = Round(seed, fault, stage, here=here and fault in ("truncate", "flap"))
    begun = time.monotonic()
    try:
        output = work / "output"
        if fault == "disk":
            _small_disk(work, made, stage, chance, this)
        before(made.reference, output, stage)
        use = flags if flags is not None else TWO if fault == "worker" else ONE
        command = made.command(stage, output, use)
        if fault == "truncate":
            _truncated(made, command, chance, this)
            command = made.command(stage, output, use, "--redo")
        elif fault == "flap":
            _flapping(made, command, chance, this)
        elif fault == "disk":
            _run(command, this)
            _mount(work, "remount,size=4g")
        else:
            _killed(command, output / stage / "started.json", fault, chance, this, victims or workers_of)
        while not (output / stage / "manifest.json").exists() or fault == "truncate":
            if this.attempts >= ATTEMPTS:
                this.problems.append(f"not done after {ATTEMPTS} runs")
                break
            if _run(command, this) == 0:
                break
        this.differs = differences(made.reference, output, stage)
    finally:
        if fault == "disk":
            subprocess.run(["umount", str(work)], capture_output=True)
        shutil.rmtree(work, ignore_errors=True)
    this.seconds = time.monotonic() - begun
    return this


def before(reference: Path, output: Path, stage: str) -> None:
    """A copy of `reference` as it was before `stage`, in hard links where the disk is the same (nothing is written in place)."""
    output.mkdir(parents=True)
    shutil.copy(reference / "run.json", output)
    for earlier in registry.STAGES:
        if earlier.name == stage:
            return
        for name in (earlier.name, *earlier.outputs, f"fates/{earlier.name}"):
            if (reference / name).exists():
                shutil.copytree(reference / name, output / name, copy_function=_link, dirs_exist_ok=True)


def differences(reference: Path, output: Path, stage: str) -> list[str]:
    """Names of the tables and shards of `stage` that are not byte for byte those of `reference`, and what is left over."""
    found = []
    one = registry.BY_NAME[stage]
    for name in (*one.outputs, f"fates/{stage}"):
        if _sums(reference / name) != _sums(output / name):
            found.append(name)
    books = [(manifest.read(str(home), stage) or {}).get("books") for home in (reference, output)]  # none: not done
    if books[0] != books[1]:
        found.append("books")
    found += [str(path.relative_to(output)) for path in output.rglob("*") if ".tmp-" in path.name]
    return found


def workers_of(driver: int) -> list[int]:
    """The worker processes of a local run."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    parents = {int(row[0]): int(row[1]) for row in rows}

    def below(pid: int) -> bool:
        while pid in parents and pid > 1:
            pid = parents[pid]
            if pid == driver:
                return True
        return False

    return [
        int(row[0]) for row in rows if len(row) > 2 and "weft.pipeline.runners.worker" in row[2] and below(int(row[0]))
    ]


def _sums(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            if name.startswith("index/") and path.suffix == ".parquet":  # when an image was fetched is no content
                rows = pq.read_table(path).drop_columns(["fetched_at"]).to_pylist()
                found[name] = hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()
            else:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _run(command: list[str], this: Round, limit: float = DEADLINE_S) -> int:
    """Run the command to its end; what it prints must not be a traceback."""
    if this.here:
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            code = cli.main(
                command[command.index("weft.pipeline.cli") + 1 :]
            )  # a traceback is raised, and ends the test
        this.attempts += 1
        _hear(code, told.getvalue(), this)
        return code
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
    return _ended(process, this, limit)


def _ended(process: subprocess.Popen[str], this: Round, limit: float = DEADLINE_S) -> int:
    this.attempts += 1
    try:
        _, told = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        this.problems.append("hung")
        return -1
    if "Traceback" in told:
        this.problems.append(told[-1500:])
    _hear(process.returncode, told, this)
    return process.returncode


def _hear(code: int, told: str, this: Round) -> None:
    if code > 0 and len(told.strip().splitlines()) != 1:
        this.problems.append(f"not one line: {told[-600:]!r}")


def _killed(
    command: list[str],
    started: Path,
    fault: str,
    chance: random.Random,
    this: Round,
    victims: Callable[[int], list[int]],
) -> None:
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while not started.exists() and process.poll() is None:
        time.sleep(0.01)
    begun = time.monotonic()
    time.sleep(chance.choice((0.3, 3.0, 12.0)) * chance.random())
    if fault == "driver":
        if process.poll() is None:
            this.struck = f"after {time.monotonic() - begun:.2f} s"
            os.killpg(process.pid, signal.SIGKILL)
        this.attempts += 1
        process.communicate()
        return
    while process.poll() is None and not (found := victims(process.pid)):
        time.sleep(0.05)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(sorted(found)), signal.SIGKILL)
            this.struck = f"after {time.monotonic() - begun:.2f} s, 1 of {len(found)}"
    _ended(process, this)


def _small_disk(work: Path, made: World, stage: str, chance: random.Random, this: Round) -> None:
    """A disk of its own with less room than the stage needs."""
    earlier, own = made.reference.parent / "sizes", 0
    before(made.reference, earlier, stage)
    there = sum(path.stat().st_blocks * 512 for path in earlier.rglob("*"))
    shutil.rmtree(earlier)
    for name in (stage, *registry.BY_NAME[stage].outputs, f"fates/{stage}"):
        own += sum(path.stat().st_blocks * 512 for path in (made.reference / name).rglob("*"))
    room = int(own * chance.uniform(0.1, 0.9)) // 4096 * 4096
    work.mkdir(parents=True)
    _mount(work, f"size={there + room}")
    this.struck = f"{room >> 10} of {own >> 10} KiB free"


def _mount(work: Path, how: str) -> None:
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(work)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"a small disk needs the right to mount one: {done.stderr.strip()}")


def _truncated(made: World, command: list[str], chance: random.Random, this: Round) -> None:
    """Cut an archive short, run, put it back. What stood in other archives must be there all the same."""
    archive = chance.choice(sorted((made.home / "warcs").glob("*.warc*")))
    whole = archive.read_bytes()
    at = chance.randrange(len(whole))
    archive.write_bytes(whole[:at])
    try:
        if _run([*command[: command.index("--")], "--redo", *command[command.index("--") :]], this):
            this.problems.append("an archive cut short stopped the run")
        output = Path(command[command.index("--output") + 1])
        other = lambda path: archive.name.split(".")[0] not in path.name  # noqa: E731
        for table in ("documents", "pairs"):
            for path in filter(other, (made.reference / table).iterdir()):
                if path.read_bytes() != (output / table / path.name).read_bytes():
                    this.problems.append(f"an archive cut short changed {table}/{path.name}")
        if differences(made.reference, output, "extract"):
            this.struck = f"{archive.name} at {at / len(whole):.0%}"
    finally:
        archive.write_bytes(whole)


def _flapping(made: World, command: list[str], chance: random.Random, this: Round) -> None:
    """Answer each address up to twice with a failure that may pass; then, the server being well again, ask for the rest.

    Hosts that fail on end are left alone for the rest of a run, so that not all need come in the first one.
    """
    asked: collections.Counter[str] = collections.Counter()
    lock = threading.Lock()
    times = {}
    real = server._Handler.do_GET

    def flap(handler: server._Handler) -> None:
        name = server.file_of(handler.headers.get("Host") or "", handler.path)
        with lock:
            asked[name] += 1
            fails = times.setdefault(name, chance.choice((0, 0, 1, 2)))
            way = chance.choice(("503", "reset", "short"))
        if asked[name] > fails:
            real(handler)
            return
        if way == "503":
            handler.send_response(503)
            handler.send_header("Retry-After", "0")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif way == "short":
            handler.send_response(200)
            handler.send_header("Content-Length", "5000")
            handler.end_headers()
            handler.wfile.write(b"half")
        handler.close_connection = True

    server._Handler.do_GET = flap  # type: ignore[method-assign]
    try:
        codes = [_run(command, this)]
    finally:
        server._Handler.do_GET = real  # type: ignore[method-assign]
    at = command.index("--")
    codes.append(_run([*command[:at], "--retry-failed", *command[at:]], this))
    if any(codes):
        this.problems.append(f"answers that fail stopped a run: {codes}")
    if failed := sum(count > 0 for count in times.values()):
        this.struck = f"{failed} of {len(times)} addresses failed first"


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault", choices=FAULTS, nargs="*", default=FAULTS)
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory(prefix="weft-faults-") as folder, world(Path(folder)) as made:
        for seed in range(options.seed, options.seed + options.rounds):
            rounds.append(play(seed, made, Path(folder) / "round", options.fault))
            print(rounds[-1].line(), flush=True)
    table = collections.Counter((one.fault, one.stage) for one in rounds)
    for (fault, stage), count in sorted(table.items()):
        well = sum(one.survived for one in rounds if (one.fault, one.stage) == (fault, stage))
        print(f"{fault:9} {stage:8} {well} of {count}")
    print(f"{sum(one.survived for one in rounds)} of {len(rounds)} rounds ended with the same bytes")
    sys.exit(any(not one.survived for one in rounds))


if __name__ == "__main__":
    main()
