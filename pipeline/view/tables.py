"""DuckDB over the tables of an output directory, whatever stages have run.

A table that is not there (yet) is one without rows. Lists are made from narrow joins that are kept in memory, each
built when it is first asked for, and again when files have come or gone: a run may go on while somebody looks.
Columns of 32-bit floats, similarities above all, are read as the decimals that were written: as they stand, 0.29 would
be below 0.29.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

import duckdb
import pyarrow as pa

from weft.pipeline.run.registry import CORPUS
from weft.schemas import tables as schemas
from weft.schemas.records import SIMILARITY_DECIMALS

Row = dict[str, Any]
# name → where its files are, and its columns
TABLES: dict[str, tuple[str, str, pa.Schema]] = {
    "fates_pages": ("fates/extract", "*.pages.parquet", schemas.FATES),
    **{f"fates_{stage}": (f"fates/{stage}", "*.parquet", schemas.FATES) for stage in CORPUS},
    "documents": ("documents", "*.parquet", schemas.DOCUMENTS),
    "pairs": ("pairs", "*.parquet", schemas.PAIRS),
    "clusters": ("clusters", "*.parquet", schemas.CLUSTERS),
    "images": ("images/index", "*.parquet", schemas.IMAGES),
    "scores": ("scores", "*.parquet", schemas.SCORES),
    "baseline": ("baseline", "*.parquet", schemas.BASELINE),
}
# As weft.transforms.fetch.rate_limit.bare_host, for addresses that were fit to be a page's or an image's.
_HOST = r"lower(regexp_extract(split_part({}, '/', 3), '^(?:[^@]*@)?(?:[wW]{{3}}\.)?([^:?#]+)', 1))"


def _fate(stage: str, kind: str) -> str:
    return (
        f"(SELECT key, any_value(fate) fate, any_value(reason) reason, any_value(detail) detail FROM fates_{stage} "
        f"WHERE kind = '{kind}' GROUP BY key)"
    )


def _ended(**fates: str) -> str:
    """How a thing ended, by the aliases of its fates in each stage."""
    lost = "".join(f"WHEN {of}.fate = 'dropped' THEN '{stage}: ' || {of}.reason " for stage, of in fates.items())
    return f"CASE {lost}WHEN {fates['pack']}.fate = 'kept' THEN 'kept' ELSE 'not yet' END AS fate"


# name → what it selects. `fate` is "kept", "not yet" (decided), or the stage and reason that dropped the thing.
JOINS = {
    "pages": f"""
        SELECT f.key AS doc_id, f.url, {_HOST.format("f.url")} AS domain, d.title, d.language, d.pictures,
            c.cluster_id, c.cluster_size, s.best, {_ended(extract="f", dedup="u", pack="p")},
            CASE WHEN p.fate = 'kept' THEN p.detail END AS shard
        FROM fates_pages f
        LEFT JOIN (SELECT doc_id, any_value(title) title, any_value(language) language,
            any_value(list_count(images)) pictures FROM documents GROUP BY doc_id) d ON d.doc_id = f.key
        LEFT JOIN (SELECT doc_id, any_value(cluster_id) cluster_id, any_value(cluster_size) cluster_size
            FROM clusters GROUP BY doc_id) c ON c.doc_id = f.key
        LEFT JOIN (SELECT id, max(similarity) best FROM scores WHERE kind = 'document' GROUP BY id) s ON s.id = f.key
        LEFT JOIN {_fate("dedup", "document")} u ON u.key = f.key
        LEFT JOIN {_fate("pack", "document")} p ON p.key = f.key
        WHERE f.kind = 'page'""",
    "captions": f"""
        SELECT p.pair_id, p.doc_id, {_HOST.format("p.page_url")} AS domain, p.image_url, p.text, p.source,
            p.language, s.similarity, {_ended(dedup="u", score="c", pack="k")}
        FROM pairs p
        LEFT JOIN (SELECT id, any_value(similarity) similarity FROM scores WHERE kind = 'pair' GROUP BY id) s
            ON s.id = p.pair_id
        LEFT JOIN {_fate("dedup", "pair")} u ON u.key = p.doc_id || ':' || p.pair_id
        LEFT JOIN {_fate("score", "pair")} c ON c.key = p.doc_id || ':' || p.pair_id
        LEFT JOIN {_fate("pack", "pair")} k ON k.key = p.doc_id || ':' || p.pair_id""",
    "groups": """
        SELECT c.cluster_id, any_value(c.cluster_size) AS size, string_agg(DISTINCT c.how, ', ' ORDER BY c.how) AS how,
            min(c.similarity) AS least, any_value(d.url) AS url, any_value(d.title) AS title
        FROM clusters c LEFT JOIN documents d ON d.doc_id = c.kept_id AND c.doc_id = c.kept_id GROUP BY c.cluster_id""",
    "pictures": f"""
        SELECT image_url, {_HOST.format("image_url")} AS domain, status, origin, mime, width, height, stored_width,
            stored_height, blob, "offset", length, digest FROM images""",
}


class Tables:
    """The tables of one output directory of this machine; may be asked by several threads.

    Args:
        output: of a run, finished or not.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._files: dict[str, list[str]] = {}
        self._built: set[str] = set()
        # Nothing is ever fetched, extensions of the database least of all.
        self._duckdb = duckdb.connect(
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        )

    def warm(self) -> None:
        """Build the JOINS, so that the first who asks does not wait for them."""
        for name in JOINS:
            self.rows("SELECT 1", of=name)

    def rows(self, query: str, values: Mapping[str, Any] | None = None, of: str = "") -> list[Row]:
        """Rows of a query over TABLES, and over one of JOINS.

        Args:
            values: of its `$name`s; nothing that a user gives is ever part of the query itself.
            of: the JOINS' name that the query reads.
        """
        with self._lock:
            self._look()
            if of and of not in self._built:
                self._duckdb.execute(f"CREATE OR REPLACE TABLE {of} AS {JOINS[of]}")
                self._built.add(of)
            cursor = self._duckdb.cursor()
        found = cursor.execute(query, dict(values) if values else None)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _look(self) -> None:
        for name, (folder, pattern, schema) in TABLES.items():
            place = os.path.join(self._output, *folder.split("/"))
            there = sorted(os.path.join(place, one) for one in _names(place) if fnmatch(one, pattern))
            if there != self._files.get(name):
                self._duckdb.execute(f"CREATE OR REPLACE VIEW {name} AS {self._select(there, schema)}")
                self._files[name] = there
                self._built.clear()

    def _select(self, paths: list[str], schema: pa.Schema) -> str:
        if not paths:
            wanted = [f'CAST(NULL AS {_type(field.type)}) AS "{field.name}"' for field in schema]
            return f"SELECT {', '.join(wanted)} WHERE false"
        source = f"read_parquet([{', '.join(map(_quoted, paths))}], union_by_name = true)"
        there = {row[0] for row in self._duckdb.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
        wanted = [
            f'{_read(field)} AS "{field.name}"' if field.name in there else f'NULL AS "{field.name}"'
            for field in schema
        ]
        return f"SELECT {', '.join(wanted)} FROM {source}"


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(field: pa.Field) -> str:
    return (
        f'round(CAST("{field.name}" AS DOUBLE), {SIMILARITY_DECIMALS})'
        if field.type == pa.float32()
        else f'"{field.name}"'
    )


def _type(type_: pa.DataType) -> str:
    """DuckDB's name for the type of a column that queries compare or count."""
    if pa.types.is_list(type_):
        return f"{_type(type_.value_type)}[]"
    numbers = {pa.float32(): "DOUBLE", pa.int32(): "INTEGER", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN"}
    return numbers.get(type_, "VARCHAR")


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"
