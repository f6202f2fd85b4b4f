"""A real Spark cluster on this machine's loopback: a master, two workers, Beam's job server, a pool of Python workers.

Everything comes from `.spark/` (make spark-setup): Spark's classes and Beam's runner in jars/, server.jar, and boot, Beam's
own starter of Python workers. What is started here is stopped here, and nothing else is.

Run: python tests/runners/cluster.py        starts one, says the flags, and stops it at Ctrl-C
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".spark"
START_S = 300  # however busy the machine is
# Beam's own SparkRunner gives its server the first four; Spark on Java 17 asks for the others.
_PACKAGES = ("sun.nio.ch", "java.nio", "java.util", "java.lang.invoke", "java.lang", "java.net", "java.util.concurrent")
_OPENED = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _PACKAGES]


@dataclasses.dataclass
class Cluster:
    """Addresses of what runs, and the processes behind them by name."""

    work: Path
    master: str
    job: str
    pool: str
    processes: dict[str, subprocess.Popen[bytes]]
    environment: dict[str, str]

    def flags(self, environment: str) -> tuple[str, ...]:
        """Beam's flags for a job on this cluster; Python workers by LOOPBACK, EXTERNAL or PROCESS."""
        where = {
            "LOOPBACK": (),
            "EXTERNAL": (f"--environment_config={self.pool}",),
            "PROCESS": (f"--environment_option=process_command={self.work / 'boot.sh'}",),
        }[environment]
        return ("--runner=PortableRunner", f"--job_endpoint={self.job}", f"--environment_type={environment}", *where)

    def submit(self, jar: Path) -> None:
        """spark-submit a jar that weft wrote; its class path names it as well, because Beam's classes are Spark's here."""
        command = ["java", "-Xmx1g", *_OPENED, "-cp", f"{HOME / 'jars'}/*:{jar}", "org.apache.spark.deploy.SparkSubmit"]
        command += ["--master", self.master, "--conf", "spark.executor.memory=1g", "--conf", "spark.ui.enabled=false"]
        command += ["--class", "org.apache.beam.runners.spark.SparkPipelineRunner", str(jar)]
        with (self.work / "submit.log").open("wb") as log:
            subprocess.run(command, env=self.environment, stdout=log, stderr=log, check=True, timeout=600)

    def executors(self) -> list[int]:
        """Process ids of the executors that the workers run at this moment."""
        found = []
        for name in self.processes:
            if name.startswith("worker"):
                found += [pid for pid in _children(self.processes[name].pid) if "ExecutorBackend" in _command(pid)]
        return found

    def python_workers(self) -> list[int]:
        """Process ids of the Python workers that executors have started with boot at this moment."""
        below = [pid for executor in self.executors() for pid in _descendants(executor)]
        return [pid for pid in below if "sdk_worker_main" in _command(pid)]


@contextlib.contextmanager
def cluster(work: Path, workers: int = 2, executor_memory: str = "1g") -> Iterator[Cluster]:
    """Start everything in order, each once the one before it answers; stop it all at the end, whatever happened.

    Args:
        work: an empty folder for logs and what Spark keeps.
        workers: one core each.

    Raises:
        RuntimeError: something did not start; the message holds the end of its log.
    """
    ports = _free_ports(5)
    jars = f"{HOME / 'jars'}/*"
    environment = {
        **os.environ,
        "SPARK_HOME": str(HOME),  # executors take their classes from its jars/
        "SPARK_SCALA_VERSION": "2.12",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # Beam's pool and boot start "python"
        "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",  # boot: no virtual environment of its own
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    made = Cluster(
        work, f"spark://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}", f"127.0.0.1:{ports[4]}", {}, environment
    )
    boot = work / "boot.sh"
    boot.write_text(f'#!/bin/sh\nexport PATH="{environment["PATH"]}" RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1\n')
    with boot.open("a") as script:
        script.write(f'cd "{work}" && exec "{HOME}/boot" "$@"\n')
    boot.chmod(0o755)

    def start(name: str, port: int, *command: str) -> None:
        log = (work / f"{name}.log").open("wb")
        made.processes[name] = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        _wait(name, port, made)

    try:
        java = ("java", "-Xmx512m", *_OPENED, "-cp", jars)
        start(
            "master", ports[0], *java, "org.apache.spark.deploy.master.Master",
            "--host", "127.0.0.1", "--port", str(ports[0]), "--webui-port", "0",
        )  # fmt: skip
        for number in range(workers):
            port = _free_ports(1)[0]
            start(
                f"worker{number}", port, *java, "org.apache.spark.deploy.worker.Worker",
                "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0",
                "--cores", "1", "--memory", "2g", "-d", str(work / f"worker{number}"), made.master,
            )  # fmt: skip
        start(
            "server", ports[1], "java", "-Xmx1g", *_OPENED,
            f"-Dspark.executor.memory={executor_memory}", "-Dspark.speculation=false",
            f"-Dspark.default.parallelism={2 * workers}", "-Dspark.ui.enabled=false",
            "-jar", str(HOME / "server.jar"), f"--spark-master-url={made.master}",
            "--job-host=127.0.0.1", f"--job-port={ports[1]}", f"--artifact-port={ports[2]}",
            f"--expansion-port={ports[3]}", f"--artifacts-dir={work / 'artifacts'}",
        )  # fmt: skip
        start(
            "pool", ports[4], sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main",
            f"--service_port={ports[4]}",
        )  # fmt: skip
        yield made
    finally:
        for process in reversed(made.processes.values()):
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started: its session's group, and the groups of executors below it."""
    below = [process.pid, *_descendants(process.pid)]
    for sign, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        below = [pid for pid in below if _command(pid)]
        if not below:
            return


def _wait(name: str, port: int, made: Cluster) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and made.processes[name].poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    log = (made.work / f"{name}.log").read_text(errors="replace")
    raise RuntimeError(f"{name} did not start:\n{log[-2000:]}")


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has, below those of which the kernel gives any connection one until Java has bound them."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            one, port = held.enter_context(socket.socket()), random.SystemRandom().randrange(lowest // 2, lowest)
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


def _parents() -> Mapping[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                found[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return found


def _children(pid: int) -> list[int]:
    return [child for child, parent in _parents().items() if parent == pid]


def _descendants(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_descendants(child))]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    import tempfile

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as running:
        for kind in ("LOOPBACK", "EXTERNAL", "PROCESS"):
            print(" ".join(running.flags(kind)), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
