"""weft explain knows every reason of docs/fates.md, and names keys of the configuration that are there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from fates_page import documented

import weft.schemas.config as configuration
from weft.pipeline.explain.reasons import REASONS, of_image
from weft.schemas.shards import CORPORA


def test_it_knows_each_documented_reason_and_no_other():
    assert {(*where, reason) for where, reasons in REASONS.items() for reason in reasons} == documented()


def given(code: ast.Module) -> Iterator[str]:
    """Reasons that a file's rules give: by `return reason, detail`, as a Refused, or in a Fate."""
    names = {
        target.id: node.value
        for node in code.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def said(node: ast.expr) -> Iterator[str]:
        if isinstance(node, ast.IfExp):
            yield from [*said(node.body), *said(node.orelse)]
        known = names.get(node.id) if isinstance(node, ast.Name) else node
        if isinstance(known, ast.Constant) and re.fullmatch("[a-z][a-z0-9_]+", str(known.value)):
            yield str(known.value)

    for node in ast.walk(code):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = {"Refused": 0, "Fate": 4}.get(node.func.id, len(node.args))
            yield from (one for arg in node.args[place : place + 1] for one in said(arg))
        elif isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "tuple[str, str]":
            pairs = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
            yield from (one for pair in pairs if isinstance(pair, ast.Tuple) for one in said(pair.elts[0]))


def test_a_reason_that_a_rule_gives_is_documented():
    home = Path(__file__).parents[3] / "transforms"
    found = {reason for path in home.glob("**/*.py") for reason in given(ast.parse(path.read_text("utf-8")))}
    assert len(found) > 40
    assert found - {reason for _, _, reason in documented()} - set(CORPORA) == set()  # a document's corpus, and why


def test_each_key_that_decides_is_one_of_the_configuration():
    config = configuration.load()
    keys = {key for reasons in REASONS.values() for _, decide in reasons.values() for key in decide}
    assert len(keys) > 30
    assert [k for k in sorted(keys) if not hasattr(getattr(config, k.split(".")[0]), k.split(".")[1])] == []


def test_why_an_image_is_not_there_is_told_with_the_values_of_the_run():
    config = configuration.load(overrides=["pack.min_side=99", "fetch.min_bytes=1234", "fetch.http=false"])
    told = [of_image(reason, config) for reason in ("too_small", "too_few_bytes", "not_in_warc", "document_dropped")]
    assert told == [
        "the image is too small; pack.min_side = 99",
        "its file is too small; fetch.min_bytes = 1234",
        "no archive holds it, and no server is asked; fetch.http = false",
        "its document was dropped",
    ]
    assert of_image("invented", config) == ""
