"""The lists that can be looked through: what each selects, by what it is filtered, and in which orders it can be read.

Values of a request → one page of rows, and what the form above it offers. A new list is a row of KINDS and a template.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from weft.pipeline.view.tables import Row, Tables
from weft.schemas.parameters import ConfigError

MOST_CHOICES = 300
_DOMAIN = "(domain = lower($domain) OR ends_with(domain, '.' || lower($domain)))"


class Filter(NamedTuple):
    """One field of the form above a list."""

    label: str
    condition: str  # with the value as `$name`
    kind: str = "search"  # "search", "number", or "choice" of the values of the column of its name


class Kind(NamedTuple):
    """A list: a join of tables.JOINS, filtered and ordered."""

    title: str
    about: str
    of: str
    filters: dict[str, Filter]
    orders: dict[str, str]  # what a person reads → ORDER BY; the first is taken where none is asked for
    per_page: int = 50


KINDS = {
    "documents": Kind(
        "Documents",
        "Every page that was read, kept or not.",
        "pages",
        {
            "q": Filter(
                "In title, address or text",
                "(contains(lower(title), lower($q)) OR contains(lower(url), lower($q)) OR doc_id IN "
                "(SELECT doc_id FROM documents WHERE regexp_matches(array_to_string(texts, ' '), "
                "regexp_escape($q), 'i')))",
            ),
            "domain": Filter("Domain", _DOMAIN),
            "language": Filter("Language", "language = $language", "choice"),
            "fate": Filter("Fate", "fate = $fate", "choice"),
            "least": Filter("Best similarity, at least", "best >= $least", "number"),
            "most": Filter("at most", "best <= $most", "number"),
            "cluster": Filter("Cluster", "cluster_id = $cluster"),
        },
        {
            "shuffled": "doc_id",
            "by address": "url, doc_id",
            "most pictures": "pictures DESC NULLS LAST, doc_id",
            "highest similarity": "best DESC NULLS LAST, doc_id",
            "lowest similarity": "best NULLS LAST, doc_id",
        },
    ),
    "pairs": Kind(
        "Pairs",
        "Pictures and their captions on either side of a threshold of similarity.",
        "captions",
        {
            "q": Filter("In the caption", "contains(lower(text), lower($q))"),
            "domain": Filter("Domain of the page", _DOMAIN),
            "language": Filter("Language", "language = $language", "choice"),
            "source": Filter("Source", "source = $source", "choice"),
            "fate": Filter("Fate", "fate = $fate", "choice"),
        },
        {
            "above": "similarity, pair_id, doc_id",
            "below": "similarity DESC, pair_id, doc_id",
            "unscored": "pair_id, doc_id",
        },
        12,
    ),
    "clusters": Kind(
        "Clusters",
        "Documents that are duplicates of each other, the largest clusters first.",
        "groups",
        {
            "q": Filter("In title or address", "(contains(lower(title), lower($q)) OR "
                        "contains(lower(url), lower($q)))"),
            "how": Filter("Found by", "how = $how", "choice"),
            "least": Filter("Documents, at least", "size >= $least", "number"),
        },
        {"largest": "size DESC, cluster_id", "least alike": "least, cluster_id"},
    ),
    "images": Kind(
        "Images",
        "Every picture that was wanted, fetched or not.",
        "pictures",
        {
            "q": Filter("In the address", "contains(lower(image_url), lower($q))"),
            "domain": Filter("Domain", _DOMAIN),
            "status": Filter("Status", "status = $status", "choice"),
            "origin": Filter("From", "origin = $origin", "choice"),
        },
        {
            "by address": "image_url",
            "largest": "width * height DESC NULLS LAST, image_url",
            "smallest": "nullif(width * height, 0) NULLS LAST, image_url",
        },
        60,
    ),
}  # fmt: skip


class Listing(NamedTuple):
    """A page of a list."""

    rows: list[Row]
    total: int
    page: int  # from 1
    pages: int


class Question(NamedTuple):
    """What a request asks of a list."""

    condition: str
    values: dict[str, Any]


def question(kind: Kind, given: Mapping[str, str]) -> Question:
    """The filters that a request sets.

    Raises:
        ConfigError: what should be a number is none.
    """
    asked = {name: given[name].strip() for name in kind.filters if given.get(name, "").strip()}
    values = {name: number(kind.filters[name].label, value) if kind.filters[name].kind == "number" else value
              for name, value in asked.items()}  # fmt: skip
    return Question(" AND ".join(kind.filters[name].condition for name in asked) or "true", values)


def listed(tables: Tables, kind: Kind, asked: Question, page: int, order: str = "") -> Listing:
    """One page of what a question finds; the last one where there are not so many."""
    by = kind.orders.get(order) or next(iter(kind.orders.values()))
    query = f"""
        WITH found AS MATERIALIZED (SELECT rowid AS number FROM {kind.of} WHERE {asked.condition})
        SELECT of.*, (SELECT count(*) FROM found) AS "how many" FROM {kind.of} of JOIN found ON of.rowid = found.number
        ORDER BY {by} LIMIT {kind.per_page} OFFSET {{}}"""
    page = max(page, 1)
    rows = tables.rows(query.format((page - 1) * kind.per_page), asked.values, kind.of)
    if not rows and page > 1:  # there are not so many
        total = listed(tables, kind, asked, 1, order).total
        return listed(tables, kind, asked, max(1, math.ceil(total / kind.per_page)), order)
    total = rows[0]["how many"] if rows else 0
    return Listing(rows, total, page, max(1, math.ceil(total / kind.per_page)))


def choices(tables: Tables, kind: Kind) -> dict[str, list[tuple[str, int]]]:
    """Name of each filter that is a choice → values and how often each is there, the commonest first."""
    return {
        name: [
            (row["value"], row["n"])
            for row in tables.rows(
                f"SELECT {name} AS value, count(*) AS n FROM {kind.of} WHERE {name} <> '' GROUP BY 1 "
                f"ORDER BY 2 DESC, 1 LIMIT {MOST_CHOICES}",
                of=kind.of,
            )
        ]
        for name, filter_ in kind.filters.items()
        if filter_.kind == "choice"
    }


def number(label: str, value: str) -> float:
    """A number of a request.

    Raises:
        ConfigError: it is none.
    """
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ConfigError(f"{label}: {value!r} is no number")
    return found
