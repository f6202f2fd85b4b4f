"""Structure: code, formulas and tables of real pages as Markdown, of weft, trafilatura and resiliparse.

    python benchmarks/structure.py WARC … [--half tune|held] [--folds DIR]

`structure.jsonl` beside this file says of each page what of its main content is code, a formula or a table of data; the
gold is what a DOM has there, read without weft. It does so by selectors, chosen by a site's own templates and by counts
of elements, or by the numbers of the page's `pre`, `annotation` and `table` elements, chosen by reading where each
stands and what it says; what was in doubt is not among them. No text of a page is in it.
Pages that are not in the archives are passed over. Half the pages (by hash of the host) are held out: nothing is chosen
by them. Most of the pages are among those that weft's model was fitted on: with --folds, as in extraction.py, weft's
figures are of weights that have not seen the page's site.

Code and formulas: 1 - edit distance / the longer length, of all of a page's in reading order (WebMainBench's measure).
Tables: TEDS of those paired in reading order, over the larger number of tables; a place that a cell spans may hold the
cell's text or nothing. Means over the pages that have such ± one standard error. "no table": the share of pages without
any in their main content (calendars, consent, menus, layout) for which none is written; "no code" likewise.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import extraction
import numpy as np
import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from weft.schemas.records import hash_unit
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.archive import classify
from weft.transforms.extract.html import extract, marked, to_text

GOLD = Path(__file__).parent / "structure.jsonl"
KINDS = ("code", "formula", "table")
_BARE = re.compile(r"(?s)(?:\{\\displaystyle|\\[(\[])(.*)(?:\}|\\[)\]])")  # a formula between its marks
TAGS = {"code": "pre", "formula": "annotation", "table": "table"}  # of what is told by its number
MOST = 20_000  # characters of a page's code that are compared
ROWS = 25  # of a table that are
Place = tuple[str, bool]  # text of a place in a table, and whether it may as well be empty
Table = list[list[Place]]


def by_weft(html: str, url: str) -> str:
    made = extract(html, url, markup=True)
    return "\n\n".join(marked.written(lines) for lines in made.marked if lines)


def by_trafilatura(html: str, url: str) -> str:
    said = trafilatura.extract(html, url=url, output_format="markdown", include_formatting=True, include_tables=True)
    return said or ""


def by_resiliparse(html: str, url: str) -> str:
    return str(extract_plain_text(HTMLTree.parse(html), main_content=True, preserve_formatting=True))


def parts_of(text: str) -> tuple[str, str, list[Table]]:
    """(code, formulas, tables) of a Markdown text."""
    code: list[str] = []
    rest: list[str] = []
    fence = ""
    for line in text.split("\n"):
        bare = re.sub(r"^(?:> ?)*", "", line)
        mark = re.match(r"\s*(?:[-*]|\d+\.)?\s*(`{3,})", bare)
        if fence:
            if mark and mark[1].startswith(fence) and not bare.strip(" `"):
                fence = ""
            else:
                code.append(bare)
        elif mark:
            fence = mark[1]
        else:
            rest.append(bare)
    formulas = [a or b for a, b in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", "\n".join(rest), re.DOTALL)]
    tables: list[Table] = []
    within = False
    for line in rest:
        row = line.strip()
        if row.startswith("|") and row.endswith("|") and len(row) > 1:
            cells = [(_flat(cell.replace("\\|", "|")), False) for cell in re.split(r"(?<!\\)\|", row[1:-1])]
            if all(re.fullmatch(r":?-+:?", cell) for cell, _ in cells):
                continue
            if not within:
                tables.append([])
            tables[-1].append(cells)
            within = True
        else:
            within = False
    return "\n".join(code), "\n".join(map(_flat, formulas)), tables


def gold_of(html: str, said: dict[str, Any]) -> tuple[str, str, list[Table]]:
    document = HTMLTree.parse(html).document
    assert document is not None
    numbered = {kind: document.query_selector_all(TAGS[kind]) for kind in KINDS if isinstance(said.get(kind), list)}
    for gone in document.query_selector_all(said["without"]) if said.get("without") else ():
        gone.decompose()
    main = document.query_selector_all(said.get("main", "body"))
    assert main, f"{said['url']}: nothing is {said['main']}"
    found: dict[str, list[Any]] = {}
    for kind in KINDS:
        if kind in numbered:
            found[kind] = [numbered[kind][number] for number in said[kind]]
        else:
            found[kind] = (
                [node for root in main for node in root.query_selector_all(said[kind])] if said.get(kind) else []
            )
    for end in [end for node in found["code"] for end in node.query_selector_all("br")]:
        end.parent.replace_child(document.create_text_node("\n"), end)
    formulas = [_flat(_BARE.sub(r"\1", node.text.strip())) for node in found["formula"]]
    code = [node.text.strip("\n").rstrip() for node in found["code"]]
    return "\n".join(code), "\n".join(formulas), [_table(node) for node in found["table"]]


def _table(node: Any) -> Table:
    rows: list[dict[int, Place]] = []
    for at, row in enumerate(node.query_selector_all("tr")):
        while len(rows) <= at:
            rows.append({})
        column = 0
        for cell in row.query_selector_all("td, th"):
            while column in rows[at]:
                column += 1
            across, down = (int(cell.getattr(name) or 1) for name in ("colspan", "rowspan"))
            for below in range(at, at + down):
                while len(rows) <= below:
                    rows.append({})
                for beside in range(column, column + across):
                    rows[below][beside] = (_flat(cell.text), (below, beside) != (at, column))
            column += across
    return [[place for _, place in sorted(row.items())] for row in rows if row]


def _flat(text: str) -> str:
    return " ".join(text.split())


@functools.lru_cache(100_000)
def likeness(one: str, other: str) -> float:
    """1 - edit distance / the longer length; the distance by bits in parallel (Myers 1999, as by Hyyrö 2003)."""
    if one == other or not one or not other:
        return float(one == other)
    a, b = one[:MOST], other[:MOST]
    places: dict[str, int] = {}
    for at, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << at
    every, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    more, less, distance = every, 0, len(a)
    for character in b:
        equal = places.get(character, 0)
        down = equal | less
        across = (((equal & more) + more) ^ more) | equal
        up, under = (less | ~(across | more)) & every, more & across
        distance += bool(up & last) - bool(under & last)
        up, under = (up << 1 | 1) & every, under << 1 & every
        more, less = (under | ~(down | up)) & every, up & down
    return 1 - distance / max(len(a), len(b))


def teds(one: Table, other: Table) -> float:
    """Likeness of two tables as trees of rows of cells; a cell's cost is 1 - the likeness of its text."""
    one, other = one[:ROWS], other[:ROWS]
    if [[text for text, _ in row] for row in one] == [[text for text, _ in row] for row in other]:
        return 1.0
    size = max(*(1 + sum(1 + len(row) for row in table) for table in (one, other)))
    memo: dict[tuple[Place, Place], float] = {}

    def place(a: Place, b: Place) -> float:
        if (a, b) not in memo:
            plain = 1 - likeness(re.sub(r"[*`]", "", a[0]), re.sub(r"[*`]", "", b[0]))
            memo[a, b] = 0.0 if not b[0] and a[1] else plain
        return memo[a, b]

    def row(a: list[Place], b: list[Place]) -> float:
        return _aligned(a, b, lambda cell: 1.0, place)

    return 1 - _aligned(one, other, lambda r: 1.0 + len(r), row) / size


def _aligned(
    one: Sequence[Any], other: Sequence[Any], alone: Callable[[Any], float], both: Callable[[Any, Any], float]
) -> float:
    """The least cost of aligning two lists."""
    costs = [0.0]
    for b in other:
        costs.append(costs[-1] + alone(b))
    for a in one:
        before, costs = costs, [costs[0] + alone(a)]
        for at, b in enumerate(other):
            costs.append(min(before[at + 1] + alone(a), costs[at] + alone(b), before[at] + both(a, b)))
    return costs[-1]


def tables_score(gold: Sequence[Table], made: Sequence[Table]) -> float:
    best = -_aligned(gold, made, lambda table: 0.0, lambda a, b: -teds(a, b))
    return best / max(len(gold), len(made))


def scores(gold: tuple[str, str, list[Table]], made: tuple[str, str, list[Table]]) -> dict[str, float]:
    found = {kind: likeness(g, m) for kind, g, m in zip(KINDS, gold[:2], made[:2]) if g}
    return found | ({"table": tables_score(gold[2], made[2])} if gold[2] else {})


def half(url: str) -> str:
    """Which half of the pages one is in: pages of one host are in the same."""
    return "tune" if hash_unit(url.split("/")[2], "structure") < 0.5 else "held"


def pages(paths: Iterable[str], wanted: set[str]) -> Iterable[tuple[str, str]]:
    seen = set()
    for path in paths:
        for record in read_archive(path):
            if isinstance(record, Record) and record.url in wanted - seen and classify(record)[0] == "page":
                seen.add(record.url)
                yield record.url, to_text(record.body, record.header("content-type"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", metavar="WARC")
    parser.add_argument("--half", choices=("tune", "held"), help="only these pages; both are told apart without it")
    parser.add_argument("--folds", type=Path, help="directory with the weights of five-fold cross-validation")
    parser.add_argument("--pages", action="store_true", help="each page's figures, where it is not held out")
    parser.add_argument("--only", help="comma-separated names of ways")
    options = parser.parse_args()
    told = {line["url"]: line for line in map(json.loads, GOLD.read_text().splitlines())}
    ways = {"weft": by_weft, "trafilatura": by_trafilatura, "resiliparse": by_resiliparse}
    if options.only:
        ways = {name: way for name, way in ways.items() if name in options.only.split(",")}
    found: dict[tuple[str, str, str], list[float]] = {}
    chosen = extraction.weights_of(options.folds) if options.folds else None
    for url, html in pages(options.archives, set(told)):
        side = half(url)
        if options.half and side != options.half:
            continue
        gold = gold_of(html, told[url])
        if chosen:
            extraction.use(functools.partial(chosen, url, html))
        for name, way in ways.items():
            parts = parts_of(way(html, url))
            made = scores(gold, parts)
            made |= {f"no {kind}": float(not part) for kind, part in zip(KINDS, parts) if told[url].get(kind) == []}
            for kind, value in made.items():
                found.setdefault((side, name, kind), []).append(value)
            if options.pages and side == "tune" and name == "weft":
                print({kind: round(value, 3) for kind, value in made.items()}, url)
    for side in ("tune", "held"):
        for name in ways:
            said = [
                f"{kind} {np.mean(values):.3f} ± {np.std(values) / len(values) ** 0.5:.3f} ({len(values)})"
                for kind in (*KINDS, "no table", "no code")
                if (values := found.get((side, name, kind)))
            ]
            if said:
                print(f"{side:5} {name:12} " + "  ".join(said))


if __name__ == "__main__":
    main()
