"""The language of `--where`: comparisons of columns, joined by and, or, not.

    language = 'en' and (similarity > 0.3 or words >= 500) and not domain in ('a.test', 'b.test') and url like '%/news%'

text → a condition on a row. A name that a row does not have, or has no value for, decides nothing: such a comparison is
neither true nor false, and a row goes only where the whole is false. Nothing of the text is ever run as code.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from weft.schemas.parameters import ConfigError, nearest

Condition = Callable[[Mapping[str, Any]], bool | None]
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)|([A-Za-z_]\w*)|(<=|>=|!=|<>|==|[=<>(),]))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_WORDS = ("and", "or", "not", "in", "like")
_SHOWN = 300  # characters of a condition in a message
_DEEPEST = 100  # brackets and `not` in each other


def parse(text: str, names: Collection[str]) -> Condition:
    """The condition that a text means.

    Args:
        names: that may be compared.

    Raises:
        ConfigError: it means none, or names what there is not.
    """
    return _Parser(text, names).whole()


def names(text: str, known: Collection[str]) -> frozenset[str]:
    """The names that a condition compares. Raises as `parse`."""
    parser = _Parser(text, known)
    parser.whole()
    return frozenset(parser.used)


class _Parser:
    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text, self._names = text, names
        self.left: list[str] = []
        self.used: set[str] = set()
        self._depth = 0
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found:
                raise self.wrong(f"{text[at:].strip()[:20]!r} is no part of a condition")
            self.left.append(found[0].strip())
            at = found.end()

    def whole(self) -> Condition:
        condition = self._either()
        if self.left:
            raise self.wrong(f"nothing is expected after it, but {self.left[0]!r} is there")
        return condition

    def wrong(self, why: str) -> ConfigError:
        told = self._text if len(self._text) <= _SHOWN else f"{self._text[:_SHOWN]}…"
        return ConfigError(f"--where {told!r}: {why}; as in: language = 'en' and similarity > 0.3")

    def _next(self) -> str:
        if not self.left:
            raise self.wrong("it ends too soon")
        return self.left.pop(0)

    def _is(self, *words: str) -> bool:
        return bool(self.left) and self.left[0].lower() in words

    def _either(self) -> Condition:
        return self._joined("or", self._both, True)

    def _both(self) -> Condition:
        return self._joined("and", self._one, False)

    def _joined(self, word: str, part: Callable[[], Condition], decides: bool) -> Condition:
        """Parts joined by a word; one that `decides` settles it, else one that is unknown leaves it unknown."""
        parts = [part()]
        while self._is(word):
            self._next()
            parts.append(part())

        def joined(row: Mapping[str, Any]) -> bool | None:
            said = [one(row) for one in parts]
            return decides if decides in said else None if None in said else not decides

        return joined

    def _one(self) -> Condition:
        if not self._is("not", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.wrong(f"it has more than {_DEEPEST} brackets or nots in each other")
        if self._next() == "(":
            found = self._either()
            self._expect(")")
        else:
            inner = self._one()

            def found(row: Mapping[str, Any]) -> bool | None:
                return None if (said := inner(row)) is None else not said

        self._depth -= 1
        return found

    def _comparison(self) -> Condition:
        name = self._next()
        if name not in self._names or name.lower() in _WORDS:
            near = nearest(name, self._names) or f" (there are {', '.join(sorted(self._names))})"
            raise self.wrong(f"there is no {name!r}{near}")
        self.used.add(name)
        sign = self._next().lower()
        if sign not in (*_COMPARE, "in", "like"):
            raise self.wrong(f"{sign!r} compares nothing")
        if sign == "in":
            self._expect("(")
            values = [self._value()]
            while self._is(","):
                self._next()
                values.append(self._value())
            self._expect(")")
            return self._test(name, lambda value: value in values, values)
        value = self._value()
        if sign == "like":
            pattern = _like(str(value))
            return self._test(name, lambda found: pattern.fullmatch(str(found)) is not None, [value])
        return self._test(name, lambda found: _COMPARE[sign](found, value), [value])

    def _test(self, name: str, said: Callable[[Any], bool], values: Sequence[Any]) -> Condition:
        def test(row: Mapping[str, Any]) -> bool | None:
            found = row.get(name)
            if found is None:
                return None
            if any(isinstance(found, str) != isinstance(value, str) for value in values):
                raise self.wrong(f"{name} is a {'text' if isinstance(found, str) else 'number'}")
            return said(found)

        return test

    def _value(self) -> str | float:
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        try:
            return float(token)
        except ValueError:
            raise self.wrong(f"{token!r} is neither a number nor a 'text'") from None

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise self.wrong(f"{token!r} is missing")


def _like(value: str) -> re.Pattern[str]:
    """SQL's LIKE with `%` alone: each part is taken where it is found first, so that time is linear in the text."""
    first, *others = map(re.escape, value.split("%"))
    found = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(f"{first}{found}.*{others[-1]}" if others else first, re.S)
