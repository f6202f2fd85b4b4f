"""A second snapshot against the first: what the first has is not kept again, and its images are not fetched again.

    python examples/second_snapshot.py OUTPUT FIRST.warc.gz [FIRST…] -- SECOND.warc.gz [SECOND…]

OUTPUT gets first/, second/ and index/, which a third snapshot would be compared with in the same way.
"""

import subprocess
import sys
from pathlib import Path

import weft

SETTINGS = ("fetch.http=false", "fetch.buckets=1", "extract.min_words=25")


def snapshot(name: str, archives: list[str], home: Path, *more: str) -> None:
    """The stages up to fetch for one snapshot, with the index that both share."""
    settings = [part for one in (*SETTINGS, f"dedup.index={home / 'index'}", *more) for part in ("--set", one)]
    for stage in ("extract", "dedup", "fetch"):
        command = ["weft", stage, "--input", *archives, "--output", str(home / name), "--quiet", *settings]
        subprocess.run([sys.executable, "-m", *command], check=True)


def main() -> None:
    """Run both, then say what became of the second one's documents."""
    between = sys.argv.index("--")
    home, first, second = Path(sys.argv[1]), sys.argv[2:between], sys.argv[between + 1 :]
    snapshot("first", first, home)
    snapshot("second", second, home, f'fetch.earlier=["{home / "first"}"]')
    fates = [fate for fate in weft.read_table(str(home / "second/fates/dedup"), weft.Fate) if fate.kind == "document"]
    kept = sum(fate.fate == "kept" for fate in fates)
    print(f"second snapshot: {len(fates)} documents, {kept} new")


if __name__ == "__main__":
    main()
