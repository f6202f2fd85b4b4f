"""weft explain knows every reason of docs/fates.md, and names keys of the configuration that are there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from fates_page import documented

import weft.schemas.config as configuration
from weft.pipeline.explain import reasons
from weft.pipeline.explain.reasons import REASONS, of_image
from weft.schemas.shards import CORPORA
from weft.transforms.extract import own_filters


def test_it_knows_each_documented_reason_and_no_other():
    assert {(*where, reason) for where, said in REASONS.items() for reason in said} == documented()


def modules() -> list[ast.Module]:
    """All code that may give a reason."""
    home = Path(__file__).parents[3]
    paths = [path for part in ("transforms", "pipeline/stages") for path in (home / part).glob("**/*.py")]
    return [ast.parse(path.read_text("utf-8")) for path in paths]


_SAYS_WHY = re.compile(r"str( \| None)?|Iterator\[tuple\[str.*")  # what a function gives whose docstring says so


class Given:
    """Reasons in the code of a package.

    By `return reason, detail` or `yield` of one, by a function that says why; as what is called `reason`: an argument,
    by its place or name, a field, a variable. What is put together at run time is seen by the books alone.
    """

    def __init__(self, code: list[ast.Module]) -> None:
        self._named: dict[str, set[str]] = {}
        self._place = {"Fate": 4}
        for node in (node for module in code for node in ast.walk(module)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self._named.setdefault(target.id, set()).add(str(node.value.value))
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                body = node.body if isinstance(node, ast.ClassDef) else []
                fields = [one.target for one in body if isinstance(one, ast.AnnAssign)]
                own = [one.id for one in fields if isinstance(one, ast.Name)]
                if isinstance(node, ast.FunctionDef):
                    own = [one.arg for one in node.args.args if one.arg not in ("self", "cls")]
                if "reason" in own:
                    self._place[node.name] = own.index("reason")
        said = (one for module in code for node in ast.walk(module) for one in self._by(node))
        self.reasons = {reason for reason in said if re.fullmatch("[a-z][a-z0-9_]+", reason)}

    def _by(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = self._place.get(name, len(node.args))
            told = node.args[place : place + 1] + [one.value for one in node.keywords if one.arg == "reason"]
            yield from (one for value in told for one in self._said(value))
        elif isinstance(node, ast.Assign) and any(self._is_reason(target) for target in node.targets):
            yield from self._said(node.value)
        elif isinstance(node, ast.FunctionDef) and node.returns:
            gives, says = ast.unparse(node.returns), ast.get_docstring(node) or ""
            if gives == "tuple[str, str]" or (
                _SAYS_WHY.fullmatch(gives) and re.search("reason|[Ww]hy|drop|fate", says)
            ):
                ends = [one.value for one in ast.walk(node) if isinstance(one, ast.Return | ast.Yield) and one.value]
                yield from (one for value in ends for one in self._said(value))

    def _is_reason(self, target: ast.expr) -> bool:
        if isinstance(target, ast.Tuple):
            return self._is_reason(target.elts[0])
        inner = target.value if isinstance(target, ast.Subscript) else target
        return isinstance(inner, ast.Name) and inner.id in ("reason", "reasons")

    def _said(self, node: ast.expr) -> Iterator[str]:
        if isinstance(node, ast.IfExp):
            yield from [*self._said(node.body), *self._said(node.orelse)]
        elif isinstance(node, ast.BoolOp | ast.Dict):
            yield from (one for value in node.values for one in self._said(value))
        elif isinstance(node, ast.Tuple) and node.elts:
            yield from self._said(node.elts[0])
        elif isinstance(node, ast.Name | ast.Attribute):
            yield from self._named.get(getattr(node, "id", getattr(node, "attr", "")), ())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_a_reason_that_a_rule_gives_is_documented_and_what_is_documented_is_given():
    code, known = modules(), {reason for _, _, reason in documented()}
    found = Given(code).reasons
    assert len(found & known) > 80
    apart = {*CORPORA, "moved"}  # a document's corpus, and why; a page's answer that a redirect is made of
    assert found - known - apart - {own_filters.REASON} == set()
    words = [node.value for module in code for node in ast.walk(module) if isinstance(node, ast.Constant)]
    said = {word for word in words if isinstance(word, str)}
    put_together = ("duplicate_", "repetition_", "filter_", "image_")
    assert {reason for reason in known - said if not reason.startswith(put_together)} == set()


def test_what_a_stage_gives_is_known_in_whatever_way_it_was_made():
    assert reasons.meaning("pack", "image", "image_timeout") == (
        "its image was not fetched: no whole answer in time", ("fetch.timeout_s",)
    )  # fmt: skip
    assert reasons.meaning("pack", "image", "image_missing") == ("fetch never met it", ())
    assert reasons.meaning("extract", "page", "filter_mine") is not None
    unknown = [("pack", "image", "image_invented"), ("dedup", "pair", "filter_mine"), ("extract", "page", "invented")]
    assert [reasons.meaning(*one) for one in unknown] == [None] * 3


def test_each_key_that_decides_is_one_of_the_configuration():
    config = configuration.load()
    keys = {key for said in REASONS.values() for _, decide in said.values() for key in decide}
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
