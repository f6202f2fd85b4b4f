"""`import weft`: a public face that costs nothing until it is used, and says the same to a type checker."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import weft

SOURCE = Path(weft.__file__).read_text("utf-8")


def test_every_public_name_is_there_and_documented() -> None:
    for name in weft.__all__:
        assert getattr(weft, name).__doc__, name
    assert set(weft.__all__) <= set(dir(weft))


def test_a_type_checker_sees_what_a_program_gets() -> None:
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    seen = {
        alias.asname: getattr(importlib.import_module(node.module or ""), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: getattr(weft, name) for name in weft.__all__}


def test_importing_weft_imports_neither_beam_nor_torch() -> None:
    code = "import sys, weft; dir(weft); weft.Document; sys.exit(bool({'apache_beam', 'torch', 'pyarrow'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_beam_warns_of_nothing_and_leaves_logging_to_the_program() -> None:
    code = """
import logging, weft
weft.Deduplicate
assert 'apache_beam.io.gcp.internal.clients.bigquery' in __import__('sys').modules
assert not logging.getLogger().handlers and not logging.getLogger().filters
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == ""
