"""Examples in docstrings say what happens."""

import doctest
import importlib

import pytest

MODULES = [
    "weft.transforms.archives.http_message",
    "weft.transforms.archives.record",
    "weft.transforms.consent.agents",
    "weft.transforms.consent.in_image",
    "weft.transforms.consent.preferences",
    "weft.transforms.consent.responses",
    "weft.transforms.consent.site_files",
    "weft.transforms.extract.captions",
    "weft.transforms.extract.document_rules",
    "weft.transforms.extract.gibberish",
    "weft.transforms.extract.html.charset",
    "weft.transforms.extract.html.repair",
    "weft.transforms.extract.line_rules",
    "weft.transforms.extract.page",
    "weft.transforms.extract.personal",
    "weft.transforms.extract.srcset",
    "weft.transforms.extract.tokens",
    "weft.transforms.urls",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
