"""The dedup stage on documents that a test makes up: tables, one run, its books, what came of it."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from weft.pipeline.run import books
from weft.pipeline.run.context import Context
from weft.pipeline.stages.dedup import stage
from weft.schemas.config import Config, Dedup
from weft.schemas.records import Document, Pair, hash_bucket, hash_unit
from weft.schemas.tables import DOCUMENTS, PAIRS
from weft.transforms.io.parquet import write_table


def text(name: str, count: int = 200, changed: Sequence[int] = ()) -> str:
    words = [f"w{hash_bucket(f'{name}/{i}', 3_000)}" for i in range(count)]
    return " ".join(f"changed{i}" if i in changed else word for i, word in enumerate(words))


def document(
    doc_id: str, body: str, url: str = "", date: int = 100, place: tuple[str, int] = ("", 0), images: int = 0
) -> Document:
    pictures = [f"http://i.test/{doc_id}/{i}.jpg" for i in range(images)]
    return Document(
        doc_id,
        url or f"http://site.test/{doc_id}",
        date,
        place[0] or "one.warc.gz",
        place[1] or int(hash_unit(doc_id, "") * 1e6),
        f"<urn:{doc_id}>",
        "en",
        0.9,
        "",
        [body, *[None] * images],
        [None, *pictures],
        [None] * (images + 1),
    )


def pair(doc_id: str, name: str) -> Pair:
    return Pair(name, doc_id, "http://site.test/", f"http://i.test/{name}", name, "alt", "en", 0.9)


def run(
    output: Path,
    documents: Sequence[Document],
    pairs: Sequence[Pair] = (),
    files: int = 3,
    flags: tuple[str, ...] = (),
    inputs: tuple[str, ...] = (),
    **section: Any,
) -> dict[str, list[dict[str, Any]]]:
    """Write the tables, run the stage, check its books; table name → rows."""
    for number in range(files):
        write_table(f"{output}/documents/d{number}.parquet", documents[number::files], DOCUMENTS)
        write_table(f"{output}/pairs/d{number}.parquet", pairs[number::files], PAIRS)
    return again(output, flags, inputs, **section)


def again(
    output: Path, flags: tuple[str, ...] = (), inputs: tuple[str, ...] = (), **section: Any
) -> dict[str, list[dict[str, Any]]]:
    config = dataclasses.replace(Config(), dedup=Dedup(**section))
    entered = stage.run(Context(output=str(output), inputs=inputs, config=config, fingerprint="x", flags=flags))
    books.audit(str(output), "dedup", entered)
    return {
        table: [row for part in sorted((output / table).glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
        for table in ("clusters", "kept", "cuts", "fates/dedup")
    }


def verdicts(rows: dict[str, list[dict[str, Any]]], kind: str) -> dict[str, tuple[str, str]]:
    """Key → (reason, detail) of what was dropped."""
    return {
        row["key"]: (row["reason"], row["detail"])
        for row in rows["fates/dedup"]
        if row["kind"] == kind and row["fate"] == "dropped"
    }


def checksums(output: Path) -> dict[str, str]:
    parts = [part for table in ("clusters", "kept", "fates/dedup") for part in sorted((output / table).glob("*"))]
    return {str(part.relative_to(output)): hashlib.sha256(part.read_bytes()).hexdigest() for part in parts}
