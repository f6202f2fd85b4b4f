r"""A page as the parser writes it → the same without what holds no text, with its formulas as LaTeX in the text.

Comments, scripts, styles, drawings and forms are cut out. A formula stands on pages in one of these ways, and becomes
`$…$`, or `$$…$$` where it is displayed:

- MathML with its TeX as an annotation or as `alttext` (Wikipedia, KaTeX, LaTeXML), else converted (mathml.py);
- KaTeX, MathJax: what they draw beside it for the eye is cut out;
- `<script type="math/tex">` (MathJax 2, kramdown), `<d-math>` (Distill);
- an element of class `math` that holds TeX between its own marks, for a script to typeset (pandoc, Sphinx);
- an image whose alt text or address is its TeX (Wikipedia's fall-back, WordPress' latex.php, CodeCogs).

TeX that stands elsewhere in the text between its own marks is text already. Only pages that hold one of HINTS are
looked through. Superscripts and subscripts that mean a power or an index are told by `^` and `_`: 10<sup>5</sup> is not
105. Ordinals and trade marks stay as they were; the marks of notes go (notes.py).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from weft.transforms.extract.html import compiled, inline
from weft.transforms.extract.html.compiled import find, holds
from weft.transforms.extract.html.mathml import latex
from weft.transforms.extract.html.notes import without_marks
from weft.transforms.extract.html.tag_values import ATTRIBUTE, plain

HINTS = (
    "<math",
    "math/",
    "mwe-math",
    "katex",
    "latex",
    "MathJax",
    "mjx-",
    'class="tex"',
    "tex.cgi",
    "<d-math",
    'class="math ',
)
MAX_TEX = 10_000  # characters of one formula
MAX_MARKUP = 200_000  # and of its MathML
MAX_WORD = 3  # characters of an alt text that is TeX though nothing in it says so
MAX_BASE = 200  # characters before a superscript in which its base is looked for

RAW = (  # elements whose content is cut out, with their end
    "script style svg template iframe select textarea video audio canvas math object noembed noframes xmp plaintext"
).split()
_NAMES = "|".join(RAW)
_RAW = re.compile(rf"<(?:!--|({_NAMES})(?=[ >]))")
NESTED = frozenset(("svg", "template", "object"))  # may stand in each other; in raw text, as of scripts, no tag does
_FORMULAS = "img span div nobr mjx-container d-math".split()
_RAW_AND_FORMULAS = re.compile(rf"<(?:!--|({_NAMES}|{'|'.join(_FORMULAS)})(?=[ >]))")
_ANNOTATION = re.compile(r'<annotation encoding="(?:application/x-tex|LaTeX|TeX|application/x-latex)"[^<>]*+>([^<]*+)')
_STYLED = re.compile(r"\{\\(?:displaystyle|textstyle|scriptstyle) ?(.*)\}\Z", re.DOTALL)
_MARKED = re.compile(r"(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])\Z", re.DOTALL)
_FOR_A_SCRIPT = re.compile(
    r'\s*+(?:<span class="eqno">[^<]*+(?:<a [^<>]*+>[^<]*+</a>)?+</span>\s*+)?+([^<]*+)</(?:span|div)>'
)
_CDATA = re.compile(r"%? ?<!\[CDATA\[|%? ?\]\]>")
_TEX = re.compile(r"[\\^_{}=+<>]")  # what tells TeX from words
_SAYS_FORMULA = re.compile(r"\b(?:tex|latex|math|formula|equation|mwe-math[\w-]*+)\b", re.IGNORECASE)
_SERVES_FORMULAS = re.compile(
    r"latex\.php\?|[/.]codecogs\.com/|(?:mathtex|mimetex|latex)\.cgi|chart\?cht=tx|/math/render/|quicklatex|/images/math/"
)
_QUERY = re.compile(r"(?:latex|chl|formdata)=([^&]++)|codecogs\.com/[^?]*+\?(.++)|\.cgi\?(.++)")
_DRAWN = re.compile(r'class="[^"]*?\b(?:katex-html|MathJax(?:_\w++)?|mjx-chtml|MJX_\w++)(?=[ "])')
_DISPLAYED = re.compile(
    r'class="katex-display"><span class="katex"><span class="katex-mathml">\Z|mathml-display[^<>]{0,200}+>\Z'
)
_TAGS = re.compile(r"<[^<>]*+>")
_DRAWING = ("span", "div", "nobr", "mjx-container")
# Names for the compiled loop, by whether figures are images and there are formulas; it asks for those after None.
_CUT = {
    (figures, formulas): (*(name for name in RAW if name not in asked), None, *asked, *(_FORMULAS if formulas else ()))
    for figures in (False, True)
    for formulas in (False, True)
    for asked in [["math", "svg"] if figures else ["math"]]
}
_TAG_OF = {
    name: re.compile(rf"<(/?){name}(?=[ >])") for name in ("span", "div", "nobr", "mjx-container", "math", "d-math")
}
_EDGE_OF = {name: re.compile(rf"<(?:(/){name}|{name}(?=[ >]))") for name in NESTED}

_SCRIPT = re.compile(r"<su([bp])(?: [^<>]*+)?>([^<]{1,12}+)</su[bp]>")
_CLOSING = re.compile(r"(?:</(?:i|em|b|strong|var|span|sub|sup)>){1,20}+\Z")
_VARIABLE = re.compile(r"</(?:i|em|var)>")
_ELEMENT = re.compile(r"(?:[A-Z][a-z]?|[A-Z)\]])\Z")  # H₂O is H2O
_POWER = re.compile(
    r"[-+−–±]?\d{1,4}(?:[./]\d{1,3})?[-+−–]?|[-+−–]|[-+−–]?[a-zA-Zα-ω]{1,2}[-+−–]?\d{0,3}|[a-z][-+−–]\d{1,3}|\d{1,2}[-+−–]?[a-z]"
)
_INDEX = re.compile(r"\d{1,4}|[a-zA-Zα-ω]{1,2}\d{0,2}|[a-z][-+−–,]?[a-z\d]|max|min")
_UNIT = re.compile(r"(?:^|[\W\d_])(?:[a-zA-Zα-ωΑ-Ω]|[kcmdnμµ]m|ft|in|mi|yd|sec|kg|Pa|eV)\Z")
_ORDINAL = frozenset("e o a r d er re me th st nd rd es os as le lo TM SM tm sm te".split())


def without_raw(source: str, json_ld: list[str], drawings: list[str], figures: dict[str, str] | None = None) -> str:
    """The page without comments and the content of scripts, styles and the like, with formulas as text.

    Args:
        source: as the parser writes it.
        json_ld: the page's JSON-LD is added to it.
        figures: to which files of drawings that are figures are added by their sha256, and an image stands in the page
            for each; None leaves all drawings as they are.
        drawings: for each `svg` that is left in the page, "" is added to it, or the address of the image of a formula
            that the element stands for.
    """
    made = without_marks(_Reading(source, json_ld, drawings, figures).cut())
    return _SCRIPT.sub(_scripted, made) if find(made, "<su") >= 0 else made


def hinted(source: str) -> bool:
    """Whether one of HINTS stands in a page."""
    return holds(source, HINTS)


class _Reading:
    """One pass over a page."""

    def __init__(self, source: str, json_ld: list[str], drawings: list[str], figures: dict[str, str] | None) -> None:
        self.source, self.json_ld, self.drawings, self.figures = source, json_ld, drawings, figures
        self.formulas = hinted(source)
        self.scripts = self.formulas and "math/tex" in source  # MathJax's own, beside what it has drawn
        self.told = 0  # where the last formula ended
        self.whole = set(NESTED)  # names of which each element has had an end of its own

    def cut(self) -> str:
        """The page without what holds no text."""
        source, at = self.source, 0
        if compiled.module:
            return str(
                compiled.module.cut(source, _CUT[self.figures is not None, self.formulas], self.drawings, self._element)
            )
        kept: list[str] = []
        pattern = _RAW_AND_FORMULAS if self.formulas else _RAW
        found = pattern.search(source)
        while found is not None:
            start, name = found.start(), found.group(1)
            if name is None:
                end = source.find("-->", found.end())
                said, end = "", end + 3 if end >= 0 else len(source)
            else:
                inner = source.find(">", found.end()) + 1 or len(source)
                said, end = self._element(name, start, inner)
            kept += source[at:start], said
            at = end
            found = pattern.search(source, at)
        return "".join([*kept, source[at:]]) if kept else source

    def _element(self, name: str, start: int, inner: int) -> tuple[str, int]:
        """(what stays of an element or of its tag alone, where the page goes on)."""
        source, tag = self.source, self.source[start:inner]
        if name == "img":
            return self._image(tag, start), inner
        if name == "d-math":
            end = _end(source, inner, name)
            return _marked(plain(source[inner:end].removesuffix("</d-math>")), " block" in tag), end
        if name in _DRAWING:
            return self._drawn(name, tag, inner)
        end = self._close(name, inner)
        said = ""
        if name == "svg":
            if self.figures is not None and (drawn := inline.drawn(tag, source[inner:end], self.figures)):
                return drawn, end + len(name) + 3
            self.drawings.append("")
        elif name == "math":
            said = self._math(start, inner, end)
            self.told = end if said else self.told
        elif name == "script" and "ld+json" in tag:
            self.json_ld.append(source[inner:end])
        elif name == "script" and "math/" in tag:
            said = _of_script(tag, source[inner:end])
        return tag + said, end + len(name) + 3

    def _close(self, name: str, inner: int) -> int:
        """Where the end tag stands of an element whose content begins at `inner`; len(source) where there is none.

        Where one in it has no end, as in a comment, the first end tag is taken, as it is of all that follow.
        """
        first = self.source.find("</" + name, inner)
        first = len(self.source) if first < 0 else first
        depth = 1
        for found in _EDGE_OF[name].finditer(self.source, inner) if name in self.whole else ():
            depth += -1 if found[1] else 1
            if not depth:
                return found.start()
        self.whole.discard(name)
        return first

    def _drawn(self, name: str, tag: str, inner: int) -> tuple[str, int]:
        """What a typesetter has drawn for the eye goes; there may be MathML in it. What it has yet to draw is TeX."""
        if 'class="math ' in tag and (found := _FOR_A_SCRIPT.match(self.source, inner)):
            said = plain(found[1]).strip()
            if said[:2] + said[-2:] in (r"\(\)", r"\[\]"):
                return tag + _marked(said, said[1] == "["), found.end(1)
        if name != "mjx-container" and not ("class=" in tag and _DRAWN.search(tag)):
            return tag, inner
        end = _end(self.source, inner, name)
        math = -1 if self.scripts else self.source.find("<math", inner, end)
        if math < 0:
            return "", end
        said = self._math(math, self.source.find(">", math) + 1, self.source.find("</math", math, end))
        return (f"${said}$" if ' display="true"' in tag and said[:2] != "$$" and said else said), end

    def _math(self, start: int, inner: int, end: int) -> str:
        """The LaTeX of a math element, between its marks."""
        source, tag = self.source, self.source[start:inner]
        display = ' display="block"' in tag or _DISPLAYED.search(source, max(0, start - MAX_BASE), start) is not None
        if end - inner > MAX_MARKUP:
            return ""
        found = _ANNOTATION.search(source, inner, end)
        said = plain(found[1]) if found else ""
        if not said.strip():
            told = dict(ATTRIBUTE.findall(tag)).get("alttext", "")
            said = plain(told) if _TEX.search(told) else latex(source[inner:end])
        return _marked(said, display)

    def _image(self, tag: str, start: int) -> str:
        """The tag, or, for the image of a formula, its LaTeX and an `svg` that stands for it."""
        told = {name: plain(value) for name, value in ATTRIBUTE.findall(tag)}
        address = told.get("src", "") or told.get("data-src", "")
        served = _SERVES_FORMULAS.search(address) is not None
        if not (served or _SAYS_FORMULA.search(told.get("class", ""))):
            return tag
        said = told.get("alt", "")
        if not _TEX.search(said):
            asked = _QUERY.search(address) if served else None
            if asked:
                said = unquote((asked[1] or asked[2] or asked[3]).replace("+", " "))
            elif not (served and 0 < len(said) <= MAX_WORD):
                return tag
        self.drawings.append(address)
        between = self.source[self.told : start] if 0 < start - self.told < MAX_BASE else "x"
        again = self.told and not _TAGS.sub("", between).strip()
        display = "display" in told.get("class", "")
        return "<svg>" if again else _marked(said, display) + "<svg>"


def _end(source: str, at: int, name: str) -> int:
    """Where the element ends whose content begins at `at`."""
    depth = 1
    for found in _TAG_OF[name].finditer(source, at):
        depth += -1 if found[1] else 1
        if not depth:
            return found.end() + 1
    return len(source)


def _of_script(tag: str, said: str) -> str:
    if "math/tex" in tag:
        return _marked(_CDATA.sub("", said), "mode=display" in tag)
    if "math/mml" in tag:
        return _marked(latex(said[said.find(">") + 1 :]), ' display="block"' in said[:MAX_BASE])
    return ""


def _marked(tex: str, display: bool) -> str:
    """LaTeX as the page would write it in its text; "" for none."""
    said = " ".join(tex.split())
    inside = _MARKED.match(said)
    if inside:
        said = inside[1].strip()
    styled = _STYLED.match(said)
    if styled:
        said = styled[1].strip()
    if not said or len(said) > MAX_TEX:
        return ""
    mark = "$$" if display else "$"
    return mark + said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + mark


def _scripted(found: re.Match[str]) -> str:
    """A superscript or a subscript with its mark, where it is a power or an index; else as it stands."""
    said = found[2].strip()
    before = found.string[max(0, found.start() - MAX_BASE) : found.start()]
    closing = _CLOSING.search(before)
    variable = closing is not None and _VARIABLE.search(closing[0]) is not None
    before = before[: closing.start() if closing else None].rpartition(">")[2]
    last = before[-1:]
    if found[1] == "b":
        sure = (last.isalnum() or last in (")", "]")) and _INDEX.fullmatch(said) is not None
        sure = sure and (variable or not (said.isdigit() and _ELEMENT.search(before)))
    else:
        base = (
            last.isdigit() or last == ")" or _UNIT.search(before) or (variable and len(before.rpartition(" ")[2]) < 4)
        )
        sign = last.isalpha() and said[-1:] in "-+−–"
        sure = bool(last and (base or sign) and _POWER.fullmatch(said)) and said not in _ORDINAL
    if not sure or last.isspace():
        return found[0]
    tag = found[0].find(">") + 1
    return f"{found[0][:tag]}{'_' if found[1] == 'b' else '^'}{said}{found[0][-6:]}"
