"""Write the job server's own jar: nothing but a manifest that names its main class and the jars beside it.

What Spark sends to each executor for each job is what the server was started from: of 264 jars, 300 MB. Of this one it
is a few kilobytes, if executors find the classes in their own Spark's `jars/`, which must be the same jars.

Run: python deploy/spark/server_jar.py JARS_FOLDER SERVER.jar
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

MAIN_CLASS = "org.apache.beam.runners.spark.SparkJobServerDriver"
LINE = 70  # bytes; a manifest's line has at most 72 with its end


def manifest(jars: list[Path]) -> str:
    """Text of META-INF/MANIFEST.MF, long lines folded as the format asks."""
    lines = []
    for line in (
        "Manifest-Version: 1.0",
        f"Main-Class: {MAIN_CLASS}",
        "Class-Path: " + " ".join(jar.resolve().as_uri() for jar in jars),
    ):
        lines.append(line[:LINE])
        lines += [" " + line[at : at + LINE - 1] for at in range(LINE, len(line), LINE - 1)]
    return "".join(line + "\r\n" for line in [*lines, ""])


def main() -> None:
    """Command line."""
    folder, jar = sys.argv[1:]
    jars = sorted(Path(folder).glob("*.jar"))
    if not jars:
        sys.exit(f"no jars in {folder}")
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", manifest(jars))


if __name__ == "__main__":
    main()
