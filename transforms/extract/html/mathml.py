"""Presentation MathML → LaTeX, for formulas that do not bring their source along.

One pass over the tags with a stack of one's own: no nesting can exhaust Python's. Beyond MAX_DEPTH, or MAX_SOURCE
characters, a formula is no longer one that somebody reads, and there is nothing of it. What an element is not known to
mean counts as a row of what it holds, so that no character is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from weft.transforms.extract.html.tag_values import plain

MAX_SOURCE = 50_000  # characters of one formula's markup; a page of derivations has some thousands
MAX_DEPTH = 60  # elements within each other; what TeX makes has some twenty

_NODE = re.compile(r"<(/?)([a-z]++(?:-xml)?+)([^<>]*+)>([^<]*+)")
_VARIANT = re.compile(r' mathvariant="([a-z-]++)"')
_FENCE = re.compile(r' (open|close|separators)="([^"]*+)"')
_COMMAND = re.compile(r"\\[a-zA-Z]++\Z")
_ONE = re.compile(r"(?:[^\\{}]|\\[a-zA-Z]++|\\[^a-zA-Z])\Z")
_SPECIAL = re.compile(r"[#$%&_{}]")

_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho varsigma sigma tau upsilon "
_GREEK += "varphi chi psi omega"
SYMBOLS = {chr(0x3B1 + n): f"\\{name}" for n, name in enumerate(_GREEK.split()) if name != "o"} | {
    **dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", r"\Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega".split())),
    **dict(zip("ϵϕϑϖϱ", r"\epsilon \phi \vartheta \varpi \varrho".split())),
    **dict(zip("ℝℕℤℚℂℙ𝔼", (rf"\mathbb{{{letter}}}" for letter in "RNZQCPE"))),
    "ε": r"\varepsilon", "−": "-", "×": r"\times", "÷": r"\div", "·": r"\cdot", "⋅": r"\cdot", "∗": "*", "±": r"\pm",
    "∓": r"\mp", "≤": r"\leq", "≥": r"\geq", "⩽": r"\leqslant", "⩾": r"\geqslant", "≠": r"\neq", "≈": r"\approx",
    "≡": r"\equiv", "∼": r"\sim", "≃": r"\simeq", "≅": r"\cong", "∝": r"\propto", "≪": r"\ll", "≫": r"\gg",
    "∑": r"\sum", "∏": r"\prod", "∐": r"\coprod", "∫": r"\int", "∬": r"\iint", "∮": r"\oint", "√": r"\surd",
    "∞": r"\infty", "∂": r"\partial", "∇": r"\nabla", "ℏ": r"\hbar", "ℓ": r"\ell", "ℜ": r"\Re", "ℑ": r"\Im",
    "ℵ": r"\aleph", "∈": r"\in", "∉": r"\notin", "∋": r"\ni", "⊂": r"\subset", "⊆": r"\subseteq", "⊃": r"\supset",
    "⊇": r"\supseteq", "∪": r"\cup", "∩": r"\cap", "⋃": r"\bigcup", "⋂": r"\bigcap", "∖": r"\setminus",
    "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee", "⊕": r"\oplus",
    "⊗": r"\otimes", "∘": r"\circ", "∙": r"\bullet", "→": r"\to", "←": r"\leftarrow", "↔": r"\leftrightarrow",
    "⇒": r"\Rightarrow", "⇐": r"\Leftarrow", "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "↑": r"\uparrow",
    "↓": r"\downarrow", "⟶": r"\longrightarrow", "…": r"\ldots", "⋯": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots",
    "⟨": r"\langle", "⟩": r"\rangle", "〈": r"\langle", "〉": r"\rangle", "⌊": r"\lfloor", "⌋": r"\rfloor",
    "⌈": r"\lceil", "⌉": r"\rceil", "∥": r"\parallel", "‖": r"\|", "∣": r"\mid", "⊥": r"\perp", "∠": r"\angle",
    "△": r"\triangle", "□": r"\square", "†": r"\dagger", "⋆": r"\star", "′": "'", "″": "''", "\xa0": r"\ ",
    "∶": ":", "≔": ":=", "≜": r"\triangleq", "⊢": r"\vdash", "⊨": r"\models", "⊤": r"\top",
    **dict.fromkeys("\u2061\u2062\u2063\u2064\u200b\u2009\u200a\u2006\u2003\u2002", ""),
}  # fmt: skip
_SPELT = str.maketrans({symbol: f"{said} " if said[-1:].isalpha() else said for symbol, said in SYMBOLS.items()})
FUNCTIONS = frozenset(
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max "
    "min Pr sec sin sinh sup tan tanh".split()
)
_ACCENTS = {
    "¯": "overline", "‾": "overline", "_": "underline", "^": "hat", "ˆ": "hat", "~": "tilde", "˜": "tilde", "˙": "dot",
    "¨": "ddot", "→": "vec", "⃗": "vec", "ˇ": "check", "˘": "breve", "⏞": "overbrace", "⏟": "underbrace", "̂": "hat",
    "̃": "tilde", "̇": "dot", "̄": "bar", "⏜": "overparen", "`": "grave", "´": "acute",
}  # fmt: skip
_STYLES = {
    "bold": "mathbf", "double-struck": "mathbb", "script": "mathcal", "fraktur": "mathfrak",
    "bold-italic": "boldsymbol", "sans-serif": "mathsf", "monospace": "mathtt",
}  # fmt: skip


def latex(markup: str) -> str:
    """The LaTeX of what stands inside a math element, without dollar signs; "" where there is none to be had.

    Args:
        markup: the element's content as the parser writes it.
    """
    if len(markup) > MAX_SOURCE:
        return ""
    stack: list[tuple[str, str, list[str]]] = [("mrow", "", [])]
    for closing, name, rest, text in _NODE.findall(markup):
        if not closing:
            if len(stack) > MAX_DEPTH:
                return ""
            stack.append((name, rest, []))
            if name in _LEAVES:
                stack[-1][2].append(plain(text))
            if rest.endswith("/"):
                _close(stack)
        elif len(stack) > 1:
            _close(stack)
    while len(stack) > 1:
        _close(stack)
    return joined(stack[0][2])


def _close(stack: list[tuple[str, str, list[str]]]) -> None:
    name, rest, held = stack.pop()
    stack[-1][2].append(
        _LEAVES[name](" ".join("".join(held).split()), rest) if name in _LEAVES else _node(name, rest, held)
    )


def joined(parts: Sequence[str]) -> str:
    """Pieces of LaTeX in a row, with a space where a command would run into a letter."""
    made: list[str] = []
    for part in parts:
        if part:
            if made and part[0].isalpha() and _COMMAND.search(made[-1][-24:]):
                made.append(" ")
            made.append(part)
    return "".join(made)


def _identifier(text: str, rest: str) -> str:
    style = _VARIANT.search(rest)
    if text in FUNCTIONS:
        return f"\\{text}"
    if style and style[1] in _STYLES and text:
        return f"\\{_STYLES[style[1]]}{{{_symbols(text)}}}"
    said = _symbols(text)
    return f"\\mathrm{{{said}}}" if len(text) > 1 and text.isalpha() and text.isascii() else said


def _operator(text: str, _: str) -> str:
    if text in FUNCTIONS:
        return f"\\{text}"
    return f"\\operatorname{{{text}}}" if len(text) > 1 and text.isalpha() and text.isascii() else _symbols(text)


def _symbols(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text.strip()).translate(_SPELT).strip()


def _text(text: str, _: str) -> str:
    return "\\text{" + _SPECIAL.sub(r"\\\g<0>", text) + "}" if text else ""


_LEAVES: dict[str, Callable[[str, str], str]] = {
    "mi": _identifier,
    "mo": _operator,
    "mn": lambda text, _: _symbols(text),
    "mtext": _text,
    "ms": _text,
}


def _node(name: str, rest: str, held: list[str]) -> str:
    """The LaTeX of an element, of that of its children."""
    made = _SHAPES.get(name)
    if made is not None and len(held) >= made[0]:
        return made[1](held)
    if name in ("annotation", "annotation-xml", "mphantom", "mprescripts", "none"):
        return ""
    if name == "semantics":
        return held[0] if held else ""
    if name == "mfenced":
        said = dict(_FENCE.findall(rest))
        between = _symbols(said.get("separators", ",")[:1])
        opened, closed = _symbols(said.get("open", "(")), _symbols(said.get("close", ")"))
        return joined([f"\\left{opened or '.'}", f"{between} ".join(held), f"\\right{closed or '.'}"])
    return joined(held)


def _group(said: str) -> str:
    return said if _ONE.match(said) else f"{{{said}}}"


def _base(said: str) -> str:
    return said if _ONE.match(said) or said[-1:] in ")]'" or said.startswith("\\math") else f"{{{said}}}"


def _accent(said: str, mark: str, default: str) -> str:
    name = _ACCENTS.get(mark) or next((_ACCENTS[s] for s in _ACCENTS if SYMBOLS.get(s) == mark), "")
    if name:
        return f"\\{name}{{{said}}}"
    return f"{_base(said)}{default}{_group(mark)}"


def _rows(held: list[str]) -> str:
    return r"\begin{matrix}" + r" \\ ".join(held) + r"\end{matrix}"


# By name: how many children it has, and what is made of them.
_SHAPES: dict[str, tuple[int, Callable[[list[str]], str]]] = {
    "mfrac": (2, lambda c: f"\\frac{{{c[0]}}}{{{c[1]}}}"),
    "msqrt": (1, lambda c: f"\\sqrt{{{joined(c)}}}"),
    "mroot": (2, lambda c: f"\\sqrt[{c[1]}]{{{c[0]}}}"),
    "msup": (2, lambda c: f"{_base(c[0])}{c[1]}" if set(c[1]) == {"'"} else f"{_base(c[0])}^{_group(c[1])}"),
    "msub": (2, lambda c: f"{_base(c[0])}_{_group(c[1])}"),
    "msubsup": (3, lambda c: f"{_base(c[0])}_{_group(c[1])}^{_group(c[2])}"),
    "mover": (2, lambda c: _accent(c[0], c[1], "^")),
    "munder": (2, lambda c: _accent(c[0], c[1], "_")),
    "munderover": (3, lambda c: f"{_base(c[0])}_{_group(c[1])}^{_group(c[2])}"),
    "mmultiscripts": (3, lambda c: f"{_base(c[0])}_{_group(c[1])}^{_group(c[2])}"),
    "mtable": (1, _rows),
    "mtr": (1, " & ".join),
    "mlabeledtr": (1, lambda c: " & ".join(c[1:])),
    "mspace": (0, lambda c: " "),
}
