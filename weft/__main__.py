"""`python -m weft`: the `weft` command, as a process of its own."""

from weft.pipeline.cli import run

if __name__ == "__main__":
    run()
