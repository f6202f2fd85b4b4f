"""Examples in docstrings say what happens."""

import doctest
import importlib

import pytest

MODULES = [
    "weft.transforms.archives.http_message",
    "weft.transforms.archives.record",
    "weft.transforms.extract.captions",
    "weft.transforms.extract.document_rules",
    "weft.transforms.extract.gibberish",
    "weft.transforms.extract.html.charset",
    "weft.transforms.extract.html.repair",
    "weft.transforms.extract.line_rules",
    "weft.transforms.extract.page",
    "weft.transforms.extract.srcset",
    "weft.transforms.optout",
    "weft.transforms.urls",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
