"""Instruction data → training sequences of instructions/: what is asked is read, what is answered is learned.

    files ──► read ──► (instruction, input, output), each once ──► Asker ──► (shard, Sample) and Fate

Kosmos-1 (3.3) goes on training on Unnatural Instructions and FLANv2 in this form, without loss on what is asked.
"""

from __future__ import annotations

import codecs
import dataclasses
import gzip
import json
import zlib
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, KEPT, Fate
from weft.transforms.extract import exclusions
from weft.transforms.io import files, json_values
from weft.transforms.io.streams import GZIP
from weft.transforms.pack.samples import Instruction, Sample, SampleMaker

Row = tuple[str, str, str]  # an Instruction's fields
FIELDS = Instruction._fields
_BEGINNING = 1_000  # rows of a file that are read before a run


def read(path: str) -> Iterator[Row]:
    """The rows of a file of JSON lines, or of one JSON array as Alpaca's is, plain or gzipped.

    "input" may be null or missing; what else a row holds is left. An object with "instances", as Unnatural Instructions
    has them, is a row for each: its "instruction", and the instance's input and output.

    Raises:
        ConfigError: the file cannot be read, or a row is no instruction with an output.
    """
    place = path
    try:
        with files.open_read(path) as stream:
            packed = stream.read(len(GZIP)) == GZIP
            stream.seek(0)
            text = gzip.GzipFile(fileobj=stream) if packed else stream
            for number, line in enumerate(text, 1):
                place = f"{path}:{number}"
                if number == 1 and line.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
                    for entry, told in enumerate(json_values.parse(line + text.read()), 1):
                        place = f"{path}, entry {entry},"
                        yield from _rows(told)
                elif line.strip():
                    yield from _rows(json_values.parse(line))
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"cannot read instructions {path}: {getattr(error, 'strerror', None) or error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is no object with instruction and output ({error})") from None


def check(path: str) -> None:
    """Raise ConfigError, as `read` does, for how a file begins: whoever starts a run does not read it to its end."""
    for _ in islice(read(path), _BEGINNING):
        pass


def _rows(told: Any) -> Iterator[Row]:
    if not (isinstance(told, dict) and "instances" in told and "output" not in told):
        yield _row(told)
    elif isinstance(told["instances"], list) and told["instances"]:
        for one in told["instances"]:
            yield _row({**one, "instruction": told.get("instruction")} if isinstance(one, dict) else one)
    else:
        raise ValueError(f'"instances" is {_shown(told["instances"])} and no list of them')


def _row(told: Any) -> Row:
    if not isinstance(told, dict):
        raise ValueError(f"but {_shown(told)}")
    row = []
    for field in FIELDS:
        value = "" if field == "input" and told.get(field) is None else told.get(field)
        if not isinstance(value, str):
            raise ValueError(f'"{field}" is {_shown(value)} and no string' if field in told else f'no "{field}"')
        if field != "input" and not value.strip():
            raise ValueError(f'"{field}" is empty')
        row.append(value.strip())
    return row[0], row[1], row[2]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:40]


@dataclasses.dataclass(frozen=True)
class Asker:
    """Row → its sample and its fate."""

    stage: str
    maker: SampleMaker
    exclude: tuple[str, ...] = ()  # lists of what is not to be there
    listed: str = ""  # what they say, as `exclusions.as_begun` asks

    @cached_property
    def _excluded(self) -> exclusions.Exclusions | None:
        return exclusions.as_begun(self.exclude, self.listed)

    def __call__(self, row: Row) -> tuple[list[tuple[str, Sample]], list[Fate]]:
        told = Instruction(*row)
        if self._excluded is not None and told.key in self._excluded.ids:
            return [], [Fate(self.stage, "instruction", told.key, DROPPED, exclusions.REASON, told.asked[:100])]
        samples = self.maker.instruction(told)
        reason, detail = ("", samples[0][0]) if samples else ("too_long", told.asked[:100])
        return samples, [Fate(self.stage, "instruction", told.key, DROPPED if reason else KEPT, reason, detail)]
