"""Completion scripts, asked in the shells that they are for."""

import shutil
import subprocess

import pytest

from weft.pipeline import completion

BASH = """
_weft_asked() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _weft; printf '%s\\n' "${COMPREPLY[@]}"; }
_weft_asked """


def in_bash(line: str, folder: object = "/") -> list[str]:
    """What bash offers for the last word of a line; "" is a word that has not begun."""
    script = completion.script("bash") + BASH + line
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=folder).stdout.split()


def test_bash_completes_commands_options_and_values():
    assert in_bash("weft re") == ["report", "remove", "retokenize", "recipes"]
    assert in_bash("weft run --re") == ["--redo", "--retry-failed", "--recipe"]
    assert in_bash("weft extract --re") == ["--redo", "--recipe"]
    assert in_bash("weft run --recipe obe") == ["obelics"]
    assert in_bash("weft run --output x --set extract.min_w") == ["extract.min_words="]
    assert in_bash("weft recipes kos") == ["kosmos1"]
    assert in_bash("weft completion ''") == ["bash", "zsh", "fish"]
    assert in_bash("weft demo --pages ''") == []


def test_bash_completes_files_and_directories(tmp_path):
    (tmp_path / "page.html").touch()
    (tmp_path / "pages").mkdir()
    assert in_bash("weft html pa", tmp_path) == ["page.html", "pages"]
    assert in_bash("weft run --input a.warc pa", tmp_path) == ["page.html", "pages"]
    assert in_bash("weft run --output pa", tmp_path) == ["pages"]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_commands_options_and_values():
    def offered(line: str) -> list[str]:
        script = f"{completion.script('fish')}\ncomplete -C '{line}'"
        found = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True).stdout
        return [row.split("\t")[0] for row in found.splitlines()]

    assert offered("weft re") == sorted(name for name in completion._commands() if name.startswith("re"))
    assert offered("weft extract --re") == ["--recipe", "--redo"]
    assert offered("weft run --recipe obe") == ["obelics"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_takes_the_script():
    script = f"autoload -U compinit; compinit -u -D\n{completion.script('zsh')}\nprint $_comps[weft]"
    assert subprocess.run(["zsh", "-fc", script], capture_output=True, text=True, check=True).stdout.strip() == "_weft"
