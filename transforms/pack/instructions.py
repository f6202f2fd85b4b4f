"""Instruction data → training sequences of instructions/: what is asked is read, what is answered is learned.

    files ──► read ──► (instruction, input, output), each once ──► Asker ──► (shard, Sample) and Fate

Kosmos-1 (3.3) goes on training on Unnatural Instructions and FLANv2 in this form, without loss on what is asked.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import zlib
from collections.abc import Iterator

from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, KEPT, Fate
from weft.transforms.io import files
from weft.transforms.pack.samples import Instruction, Sample, SampleMaker

Row = tuple[str, str, str]  # an Instruction's fields
FIELDS = Instruction._fields


def read(path: str) -> Iterator[Row]:
    """The rows of a file of JSON lines, plain or gzipped; "input" may be missing, what else a line holds is left.

    Raises:
        ConfigError: the file cannot be read, or a line is no instruction with an output.
    """
    number = 0
    try:
        with files.open_read(path) as stream:
            lines = gzip.GzipFile(fileobj=stream) if path.endswith(".gz") else stream
            for line in lines:
                number += 1
                if line.strip():
                    told = {"input": "", **json.loads(line)}
                    row = tuple(told[field].strip() for field in FIELDS)
                    if not (row[0] and row[2]):
                        raise ValueError("an empty text")
                    yield row
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"cannot read instructions {path}: {getattr(error, 'strerror', None) or error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{path}:{number} is no object with instruction and output ({why})") from None


@dataclasses.dataclass(frozen=True)
class Asker:
    """Row → its sample and its fate."""

    stage: str
    maker: SampleMaker

    def __call__(self, row: Row) -> tuple[list[tuple[str, Sample]], list[Fate]]:
        told = Instruction(*row)
        samples = self.maker.instruction(told)
        reason, detail = ("", samples[0][0]) if samples else ("too_long", told.asked[:100])
        return samples, [Fate(self.stage, "instruction", told.key, DROPPED if reason else KEPT, reason, detail)]
