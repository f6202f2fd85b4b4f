"""Pages that are the worst for some step of extraction, of any size; and what each step costs on one.

python tests/hostile_pages.py 0.1 1 8     of each step its dearest page at these megabytes, in CPU seconds
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from weft.schemas.parameters import PageRules
from weft.transforms.consent import responses
from weft.transforms.extract import document_rules, gibberish, html, language, line_rules, page, second_opinion
from weft.transforms.extract.html import about, charset, limits, parser, scan
from weft.transforms.extract.html import page as page_of
from weft.transforms.extract.html.grids import grids
from weft.transforms.extract.html.markdown import markdown_of
from weft.transforms.extract.html.picture_captions import bind_captions
from weft.transforms.extract.html.pictures import pictures_of
from weft.transforms.extract.html.source import without_raw

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. "
URL = "http://site.test/"
RULES = PageRules(min_words=0, languages=(), main_content=False)


def _fill(unit: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda size: before + unit * max(1, (size - len(before) - len(after)) // len(unit)) + after


def _each(unit: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """As `_fill`, its % each time another number."""
    return lambda size: before + "".join(unit.replace("%", str(n)) for n in range(size // (len(unit) + 3))) + after


_LD = "<script type=application/ld+json>"
PAGES: dict[str, Callable[[int], str]] = {
    "short texts": _fill("<p>x"),
    "rules": _fill("<hr>x"),
    "rows": _fill("<tr><td>x", "<table>"),
    "nested tables": _fill("<table><tr><td>x"),
    "lists": _fill("<ul><li>x</ul>"),
    "nested lists": _fill("<ul><li>x"),
    "nested elements": _fill("<x-y>a"),
    "named elements": _each("<div class='relatedpost% nav' id=b% role=a%>x</div>"),
    "headings": _fill("<h1>x</h1>"),
    "images": _fill("<img src=a>"),
    "other images": _each("<img src=a%.jpg alt='photo of a barn %' title='% barns'>"),
    "figures": _fill("<figure><img src=a><figcaption>x y z</figcaption></figure>"),
    "one figure": _fill("<img src=a><figcaption>x</figcaption>", "<figure>"),
    "captions": _fill("<div class=caption>x<img src=a>"),
    "noscript": _fill("<img src=data:x><noscript><img src=a></noscript>", "<body><p>"),
    "one srcset": _fill("a.jpg 1w, ", "<img src=a srcset='", "'>"),
    "srcsets": _fill("<img src=a srcset='" + "a.jpg 1w, " * 200 + "'>"),
    "sources": _each("<source srcset='a% 1w'>", "<picture>", "<img src=b></picture>"),
    "backgrounds": _fill(f"<div style='{'background:' * 60}{'url(' * 300}'>x"),
    "drawings": _fill("<svg></svg>"),
    "figures drawn in the page": _fill("<svg width=240 height=240>" + "<rect fill=red />" * 9 + "<use href='#a'/></svg>"),
    "a figure of many parts": _fill("<use href='#a'/><g id=a></g><rect fill=red />", "<svg width=240 height=240>"),
    "scripts": _fill("<script></script>"),
    "comments": _fill("<!-->"),
    "meta": _each("<meta name=a% content=b>"),
    "one meta": _fill("noai, ", "<meta name=robots content='", "'>"),
    "deep data": _fill("[", _LD + '{"author":', "</script>"),
    "data": _fill('{"author":1},', _LD + '{"@graph":[', "{}]}</script>"),
    "many data": _fill(_LD + '{"author":{"name":"x"}}</script>'),
    "links": _fill("<a href=x rel='a license'>y</a> "),
    "prose": _fill(SENTENCE, "<p>"),
    "lines": _fill("a b c d e f.\n", "<pre>"),
    "breaks": _fill("a.<br>", "<p>"),
    "words": _each("w% ", "<p>"),
    "one word": _fill("a", "<p>"),
    "brackets": _each("(" * 300 + "%" + ")" * 300 + " ", "<p>"),
    "addresses": _each("a." * 300 + "@% ", "<p>"),
    "wrong encoding": _fill("<p>cafÃ© â€™ "),
    "digits": _fill("1 ", "<p>"),
    "personal data": _fill("a@b.cd 212-555-0123 8.8.8.8 ; 4111 1111 1111 1111 ; 123-45-6789 ", "<p>"),
    "blanks": _fill(" ", "<pre>a", "b"),
    "formulas": _fill('<math><mi>x</mi></math><img class="tex" alt="x^2" src=a> '),
    "deep formulas": _fill("<mrow>", "<math>"),
    "annotations": _fill('<math><annotation encoding="application/x-tex">x</annotation></math> '),
    "drawn formulas": _fill('<span class="katex-html"><span><math>'),
    "formulas in scripts": _fill("<script type=math/tex>x</script> "),
    "powers": _fill("x<sup>2</sup>"),
    "nested powers": _fill("<i>x</i><sup>2</sup>"),
    "spanning cells": _fill("<tr><td colspan=999 rowspan=999>x<th>y", "<table>"),
    "a wide row": lambda size: "<table><tr>" + "<th>x" * (size // 10) + "<tr><td>y" * (size // 18),
    "captions of no picture": _fill("<p class=caption>x"),
    "captions in elements": _fill("<figcaption><p>x</p></figcaption>", "<figure><img src=a>"),
    "long classes": lambda size: f"<div class='{'c ' * (size // 4)}'>" + "<pre>x</pre><table><tr><td>y</table>" * (size // 70),
    "drawings in each other": _fill("<svg>x"),
    "drawings in comments": _fill("<svg><!--<svg>--></svg>"),
    "marks of headings": _fill("<a class=headerlink href=#a>¶</a><span class=mw-editsection>[<a href=b>edit</a>]</span>"),
    "code": _fill("<pre><code class=language-x>x<br>y</code></pre>"),
    "lines of code": _fill("<div><span>x</span></div>", "<pre>"),
    "quotations": _fill("<blockquote>x", "", "</blockquote>"),
    "emphasis": _fill("<b>x</b> y <i>z</i> <code>`</code>", "<p>"),
    "numbered": _fill("<ol><li value=999999999>x</ol>"),
    "references": _fill("&nbsp;&amp;", "<p>a", "b"),
    "markup in names": _fill("<p a<b>x"),
    "long base": lambda size: f"<base href='http://a.test/{'a/' * min(size // 4, 2_000)}'>" + "<img src=../a>" * (size // 28),
}  # fmt: skip


def costs(text: str, foreign: bool = False) -> dict[str, float]:
    """CPU seconds of each step, up to the one that refuses the page; `foreign`: trafilatura's reading too."""
    found: dict[str, float] = {}

    def cost(step: str, do: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.thread_time() + _of_processes()
        try:
            return do(*arguments)
        finally:
            found[step] = time.thread_time() + _of_processes() - begun

    record = page.HtmlPage(URL, text.encode("utf-8", "replace")).record()
    text = cost("characters", charset.to_text, record.body)
    seen = scan.Scan()
    try:
        cost("what the parser may take", limits.check, text)
        laborious = cost("whether to parse it apart", limits.laborious, text)
        written = cost("parser, apart" if laborious else "parser", parser.written, text, laborious)
        source = cost("scripts and formulas", without_raw, written, seen.json_ld, seen.drawn)
        cost("figures", without_raw, written, [], [], {})
        cost("scan", page_of._scanner().read, source, seen)
        limits.check_items(len(seen.texts), len(seen.starts), max(seen.depths, default=0))
    except html.TooComplex:
        return found
    cells = cost("tables", grids, seen.source)
    cost("features, model, choice", page_of._kept, seen, URL, cells)
    kept = [True] * len(seen.texts)
    pictures = cost("pictures", pictures_of, seen, kept, URL, URL)
    cost("captions beside pictures", bind_captions, seen, pictures, kept)
    markdown = cost("Markdown", markdown_of, seen, kept, cells, URL, True)
    marked = cost("texts and Markdown", page_of._assembled, seen, pictures, kept, URL, html.About(), markdown)
    cost("Markdown written", page._as_markdown, marked)
    cost("lines with Markdown", page._by_lines, marked, "paper", True)
    made = marked._replace(marked=())
    cost("author, date, licence", about.read, seen, URL)
    cost("opt-outs", responses.read, (), made.meta, page.counted_signals(RULES))
    for variant in ("code", "paper", "fineweb"):
        cost(f"lines, C4 {variant}", line_rules.apply, made.texts, variant, False)
    cost("lines, RefinedWeb", line_rules.apply, made.texts, "off", True)
    whole = page._whole(made, RULES)
    cost("gibberish", gibberish.judge, whole, RULES)
    cost("language", language.identify, whole)
    cost("repetition", document_rules.gopher_repetition, whole)
    cost("quality", document_rules.gopher_quality, whole)
    cost("FineWeb", document_rules.fineweb, whole)
    cost("personal data", page._without_personal, made, PageRules(pii="mask"))
    cost("pairs and fates", page._settle, record, made, RULES)
    if foreign:
        with contextlib.suppress(html.TooComplex):
            cost("trafilatura", second_opinion.read, text, URL)
    return found


def _of_processes() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    worst: dict[str, dict[float, tuple[float, str]]] = {}
    whole: dict[str, float] = {}
    foreign = "--foreign" in sys.argv
    costs(PAGES["prose"](2_000), foreign)
    for megabytes in (float(size) for size in sys.argv[1:] if size[0] != "-"):
        for name, make in PAGES.items():
            found = costs(make(int(megabytes * 1e6)), foreign)
            whole[f"{megabytes} {name}"] = round(sum(found.values()), 2)
            print(megabytes, name, {step: round(spent, 2) for step, spent in found.items() if spent > 0.05}, flush=True)
            for step, spent in found.items():
                best = worst.setdefault(step, {})
                best[megabytes] = max(best.get(megabytes, (0.0, "")), (spent, name))
    for step, by_size in worst.items():
        print(f"| {step} | " + " | ".join(f"{spent:.2f} ({name})" for spent, name in by_size.values()) + " |")
    print(json.dumps(dict(sorted(whole.items(), key=lambda one: -one[1])[:12])))


if __name__ == "__main__":
    main()
