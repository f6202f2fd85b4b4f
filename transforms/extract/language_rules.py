"""Limits on whole texts for each language: a TOML with a table for each code, over one for all of them.

[all]                                # what a language has that says nothing else; the rest is English's
char_duplicates_ratio = 0.1
[fr]
line_punct_thr = 0.1
stopwords = "de la le et"

configs/languages/ has those that are shipped, by their name; a user's own is named by its path. Keys are those of
`document_rules.Limits`, which are datatrove's.
"""

from __future__ import annotations

import functools
import math
import tomllib
from typing import Any

from weft.schemas.config import LANGUAGES
from weft.schemas.parameters import ConfigError, nearest
from weft.transforms.extract.document_rules import ENGLISH, Limits
from weft.transforms.io import files

_UNBOUNDED = ("min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio", "new_line_ratio")  # no shares
_KEY, _ALL = "extract.language_rules", "all"


@functools.cache
def load(name: str) -> dict[str, Limits]:
    """Code of a language → its limits.

    Args:
        name: of a file in configs/languages/, or the path of another, here or remote.

    Raises:
        ConfigError: no such file, no TOML, no language, a key that there is not, or a value that is none of the key's.
    """
    shipped = LANGUAGES / f"{name}.toml"
    try:
        told = tomllib.loads((shipped.read_bytes() if shipped.exists() else files.read_bytes(name)).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{_KEY} = {name!r}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{_KEY} = {name!r} is not TOML: {error}") from None
    common = _limits(ENGLISH, told.pop(_ALL, {}), _ALL)
    if not told:
        raise ConfigError(f"{_KEY} = {name!r} names no language, and would keep no page")
    return {code: _limits(common, values, code) for code, values in told.items()}


def of(code: str, name: str) -> Limits | None:
    """The limits of a language, None where there are none."""
    return load(name).get(code)


def path(name: str) -> str:
    """Where the limits of this name lie; "" for none."""
    shipped = LANGUAGES / f"{name}.toml"
    return str(shipped) if name and shipped.exists() else name


def _limits(base: Limits, values: Any, code: str) -> Limits:
    where = f"{_KEY}: [{code}]"
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is to be a table")
    made: dict[str, Any] = {}
    for key, value in values.items():
        default = ENGLISH._asdict().get(key)
        found: Any = value
        if default is None:
            raise ConfigError(f"{where} has an unknown key {key!r}{nearest(key, Limits._fields)}")
        if isinstance(default, frozenset):
            fits, found = isinstance(value, str), frozenset(value.split() if isinstance(value, str) else ())
        elif isinstance(default, tuple):
            fits = isinstance(value, list) and len(value) == len(default) and all(map(_is_number, value))
            found = tuple(value) if fits else ()
        else:
            fits = _is_number(value)
        if not fits:
            kind = f"a list of {len(default)} numbers" if isinstance(default, tuple) else "a number"
            raise ConfigError(f"{where}: {key} is to be {'words' if isinstance(default, frozenset) else kind}")
        numbers = () if isinstance(found, frozenset) else found if isinstance(found, tuple) else (found,)
        if any(not 0 <= one <= (math.inf if key in _UNBOUNDED else 1) for one in numbers):
            raise ConfigError(f"{where}: {key} = {value} is not {'0 or more' if key in _UNBOUNDED else 'from 0 to 1'}")
        made[key] = found
    limits = base._replace(**made)
    if limits.min_avg_word_length > limits.max_avg_word_length:
        raise ConfigError(f"{where}: min_avg_word_length is above max_avg_word_length")
    return limits


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
