"""Recipes beside their peers' own code: on how many texts weft's rules and datatrove's filters decide alike, and why.

texts ─┬─► weft's rules ───────────────────────────► verdict, reason ─┬─► shares that agree, and what does not
       └─► datatrove's filters, in their own Python ► verdict, reason ─┘   and DCLM's rules as its mappers state them

    python benchmarks/parity.py --peer PYTHON [--texts FILE.jsonl …] [--archives FILE.warc.gz …]

Texts are lines of JSON, each a string or an object with "text" or "gold_text": each goes through every rule alone, also
by the code that made C4 (tfds_c4.py) and by DCLM's counts (dclm_stated.py), and those in a language that has limits in
configs/languages/fineweb2.toml through FineWeb 2's three filters with them. Of archives every HTML page goes through
recipe fineweb as a whole, from HTML to verdict. Without either the demo's pages are taken. `make parity-test` sets up
the peer's Python (requirements/loaders).

Left out on both sides: pages that weft takes for another language, addresses, duplicates across pages. weft asks
trafilatura for pictures too, whose text is then another now and then: that is most of what parts whole pages.
trafilatura remembers in datatrove what earlier pages of a process said; here it is made to forget after each page,
since no two runs of that agree with each other.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

LEAST = 0.995  # share of verdicts that must agree
DATATROVE = ("gopher_repetition", "gopher_quality", "c4_paper", "c4_fineweb", "fineweb_quality", "fineweb", "fineweb2")
DCLM = ("dclm_quality", "dclm_repetition", "dclm_lines")
RULES = (*DATATROVE, "c4_code", *DCLM)
_SAME = {  # the peer's reason → weft's
    "dup_para_frac": "repetition_paragraphs",
    "dup_para_char_frac": "repetition_paragraphs",
    "dup_line_frac": "repetition_lines",
    "dup_line_char_frac": "repetition_lines",
    "gopher_short_doc": "too_short",
    "gopher_long_doc": "too_long",
    "gopher_below_avg_threshold": "gopher_word_length",
    "gopher_above_avg_threshold": "gopher_word_length",
    "gopher_too_many_hashes": "gopher_symbols",
    "gopher_too_many_ellipsis": "gopher_symbols",
    "gopher_too_many_bullets": "gopher_bullets",
    "gopher_too_many_end_ellipsis": "gopher_ellipses",
    "gopher_below_alpha_threshold": "gopher_alphabetic",
    "gopher_enough_stop_words": "gopher_stop_words",
    "lorem_ipsum": "c4_lorem_ipsum",
    "curly_bracket": "c4_curly_bracket",
    "too_few_sentences": "c4_too_few_sentences",
    "line_punct_ratio": "fineweb_punctuation",
    "short_line_ratio": "fineweb_short_lines",
    "char_dup_ratio": "fineweb_repeated",
    "list_ratio": "fineweb_newlines",
    "no_text": "too_short",
    "page_length_filter: few": "too_short",
    "page_length_filter: many": "too_long",
    "word_length_filter": "gopher_word_length",
    "symbol_ratio_filter": "gopher_symbols",
    "bullet_count_filter": "gopher_bullets",
    "ellipsis_count_filter": "gopher_ellipses",
    "alphabetic_word_ratio_filter": "gopher_alphabetic",
    "stop_word_filter": "gopher_stop_words",
    "repetition_filter: line": "repetition_lines",
    "repetition_filter: paragraph": "repetition_paragraphs",
    "repetition_filter: top": "repetition_top_ngram",
    "repetition_filter: all": "repetition_ngrams",
    "word_removal_ratio_filter": "refinedweb_lines",
}


def main() -> None:
    """Print a table of agreement; exit status 1 where a rule is below LEAST."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--peer", help="a Python that has datatrove, spaCy and uniseg", required="--as-peer" not in sys.argv
    )
    parser.add_argument("--texts", nargs="*", default=[])
    parser.add_argument("--archives", nargs="*", default=[])
    parser.add_argument("--most", type=int, default=3_000, help="texts, and pages, that are taken")
    parser.add_argument("--as-peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        _peer(*options.as_peer)
        return
    with tempfile.TemporaryDirectory() as home:
        asked, answered = Path(home) / "asked.jsonl", Path(home) / "answered.jsonl"
        mine = []
        with open(asked, "w", encoding="utf-8") as out:
            for what in _inputs(options, Path(home)):
                mine.append(_weft(what))
                out.write(json.dumps(what) + "\n")
        subprocess.run([options.peer, __file__, "--as-peer", str(asked), str(answered)], check=True)
        theirs = [json.loads(line) for line in answered.read_text("utf-8").splitlines()]
    sys.exit(_compare(mine, theirs))


def _compare(mine: list[dict[str, str]], theirs: list[dict[str, str]]) -> int:
    print(f"{'rule':20} {'texts':>6} {'dropped':>8} {'verdict':>8} {'reason':>8}")
    worst, odd = 1.0, Counter[tuple[str, str, str]]()
    for rule in RULES:
        pairs = [(a[rule], _named(b[rule])) for a, b in zip(mine, theirs, strict=True) if rule in a and rule in b]
        if not pairs:
            continue
        verdict = sum((not a) == (not b) for a, b in pairs) / len(pairs)
        reason = sum(a == b for a, b in pairs) / len(pairs)
        dropped = sum(bool(b) for _, b in pairs)
        print(f"{rule:20} {len(pairs):6,} {dropped:8,} {verdict:8.2%} {reason:8.2%}")
        odd.update((rule, a or "kept", b or "kept") for a, b in pairs if a != b)
        worst = min(worst, verdict)
    for (rule, a, b), count in sorted(odd.items()):
        print(f"  {count:4} × {rule}: {a} here, {b} there")
    print(f"ratio: {worst / LEAST:.3f}x")
    return int(worst < LEAST)


def _named(reason: str) -> str:
    if reason.startswith("top_"):
        return "repetition_top_ngram"
    return "repetition_ngrams" if reason.startswith("duplicated_") else _SAME.get(reason, reason)


def _inputs(options: argparse.Namespace, home: Path) -> Iterator[dict[str, str]]:
    """Texts, and pages with the address that they came from."""
    yield from itertools.islice(_texts(options.texts), options.most)
    archives = options.archives
    if not options.texts and not archives:
        from weft.pipeline.demo import web

        web.make_web(str(home / "web"), pages=1_000)
        archives = sorted(map(str, (home / "web" / "warcs").iterdir()))
    yield from itertools.islice(itertools.chain.from_iterable(map(_pages, archives)), options.most)


def _texts(paths: Sequence[str]) -> Iterator[dict[str, str]]:
    for path in paths:
        opener: Any = gzip.open if path.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = row if isinstance(row, str) else row.get("text") or row.get("gold_text")
                if text and text.strip():
                    yield {"text": text, **_in_language(text)}


def _in_language(text: str) -> dict[str, Any]:
    """The language of a text and FineWeb 2's limits for it, where it has some."""
    from weft.transforms.extract import language, language_rules

    code = language.identify(text)[0]
    limits = language_rules.of(code, "fineweb2")
    return {"code": code, "limits": limits._asdict() | {"stopwords": sorted(limits.stopwords)}} if limits else {}


def _pages(path: str) -> Iterator[dict[str, str]]:
    from weft.transforms.archives.read import read_archive
    from weft.transforms.archives.record import Record
    from weft.transforms.extract import html
    from weft.transforms.extract.archive import classify

    for record in read_archive(path):
        if isinstance(record, Record) and classify(record)[0] == "page" and len(record.body) < 2_000_000:
            yield {"url": record.url, "html": html.to_text(record.body, record.header("content-type"))}


def _weft(what: dict[str, str]) -> dict[str, str]:
    """Rule → reason, "" where it keeps the text."""
    from weft.schemas.config import load
    from weft.schemas.parameters import PageRules
    from weft.transforms.extract import dclm_rules, document_rules, language_rules, line_rules
    from weft.transforms.extract.page import extract_html

    if "html" in what:
        import dataclasses

        rules: PageRules = load(recipe="fineweb").extract
        rules = dataclasses.replace(rules, honour_opt_out=False, pairs=False)
        found = extract_html(what["html"], what["url"], rules)
        reason = found.fates[0].reason
        return {} if reason in ("parse_error", "too_complex", "language") else {"fineweb": reason}
    text = what["text"]
    by_language = {}
    if "code" in what:
        rules = PageRules(gopher_repetition=True, fineweb_quality=True, gopher_quality=True)
        limits = language_rules.load("fineweb2")[what["code"]]
        by_language["fineweb2"] = document_rules.judge_by_language(text, what["code"], limits, rules)[0]
    return by_language | {
        "gopher_repetition": document_rules.gopher_repetition(text)[0],
        "gopher_quality": document_rules.gopher_quality(text, 50, 100_000)[0],
        "c4_paper": line_rules.apply([text], "paper", False)[1],
        "c4_code": line_rules.apply([text], "code", False)[1],
        "c4_fineweb": line_rules.apply([text], "fineweb", False)[1],
        "fineweb_quality": document_rules.fineweb(text)[0],
        "dclm_quality": dclm_rules.quality(text, 50, 100_000)[0],
        "dclm_repetition": dclm_rules.repetition(text)[0],
        "dclm_lines": line_rules.apply([text], "off", True)[1],
    }


def _peer(asked: str, answered: str) -> None:
    """What datatrove's own filters make of the same, and DCLM's stated rules; runs in its own Python."""
    import dclm_stated
    import tfds_c4
    from datatrove.data import Document
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.utils.typeshelper import Languages
    from datatrove.utils.word_tokenizers import load_word_tokenizer
    from trafilatura import deduplication

    filters = {
        "gopher_repetition": GopherRepetitionFilter(),
        "gopher_quality": GopherQualityFilter(),
        "c4_paper": C4QualityFilter(),
        "c4_fineweb": C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb_quality": FineWebQualityFilter(),
    }
    in_order = (
        "gopher_repetition",
        "gopher_quality",
        "c4_fineweb",
        "fineweb_quality",
    )  # as its example of FineWeb has them
    extractor = Trafilatura()
    english = load_word_tokenizer(Languages.english)  # several filters ask for the tokens of one text
    english.word_tokenize = lru_cache(4)(english.word_tokenize)
    english.span_tokenize = lru_cache(4_096)(english.span_tokenize)

    def reason(rule: str, document: Any) -> str:
        return told_by(filters[rule], document)

    def told_by(one: Any, document: Any) -> str:
        said = one.filter(document)
        return "" if said is True else "dropped" if said is False else said[1]

    @lru_cache
    def of_language(code: str, said: str) -> tuple[Any, ...]:
        """FineWeb 2's filters of a language (fineweb-2-pipeline.py)."""
        limits, language = json.loads(said), {"no": "nob"}.get(code, code)
        runs = [list(enumerate(limits[key], first)) for key, first in (("top_n_grams", 2), ("dup_n_grams", 5))]
        alone = {
            key: limits[key] for key in ("dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac")
        }
        quality = ("min_avg_word_length", "max_avg_word_length", "max_non_alpha_words_ratio")
        return (
            GopherRepetitionFilter(language=language, top_n_grams=runs[0], dup_n_grams=runs[1], **alone),
            FineWebQualityFilter(
                language=language,
                short_line_thr=999,
                **{key: limits[key] for key in ("line_punct_thr", "char_duplicates_ratio", "new_line_ratio")},
            ),
            GopherQualityFilter(
                language=language, stop_words=limits["stopwords"], **{key: limits[key] for key in quality}
            ),
        )

    with open(asked, encoding="utf-8") as lines, open(answered, "w", encoding="utf-8") as out:
        for line in lines:
            what = json.loads(line)
            if "html" in what:
                deduplication.LRU_TEST.clear()
                document = Document(text=extractor.extract(what["html"]) or "", id="")
                told = "" if document.text else "no_text"
                for rule in in_order:
                    told = told or reason(rule, document)
                found = {"fineweb": told}
            else:
                found = {rule: reason(rule, Document(text=what["text"], id="")) for rule in filters}  # C4's cuts texts
                found["c4_code"] = tfds_c4.judge(what["text"])
                stated = (dclm_stated.quality, dclm_stated.repetition, dclm_stated.lines)
                found |= {rule: state(what["text"]) for rule, state in zip(DCLM, stated, strict=True)}
                if "code" in what:
                    document = Document(text=what["text"], id="")
                    told = [told_by(one, document) for one in of_language(what["code"], json.dumps(what["limits"]))]
                    found["fineweb2"] = next(filter(None, told), "")
            out.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
