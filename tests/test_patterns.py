"""Every pattern of the package takes time linear in what it is given, however that was chosen.

A pattern's worst cases are made from the pattern itself: each of its repeats is filled with more and more of what it
takes, in front of what the pattern does not expect, and whole matches follow each other without end. What grows faster
than its input is told by the ratio of CPU times of two sizes, 1 to 8: the least of many rounds, since a load only adds.
"""

import ast
import functools
import importlib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from weft.pipeline.run import where

ROOT = Path(__file__).parents[1]
FOLDERS = ("schemas", "transforms", "pipeline", "model_smoketest", "weft")
# Made from what the user writes in the configuration or installs, and not from what the web sends.
MADE = {
    "pipeline/run/where.py": 1,
    "schemas/coder.py": 1,
    "transforms/extract/bad_words.py": 1,  # of words of the user's lists, escaped
    "transforms/extract/tokens.py": 8,  # of constants, for words of no more than tokens._LONGEST characters
    "transforms/io/files.py": 1,
    "transforms/io/object_files.py": 1,
}
SMALL, LARGE = 600, 4_800  # characters
SEEDS = 1
ROUNDS = 12
GROWTH = 24  # of time while the input grows eightfold; quadratic is 64
ANCHORED = {"match", "fullmatch"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
TAILS = ("", "\x00", "x")


@functools.cache
def sources() -> list[tuple[str, ast.Module]]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())) for path in paths]


@functools.cache
def calls(tree: ast.Module) -> list[ast.Call]:
    methods = {f"re.{name}" for name in "compile match search fullmatch sub subn split findall finditer".split()}
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return [node for node in found if ast.unparse(node.func) in methods]


def modules() -> Iterator[dict[str, Any]]:
    """Names of every module that has a pattern."""
    for path, tree in sources():
        if calls(tree):
            name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            yield vars(importlib.import_module(name if name.startswith("weft") else f"weft.{name}"))


def held(value: Any) -> Iterator[re.Pattern[Any]]:
    """The patterns that a value is or holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, type) and value.__module__.startswith("weft."):
        for one in vars(value).values():
            yield from held(one)
    elif isinstance(value, dict):
        for one in (*value, *value.values()):
            yield from held(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from held(one)


def collected() -> dict[re.Pattern[Any], set[str]]:
    """Every pattern of the package → the methods that are called on its name, or that it is written in place for."""
    named: dict[str, set[str]] = {}
    for path, _ in sources():
        text = (ROOT / path).read_text()
        for name, method in re.findall(r"\b(\w+)\.(match|fullmatch|search|sub|findall|finditer|split)\b", text):
            named.setdefault(name, set()).add(method)
    found: dict[re.Pattern[Any], set[str]] = {where._like("a%b%%c%a%d"): {"fullmatch"}}
    for space in modules():
        for name, value in space.items():
            for pattern in held(value):
                called = named.get(name, set())
                found.setdefault(pattern, set()).update(called if called and called <= ANCHORED else {"search"})
    for _, tree in sources():
        for call in calls(tree):
            method = call.func.attr  # type: ignore[attr-defined]
            if method != "compile" and isinstance(call.args[0], ast.Constant):
                found.setdefault(re.compile(call.args[0].value), set()).add(method if method in ANCHORED else "search")
            elif isinstance(call.args[0], ast.Constant) and call.args[0].value not in {p.pattern for p in found}:
                found[re.compile(call.args[0].value)] = {"search"}  # made in a function
    return found


def sample(tree: Any, dice: random.Random, pumped: int, times: int, count: list[int]) -> str:
    """A text that the pattern takes, its repeat number `pumped` filled with `times` characters."""
    made = []
    for kind, value in tree:
        if kind in (_constants.LITERAL,):
            made.append(chr(value))
        elif kind is _constants.NOT_LITERAL:
            made.append("a" if value != ord("a") else "b")
        elif kind is _constants.ANY:
            made.append("a")
        elif kind is _constants.IN:
            made.append(_one_of(value, dice))
        elif kind is _constants.BRANCH:
            made.append(sample(dice.choice(value[1]), dice, pumped, times, count))
        elif kind is _constants.SUBPATTERN:
            made.append(sample(value[3], dice, pumped, times, count))
        elif kind is _constants.ATOMIC_GROUP:
            made.append(sample(value, dice, pumped, times, count))
        elif kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
            least, most, inner = value
            count[0] += 1
            number = times if count[0] == pumped else max(least, min(1, most))
            one = sample(inner, dice, pumped, times, count)
            made.append(one * min(number, most))
    return "".join(made)


def _one_of(choices: Any, dice: random.Random) -> str:
    pattern = re.compile("[" + "".join(map(_class, choices)) + "]")
    fit = [c for c in "a0 .-_/\"'=<>:;,&()[]!#\n\tAxé中\x85" if pattern.match(c)]
    fit += [chr(c[1]) for c in choices if c[0] is _constants.LITERAL]
    fit += [chr(c[1][0]) for c in choices if c[0] is _constants.RANGE]
    return dice.choice(fit) if fit else "a"


def _class(choice: Any) -> str:
    kind, value = choice
    if kind is _constants.NEGATE:
        return "^"
    if kind is _constants.LITERAL:
        return re.escape(chr(value))
    if kind is _constants.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w", "CATEGORY_NOT_DIGIT": r"\D",
            "CATEGORY_NOT_SPACE": r"\S", "CATEGORY_NOT_WORD": r"\W"}[str(value)]  # fmt: skip


def worst(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    """Texts of about `size` characters that might cost this pattern most, the same ones for each size but for it."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = _parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    repeats = [0]
    sample(tree, random.Random(0), -1, 0, repeats)
    for pumped in range(repeats[0] + 2):
        for seed in range(SEEDS):
            whole = sample(tree, random.Random(seed), pumped, size if pumped else 1, [0])
            bodies = [whole[:size]] if pumped else []
            short = sample(tree, random.Random(seed), pumped, 3, [0]) or "a"
            cuts = {short, short[:-1], short[: len(short) // 2], short[: len(short) // 3 * 2], short[-1:]}
            bodies += [(part * size)[:size] for part in cuts if part]
            for body in bodies:
                for tail in TAILS:
                    made = body + tail
                    yield made if isinstance(pattern.pattern, str) else made.encode("utf-8", "replace")


def cost(pattern: re.Pattern[Any], method: str, text: Any) -> float:
    begun = time.thread_time()
    if method in ("match", "fullmatch"):
        getattr(pattern, method)(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.thread_time() - begun


@functools.cache
def noise() -> float:
    """CPU seconds below which nothing is said of how time grows: of a fixed piece of work, some 4 ms on a quick machine."""
    return min(cost(re.compile("a.*?b"), "search", "a" * 1_000) for _ in range(ROUNDS))


def superlinear(pattern: re.Pattern[Any], method: str) -> str:
    """A text that costs the pattern more than its length, "" where none was found."""
    for small, large in zip(worst(pattern, SMALL), worst(pattern, LARGE), strict=True):
        before, spent = float("inf"), cost(pattern, method, large)
        for number in range(ROUNDS):
            if spent < noise() or (number > 2 and spent < GROWTH * before):
                break
            before = min(before, *(cost(pattern, method, small) for _ in range(3)))
            spent = min(spent, cost(pattern, method, large))
        else:
            return f"{large[:60]!r} … {large[-20:]!r}: {before:.6f} s, then {spent:.4f} s"
    return ""


def test_each_pattern_takes_time_in_its_length_and_none_is_left_out() -> None:
    patterns = collected()
    found = {
        pattern.pattern: text
        for pattern, methods in patterns.items()
        for method in sorted(methods)
        if (text := superlinear(pattern, method))
    }
    assert not found
    made: dict[str, int] = {}
    known = {pattern.pattern for pattern in patterns}
    for path, tree in sources():
        parts = [part for part in ast.walk(tree) if isinstance(part, FUNCTIONS)] if calls(tree) else []
        within = {id(node) for part in parts for node in ast.walk(part)}
        for call in calls(tree):
            if isinstance(call.args[0], ast.Constant):
                assert re.compile(call.args[0].value).pattern in known, (path, call.args[0].value)
            elif id(call) in within or call.func.attr != "compile":  # type: ignore[attr-defined]
                made[path] = made.get(path, 0) + 1
    assert made == MADE, "a pattern that is made as the program runs: is what it is made from trusted?"
    assert len(patterns) >= 100


@pytest.mark.parametrize("bad", [r'([a-z-]+)="', r"charset\s*=\s*[\"']?\s*([\w.:-]+)", r"!\[([^\]\n]*)\]\("])
def test_a_bad_one_would_be_found(bad: str) -> None:
    assert superlinear(re.compile(bad), "search")
